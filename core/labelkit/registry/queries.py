"""What is asked of the registry: lists and whole runs, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from labelkit.registry import aliases, tables
from labelkit.registry.entities import (
    Attempt,
    CheckpointRecord,
    Evaluation,
    Group,
    Note,
    OutputRecord,
    PlanValue,
    RunDetails,
    RunRecord,
    RunSummary,
    SplitRecord,
    VersionRecord,
)
from labelkit.registry.home import LocalStore
from labelkit.registry.metric_rows import Figure

if TYPE_CHECKING:
    from labelkit.registry.filters import Field

#: what each alias means now: the view knows which entries of its history still count
CURRENT_ALIASES = sa.table("v_aliases", *(sa.column(name, sa.String) for name in ("task", "alias", "run")))
_RUN_COLUMNS = tables.runs.c
#: databases take so many bound values, and more
_NAMED = 1000
_STATE = ("status", "heartbeat", "ended", "seconds", "error", "hint")


def summaries(
    connection: sa.Connection,
    *conditions: sa.ColumnElement[bool],
    limit: int | None = None,
    order: Sequence[sa.ColumnElement[Any]] = (),
    columns: Mapping[str, Field] = MappingProxyType({}),
) -> list[RunSummary]:
    """Return the runs that meet all ``conditions``.

    :param order: what to sort by; of equal ones, and without it, the newest comes first.
    :param columns: name → field, of what to tell besides.
    """
    asked = {
        name: [value.label(f"asked_{number}_{part}") for part, value in enumerate(field.values())]
        for number, (name, field) in enumerate(columns.items())
    }
    query = (
        sa.select(*(_RUN_COLUMNS[name] for name in _SUMMARY_COLUMNS), _RUN_COLUMNS.group_id.label("group"))
        .add_columns(_key_figure("validation"), _key_figure("test"))
        .add_columns(*(value for values in asked.values() for value in values))
        .where(*conditions)
        .order_by(*order, _RUN_COLUMNS.started.desc(), _RUN_COLUMNS.id.desc())
        .limit(limit)
    )
    rows = connection.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    words = _several(connection, columns, ids)
    tags, named = _words(connection, tables.tags, "tag", ids), _words(connection, CURRENT_ALIASES, "alias", ids)
    return [
        RunSummary(
            **{name: row[name] for name in (*_SUMMARY_COLUMNS, "group", "validation", "test")},
            tags=tags.get(row["id"], ()),
            aliases=tuple(f"{row['task']}@{alias}" for alias in named.get(row["id"], ())),
            columns={name: _value(row, values, words.get(name)) for name, values in asked.items()},
        )
        for row in rows
    ]


def _value(row: sa.RowMapping, values: Sequence[sa.Label[Any]], words: Mapping[str, tuple[str, ...]] | None) -> Any:
    if words is not None:
        return ", ".join(words.get(row["id"], ())) or None
    found = next((row[value.name] for value in values if row[value.name] is not None), None)
    # settings are kept as text, JSON where they are no strings
    return None if len(values) > 1 and found == "null" else found


def _several(
    connection: sa.Connection, columns: Mapping[str, Field], runs: Sequence[str]
) -> dict[str, dict[str, tuple[str, ...]]]:
    if not columns:
        return {}
    from labelkit.registry.filters import Many

    several = {name: field for name, field in columns.items() if isinstance(field, Many)}
    return {name: _words(connection, field.rows, field.word, runs) for name, field in several.items()}


def _words(
    connection: sa.Connection, rows: sa.FromClause, word: str, runs: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return what each of ``runs`` has in a table where it may have several rows, in alphabetical order."""
    run, column = rows.c.run, rows.c[word]
    query = sa.select(run, column).order_by(run, column)
    if len(runs) <= _NAMED:  # of more the database is asked for all
        query = query.where(run.in_(runs))
    found: dict[str, tuple[str, ...]] = {}
    for id_, one in connection.execute(query):
        found[id_] = (*found.get(id_, ()), one)
    return found


_SUMMARY_COLUMNS = tuple(
    name
    for name in RunSummary.__dataclass_fields__
    if name not in ("group", "validation", "test", "tags", "aliases", "columns")
)


def _key_figure(split: str) -> sa.Label[float | None]:
    scores = tables.scores.c
    return (
        sa.select(scores.value)
        .where(
            scores.run == _RUN_COLUMNS.id,
            scores.task == _RUN_COLUMNS.task,
            scores.split == split,
            scores.name == _RUN_COLUMNS.metric_key,
            scores.type == "",
        )
        .correlate(tables.runs)
        .scalar_subquery()
        .label(split)
    )


def tasks(connection: sa.Connection) -> list[str]:
    """Return the names of all tasks that have runs."""
    return sorted(connection.scalars(sa.select(_RUN_COLUMNS.task).distinct()))


def details(connection: sa.Connection, run: str, store: LocalStore) -> RunDetails | None:
    """Return everything about the run with the id ``run``, or None where there is none."""
    row = connection.execute(sa.select(tables.runs).where(_RUN_COLUMNS.id == run)).mappings().one_or_none()
    if row is None:
        return None
    facts = dict(row)
    state = {name: facts.pop(name) for name in _STATE}
    record = RunRecord(
        group=facts.pop("group_id"),
        plan=tuple(PlanValue(**one) for one in _rows(connection, tables.plan_values, run)),
        versions=tuple(VersionRecord(**one) for one in _rows(connection, tables.versions, run)),
        splits=tuple(SplitRecord(**one) for one in _rows(connection, tables.splits, run)),
        **facts,
    )
    return RunDetails(
        record=record,
        scores=_figures(connection, tables.scores, run),
        metrics=_figures(connection, tables.metrics, run),
        checkpoints=tuple(checkpoints(connection, run, store)),
        attempts=tuple(Attempt(**one) for one in _rows(connection, tables.attempts, run)),
        tags=tuple(one["tag"] for one in _rows(connection, tables.tags, run)),
        notes=tuple(Note(created=one["created"], text=one["text"]) for one in _rows(connection, tables.notes, run)),
        aliases=tuple(one.reference for one in aliases.current(connection, run=run)),
        evaluations=_evaluations(connection, run),
        test_scored=_test_scored(connection, run),
        outputs=_outputs(connection, run),
        group=_group(connection, record.group),
        **state,
    )


def _group(connection: sa.Connection, name: str | None) -> Group | None:
    if name is None:
        return None
    from labelkit.registry.seed_groups import group  # most runs are of none

    return group(connection, name)


def _evaluations(connection: sa.Connection, run: str) -> tuple[Evaluation, ...]:
    columns = tables.evaluation_figures.c
    query = (
        sa.select(tables.evaluation_figures)
        .join(tables.evaluations, tables.evaluations.c.id == columns.evaluation)
        .where(tables.evaluations.c.run == run)
        .order_by(columns.evaluation, columns.type, columns.name)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["evaluation"], []).append(dict(row))
    return tuple(_evaluation(run, row, found.get(row["id"], [])) for row in _rows(connection, tables.evaluations, run))


def _evaluation(run: str, row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Evaluation:
    figures = tuple(
        Figure(
            task=row["task"],
            split=row["split"],
            name=one["name"],
            type=one["type"] or None,
            step=0,
            epoch=0.0,
            value=one["value"],
            text=one["text"],
        )
        for one in rows
    )
    return Evaluation(run=run, figures=figures, **row)


def _test_scored(connection: sa.Connection, run: str) -> int:
    """Return how often anybody scored what is in the test split of ``run``."""
    columns = tables.splits.c
    own = sa.select(columns.content_hash).where(columns.run == run, columns.split == "test").scalar_subquery()
    query = sa.select(sa.func.count()).where(tables.evaluations.c.content_hash == own)
    return connection.execute(query).scalar_one()


def _outputs(connection: sa.Connection, run: str) -> tuple[OutputRecord, ...]:
    columns = tables.outputs.c
    wanted = [columns[name] for name in OutputRecord.__dataclass_fields__]
    query = sa.select(*wanted).where(columns.run == run).order_by(columns.id)
    return tuple(OutputRecord(**row) for row in connection.execute(query).mappings())


def checkpoints(connection: sa.Connection, run: str, store: LocalStore) -> list[CheckpointRecord]:
    """Return the checkpoints of a run in the order they were made, deleted ones too."""
    files = _files(connection, run)
    columns, stores = tables.checkpoints.c, tables.stores.c
    query = (
        sa.select(tables.checkpoints, stores.host, stores.root)
        .join(tables.stores, stores.id == columns.store)
        .where(columns.run == run)
        .order_by(columns.id)
    )
    return [_checkpoint(dict(row), files.get(row["id"], {}), store) for row in connection.execute(query).mappings()]


def _checkpoint(row: dict[str, Any], files: dict[str, tuple[int, str]], store: LocalStore) -> CheckpointRecord:
    return CheckpointRecord(
        best=row.pop("is_best"),
        last=row.pop("is_last"),
        folder=store.root / row["path"] if row["store"] == store.id else None,
        files=files,
        **row,
    )


def _files(connection: sa.Connection, run: str) -> dict[int, dict[str, tuple[int, str]]]:
    columns = tables.checkpoint_files.c
    query = (
        sa.select(columns.checkpoint, columns.name, columns.size, columns.sha256)
        .join(tables.checkpoints, tables.checkpoints.c.id == columns.checkpoint)
        .where(tables.checkpoints.c.run == run)
        .order_by(columns.name)
    )
    found: dict[int, dict[str, tuple[int, str]]] = {}
    for checkpoint, name, size, sha256 in connection.execute(query):
        found.setdefault(checkpoint, {})[name] = (size, sha256)
    return found


def _figures(connection: sa.Connection, table: sa.Table[Any], run: str) -> tuple[Figure, ...]:
    return tuple(Figure(**{**row, "type": row["type"] or None}) for row in _rows(connection, table, run, order="step"))


def _rows(
    connection: sa.Connection, table: sa.Table[Any], run: str, *, order: str | None = None
) -> Sequence[dict[str, Any]]:
    """Return the rows of ``run`` in the order of ``order`` and the primary key, without their ``run``."""
    keys = ([table.c[order]] if order else []) + list(table.primary_key)
    query = sa.select(table).where(table.c.run == run).order_by(*keys)
    return [
        {name: value for name, value in row.items() if name != "run"} for row in connection.execute(query).mappings()
    ]
