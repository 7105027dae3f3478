"""Files and folders that appear whole or not at all, and plain words for a disk that refuses."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from labelkit.errors import StorageError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the disk says while ``path`` is written into one clear line.

    :raises StorageError: the disk is full, read-only or out of bounds.
    """
    try:
        yield
    except Exception as error:
        if (explained := explain(error, path)) is None:
            raise
        raise explained from error


def explain(error: Exception, path: Path) -> StorageError | None:
    """Return a plain error for a disk that refuses, None when ``error`` is about something else."""
    number = _errno(error)
    if number in FULL:
        return StorageError(
            f"the disk is full: {path} could not be written",
            hint="free some space, or set LABELKIT_HOME to another disk",
        )
    if number in REFUSED:
        reason = os.strerror(number).lower()
        return StorageError(
            f"{path} cannot be written: {reason}",
            hint="check its permissions, or set LABELKIT_HOME to another folder",
        )
    return None


def _errno(error: Exception) -> int | None:
    """Return the system's error number; safetensors and pyarrow only mention it in their text."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    text = str(error)
    for number in (*FULL, *REFUSED):
        if f"os error {number})" in text or f"[errno {number}]" in text.lower():
            return number
    return None


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder beside ``path`` to fill; synced and renamed to ``path`` at the end, removed on any error.

    :raises StorageError: the disk refuses.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = _beside(path)
        try:
            beside.mkdir(mode=0o700)  # in here: an interrupt may come as soon as the folder is there
            yield beside
            for file in beside.rglob("*"):
                if file.is_file():
                    sync(file)
            sync(beside)
            beside.chmod(0o755)
            os.replace(beside, path)
            sync(path.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a file beside ``path`` to write; synced and renamed to ``path`` at the end, removed on any error.

    :raises StorageError: the disk refuses.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = _beside(path)
        try:
            beside.touch(mode=0o600, exist_ok=False)
            yield beside
            sync(beside)
            os.replace(beside, path)
            sync(path.parent)
        finally:
            beside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """Return a hidden name in the folder of ``path`` that nobody else has."""
    return path.with_name(f".{path.name}-{secrets.token_hex(6)}")


def sync(path: Path) -> None:
    """Have the system write a file or folder to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
