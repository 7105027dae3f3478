"""The lock on the folder of a run that a process holds while it trains the run; the system frees it with the process.

It is an advisory ``flock`` of the file ``run.lock``, which also names the machine: a free lock says nothing about a
process of another one where the file system does not share locks. Where there are no such locks, none is held. Of a
machine that was restarted the lock is free as well: its disk is here, so its old kernel is gone.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import platform
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from labelkit.errors import RegistryError, StorageError
from labelkit.files.atomic import storage_errors

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: in the folder of a run
LOCK = "run.lock"
#: a probe holds the lock for microseconds, so whoever wants it waits this many seconds at most
_PATIENCE, _INTERVAL = 0.5, 0.01
_MAX_BYTES = 4096
#: file systems of disks that machines do not share
_LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "overlay"})


class LockState(enum.Enum):
    """The state of the lock of a run, as this machine sees it."""

    #: a process holds it
    HELD = "held"
    #: the process of this machine that held it is gone
    FREE = "free"
    #: there is none, or another machine held it last
    UNKNOWN = "unknown"


class RunLock:
    """The lock of a run that this process holds.

    :ivar folder: of the run.
    :ivar before: the state of the lock before this process took it.
    """

    def __init__(self, folder: Path, handle: int | None, before: LockState) -> None:
        self.folder = folder
        self.before = before
        self._handle = handle

    def check(self) -> None:
        """Raise if the folder of the run is no longer the one that was locked.

        :raises StorageError: it was moved or deleted.
        """
        place = self.folder / LOCK
        with contextlib.suppress(OSError):
            if self._handle is None or os.path.samestat(place.stat(), os.fstat(self._handle)):
                return
        raise StorageError(
            f"the folder of the run was moved or deleted while it trained: {self.folder}",
            hint="bring it back to this place, then labelkit run --resume continues from its last saved state",
        )


@contextlib.contextmanager
def hold_lock(folder: Path) -> Iterator[RunLock]:
    """Hold the lock of the run in ``folder``, which is created; a folder that stays empty is removed again.

    :raises RegistryError: another process holds it.
    :raises StorageError: the disk is full, or permission is denied.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        locked = _acquire(handle, folder)
        before = LockState.FREE if locked and _owned_here(handle) else LockState.UNKNOWN
        if locked:
            with storage_errors(folder / LOCK):
                _write_owner(handle)
        yield RunLock(folder, handle if locked else None, before)
    finally:
        _remove_unused(folder)
        os.close(handle)


def probe_lock(folder: Path) -> LockState:
    """Return the state of the lock of the run in ``folder``."""
    if fcntl is None:
        return LockState.UNKNOWN
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return LockState.UNKNOWN
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return LockState.FREE if _owned_here(handle) else LockState.UNKNOWN
    except BlockingIOError:
        return LockState.HELD
    except OSError:
        return LockState.UNKNOWN
    finally:
        os.close(handle)


def _acquire(handle: int, folder: Path) -> bool:
    """Take the lock; return False where the file system has none.

    :raises RegistryError: another process holds it.
    """
    if fcntl is None:
        return False
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _running(handle, folder) from None
            time.sleep(_INTERVAL)
        except OSError:
            return False
        else:
            return True


def _running(handle: int, folder: Path) -> RegistryError:
    owner = {"pid": "?", "host": "?"}
    with contextlib.suppress(OSError, ValueError, TypeError):
        owner |= json.loads(os.pread(handle, _MAX_BYTES, 0))
    return RegistryError(
        f"the run '{folder.name}' is running (process {owner['pid']} on {owner['host']})",
        hint="wait until it ends, or stop it first",
    )


def _owned_here(handle: int) -> bool:
    """Return whether a process of this machine held the lock last, also one from before the machine was restarted.

    Another machine of the same name cannot have mounted a local file system that this one has mounted.
    """
    try:
        owner = json.loads(os.pread(handle, _MAX_BYTES, 0))
        if not owner["machine"] or not _machine():
            return False
        return owner["machine"] == _machine() or (owner["host"] == platform.node() and _is_local(handle))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_local(handle: int) -> bool:
    """Return whether a file is on a file system of which one machine alone has the disk."""
    device = os.fstat(handle).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        fields = next((line.split() for line in mounts if line.split()[2] == number), ["-", ""])
    return fields[fields.index("-") + 1] in _LOCAL


def _write_owner(handle: int) -> None:
    content = json.dumps({"machine": _machine(), "host": platform.node(), "pid": os.getpid()}, allow_nan=False)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{content}\n".encode(), 0)


def _remove_unused(folder: Path) -> None:
    """Remove a folder that holds nothing but the lock: its run was never recorded, or wrote nothing."""
    with contextlib.suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
            folder.rmdir()


@cache
def _machine() -> str:
    """Return what is the same for all processes of one running kernel, and for no others; empty if unknown.

    A host's name is not: containers and copied machines share names.
    """
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""
