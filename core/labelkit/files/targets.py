"""Where a command writes: a file, which appears complete or not at all, or a stream, which is written through.

Standard output, devices, named pipes and sockets are streams. Renaming a file over one would take its place.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from labelkit.errors import DataError, StorageError

#: names of standard output
_STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def is_stdout(path: Path | None) -> bool:
    """Return whether ``path`` names standard output, as no path does."""
    return path is None or str(path) in _STDOUT


def is_stream(path: Path) -> bool:
    """Return whether ``path`` is standard output, a device, a named pipe or a socket.

    :raises StorageError: the system cannot say, for example because the path is too long.
    """
    if is_stdout(path):
        return True
    mode = _mode(path)
    return mode is not None and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_target(path: Path, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise if writing to ``path`` would replace something.

    :param force: an existing file may be replaced; a folder never, nor a file that is read.
    :param inputs: the files that are read.
    :raises DataError: it would.
    :raises StorageError: the path cannot exist.
    """
    mode = None if is_stdout(path) else _mode(path)
    if mode is None:
        return
    for one in inputs:
        with contextlib.suppress(OSError):
            if os.path.samefile(one, path) and not stat.S_ISCHR(mode):
                raise DataError(f"{path} is read and written at once", hint="name another file for the output")
    if stat.S_ISDIR(mode):
        raise DataError(f"{path} is a folder", hint="name another file")
    if stat.S_ISREG(mode) and not force:
        raise DataError(f"{path} exists already", hint="name another file, or replace it with --force")


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None  # what a folder of the path is in truth is said by writing
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {(error.strerror or str(error)).lower()}", hint="name another file"
        ) from error
