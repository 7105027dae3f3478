"""Reading runs: summaries for lists, and everything recorded about one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from labelkit.models.checkpoint import Supplier
from labelkit.registry import aliases, tables
from labelkit.registry.entities import (
    AssumptionRecord,
    Attempt,
    CheckpointRecord,
    Evaluation,
    Note,
    OutputRecord,
    Publication,
    RunDetails,
    RunRecord,
    RunSummary,
    SplitRecord,
    VersionRecord,
)
from labelkit.registry.home import LocalStore
from labelkit.registry.liveness import Liveness
from labelkit.registry.metric_rows import Figure
from labelkit.registry.plan_values import PlanValue

if TYPE_CHECKING:
    from labelkit.registry.filters import Field

#: the view of the entries of aliases that count
CURRENT_ALIASES = sa.table("v_aliases", *(sa.column(name, sa.String) for name in ("task", "alias", "run")))
_RUNS = tables.runs.c
#: databases take this many bound values, and more
_MAX_BOUND = 1000
_STATE = ("status", "heartbeat", "ended", "seconds", "error", "hint")
_SUMMARY_COLUMNS = tuple(
    name
    for name in RunSummary.__dataclass_fields__
    if name not in ("group", "validation", "test", "tags", "aliases", "stale", "columns")
)


def summaries(
    connection: sa.Connection,
    *conditions: sa.ColumnElement[bool],
    limit: int | None = None,
    offset: int = 0,
    order: Sequence[sa.ColumnElement[Any]] = (),
    columns: Mapping[str, Field] = MappingProxyType({}),
) -> list[RunSummary]:
    """Return the runs that meet all ``conditions``, the newest first.

    :param offset: how many of them to leave out at the beginning.
    :param order: what to sort by; of equal runs the newest comes first.
    :param columns: name → field, of further columns to return.
    """
    values = {
        name: [value.label(f"asked_{number}_{part}") for part, value in enumerate(field.values())]
        for number, (name, field) in enumerate(columns.items())
    }
    query = (
        sa.select(*(_RUNS[name] for name in _SUMMARY_COLUMNS), _RUNS.group_id.label("group"))
        .add_columns(_deciding_score("validation"), _deciding_score("test"))
        .add_columns(*(value for labels in values.values() for value in labels))
        .where(*conditions)
        .order_by(*order, _RUNS.started.desc(), _RUNS.id.desc())
        .limit(limit)
        .offset(offset or None)
    )
    rows = connection.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    tags = words_by_run(connection, tables.tags, "tag", ids)
    names = words_by_run(connection, CURRENT_ALIASES, "alias", ids)
    several = {name: field.words(connection, ids) for name, field in columns.items()}
    words = {name: found for name, found in several.items() if found is not None}
    liveness = Liveness.of(connection) if any(row["status"] == "running" for row in rows) else None
    return [
        RunSummary(
            **{name: row[name] for name in (*_SUMMARY_COLUMNS, "group", "validation", "test")},
            tags=tags.get(row["id"], ()),
            aliases=tuple(f"{row['task']}@{alias}" for alias in names.get(row["id"], ())),
            stale=liveness is not None and liveness.is_stale(row["id"], row["status"], row["heartbeat"]),
            columns={
                name: ", ".join(words[name].get(row["id"], ())) or None if name in words else _first(row, labels)
                for name, labels in values.items()
            },
        )
        for row in rows
    ]


def _first(row: sa.RowMapping, labels: Sequence[sa.Label[Any]]) -> Any:
    """Return the first value that is not NULL of a column, or of the number and the text of a setting."""
    found = next((row[label.name] for label in labels if row[label.name] is not None), None)
    # The text of a setting is JSON unless it is a string.
    return None if len(labels) > 1 and found == "null" else found


def words_by_run(
    connection: sa.Connection, rows: sa.FromClause, word: str, runs: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return run → the values of the column ``word`` in a table with several rows for a run, in order."""
    run, column = rows.c.run, rows.c[word]
    query = sa.select(run, column).order_by(run, column)
    if len(runs) <= _MAX_BOUND:  # else the rows of all runs
        query = query.where(run.in_(runs))
    found: dict[str, tuple[str, ...]] = {}
    for id_, one in connection.execute(query):
        found[id_] = (*found.get(id_, ()), one)
    return found


def _deciding_score(split: str) -> sa.Label[float | None]:
    scores = tables.scores.c
    deciding = (scores.task == _RUNS.task, scores.name == _RUNS.metric_key, scores.type == "")
    query = sa.select(scores.value).where(scores.run == _RUNS.id, scores.split == split, *deciding)
    return query.correlate(tables.runs).scalar_subquery().label(split)


def tasks(connection: sa.Connection) -> list[str]:
    """Return the names of all tasks that have runs."""
    return sorted(connection.scalars(sa.select(_RUNS.task).distinct()))


def details(connection: sa.Connection, run: str, store: LocalStore) -> RunDetails | None:
    """Return everything recorded about the run with the id ``run``, None if it is unknown."""
    row = connection.execute(sa.select(tables.runs).where(_RUNS.id == run)).mappings().one_or_none()
    if row is None:
        return None
    facts = dict(row)
    state = {name: facts.pop(name) for name in _STATE}
    state["stale"] = Liveness.of(connection).is_stale(run, state["status"], state["heartbeat"])
    group = facts.pop("group_id")
    if group is not None:
        from labelkit.registry.seed_groups import group as seed_group

        state["group"] = seed_group(connection, group)

    def rows(table: sa.Table[Any], *order: str, without: str = "") -> list[dict[str, Any]]:
        """Return the rows of the run, by ``order`` and primary key, without their ``run``."""
        keys = [*(table.c[name] for name in order), *table.primary_key]
        found = connection.execute(sa.select(table).where(table.c.run == run).order_by(*keys)).mappings()
        return [{name: value for name, value in one.items() if name not in ("run", without)} for one in found]

    def figures(table: sa.Table[Any]) -> tuple[Figure, ...]:
        return tuple(Figure(**{**one, "type": one["type"] or None}) for one in rows(table, "step"))

    splits = tables.splits.c
    test = sa.select(splits.content_hash).where(splits.run == run, splits.split == "test").scalar_subquery()
    test_evaluations = sa.select(sa.func.count()).where(tables.evaluations.c.content_hash == test)
    return RunDetails(
        record=RunRecord(
            group=group,
            plan=tuple(PlanValue(**one) for one in rows(tables.plan_values)),
            versions=tuple(VersionRecord(**one) for one in rows(tables.versions)),
            splits=tuple(SplitRecord(**one) for one in rows(tables.splits)),
            assumptions=tuple(AssumptionRecord(**one) for one in rows(tables.assumptions)),
            suppliers=tuple(Supplier(**one) for one in rows(tables.suppliers)),
            **facts,
        ),
        scores=figures(tables.scores),
        metrics=figures(tables.metrics),
        checkpoints=tuple(checkpoints(connection, run, store)),
        attempts=tuple(Attempt(**one) for one in rows(tables.attempts)),
        tags=tuple(one["tag"] for one in rows(tables.tags)),
        notes=tuple(Note(**one) for one in rows(tables.notes, without="id")),
        aliases=tuple(one.reference for one in aliases.current(connection, run=run)),
        evaluations=_evaluations(connection, run),
        test_scored=connection.execute(test_evaluations).scalar_one(),
        outputs=tuple(OutputRecord(run=run, **one) for one in rows(tables.outputs, without="id")),
        publications=tuple(publications(connection, tables.publications.c.run == run)),
        **state,
    )


def _evaluations(connection: sa.Connection, run: str) -> tuple[Evaluation, ...]:
    rows, figures = tables.evaluations.c, tables.evaluation_figures.c
    query = sa.select(tables.evaluations).where(rows.run == run).order_by(rows.id)
    evaluations = {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    query = sa.select(tables.evaluation_figures).join(tables.evaluations, rows.id == figures.evaluation)
    query = query.where(rows.run == run).order_by(figures.evaluation, figures.type, figures.name)
    found: dict[int, list[Figure]] = {}
    for one in connection.execute(query).mappings():
        place = {name: evaluations[one["evaluation"]][name] for name in ("task", "split")}
        figure = Figure(
            **place, name=one["name"], type=one["type"] or None, step=0, epoch=0.0, value=one["value"], text=one["text"]
        )
        found.setdefault(one["evaluation"], []).append(figure)
    return tuple(Evaluation(figures=tuple(found.get(id_, ())), **row) for id_, row in evaluations.items())


def publications(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Publication]:
    """Return the publications that meet ``condition``, oldest first."""
    rows = tables.publications.c
    query = sa.select(*(column for column in rows if column.name != "id")).where(condition).order_by(rows.id)
    return [Publication(**row) for row in connection.execute(query).mappings()]


def checkpoints(connection: sa.Connection, run: str, store: LocalStore) -> list[CheckpointRecord]:
    """Return the checkpoints of a run in the order of their creation, deleted ones too."""
    columns, stores, files = tables.checkpoints.c, tables.stores.c, tables.checkpoint_files.c
    query = sa.select(files.checkpoint, files.name, files.size, files.sha256)
    query = query.join(tables.checkpoints, columns.id == files.checkpoint).where(columns.run == run)
    found: dict[int, dict[str, tuple[int, str]]] = {}
    for checkpoint, name, size, sha256 in connection.execute(query.order_by(files.name)):
        found.setdefault(checkpoint, {})[name] = (size, sha256)
    rows = sa.select(tables.checkpoints, stores.host, stores.root).join(tables.stores, stores.id == columns.store)
    return [
        CheckpointRecord(
            best=row["is_best"],
            last=row["is_last"],
            folder=store.root / row["path"] if row["store"] == store.id else None,
            files=found.get(row["id"], {}),
            **{name: value for name, value in row.items() if name not in ("is_best", "is_last")},
        )
        for row in connection.execute(rows.where(columns.run == run).order_by(columns.id)).mappings()
    ]
