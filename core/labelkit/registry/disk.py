"""Disk usage of files and folders, and deleting them safely."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from labelkit.errors import StorageError

#: the prefix of folders that were renamed to be deleted
TRASH_PREFIX = ".removed-"
#: a disk with less free space, in bytes, counts as full
_FULL = 1 << 20
_BLOCK = 512
#: the caches that labelkit fills by itself, and can fill again
_CACHES = ("archives", "encoded", "examples", "teacher")


def children(folder: Path) -> list[Path]:
    """Return the entries of ``folder`` by name, none if it cannot be listed."""
    with contextlib.suppress(OSError):
        return sorted(folder.iterdir())
    return []


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether ``path`` is below ``folder``, with links and ``..`` resolved."""
    inner, outer = path.resolve(), folder.resolve()
    return inner != outer and inner.is_relative_to(outer)


def usage(path: Path) -> int:
    """Return how many bytes deleting a file or a folder would free.

    Blocks count, not lengths; a file with a hard link elsewhere counts nothing.
    """
    links: Counter[tuple[int, int]] = Counter()
    size = 0
    for info in _tree(path):
        key = (info.st_dev, info.st_ino)
        links[key] += 1
        if stat.S_ISDIR(info.st_mode) or links[key] == info.st_nlink:
            size += info.st_blocks * _BLOCK if hasattr(info, "st_blocks") else info.st_size
    return size


def last_modified(path: Path, *, accessed: bool = False) -> float:
    """Return when anything below ``path`` was last written, in seconds since the epoch.

    :param accessed: reading a file counts too, as far as the file system records it.
    """
    return max(
        (
            max(info.st_mtime, info.st_atime) if accessed and not stat.S_ISDIR(info.st_mode) else info.st_mtime
            for info in _tree(path)
        ),
        default=0.0,
    )


def is_older(path: Path, age: timedelta, *, accessed: bool = False) -> bool:
    """Return whether nothing below ``path`` was written (or read, if ``accessed``) within ``age``."""
    return time.time() - last_modified(path, accessed=accessed) >= age.total_seconds()


def move_to_trash(path: Path) -> Path:
    """Rename a folder, for :func:`delete`, and return its new path; a file, a link or trash stays where it is.

    :raises StorageError: the disk is full or fails.
    """
    if path.is_symlink() or not path.is_dir() or path.name.startswith(TRASH_PREFIX):
        return path
    try:
        return path.rename(path.with_name(f"{TRASH_PREFIX}{path.name}-{uuid.uuid4().hex[:8]}"))
    except (PermissionError, FileNotFoundError):
        return path  # its content may be deletable all the same
    except OSError as error:
        raise _refusal(path, error) from error


def delete(path: Path) -> None:
    """Delete a file, a link or a folder. A folder is renamed first, so that no reader finds half of it.

    :raises StorageError: permission is denied, or the disk fails.
    """
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        path = move_to_trash(path)
        while path.exists():
            with contextlib.suppress(FileNotFoundError):  # another process deletes it too
                shutil.rmtree(path)
    except FileNotFoundError:
        return  # another process was faster
    except OSError as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} could not be deleted: {error.strerror or error}",
        hint="check its permissions; labelkit runs gc tries again",
    )


def check_deletable(path: Path) -> None:
    """Raise StorageError if the parent folder of ``path`` is read-only."""
    if not os.access(path.parent, os.W_OK):
        raise StorageError(f"{path} cannot be deleted: {path.parent} is read-only", hint="allow writing there")


def is_full(path: Path) -> bool:
    """Return whether the disk that holds ``path`` is full."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(path).free < _FULL
    return False


def make_room(cache: Path) -> int:
    """Delete the least recently used cache entries until the disk is not full, and return the number of bytes freed.

    Recording a deletion in the registry needs some free space itself.
    """
    freed = 0
    entries = [entry for kind in _CACHES for entry in children(cache / kind)]
    for file in sorted(entries, key=lambda file: last_modified(file, accessed=True)):
        if not is_full(cache):
            break
        size = usage(file)
        with contextlib.suppress(StorageError):
            delete(file)
            freed += size
    return freed


def cache_entries(cache: Path) -> list[Path]:
    """Return the entries of a cache, which has a folder for each kind of entry."""
    kinds = children(cache)
    return [entry for kind in kinds for entry in (children(kind) if kind.is_dir() else [kind])]


def _tree(path: Path) -> Iterator[os.stat_result]:
    """Yield the status of ``path`` and of everything below it, without what vanishes meanwhile."""
    with contextlib.suppress(OSError):
        yield path.lstat()
        if path.is_dir() and not path.is_symlink():
            for folder, folders, files in os.walk(path):
                for name in (*folders, *files):
                    with contextlib.suppress(OSError):
                        yield Path(folder, name).lstat()
