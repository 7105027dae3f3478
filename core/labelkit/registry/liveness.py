"""Liveness of runs: heartbeats, and stale runs, whose process ended without recording it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime, timedelta

#: seconds between two heartbeats of a running process
BEAT_SECONDS = 30.0
#: without a heartbeat for this long a run is stale, also on another machine
STALE_AFTER = timedelta(minutes=5)


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def is_stale(status: str, heartbeat: datetime, host: str, pid: int, *, at: datetime | None = None) -> bool:
    """Return whether a run that is recorded as running is dead.

    On this machine that is known as soon as its process is gone; elsewhere its heartbeat tells.

    :param at: the time to compare the heartbeat with, now by default.
    """
    if status != "running":
        return False
    return (host == platform.node() and not process_exists(pid)) or (at or now()) - heartbeat > STALE_AFTER


def may_write(status: str, heartbeat: datetime, host: str, pid: int) -> bool:
    """Return whether a run may still write files.

    More careful than :func:`is_stale`: a process of this machine that exists may be busy without a heartbeat.
    """
    at = heartbeat if host == platform.node() else None
    return status == "running" and not is_stale(status, heartbeat, host, pid, at=at)


def process_exists(pid: int) -> bool:
    """Return whether this machine has a process with the id ``pid``."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it exists, but belongs to another user
        return True
    return True
