"""Small files that are read whole, such as ``config.json``: regular files under a size limit, opened without blocking.

A folder from elsewhere may hold a link to ``/dev/zero``, a named pipe, or nested JSON in their place.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from labelkit.errors import StorageError

#: the most bytes of a small file; the label tables of a million labels have 40 million
LIMIT = 1 << 26
_MISSING = (errno.ENOENT, errno.ENOTDIR)


def read_small(path: Path, limit: int = LIMIT) -> bytes:
    """Return the content of a small file.

    :param limit: the most bytes that are read.
    :raises FileNotFoundError: it does not exist.
    :raises StorageError: the system cannot read it, for example for lack of permission.
    :raises ValueError: it is not a regular file, or too large.
    """
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ValueError("it is not a regular file")
            content = stream.read(limit + 1)
    except OSError as error:
        if error.errno in _MISSING:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
        raise unreadable(path, error) from error
    if len(content) > limit:
        raise ValueError(f"it has more than {limit:,} bytes")
    return content


def read_json(path: Path, limit: int = LIMIT) -> Any:
    """Return the document in a small JSON file.

    :raises FileNotFoundError: it does not exist.
    :raises StorageError: the system cannot read it, for example for lack of permission.
    :raises ValueError: it is not a regular file, too large, or not valid JSON in UTF-8.
    """
    try:
        return json.loads(read_small(path, limit).decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_toml(path: Path, limit: int = LIMIT) -> dict[str, Any]:
    """Return the document in a small TOML file.

    :raises FileNotFoundError: it does not exist.
    :raises StorageError: the system cannot read it, for example for lack of permission.
    :raises ValueError: it is not a regular file, too large, or not valid TOML in UTF-8.
    """
    try:
        return tomllib.loads(read_small(path, limit).decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def unreadable(path: Path, error: OSError) -> StorageError:
    """Return the error for a file or folder that the system cannot read."""
    hint = "ask its owner for read permission" if isinstance(error, PermissionError) else "check the path and the disk"
    return StorageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}", hint=hint)
