"""The attempts at a run, numbered from 1: only the newest may write, and a living one is never taken for dead for long.

A process that was stopped for long, or cannot be seen, may be recorded as stale while it lives. When it goes on, its
next write makes the run a running one again; or fails, if another process has resumed the run meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import tables
from labelkit.registry.liveness import Liveness, database_time
from labelkit.registry.names import COMPLETE, unknown_run
from labelkit.registry.run_lock import LockState

_RUNS, _ATTEMPTS = tables.runs.c, tables.attempts.c
# built once: it runs before each write
_STATE = (
    sa.select(_RUNS.status, _RUNS.started, _RUNS.ended, _RUNS.seconds, _RUNS.host, _RUNS.pid)
    .where(_RUNS.id == sa.bindparam("this_run"))
    .with_for_update()
)
_NEWEST = sa.select(sa.func.count(), sa.func.max(_ATTEMPTS.resumed)).where(_ATTEMPTS.run == sa.bindparam("this_run"))


def lock_attempt(connection: sa.Connection, run: str, attempt: int | None) -> None:
    """Lock the row of a run for a write of one of its attempts, and reclaim the run if it was recorded as stale.

    :param attempt: None for a process that does not train the run: then nothing is done.
    :raises RegistryError: the run is unknown, or a newer attempt has started.
    """
    if attempt is None:
        return
    row = connection.execute(_STATE, {"this_run": run}).one_or_none()
    if row is None:
        raise unknown_run(run)
    # counted after the row is locked: an attempt that starts meanwhile waits for the lock, or is seen here
    newest, started = newest_attempt(connection, run, row.started)
    if newest != attempt:
        raise RegistryError(
            f"the run '{run}' was resumed by another process ({row.pid} on {row.host}) while this one was not seen",
            hint=f"attempt {attempt} ends here and writes nothing more; attempt {newest} goes on",
        )
    if row.status == "stale":
        earlier = max((row.seconds or 0.0) - max((row.ended - started).total_seconds(), 0.0), 0.0)
        seconds = earlier if newest > 1 else None
        alive = {"status": "running", "ended": None, "error": None, "hint": None, "seconds": seconds}
        connection.execute(tables.runs.update().where(_RUNS.id == run).values(**alive))


def newest_attempt(connection: sa.Connection, run: str, started: datetime) -> tuple[int, datetime]:
    """Return the number of the newest attempt at a run, and when it started.

    :param started: when the first attempt started.
    """
    count, resumed = connection.execute(_NEWEST, {"this_run": run}).one()
    return count + 1, resumed or started


def mark_stale(connection: sa.Connection, run: str) -> bool:
    """Record a stale run as ended at its last heartbeat, and return False if it is not stale any more."""
    columns = (_RUNS.status, _RUNS.heartbeat, _RUNS.host, _RUNS.pid, _RUNS.started, _RUNS.seconds)
    row = connection.execute(sa.select(*columns).where(_RUNS.id == run)).one_or_none()
    if row is None or not Liveness.of(connection).is_stale(run, row.status, row.heartbeat):
        return False
    _, started = newest_attempt(connection, run, row.started)
    seconds = (row.seconds or 0.0) + max((row.heartbeat - started).total_seconds(), 0.0)
    unchanged = (_RUNS.id == run, _RUNS.status == "running", _RUNS.heartbeat == row.heartbeat)
    changed = connection.execute(
        tables.runs.update()
        .where(*unchanged)
        .values(
            status="stale",
            ended=row.heartbeat,
            seconds=seconds,
            error=f"its process ({row.pid} on {row.host}) ended without recording it",
            hint=f"labelkit run --resume {run} resumes it from its last saved state",
        )
    )
    return changed.rowcount == 1


def resume_run(connection: sa.Connection, run: str, attempt: Mapping[str, Any], lock: LockState | None) -> int:
    """Set the status of a run that ended without finishing to running, and record its last attempt.

    :param attempt: host, pid and command of the new attempt.
    :param lock: the state of the run's lock before this process took it; None if it took none.
    :return: the number of the new attempt.
    :raises RegistryError: the run is unknown, it finished, or it is alive.
    """
    columns = ("status", "heartbeat", "started", "seconds", "ended", "error", "host", "pid", "command")
    query = sa.select(*(_RUNS[name] for name in columns)).where(_RUNS.id == run)
    before = connection.execute(query).mappings().one_or_none()
    if before is None:
        raise unknown_run(run)
    status = before["status"]
    if status in COMPLETE:
        raise RegistryError(f"the run '{run}' is {status}", hint="there is nothing left to resume; start another run")
    if status == "running":
        if not Liveness.of(connection).is_stale(run, status, before["heartbeat"], lock):
            raise RegistryError(
                f"the run '{run}' is running (process {before['pid']} on {before['host']})",
                hint="wait until it ends, or stop it first",
            )
        status = "stale"
    resumed = database_time(connection)
    number, started = newest_attempt(connection, run, before["started"])
    ended = before["ended"] or before["heartbeat"]
    seconds = (before["seconds"] or 0.0) + (0.0 if before["ended"] else (ended - started).total_seconds())
    unchanged = (_RUNS.id == run, _RUNS.status == before["status"], _RUNS.heartbeat == before["heartbeat"])
    values = {"status": "running", "heartbeat": resumed, "ended": None, "error": None, "hint": None, **attempt}
    if connection.execute(tables.runs.update().where(*unchanged).values(**values, seconds=seconds)).rowcount != 1:
        raise RegistryError(f"the run '{run}' is being resumed by another process")
    last = {name: before[name] for name in ("error", "host", "pid", "command")}
    connection.execute(
        tables.attempts.insert().values(run=run, number=number, status=status, ended=ended, resumed=resumed, **last)
    )
    return number + 1
