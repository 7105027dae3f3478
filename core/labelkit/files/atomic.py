"""Atomic writes: files and folders that appear complete or not at all, with clear errors of the disk."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from labelkit.errors import StorageError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_WRITABLE = {
    errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP,
    errno.ENAMETOOLONG, errno.ENXIO, errno.ETXTBSY,
}  # fmt: skip
#: seconds after which what is locked by no process was left by one: a new file is locked at once
_YOUNG = 1.0


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Raise what the system reports while ``path`` is written as a :class:`StorageError` of one line.

    :raises StorageError: the disk is full, or ``path`` cannot be written.
    """
    try:
        yield
    except Exception as error:
        number = error_number(error)
        if number in _DISK_FULL:
            message = f"the disk is full: {path} could not be written"
            hint = "free some space, or set LABELKIT_HOME to another disk"
        elif number in _NOT_WRITABLE:
            message = f"{path} cannot be written: {os.strerror(number).lower()}"
            hint = "check its permissions, or set LABELKIT_HOME to another folder"
        else:
            raise
        raise StorageError(message, hint=hint) from error


def error_number(error: Exception) -> int | None:
    """Return the system's error number of ``error``; None if it is not about storage."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    text = str(error).lower()  # safetensors and pyarrow only mention the number in their messages
    known = (*_DISK_FULL, *_NOT_WRITABLE)
    return next((number for number in known if f"os error {number})" in text or f"[errno {number}]" in text), None)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; sync and rename it to ``path`` at the end, remove it on any error.

    All files in it get the permissions that new files have by the umask, whatever wrote them.

    :raises StorageError: the disk is full, or ``path`` cannot be written.
    """
    with storage_errors(path):
        path = linked_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path, Path.mkdir) as temporary:
            yield temporary
            mode = stat.S_IMODE(temporary.stat().st_mode)
            for file in temporary.rglob("*"):
                file.chmod(mode if file.is_dir() else mode & 0o666)
                if file.is_file():
                    sync(file)
            sync(temporary)
            os.replace(temporary, path)
            sync(path.parent)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary file beside ``path``; sync and rename it to ``path`` at the end, remove it on any error.

    Where ``path`` is a link, the file that it leads to is replaced. A file that is replaced keeps its permissions; a
    new one gets them by the umask.

    :raises StorageError: the disk is full, or ``path`` cannot be written.
    """
    with storage_errors(path):
        path = linked_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path, lambda file: file.touch(exist_ok=False)) as temporary:
            mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else None
            if mode is not None:  # what replaces a private file is private from the start
                temporary.chmod(mode | 0o600)
            yield temporary
            sync(temporary)
            if mode is not None:
                temporary.chmod(mode)
            os.replace(temporary, path)
            sync(path.parent)


@contextlib.contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``, which is removed at the end."""
    with _temporary(path, Path.mkdir) as temporary:
        yield temporary


@contextlib.contextmanager
def private_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path`` that other users cannot open, and remove it at the end."""
    with _temporary(path, lambda folder: folder.mkdir(0o700)) as temporary:
        yield temporary


def linked_path(path: Path) -> Path:
    """Return the path that ``path`` leads to by symbolic links.

    :raises OSError: the links are a loop.
    """
    found = Path(os.path.realpath(path))
    if found.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return found


@contextlib.contextmanager
def _temporary(path: Path, create: Callable[[Path], object]) -> Iterator[Path]:
    """Give a new hidden path beside ``path``, locked while it is written, and delete it at the end if it still exists.

    What killed processes left of the same path is deleted first: it is locked no longer.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}-{'[0-9a-f]' * 12}"):
        _remove_unlocked(leftover)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    handle = None
    try:
        create(temporary)  # inside try: an interrupt may come as soon as it exists
        handle = _locked(temporary)
        yield temporary
    finally:
        _remove(temporary)
        if handle is not None:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_unlocked(path: Path) -> None:
    """Delete ``path`` unless a process has locked it, or has created it this moment and will."""
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime < _YOUNG or (handle := _locked(path)) is None:
            return
        try:
            _remove(path)
        finally:
            os.close(handle)


def _locked(path: Path) -> int | None:
    """Lock a file or folder and return its descriptor; None where another process has it, or locks are not known."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
