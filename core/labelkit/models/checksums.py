"""Checksums of large files, remembered by what the file system says of them, so that each is computed once."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from labelkit.errors import StorageError
from labelkit.files.atomic import new_file
from labelkit.files.json_text import to_json
from labelkit.files.small import read_json
from labelkit.models.checkpoint_files import sha256_of

#: the file of a home's cache that holds them
REMEMBERED = "checksums.json"
#: smaller files are hashed in less time than it takes to remember them
LEAST_SIZE = 1 << 20
#: seconds within which another write may leave the times of a file as they are; a file this young is not remembered
CLOCK_STEP = 2.0
#: files remembered at most; those of deleted files are dropped first
MOST_FILES = 1000


class ChecksumMemory:
    """SHA-256 of files, remembered by device, inode, size, and the times of the last change in nanoseconds.

    The memory belongs to a home and is only ever read and written as a whole; where it cannot be written, each process
    computes what it needs.

    :param cache: the folder of caches of the home; None remembers nothing.
    :param verify: compute every checksum again.
    """

    def __init__(self, cache: Path | None, *, verify: bool = False) -> None:
        self._file = None if cache is None else cache / REMEMBERED
        self._known: dict[str, Any] = {} if verify or self._file is None else _read(self._file)
        self._new: dict[str, Any] = {}

    def sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file in hex.

        :raises OSError: it cannot be read.
        """
        status = path.stat()
        if status.st_size < LEAST_SIZE:
            return sha256_of(path)
        name, facts = os.path.realpath(path), _facts(status)
        remembered = self._known.get(name)
        if isinstance(remembered, list) and remembered[:-1] == facts and isinstance(remembered[-1], str):
            return remembered[-1]
        digest = sha256_of(path)
        unchanged = _facts(path.stat()) == facts
        if unchanged and time.time() - max(status.st_mtime, status.st_ctime) >= CLOCK_STEP:
            self._new[name] = self._known[name] = [*facts, digest]
        return digest

    def save(self) -> None:
        """Write what is new to the memory of the home, if that exists and can be written."""
        file = self._file
        if not self._new or file is None or not file.parent.parent.is_dir():  # what only labels creates no home
            return
        found = {**_read(file), **self._new}
        if len(found) > MOST_FILES:
            found = {name: value for name, value in found.items() if os.path.exists(name)}
        with contextlib.suppress(StorageError, OSError), new_file(file) as beside:
            beside.write_text(to_json(found) + "\n", encoding="utf-8")
        self._new = {}


def _facts(status: os.stat_result) -> list[int]:
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(file: Path) -> dict[str, Any]:
    """Return the content of a memory; empty where it is missing or damaged."""
    try:
        content = read_json(file)
    except (OSError, StorageError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
