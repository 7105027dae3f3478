"""What runs can be filtered by, sorted by and shown with: columns, settings and figures, by their names in SQL.

A name only ever chooses one of these, and a value is only ever a bound parameter.
"""

from __future__ import annotations

import difflib
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import tables
from labelkit.registry.filter_parser import (
    All,
    AnyOf,
    Comparison,
    Expression,
    Name,
    Not,
    Value,
    moment,
    parse,
    parse_name,
)
from labelkit.registry.liveness import STALE_AFTER, is_stale, now
from labelkit.registry.queries import CURRENT_ALIASES

Condition: TypeAlias = sa.ColumnElement[bool]
Kind = Literal["text", "number", "time", "bool", "either"]

_RUNS = tables.runs.c
_NAMES = """
    run name group task kind status started heartbeat ended seconds error data synthetic model model_revision
    model_sha256 recipe metric metric_key seed device device_name device_count precision driver peak_memory
    git_commit git_dirty host pid command python labelkit
"""
_OTHERWISE = {"run": "id", "group": "group_id", "device": "device_type"}
#: name in conditions → column of the table of runs
COLUMNS: dict[str, str] = {name: _OTHERWISE.get(name, name) for name in _NAMES.split()}
#: the columns of views and records that are called otherwise
_SYNONYMS = {"id": "run", "group_id": "group", "device_type": "device"}
#: short forms of settings, as the flags of ``labelkit run``; so is the last part of any setting's name
SHORT = {"lr": "train.learning_rate", "epochs": "train.num_train_epochs"}
#: what a run may have several of → the rows, and the column in them
MANY: dict[str, tuple[sa.FromClause, str]] = {
    "tag": (tables.tags, "tag"),
    "alias": (CURRENT_ALIASES, "alias"),
    "note": (tables.notes, "text"),
}
_KEY_FIGURES = ("validation", "test")
#: names less alike than this are no hint
_NEAR = 0.6


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison; ``now`` is what ages count from."""

    name: str
    operator: str
    value: Value
    now: datetime

    def of(self, kind: Kind, column: sa.ColumnElement[Any], text: sa.ColumnElement[Any] | None = None) -> Condition:
        """Return the comparison with ``column``; never NULL, so that ``not`` gives all the others.

        :param text: the same as text, where ``kind`` is either.
        :raises RegistryError: this kind cannot be compared so.
        """
        if self.operator == "null" or (self.operator == "=" and self.value.null):
            return column.is_(None)
        compare: dict[Kind, Callable[..., Condition]] = {
            "text": self._text, "number": self._number, "time": self._time, "bool": self._bool
        }  # fmt: skip
        found = self._either(column, text) if text is not None else compare[kind](column)
        return sa.and_(column.is_not(None), found) if text is None else found

    def _refusal(self, what: str) -> RegistryError:
        written = f"{self.name} {'' if self.operator == 'true' else f'{self.operator} {self.value.text}'}".strip()
        return RegistryError(f"cannot compare '{written[:80]}': {self.name} is {what}", hint=_ALLOWED[what])

    def _text(self, column: sa.ColumnElement[Any]) -> Condition:
        if self.operator == "=":
            return column == _bound(self.value.text)
        if self.operator == "~":
            return column.icontains(self.value.text, autoescape=True)
        raise self._refusal("text")

    def _number(self, column: sa.ColumnElement[Any]) -> Condition:
        number = self.value.number
        if number is None or self.operator not in _SIGNS:
            raise self._refusal("a number")
        return _SIGNS[self.operator](column, _bound(number))

    def _either(self, column: sa.ColumnElement[Any], text: sa.ColumnElement[Any]) -> Condition:
        if self.operator == "=":
            same = text == _bound(self.value.text)
            return same if self.value.number is None else sa.or_(column == _bound(self.value.number), same)
        if self.operator == "~":
            return text.icontains(self.value.text, autoescape=True)
        if self.operator == "true":
            return text == "true"
        return sa.and_(column.is_not(None), self._number(column))

    def _bool(self, column: sa.ColumnElement[Any]) -> Condition:
        wanted = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        word = self.value.text.lower()
        if self.operator not in ("=", "true") or word not in wanted:
            raise self._refusal("true or false")
        return column.is_(wanted[word])

    def _time(self, column: sa.ColumnElement[Any]) -> Condition:
        if self.operator not in _SIGNS:
            raise self._refusal("a time")
        start, end = (_bound(one, tables.UtcTime) for one in moment(self.value.text, self.now))
        found: dict[str, Condition] = {
            "<": column < start,
            ">=": column >= start,
            "<=": sa.or_(column < end, column == start),
            ">": sa.and_(column >= end, column != start),
            "=": sa.and_(column >= start, sa.or_(column < end, column == start)),
        }
        return found[self.operator]


_SIGNS: dict[str, Callable[[Any, Any], Condition]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "=": lambda left, right: left == right,
}
_ALLOWED = {
    "text": "text takes = != in ~ and is null; ~ means contains",
    "a number": "a number takes < <= = != >= > and in with numbers, and is null",
    "a time": "a time takes < <= = >= > with a day as 2026-11-21 or an age as 3d, and is null",
    "true or false": "it takes = true or = false, or stands alone",
}


def _bound(value: str | float | datetime, type_: Any = None) -> sa.ColumnElement[Any]:
    # typed by the value and not by the column: on PostgreSQL 0.5 would become a whole number beside a seed
    if type_ is None:
        type_ = sa.String if isinstance(value, str) else sa.BigInteger if isinstance(value, int) else sa.Float
    return sa.bindparam(None, value, type_=type_)


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A column of the run itself."""

    name: str
    column: sa.ColumnElement[Any]
    kind: Kind

    def where(self, test: Test) -> Condition:
        """Return the condition on runs that ``test`` means."""
        return test.of(self.kind, self.column)

    def values(self) -> tuple[sa.ColumnElement[Any], ...]:
        """Return what to select and sort by; of several the first that is there is the value."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Row:
    """A value that is a row of another table, one at most for each run: a setting or a figure."""

    name: str
    number: sa.ColumnElement[Any]
    text: sa.ColumnElement[Any]
    conditions: tuple[Condition, ...]

    def where(self, test: Test) -> Condition:
        """Return the condition on runs that ``test`` means."""
        if test.operator == "null" or (test.operator == "=" and test.value.null):
            return ~self._exists(sa.or_(self.number.is_not(None), self.text != "null"))
        return self._exists(test.of("either", self.number, self.text))

    def values(self) -> tuple[sa.ColumnElement[Any], ...]:
        """Return what to select and sort by: the number, then the text."""
        return tuple(
            sa.select(column).where(*self.conditions).correlate(tables.runs).scalar_subquery()
            for column in (self.number, self.text)
        )

    def _exists(self, condition: Condition) -> Condition:
        return sa.exists().where(*self.conditions, condition).correlate(tables.runs)


@dataclass(frozen=True, slots=True)
class Many:
    """Something of which a run may have several; a condition holds where one of them meets it.

    :param rows: a table or view with a row for each, and the columns ``run`` and ``word``.
    """

    name: str
    rows: sa.FromClause
    word: str

    def where(self, test: Test) -> Condition:
        """Return the condition on runs that ``test`` means."""
        if test.operator == "null" or (test.operator == "=" and test.value.null):
            return ~self._exists()
        return self._exists(test.of("text", self.rows.c[self.word]))

    def values(self) -> tuple[sa.ColumnElement[Any], ...]:
        """Return nothing: there may be several."""
        return ()

    def _exists(self, *conditions: Condition) -> Condition:
        return sa.exists().where(self.rows.c.run == _RUNS.id, *conditions).correlate(tables.runs)


Field: TypeAlias = RunColumn | Row | Many


class Fields:
    """The fields of one registry: which settings and figures there are is looked up there."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._now = now()
        self._tasks: Sequence[str] | None = None

    def condition(self, text: str) -> Condition:
        """Return what ``text`` asks for, as a condition on the table of runs.

        :raises RegistryError: it cannot be read, or a name in it is unknown.
        """
        return self._sql(parse(text))

    def compare(self, name: str, operator: str, value: str) -> Condition:
        """Return one comparison of a field with a value that is taken as it is."""
        quoted = operator not in ("<", "<=", ">", ">=")
        test = Test(name, operator, Value(value, quoted=quoted), self._now)
        return self.find(Name(name, (name,))).where(test)

    def named(self, text: str) -> Field:
        """Return the field that ``text`` names.

        :raises RegistryError: there is none.
        """
        return self.find(parse_name(text))

    def order(self, text: str) -> list[sa.ColumnElement[Any]]:
        """Return what sorts by the field that ``text`` names, downwards where a minus stands before it.

        :raises RegistryError: there is none, or a run may have several of it.
        """
        down = text.startswith("-")
        field = self.named(text.removeprefix("-"))
        if isinstance(field, Many):
            raise RegistryError(
                f"cannot sort by {field.name}: a run may have several", hint="sort by a column or a score"
            )
        return [(value.desc() if down else value.asc()).nulls_last() for value in field.values()]

    def _sql(self, expression: Expression) -> Condition:
        match expression:
            case Comparison(name, operator, value):
                return self.find(name).where(Test(name.text, operator, value, self._now))
            case Not(inner):
                return sa.not_(self._sql(inner))
            case All(parts):
                return sa.and_(*(self._sql(part) for part in parts))
            case AnyOf(parts):
                return sa.or_(*(self._sql(part) for part in parts))

    def find(self, name: Name) -> Field:
        """Return the field called ``name``.

        :raises RegistryError: there is none; the nearest are named.
        """
        if len(name.parts) == 3:
            split, type_, figure = name.parts
            found = self._figure(split, type_, figure)
        else:
            found = self._column(name.text) or self._setting(name.text) or self._any_figure(name.text)
        if found is None:
            raise self._unknown(name.text)
        return found

    def shown_status(self) -> sa.ColumnElement[str]:
        """Return the status as it is shown: ``stale`` where a run says that it is running, but died."""
        beat = _RUNS.heartbeat
        limit = self._now - STALE_AFTER
        here = (_RUNS.status == "running", _RUNS.host == platform.node(), beat >= limit)
        query = sa.select(_RUNS.id, _RUNS.status, beat, _RUNS.host, _RUNS.pid).where(*here)
        fresh = self._connection.execute(query).all()
        dead = [run for run, status, seen, host, pid in fresh if is_stale(status, seen, host, pid, at=self._now)]
        stale = sa.and_(_RUNS.status == "running", sa.or_(beat < limit, _RUNS.id.in_(dead)))
        return sa.case((stale, "stale"), else_=_RUNS.status)

    def _column(self, name: str) -> Field | None:
        if name == "status":
            return RunColumn(name, self.shown_status(), "text")
        if (own := _SYNONYMS.get(name, name)) in COLUMNS:
            column = _RUNS[COLUMNS[own]]
            return RunColumn(name, column, _kind(column))
        if name in _KEY_FIGURES:
            return _figure(name, name, "", _RUNS.metric_key)
        return Many(name, *MANY[name]) if name in MANY else None

    def _setting(self, name: str) -> Field | None:
        key = SHORT.get(name) or (name if self._has_setting(name) else self._setting_ending_in(name))
        if key is None:
            return None
        columns = tables.plan_values.c
        return Row(name, columns.number, columns.text, (columns.run == _RUNS.id, columns.key == key))

    def _has_setting(self, key: str) -> bool:
        from labelkit.settings import SETTINGS

        recorded = sa.select(tables.plan_values.c.key).where(tables.plan_values.c.key == key).limit(1)
        return key in SETTINGS or self._connection.scalar(recorded) is not None

    def _setting_ending_in(self, name: str) -> str | None:
        if "." in name:
            return None
        return next(
            (f"{section}.{name}" for section in ("train", "data") if self._has_setting(f"{section}.{name}")), None
        )

    def _any_figure(self, name: str) -> Field | None:
        """Look for ``split.figure`` or ``split.type.figure``; either part may have dots in it."""
        split, dot, rest = name.partition(".")
        if not dot or not rest:
            return None
        cuts = [index for index, character in enumerate(rest) if character == "."]
        candidates = [("", rest), *((rest[:cut], rest[cut + 1 :]) for cut in reversed(cuts))]
        found = (self._figure(split, type_, figure) for type_, figure in candidates)
        return next((one for one in found if one is not None), None)

    def _figure(self, split: str, type_: str, figure: str) -> Field | None:
        columns = tables.scores.c
        if self._tasks is None:
            self._tasks = self._connection.scalars(sa.select(_RUNS.task).distinct()).all()
        of_split = (columns.task.in_(self._tasks), columns.split == split)
        asked = sa.select(columns.run).where(*of_split, columns.name == figure, columns.type == type_).limit(1)
        name = figure_name(split, type_, figure)
        if self._connection.scalar(asked) is not None:
            return _figure(name, split, type_, figure)
        # where nothing is scored yet, no name can be wrong
        nothing = self._connection.scalar(sa.select(columns.run).where(*of_split).limit(1)) is None
        return _figure(name, split, type_, figure) if nothing and split in _KEY_FIGURES else None

    def _unknown(self, name: str) -> RegistryError:
        from labelkit.settings import SETTINGS

        scores, plan = tables.scores.c, tables.plan_values.c
        settings = {*SETTINGS, *self._connection.scalars(sa.select(plan.key).distinct())}
        figures = self._connection.execute(sa.select(scores.split, scores.type, scores.name).distinct())
        scored = {figure_name(*row) for row in figures}
        hint = _near(name, {*COLUMNS, *MANY, *scored}, settings)
        if hint is None:
            some = ", ".join(sorted(one for one in scored if one.count(".") == 1)[:6]) or "validation.f1"
            hint = f"columns as task, status, data, tag; settings as lr, train.weight_decay; figures as {some}"
        return RegistryError(f"no column, setting or figure is called '{name}'", hint=hint)


def _near(name: str, known: set[str], settings: set[str]) -> str | None:
    """Return a hint with the whole names that resemble ``name``, or whose short forms do; None where none does."""
    whole = {one: one for one in (*known, *settings)}
    for key in settings:
        whole.setdefault(key.partition(".")[2] or key, key)
    close = difflib.get_close_matches(name, sorted(whole.keys() | SHORT.keys()), n=3, cutoff=_NEAR)
    found = dict.fromkeys({**whole, **SHORT}[one] for one in close)
    return f"did you mean {' or '.join(found)}?" if found else None


def figure_name(split: str, type_: str, figure: str) -> str:
    """Return what a figure is called in conditions and tables.

    >>> figure_name("validation", "creative.work", "f1")
    'validation["creative.work"].f1'
    """
    if not type_:
        return f"{split}.{figure}"
    plain = not re.search(r"""[\s.<>=!~(),\[\]"']""", type_)
    quoted = type_.replace('"', '""')
    return f"{split}.{type_}.{figure}" if plain else f'{split}["{quoted}"].{figure}'


def _kind(column: sa.Column[Any]) -> Kind:
    kinds: tuple[tuple[type[Any], Kind], ...] = (
        (sa.Boolean, "bool"), (sa.Integer, "number"), (sa.Float, "number"), (tables.UtcTime, "time")
    )  # fmt: skip
    return next((kind for type_, kind in kinds if isinstance(column.type, type_)), "text")


def _figure(name: str, split: str, type_: str, figure: str | sa.ColumnElement[str]) -> Row:
    columns = tables.scores.c
    conditions = (
        columns.run == _RUNS.id,
        columns.task == _RUNS.task,
        columns.split == split,
        columns.type == type_,
        columns.name == figure,
    )
    return Row(name, columns.value, columns.text, conditions)
