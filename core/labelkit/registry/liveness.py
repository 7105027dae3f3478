"""Whether a run that says it is running still lives."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime, timedelta

#: how often a running process records that it lives
BEAT_SECONDS = 30.0
#: without a sign of life for this long a run counts as dead, also on another machine
DEAD_AFTER = timedelta(minutes=5)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def is_stale(status: str, heartbeat: datetime, host: str, pid: int, *, at: datetime | None = None) -> bool:
    """Return whether a run that is recorded as running has died without saying so.

    On this machine a process that is gone shows it at once; elsewhere only silence does.
    """
    if status != "running":
        return False
    return (host == platform.node() and not _exists(pid)) or (at or now()) - heartbeat > DEAD_AFTER


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there but somebody else's
        return True
    return True
