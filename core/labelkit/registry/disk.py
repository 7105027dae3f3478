"""What folders take on the disk, and deleting them for good."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from labelkit.errors import StorageError

#: how the names of folders begin that are being deleted
CONDEMNED = ".removed-"
#: without this much free space a disk counts as full
_FULL = 1 << 20
_BLOCK = 512
#: kinds of cache that core itself fills, and fills again
_CACHES = ("encoded", "examples")


def children(folder: Path) -> list[Path]:
    """Return what is in ``folder``, by name; nothing where it cannot be listed."""
    with contextlib.suppress(OSError):
        return sorted(folder.iterdir())
    return []


def usage(path: Path) -> int:
    """Return how many bytes a file, or a folder with all that is in it, takes on the disk.

    Blocks count, not lengths; a file with another name elsewhere would not become free, so it does not.
    """
    links: Counter[tuple[int, int]] = Counter()
    size = 0
    for info in _infos(path):
        key = (info.st_dev, info.st_ino)
        links[key] += 1
        if stat.S_ISDIR(info.st_mode) or links[key] == info.st_nlink:
            size += info.st_blocks * _BLOCK if hasattr(info, "st_blocks") else info.st_size
    return size


def last_touched(path: Path, *, read: bool = False) -> float:
    """Return when anything in ``path`` was last written, in seconds since the epoch.

    :param read: reading files counts too, as far as the file system notes it; looking into folders does not.
    """
    return max((_touched(info, read=read) for info in _infos(path)), default=0.0)


def _touched(info: os.stat_result, *, read: bool) -> float:
    return max(info.st_mtime, info.st_atime) if read and not stat.S_ISDIR(info.st_mode) else info.st_mtime


def condemn(path: Path) -> Path:
    """Take a folder out of its place, for :func:`delete`, and return where it is then; all else stays where it is.

    :raises StorageError: the disk refused.
    """
    if path.is_symlink() or not path.is_dir() or path.name.startswith(CONDEMNED):
        return path
    try:
        return path.rename(path.with_name(f"{CONDEMNED}{path.name}-{uuid.uuid4().hex[:8]}"))
    except (PermissionError, FileNotFoundError):
        return path  # what is in it may be deletable all the same
    except OSError as error:
        raise _refusal(path, error) from error


def delete(path: Path) -> None:
    """Delete a file, a link or a folder. A folder vanishes from its place at once, however large it is.

    :raises StorageError: the disk refused.
    """
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        path = condemn(path)
        while path.exists():
            with contextlib.suppress(FileNotFoundError):  # somebody else is at it too
                shutil.rmtree(path)
    except FileNotFoundError:
        return  # somebody else was faster
    except OSError as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} could not be deleted: {error.strerror or error}",
        hint="check its permissions; labelkit runs gc tries again",
    )


def check_deletable(path: Path) -> None:
    """Check that ``path`` may be taken out of its folder.

    :raises StorageError: that folder is read-only.
    """
    if not os.access(path.parent, os.W_OK):
        raise StorageError(f"{path} cannot be deleted: {path.parent} is read-only", hint="allow writing there")


def is_full(path: Path) -> bool:
    """Return whether the disk that holds ``path`` has hardly any room left."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(path).free < _FULL
    return False


def make_room(cache: Path) -> int:
    """Delete what was used longest ago from a cache, until a full disk has some room again; return the bytes freed.

    Recording that something is to be deleted takes room itself.
    """
    freed = 0
    entries = [entry for kind in _CACHES for entry in children(cache / kind)]
    for file in sorted(entries, key=lambda file: last_touched(file, read=True)):
        if not is_full(cache):
            break
        size = usage(file)
        with contextlib.suppress(StorageError):
            delete(file)
            freed += size
    return freed


def cache_entries(cache: Path) -> list[Path]:
    """Return what can be freed of a cache, thing by thing: it has a folder for each kind."""
    kinds = children(cache)
    return [entry for kind in kinds for entry in (children(kind) if kind.is_dir() else [kind])]


def is_older(path: Path, age: timedelta, now: float, *, read: bool = False) -> bool:
    """Return whether nothing in ``path`` was written for so long before ``now``."""
    return now - last_touched(path, read=read) >= age.total_seconds()


def _infos(path: Path) -> Iterator[os.stat_result]:
    """Give the state of ``path`` and of all that is in it; what vanishes meanwhile is passed over."""
    with contextlib.suppress(OSError):
        yield path.lstat()
        if path.is_dir() and not path.is_symlink():
            for folder, folders, files in os.walk(path):
                for name in (*folders, *files):
                    with contextlib.suppress(OSError):
                        yield Path(folder, name).lstat()
