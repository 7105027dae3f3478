"""The folder of an export: new, or empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.targets import check_target, is_stream

_HINT = "name a new folder"


def check_new_folder(folder: Path) -> None:
    """Raise unless ``folder`` can be made: it does not exist, or is an empty folder.

    :raises DataError: it is a file, a stream, or a folder with files.
    :raises StorageError: the path cannot exist.
    """
    if is_stream(folder):
        raise DataError(f"{folder} is no folder", hint=_HINT)
    if folder.is_dir():
        if any(folder.iterdir()):
            raise DataError(f"{folder} exists already and is not empty", hint=_HINT)
        return
    if folder.is_file():
        raise DataError(f"{folder} exists already and is a file", hint=_HINT)
    check_target(folder, force=False)


def files_of(folder: Path) -> list[dict[str, Any]]:
    """Return name and size of each file of an export, for its JSON document."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [{"name": file.relative_to(folder).as_posix(), "size": file.stat().st_size} for file in files]
