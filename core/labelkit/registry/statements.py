"""The statements that record: each works inside the transaction of the connection it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import tables
from labelkit.registry.entities import PlanValue, SplitRecord, VersionRecord
from labelkit.registry.liveness import is_stale, now
from labelkit.registry.metric_rows import Figure
from labelkit.registry.names import unknown_run

# Fields of a RunRecord that are rows of their own.
ROWS: dict[str, sa.Table[Any]] = {
    "plan": tables.plan_values,
    "versions": tables.versions,
    "splits": tables.splits,
}
Rows = Mapping[str, Iterable[PlanValue | VersionRecord | SplitRecord]]

# Statements of every record are built once: SQLAlchemy takes longer to build one than SQLite to run it. The keys of
# what is looked for are called otherwise than the columns, which are what is written.
_EXISTS = sa.select(tables.runs.c.id).where(tables.runs.c.id == sa.bindparam("this_run"))
_BEAT_AGAIN = timedelta(seconds=5)
_UPDATE_RUN = tables.runs.update().where(tables.runs.c.id == sa.bindparam("this_run"))
_FINISH_RUN = _UPDATE_RUN.where(tables.runs.c.status == "running").values(
    seconds=sa.func.coalesce(tables.runs.c.seconds, 0.0) + sa.bindparam("more_seconds")
)


def _of(table: sa.Table[Any], *names: str) -> sa.Delete:
    """Return a statement that removes the rows whose columns ``names`` are as its parameters of those names."""
    return table.delete().where(*(table.c[name] == sa.bindparam(f"this_{name}") for name in names))


def _those(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {f"this_{name}": row[name] for name in names}


_KEYS = {name: [column.name for column in table.primary_key] for name, table in ROWS.items()}
_DELETE_ROWS = {name: _of(table, *_KEYS[name]) for name, table in ROWS.items()}
_INSERT_ROWS = {name: table.insert() for name, table in ROWS.items()}
_SPLIT = ("run", "task", "split")
_STEP = (*_SPLIT, "step")
_DELETE_SPLIT = {table: _of(table, *_SPLIT) for table in (tables.metrics, tables.scores)}
_DELETE_STEP = {table: _of(table, *_STEP) for table in (tables.metrics, tables.scores)}
_BEAT_AND_STEP = (
    sa.select(
        tables.runs.c.heartbeat,
        sa.exists().where(*(tables.metrics.c[name] == sa.bindparam(f"this_{name}") for name in _STEP)),
    )
    .where(tables.runs.c.id == sa.bindparam("this_run"))
    .with_for_update(of=tables.runs)
)
_INSERT_FIGURES = {table: table.insert() for table in (tables.metrics, tables.scores)}


def _row(record: PlanValue | VersionRecord | SplitRecord | Figure) -> dict[str, Any]:
    # Not dataclasses.asdict: it copies deeply, which took a third of the time of recording.
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def exists(connection: sa.Connection, run: str) -> bool:
    """Say whether a run has the id ``run``."""
    return connection.scalar(_EXISTS, {"this_run": run}) is not None


def lock_run(connection: sa.Connection, run: str) -> str:
    """Return the task of a run, whose row is locked until the transaction ends.

    :raises RegistryError: the run is unknown.
    """
    columns = tables.runs.c
    task = connection.scalar(sa.select(columns.task).where(columns.id == run).with_for_update())
    if task is None:
        raise unknown_run(run)
    return task


def update_run(connection: sa.Connection, run: str, values: Mapping[str, Any]) -> None:
    """Change facts of a run, which shows that it is alive.

    :raises RegistryError: there is no such run.
    """
    if connection.execute(_UPDATE_RUN, {"this_run": run, **values, "heartbeat": now()}).rowcount == 0:
        raise unknown_run(run)


def touch_run(connection: sa.Connection, run: str, task: str, split: str, step: int) -> bool:
    """Show that a run is alive, where it has not just done so, and return whether it has figures of a split and step.

    Both spare most records a write. The run's row is locked where the database locks rows.

    :raises RegistryError: there is no such run.
    """
    keys = {"this_run": run, "this_task": task, "this_split": split, "this_step": step}
    found = connection.execute(_BEAT_AND_STEP, keys).one_or_none()
    if found is None:
        raise unknown_run(run)
    beat, known = found
    if now() - beat > _BEAT_AGAIN:
        update_run(connection, run, {})
    return bool(known)


def finish_run(connection: sa.Connection, run: str, values: Mapping[str, Any]) -> None:
    """Change the state of a run that is running; ``more_seconds`` among ``values`` are added to those it took before.

    :raises RegistryError: there is no such run, or it is not running.
    """
    if connection.execute(_FINISH_RUN, {"this_run": run, **values}).rowcount == 1:
        return
    columns = tables.runs.c
    before = connection.scalar(sa.select(columns.status).where(columns.id == run))
    raise RegistryError(f"the run '{run}' has ended already: {before}") if before else unknown_run(run)


def insert_rows(connection: sa.Connection, run: str, rows: Rows) -> None:
    """Write rows of the tables in ``ROWS``."""
    for name, records in rows.items():
        found = [{"run": run, **_row(one)} for one in records]
        if found:
            connection.execute(_INSERT_ROWS[name], found)


def delete_rows(connection: sa.Connection, run: str, rows: Rows) -> None:
    """Remove the rows that have the same keys as ``rows``."""
    for name, records in rows.items():
        keys = [_those({"run": run, **_row(one)}, _KEYS[name]) for one in records]
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
    """Write the figures of one split, in place of those it has: of the same step, or of any.

    :param known: there may be such ones.
    """
    if not found:
        return
    rows = [{"run": run, **_row(one), "type": one.type or ""} for one in found]
    old, keys = (_DELETE_STEP, _STEP) if same_step else (_DELETE_SPLIT, _SPLIT)
    if known:
        connection.execute(old[table], _those(rows[0], keys))
    connection.execute(_INSERT_FIGURES[table], rows)


def rewind_figures(connection: sa.Connection, run: str, step: int, best: int | None) -> None:
    """Remove the figures after ``step``; the scores become those that were recorded at the step ``best``."""
    metrics, scores = tables.metrics, tables.scores
    connection.execute(metrics.delete().where(metrics.c.run == run, metrics.c.step > step))
    connection.execute(scores.delete().where(scores.c.run == run))
    names = [column.name for column in scores.columns]
    chosen = sa.select(*(metrics.c[name] for name in names)).where(
        metrics.c.run == run, metrics.c.split == "validation", metrics.c.step == best
    )
    connection.execute(scores.insert().from_select(names, chosen))


def insert_files(
    connection: sa.Connection, checkpoint: sa.CursorResult[Any], files: Mapping[str, tuple[int, str]]
) -> None:
    """Write the files of the checkpoint that was just inserted."""
    key = checkpoint.inserted_primary_key
    assert key is not None
    rows = [
        {"checkpoint": key[0], "name": name, "size": size, "sha256": sha256} for name, (size, sha256) in files.items()
    ]
    if rows:
        connection.execute(tables.checkpoint_files.insert(), rows)


def insert_evaluation(connection: sa.Connection, row: Mapping[str, Any], found: Iterable[Figure] = ()) -> None:
    """Write that a checkpoint was scored; ``row`` is all of the table but its id and time."""
    made = connection.execute(tables.evaluations.insert().values(**row, created=now()))
    key = made.inserted_primary_key
    assert key is not None
    rows = [
        {"evaluation": key[0], "name": one.name, "type": one.type or "", "value": one.value, "text": one.text}
        for one in found
    ]
    if rows:
        connection.execute(tables.evaluation_figures.insert(), rows)


def insert_own_test(connection: sa.Connection, run: str, task: str, split: str) -> None:
    """Write that a run scored its own ``split``, where it recorded what that split holds."""
    columns = tables.splits.c
    query = sa.select(columns.ref, columns.content_hash, columns.examples)
    known = connection.execute(query.where(columns.run == run, columns.split == split)).mappings().one_or_none()
    if known is not None:
        insert_evaluation(connection, {"run": run, "source": "run", "task": task, "split": split, **known})


_STATE = ("status", "heartbeat", "started", "seconds", "ended", "error", "host", "pid", "command")


def resume_run(connection: sa.Connection, run: str, attempt: Mapping[str, Any]) -> None:
    """Set a run that ended without finishing to running again and keep what is known of the attempt before.

    :param attempt: host, pid and command of the new attempt.
    :raises RegistryError: there is no such run, it finished, or it is alive.
    """
    columns = tables.runs.c
    query = sa.select(*(columns[name] for name in _STATE)).where(columns.id == run)
    before = connection.execute(query).mappings().one_or_none()
    if before is None:
        raise unknown_run(run)
    _refuse_to_resume(run, before)
    moment = now()
    number, begun = _attempts(connection, run, before["started"])
    ended = before["ended"] or before["heartbeat"]
    seconds = (before["seconds"] or 0.0) + (0.0 if before["ended"] else (ended - begun).total_seconds())
    past = {name: before[name] for name in ("error", "host", "pid", "command")}
    status = "stale" if before["status"] == "running" else before["status"]
    changed = connection.execute(
        tables.runs.update()
        .where(columns.id == run, columns.status == before["status"], columns.heartbeat == before["heartbeat"])
        .values(status="running", heartbeat=moment, ended=None, error=None, hint=None, seconds=seconds, **attempt)
    )
    if changed.rowcount != 1:
        raise RegistryError(f"the run '{run}' is being resumed by another process")
    connection.execute(
        tables.attempts.insert().values(run=run, number=number, status=status, ended=ended, resumed=moment, **past)
    )


def _refuse_to_resume(run: str, before: sa.RowMapping) -> None:
    status = before["status"]
    if status == "finished":
        raise RegistryError(f"the run '{run}' is finished", hint="there is nothing left to resume; start another run")
    if status == "running" and not is_stale(status, before["heartbeat"], before["host"], before["pid"]):
        raise RegistryError(
            f"the run '{run}' is running (process {before['pid']} on {before['host']})",
            hint="wait until it ends, or stop it first",
        )


def _attempts(connection: sa.Connection, run: str, started: datetime) -> tuple[int, datetime]:
    """Return the number of the newest attempt, counted from 1, and when it began."""
    columns = tables.attempts.c
    last = sa.select(sa.func.count(), sa.func.max(columns.resumed)).where(columns.run == run)
    count, resumed = connection.execute(last).one()
    return count + 1, resumed or started
