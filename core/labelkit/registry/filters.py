"""The fields that runs can be filtered by, sorted by and shown with: columns, settings and metrics, as SQL.

Names only ever choose one of these fields, and values are only ever bound parameters.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import tables
from labelkit.registry.filter_comparisons import ColumnType, Condition, compare, compare_either
from labelkit.registry.filter_parser import (
    And,
    Expression,
    Name,
    Not,
    Operator,
    Or,
    Predicate,
    Value,
    parse,
    parse_name,
)
from labelkit.registry.liveness import STALE_AFTER, Liveness, now
from labelkit.registry.queries import CURRENT_ALIASES, words_by_run

_RUNS = tables.runs.c
_NAMES = """
    run name group task kind status started heartbeat ended seconds error data synthetic model model_revision
    model_sha256 recipe metric metric_key seed device device_name device_count precision driver peak_memory
    git_commit git_dirty host pid command python labelkit
"""
_RENAMED = {"run": "id", "group": "group_id", "device": "device_type"}
#: name in filter expressions → column of the table of runs
COLUMNS: dict[str, str] = {name: _RENAMED.get(name, name) for name in _NAMES.split()}
#: the names of these columns in views and records
_SYNONYMS = {column: name for name, column in _RENAMED.items()}
#: abbreviations of settings, as the flags of ``labelkit run``; so is the last part of any setting's name
SHORT = {"lr": "train.learning_rate", "epochs": "train.num_train_epochs"}
#: what a run may have several of: name → the table or view, and its column
MANY: dict[str, tuple[sa.FromClause, str]] = {
    "tag": (tables.tags, "tag"),
    "alias": (CURRENT_ALIASES, "alias"),
    "note": (tables.notes, "text"),
}
#: the splits whose deciding metric has the name of the split
_DECIDING = ("validation", "test")
#: names less similar than this are not suggested
_CUTOFF = 0.6


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A column of the table of runs."""

    name: str
    column: sa.ColumnElement[Any]
    type: ColumnType

    def meets(self, predicate: Predicate, at: datetime) -> Condition:
        """Return the condition on runs that the column meets ``predicate``."""
        return compare(predicate, self.column, self.type, at)

    def values(self) -> tuple[sa.ColumnElement[Any], ...]:
        """Return the expressions to select and sort by; the first that is not NULL is the value."""
        return (self.column,)

    def words(self, connection: sa.Connection, runs: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
        """Return run → all its values, for fields with several; None for others."""
        return None


@dataclass(frozen=True, slots=True)
class SingleValue:
    """A setting or a score: a row of another table, at most one for each run."""

    name: str
    number: sa.ColumnElement[Any]
    text: sa.ColumnElement[Any]
    conditions: tuple[Condition, ...]

    def meets(self, predicate: Predicate, at: datetime) -> Condition:
        """Return the condition on runs that the value meets ``predicate``."""
        if predicate.tests_null:
            return ~self._exists(sa.or_(self.number.is_not(None), self.text != "null"))
        return self._exists(compare_either(predicate, self.number, self.text))

    def values(self) -> tuple[sa.ColumnElement[Any], ...]:
        """Return the expressions to select and sort by: the number, then the text."""
        return tuple(
            sa.select(column).where(*self.conditions).correlate(tables.runs).scalar_subquery()
            for column in (self.number, self.text)
        )

    def words(self, connection: sa.Connection, runs: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
        """Return None: a run has one value."""
        return None

    def _exists(self, condition: Condition) -> Condition:
        return sa.exists().where(*self.conditions, condition).correlate(tables.runs)


@dataclass(frozen=True, slots=True)
class SeveralValues:
    """A field that a run may have several values of; predicates hold if one of them meets it.

    :param rows: a table or view with the columns ``run`` and ``word``, with a row for each value.
    """

    name: str
    rows: sa.FromClause
    word: str

    def meets(self, predicate: Predicate, at: datetime) -> Condition:
        """Return the condition on runs that one of the values meets ``predicate``."""
        found = sa.exists().where(self.rows.c.run == _RUNS.id).correlate(tables.runs)
        if predicate.tests_null:
            return ~found
        return found.where(compare(predicate, self.rows.c[self.word], "text", at))

    def values(self) -> tuple[sa.ColumnElement[Any], ...]:
        """Return nothing: there may be several."""
        return ()

    def words(self, connection: sa.Connection, runs: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
        """Return run → all its values, in order."""
        return words_by_run(connection, self.rows, self.word, runs)


Field: TypeAlias = RunColumn | SingleValue | SeveralValues


class Fields:
    """The fields of one registry: its settings and metrics are looked up in the database."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._now = now()
        self._tasks: Sequence[str] | None = None

    def condition(self, text: str) -> Condition:
        """Return the condition on runs of a filter expression.

        :raises RegistryError: a syntax error, or a name in it is unknown.
        """
        return self._sql(parse(text))

    def compare(self, name: str, operator: Operator, value: str) -> Condition:
        """Return the condition of one comparison with a value that is taken literally."""
        quoted = operator not in ("<", "<=", ">", ">=")
        return self._sql(Predicate(Name(name, (name,)), operator, Value(value, quoted=quoted)))

    def named(self, text: str) -> Field:
        """Return the field that ``text`` names.

        :raises RegistryError: the name is unknown.
        """
        return self.find(parse_name(text))

    def order(self, text: str) -> list[sa.ColumnElement[Any]]:
        """Return the expressions that sort by the field that ``text`` names, descending with a minus before it.

        :raises RegistryError: the name is unknown, or a run may have several values of it.
        """
        field = self.named(text.removeprefix("-"))
        if isinstance(field, SeveralValues):
            raise RegistryError(
                f"cannot sort by {field.name}: a run may have several", hint="sort by a column or a score"
            )
        descending = text.startswith("-")
        return [(value.desc() if descending else value.asc()).nulls_last() for value in field.values()]

    def _sql(self, expression: Expression) -> Condition:
        match expression:
            case Predicate(name):
                return self.find(name).meets(expression, self._now)
            case Not(inner):
                return sa.not_(self._sql(inner))
            case And(parts):
                return sa.and_(*(self._sql(part) for part in parts))
            case Or(parts):
                return sa.or_(*(self._sql(part) for part in parts))

    def find(self, name: Name) -> Field:
        """Return the field called ``name``: a column, a setting, or a metric.

        :raises RegistryError: the name is unknown; similar ones are suggested.
        """
        text = name.text
        if len(name.parts) == 3:
            split, type_, metric = name.parts
            found: Field | None = self._metric(split, type_, metric)
        elif text == "status":
            found = RunColumn(text, self.shown_status(), "text")
        elif (own := _SYNONYMS.get(text, text)) in COLUMNS:
            column = _RUNS[COLUMNS[own]]
            found = RunColumn(text, column, column_type(column))
        elif text in _DECIDING:
            found = _score(text, text, "", _RUNS.metric_key)
        elif text in MANY:
            found = SeveralValues(text, *MANY[text])
        else:
            found = self.setting(text) or self.metric(text)
        if found is None:
            raise self._unknown(text)
        return found

    def shown_status(self) -> sa.ColumnElement[str]:
        """Return the status as shown: ``stale`` for running runs that are dead."""
        liveness = Liveness.of(self._connection)
        beat, limit = _RUNS.heartbeat, liveness.at - STALE_AFTER
        running = sa.select(_RUNS.id, _RUNS.status, beat).where(_RUNS.status == "running")
        rows = self._connection.execute(running).all()
        # of dead runs only those that heartbeats do not tell: the others may be many
        dead = [run for run, status, seen in rows if seen >= limit and liveness.is_stale(run, status, seen)]
        alive = [run for run, status, seen in rows if seen < limit and not liveness.is_stale(run, status, seen)]
        silent = sa.and_(beat < limit, _RUNS.id.not_in(alive))
        stale = sa.and_(_RUNS.status == "running", sa.or_(silent, _RUNS.id.in_(dead)))
        return sa.case((stale, "stale"), else_=_RUNS.status)

    def setting(self, name: str) -> Field | None:
        """Return the setting called ``name``, in full or abbreviated; None if it is unknown."""
        from labelkit.settings import SETTINGS

        columns = tables.plan_values.c
        keys = [SHORT[name]] if name in SHORT else [name]
        if name not in SHORT and "." not in name:
            keys += [f"train.{name}", f"data.{name}"]
        for key in keys:
            recorded = sa.select(columns.key).where(columns.key == key).limit(1)
            if key in SETTINGS or self._connection.scalar(recorded) is not None:
                return SingleValue(name, columns.number, columns.text, (columns.run == _RUNS.id, columns.key == key))
        return None

    def metric(self, name: str) -> Field | None:
        """Return the metric ``split.metric`` or ``split.type.metric``; None if unknown. Both may have dots."""
        split, dot, rest = name.partition(".")
        if not dot or not rest:
            return None
        dots = [index for index, character in enumerate(rest) if character == "."]
        candidates = [("", rest), *((rest[:index], rest[index + 1 :]) for index in reversed(dots))]
        found = (self._metric(split, type_, metric) for type_, metric in candidates)
        return next((one for one in found if one is not None), None)

    def _metric(self, split: str, type_: str, metric: str) -> Field | None:
        scores = tables.scores.c
        if self._tasks is None:
            self._tasks = self._connection.scalars(sa.select(_RUNS.task).distinct()).all()
        of_split = sa.select(scores.run).where(scores.task.in_(self._tasks), scores.split == split).limit(1)
        recorded = self._connection.scalar(of_split.where(scores.name == metric, scores.type == type_)) is not None
        # Where nothing is scored yet, no name can be wrong.
        if recorded or (split in _DECIDING and self._connection.scalar(of_split) is None):
            return _score(figure_name(split, type_, metric), split, type_, metric)
        return None

    def _unknown(self, name: str) -> RegistryError:
        from labelkit.settings import SETTINGS

        scores, plan = tables.scores.c, tables.plan_values.c
        settings = {*SETTINGS, *self._connection.scalars(sa.select(plan.key).distinct())}
        rows = self._connection.execute(sa.select(scores.split, scores.type, scores.name).distinct())
        scored = {figure_name(*row) for row in rows}
        whole = {one: one for one in (*COLUMNS, *MANY, *scored, *settings)}
        for key in settings:
            whole.setdefault(key.partition(".")[2] or key, key)
        whole |= SHORT
        close = difflib.get_close_matches(name, sorted(whole), n=3, cutoff=_CUTOFF)
        if close:
            hint = f"did you mean {' or '.join(dict.fromkeys(whole[one] for one in close))}?"
        else:
            some = ", ".join(sorted(one for one in scored if one.count(".") == 1)[:6]) or "validation.f1"
            hint = f"columns as task, status, data, tag; settings as lr, train.weight_decay; figures as {some}"
        return RegistryError(f"no column, setting or figure is called '{name}'", hint=hint)


def figure_name(split: str, type_: str, figure: str) -> str:
    """Return the name of a metric in filter expressions and tables.

    >>> figure_name("validation", "creative.work", "f1")
    'validation["creative.work"].f1'
    """
    if not type_:
        return f"{split}.{figure}"
    plain = not re.search(r"""[\s.<>=!~(),\[\]"']""", type_)
    quoted = type_.replace('"', '""')
    return f"{split}.{type_}.{figure}" if plain else f'{split}["{quoted}"].{figure}'


def column_type(column: sa.Column[Any]) -> ColumnType:
    """Return how the values of a column are compared."""
    if isinstance(column.type, sa.Boolean):
        return "bool"
    if isinstance(column.type, sa.Integer | sa.Float):
        return "number"
    return "time" if isinstance(column.type, tables.UtcTime) else "text"


def _score(name: str, split: str, type_: str, metric: str | sa.ColumnElement[str]) -> SingleValue:
    scores = tables.scores.c
    of_run = (scores.run == _RUNS.id, scores.task == _RUNS.task)
    of_metric = (scores.split == split, scores.type == type_, scores.name == metric)
    return SingleValue(name, scores.value, scores.text, (*of_run, *of_metric))
