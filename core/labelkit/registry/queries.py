"""What is asked of the registry: lists and whole runs, as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from labelkit.registry import tables
from labelkit.registry.models import (
    Attempt,
    CheckpointRecord,
    Evaluation,
    Figure,
    Note,
    OutputRecord,
    PlanValue,
    RunDetails,
    RunRecord,
    RunSummary,
    SplitRecord,
    VersionRecord,
)

_RUN_COLUMNS = tables.runs.c
_STATE = ("status", "heartbeat", "ended", "seconds", "error", "hint")


@dataclass(frozen=True, kw_only=True, slots=True)
class Here:
    """The store of the home in use: its id, and the folder where it is now."""

    store: str | None
    root: Path


def summaries(
    connection: sa.Connection, *conditions: sa.ColumnElement[bool], limit: int | None = None
) -> list[RunSummary]:
    """Return the runs that meet all ``conditions``, newest first."""
    validation, test = _key_figure("validation"), _key_figure("test")
    columns = [_RUN_COLUMNS[name] for name in _SUMMARY_COLUMNS]
    query = (
        sa.select(*columns, _RUN_COLUMNS.group_id.label("group"), validation, test)
        .where(*conditions)
        .order_by(_RUN_COLUMNS.started.desc(), _RUN_COLUMNS.id.desc())
        .limit(limit)
    )
    return [RunSummary(**row) for row in connection.execute(query).mappings()]


_SUMMARY_COLUMNS = tuple(
    name for name in RunSummary.__dataclass_fields__ if name not in ("group", "validation", "test")
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


def details(connection: sa.Connection, run: str, here: Here) -> RunDetails | None:
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
        checkpoints=tuple(checkpoints(connection, run, here)),
        attempts=tuple(Attempt(**one) for one in _rows(connection, tables.attempts, run)),
        tags=tuple(one["tag"] for one in _rows(connection, tables.tags, run)),
        notes=tuple(Note(created=one["created"], text=one["text"]) for one in _rows(connection, tables.notes, run)),
        aliases=_aliases(connection, run),
        evaluations=_evaluations(connection, run),
        test_scored=_test_scored(connection, run),
        outputs=_outputs(connection, run),
        **state,
    )


def _aliases(connection: sa.Connection, run: str) -> tuple[str, ...]:
    columns, later = tables.aliases.c, tables.aliases.alias()
    same = (later.c.task == columns.task, later.c.name == columns.name, later.c.undone.is_(None))
    newest = sa.select(sa.func.max(later.c.id)).where(*same).correlate(tables.aliases).scalar_subquery()
    query = sa.select(columns.task, columns.name).where(columns.run == run, columns.id == newest)
    return tuple(f"{task}@{name}" for task, name in connection.execute(query.order_by(columns.task, columns.name)))


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


def checkpoints(connection: sa.Connection, run: str, here: Here) -> list[CheckpointRecord]:
    """Return the checkpoints of a run in the order they were made, deleted ones too."""
    files = _files(connection, run)
    columns, stores = tables.checkpoints.c, tables.stores.c
    query = (
        sa.select(tables.checkpoints, stores.host, stores.root)
        .join(tables.stores, stores.id == columns.store)
        .where(columns.run == run)
        .order_by(columns.id)
    )
    return [_checkpoint(dict(row), files.get(row["id"], {}), here) for row in connection.execute(query).mappings()]


def _checkpoint(row: dict[str, Any], files: dict[str, tuple[int, str]], here: Here) -> CheckpointRecord:
    return CheckpointRecord(
        best=row.pop("is_best"),
        last=row.pop("is_last"),
        folder=here.root / row["path"] if row["store"] == here.store else None,
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
