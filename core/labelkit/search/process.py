"""The process that works on a trial, and whether it is gone: for the moments before its run is recorded."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from labelkit.registry.liveness import STALE_AFTER, now


def this_process() -> dict[str, Any]:
    """Return the identity of this process, and the time, for JSON."""
    pid = os.getpid()
    return {"host": platform.node(), "boot": _boot(), "pid": pid, "begun": _begun(pid), "at": now().isoformat()}


def is_gone(process: Mapping[str, Any]) -> bool:
    """Return whether the process of :func:`this_process` has ended.

    Of a process on another machine nothing is known: it counts as gone once a run would be stale.
    """
    if process["host"] == platform.node() and process["boot"] == _boot():
        return not _exists(process["pid"]) or _begun(process["pid"]) != process["begun"]
    return now() - datetime.fromisoformat(process["at"]) > STALE_AFTER


def _boot() -> str:
    """Return what differs after a restart of this machine; empty if unknown."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _begun(pid: int) -> str:
    """Return when a process began, as the system counts: ids are used again. Empty if unknown."""
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]  # a zombie has ended
    return ""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # of another user
    return True
