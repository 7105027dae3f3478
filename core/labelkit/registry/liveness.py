"""Liveness of runs: a lock on the run's folder proves it on one machine, a heartbeat tells it elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from labelkit.registry.run_lock import LockState, probe_lock

if TYPE_CHECKING:
    import sqlalchemy as sa

#: seconds between two heartbeats of a running process
BEAT_SECONDS = 30.0
#: without a heartbeat for this long a run is stale, unless its lock is held
STALE_AFTER = timedelta(minutes=5)
#: an execution option of connections: the folder of runs in the home in use
RUNS_FOLDER = "labelkit_runs"


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def database_time(connection: sa.Connection) -> datetime:
    """Return the time of the database: of its server, so that the clocks of several machines need not agree."""
    if connection.dialect.name != "postgresql":
        return now()
    moment: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Liveness:
    """Tells living runs from dead ones, at one moment.

    A lock that is held proves that a run lives, however long its process was stopped and whatever the clocks say.
    A free lock proves that a process of this machine is gone. Everything else is left to the heartbeat.

    :param at: the time of the database.
    :param runs: the folder of runs in the home in use.
    """

    at: datetime
    runs: Path | None

    @classmethod
    def of(cls, connection: sa.Connection) -> Self:
        """Return the liveness of runs in the registry of ``connection`` now."""
        return cls(database_time(connection), connection.get_execution_options().get(RUNS_FOLDER))

    def lock(self, run: str) -> LockState:
        """Return the state of the lock of a run."""
        # ids are input: never follow one out of the folder of runs
        if self.runs is None or run in (".", "..") or (folder := self.runs / run).parent != self.runs:
            return LockState.UNKNOWN
        return probe_lock(folder)

    def is_stale(self, run: str, status: str, heartbeat: datetime, lock: LockState | None = None) -> bool:
        """Return whether a run that is recorded as running is dead.

        :param lock: the state of its lock, if it is known already.
        """
        if status != "running":
            return False
        lock = lock or self.lock(run)
        return lock is LockState.FREE or (lock is LockState.UNKNOWN and self.at - heartbeat > STALE_AFTER)

    def may_write(self, run: str, status: str, heartbeat: datetime) -> bool:
        """Return whether a process may still write files of a run, also one that was recorded as stale."""
        alive = status == "running" and not self.is_stale(run, status, heartbeat)
        return alive or self.lock(run) is LockState.HELD
