"""SQL statements that record runs: each function works in the transaction of the connection it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.models.checkpoint import Supplier
from labelkit.registry import tables
from labelkit.registry.attempts import lock_attempt
from labelkit.registry.entities import AssumptionRecord, SplitRecord, VersionRecord
from labelkit.registry.liveness import database_time, now
from labelkit.registry.metric_rows import Figure
from labelkit.registry.names import unknown_run
from labelkit.registry.plan_values import PlanValue

#: the fields of a RunRecord that are rows of other tables
ROWS: dict[str, sa.Table[Any]] = {
    "plan": tables.plan_values,
    "versions": tables.versions,
    "splits": tables.splits,
    "assumptions": tables.assumptions,
    "suppliers": tables.suppliers,
}
Row = PlanValue | VersionRecord | SplitRecord | AssumptionRecord | Supplier
Rows = Mapping[str, Iterable[Row]]
_RUNS = tables.runs.c
_HEARTBEAT_INTERVAL = timedelta(seconds=5)


def _matching(table: sa.Table[Any], names: Iterable[str]) -> sa.ColumnElement[bool]:
    """Return the condition that the columns ``names`` equal the parameters ``this_`` and their name."""
    return sa.and_(*(table.c[name] == sa.bindparam(f"this_{name}") for name in names))


def _keys(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of :func:`_matching`."""
    return {f"this_{name}": row[name] for name in names}


# Statements that are executed often are built once: SQLAlchemy takes longer to build one than SQLite to execute it.
# Parameters in conditions are named ``this_…``, because those named as columns are the values to write.
_THIS_RUN = _RUNS.id == sa.bindparam("this_run")
_EXISTS = sa.select(_RUNS.id).where(_THIS_RUN)
_UPDATE_RUN = tables.runs.update().where(_THIS_RUN)
_FINISH_RUN = _UPDATE_RUN.where(_RUNS.status == "running").values(
    seconds=sa.func.coalesce(_RUNS.seconds, 0.0) + sa.bindparam("more_seconds")
)
_KEYS = {name: [column.name for column in table.primary_key] for name, table in ROWS.items()}
_DELETE_ROWS = {name: table.delete().where(_matching(table, _KEYS[name])) for name, table in ROWS.items()}
_INSERT_ROWS = {name: table.insert() for name, table in ROWS.items()}
_SPLIT = ("run", "task", "split")
_STEP = (*_SPLIT, "step")
_FIGURE_TABLES = (tables.metrics, tables.scores)
_DELETE_SPLIT = {table: table.delete().where(_matching(table, _SPLIT)) for table in _FIGURE_TABLES}
_DELETE_STEP = {table: table.delete().where(_matching(table, _STEP)) for table in _FIGURE_TABLES}
_INSERT_FIGURES = {table: table.insert() for table in _FIGURE_TABLES}
_HEARTBEAT_AND_STEP = (
    sa.select(_RUNS.heartbeat, sa.exists().where(_matching(tables.metrics, _STEP)))
    .where(_THIS_RUN)
    .with_for_update(of=tables.runs)
)


def _row(record: Row | Figure) -> dict[str, Any]:
    # Not dataclasses.asdict: it copies deeply, which took a third of the time of recording.
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def exists(connection: sa.Connection, run: str) -> bool:
    """Return whether a run has the id ``run``."""
    return connection.scalar(_EXISTS, {"this_run": run}) is not None


def lock_run(connection: sa.Connection, run: str) -> str:
    """Return the task of a run, whose row is locked until the transaction ends.

    :raises RegistryError: the run is unknown.
    """
    task = connection.scalar(sa.select(_RUNS.task).where(_RUNS.id == run).with_for_update())
    if task is None:
        raise unknown_run(run)
    return task


def update_run(connection: sa.Connection, run: str, values: Mapping[str, Any], attempt: int | None) -> None:
    """Update columns of a run, and its heartbeat.

    :param attempt: that writes, None for a process that does not train the run.
    :raises RegistryError: the run is unknown, or a newer attempt has started.
    """
    lock_attempt(connection, run, attempt)
    parameters = {"this_run": run, **values, "heartbeat": database_time(connection)}
    if connection.execute(_UPDATE_RUN, parameters).rowcount == 0:
        raise unknown_run(run)


def touch_run(connection: sa.Connection, run: str, split: tuple[str, str, int], attempt: int | None) -> bool:
    """Update the heartbeat of a run unless it is recent, and return whether it has metrics of a split and step.

    Both spare most calls a write. The run's row is locked where the database locks rows.

    :param split: task, split and step.
    :param attempt: that writes, None for a process that does not train the run.
    :raises RegistryError: the run is unknown, or a newer attempt has started.
    """
    lock_attempt(connection, run, attempt)
    keys = {"this_run": run, "this_task": split[0], "this_split": split[1], "this_step": split[2]}
    found = connection.execute(_HEARTBEAT_AND_STEP, keys).one_or_none()
    if found is None:
        raise unknown_run(run)
    heartbeat, recorded = found
    if database_time(connection) - heartbeat > _HEARTBEAT_INTERVAL:
        update_run(connection, run, {}, None)
    return bool(recorded)


def finish_run(connection: sa.Connection, run: str, values: Mapping[str, Any], attempt: int | None) -> None:
    """Update the state of a running run, which has ended.

    :param values: columns and their values; ``more_seconds`` are added to its seconds.
    :param attempt: that ended, None for a process that does not train the run.
    :raises RegistryError: the run is unknown, it is not running, or a newer attempt has started.
    """
    lock_attempt(connection, run, attempt)
    ended = database_time(connection)
    if connection.execute(_FINISH_RUN, {"this_run": run, **values, "ended": ended, "heartbeat": ended}).rowcount == 1:
        return
    status = connection.scalar(sa.select(_RUNS.status).where(_RUNS.id == run))
    raise RegistryError(f"the run '{run}' has ended already: {status}") if status else unknown_run(run)


def insert_rows(connection: sa.Connection, run: str, rows: Rows) -> None:
    """Insert rows into the tables in ``ROWS``."""
    for name, records in rows.items():
        values = [{"run": run, **_row(one)} for one in records]
        if values:
            connection.execute(_INSERT_ROWS[name], values)


def delete_rows(connection: sa.Connection, run: str, rows: Rows) -> None:
    """Delete the rows that have the primary keys of ``rows``."""
    for name, records in rows.items():
        keys = [_keys({"run": run, **_row(one)}, _KEYS[name]) for one in records]
        if keys:
            connection.execute(_DELETE_ROWS[name], keys)


def replace_figures(
    connection: sa.Connection,
    table: sa.Table[Any],
    run: str,
    found: Sequence[Figure],
    *,
    same_step: bool,
    known: bool = True,
) -> None:
    """Insert the figures of one split in place of those of the same step, or of any step.

    :param known: False if there are none to replace.
    """
    if not found:
        return
    rows = [{"run": run, **_row(one), "type": one.type or ""} for one in found]
    if known:
        delete, keys = (_DELETE_STEP, _STEP) if same_step else (_DELETE_SPLIT, _SPLIT)
        connection.execute(delete[table], _keys(rows[0], keys))
    connection.execute(_INSERT_FIGURES[table], rows)


def rewind_figures(connection: sa.Connection, run: str, step: int, best: int | None) -> None:
    """Delete the metrics after ``step``, and make the validation metrics of the step ``best`` the scores."""
    metrics, scores = tables.metrics, tables.scores
    connection.execute(metrics.delete().where(metrics.c.run == run, metrics.c.step > step))
    connection.execute(scores.delete().where(scores.c.run == run))
    names = [column.name for column in scores.columns]
    chosen = (metrics.c.run == run, metrics.c.split == "validation", metrics.c.step == best)
    connection.execute(
        scores.insert().from_select(names, sa.select(*(metrics.c[name] for name in names)).where(*chosen))
    )


def insert_files(
    connection: sa.Connection, checkpoint: sa.CursorResult[Any], files: Mapping[str, tuple[int, str]]
) -> None:
    """Insert the files of the checkpoint that ``checkpoint`` inserted: name → (size in bytes, SHA-256)."""
    assert checkpoint.inserted_primary_key is not None
    id_ = checkpoint.inserted_primary_key[0]
    rows = [{"checkpoint": id_, "name": name, "size": size, "sha256": sha256} for name, (size, sha256) in files.items()]
    if rows:
        connection.execute(tables.checkpoint_files.insert(), rows)


def insert_evaluation(connection: sa.Connection, row: Mapping[str, Any], found: Iterable[Figure] = ()) -> None:
    """Insert an evaluation and its figures; ``row`` has the columns of the table but its id and time."""
    inserted = connection.execute(tables.evaluations.insert().values(**row, created=now()))
    assert inserted.inserted_primary_key is not None
    id_ = inserted.inserted_primary_key[0]
    rows = [
        {"evaluation": id_, "name": one.name, "type": one.type or "", "value": one.value, "text": one.text}
        for one in found
    ]
    if rows:
        connection.execute(tables.evaluation_figures.insert(), rows)


def insert_own_test(connection: sa.Connection, run: str, task: str, split: str) -> None:
    """Insert an evaluation of a run on its own ``split``, if the content of the split is recorded.

    Of several tasks that of each is recorded as ``TASK.SPLIT``.
    """
    columns = tables.splits.c
    query = sa.select(columns.ref, columns.content_hash, columns.examples)
    query = query.where(columns.run == run, columns.split.in_((split, f"{task}.{split}")))
    longest = query.order_by(sa.func.length(columns.split).desc()).limit(1)
    recorded = connection.execute(longest).mappings().one_or_none()
    if recorded is not None:
        insert_evaluation(connection, {"run": run, "source": "run", "task": task, "split": split, **recorded})


def adopt_validation(
    connection: sa.Connection, run: str, evaluated: Mapping[str, Any], found: Sequence[Figure]
) -> None:
    """Make an evaluation on a validation split the validation scores of an adopted run, which has none of its own.

    Runs that finished have theirs and keep it.

    :param evaluated: ref, split, content hash and number of the examples.
    """
    if connection.scalar(sa.select(_RUNS.status).where(_RUNS.id == run)) != "adopted":
        return
    columns = tables.splits.c
    split = {name: evaluated[name] for name in ("split", "ref", "content_hash", "examples")}
    connection.execute(tables.splits.delete().where(columns.run == run, columns.split == split["split"]))
    connection.execute(tables.splits.insert().values(run=run, **split, words=0, carved=False))
    replace_figures(connection, tables.scores, run, found, same_step=False)
