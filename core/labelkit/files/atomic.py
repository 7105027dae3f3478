"""Atomic writes: files and folders that appear complete or not at all, with clear errors of the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from labelkit.errors import StorageError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


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

    :raises StorageError: the disk is full, or ``path`` cannot be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_path(path)
        try:
            temporary.mkdir(mode=0o700)  # inside try: an interrupt may come as soon as the folder exists
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    sync(file)
            sync(temporary)
            temporary.chmod(0o755)
            os.replace(temporary, path)
            sync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary file beside ``path``; sync and rename it to ``path`` at the end, remove it on any error.

    :raises StorageError: the disk is full, or ``path`` cannot be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_path(path)
        try:
            temporary.touch(mode=0o600, exist_ok=False)
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
            sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _temporary_path(path: Path) -> Path:
    """Return a unique hidden path in the folder of ``path``."""
    return path.with_name(f".{path.name}-{secrets.token_hex(6)}")


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
