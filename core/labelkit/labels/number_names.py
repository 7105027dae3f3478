"""The names of labels that are numbers: a list, or a JSON file such as ``label2id.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.reading import reading_errors


def named_numbers(names: Sequence[str] | str | None) -> Mapping[str, str]:
    """Return number → name of a label, from a list or a JSON file; nothing without names.

    The file holds a list, ``{"O": 0, …}`` or ``{"0": "O", …}``.

    :raises DataError: the file cannot be read, or holds something else.
    """
    if names is None:
        return {}
    if not isinstance(names, str):
        return _named_numbers(tuple(names), 0)
    path = Path(names)
    return _named_numbers(names, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=16)
def _named_numbers(names: tuple[str, ...] | str, changed: int) -> dict[str, str]:
    """Return what :func:`named_numbers` does; a file is read once, however many spans it names.

    :param changed: when the file was changed.
    """
    if not isinstance(names, str):
        return {str(number): name for number, name in enumerate(names)}
    found = _read_names(Path(names))
    if isinstance(found, dict):
        found = next((found[key] for key in ("label2id", "id2label", "names") if key in found), found)
    if isinstance(found, list) and all(isinstance(name, str) for name in found):
        return {str(number): name for number, name in enumerate(found)}
    if isinstance(found, dict) and found:
        if all(type(number) is int for number in found.values()):
            return {str(number): name for name, number in found.items()}
        if all(isinstance(name, str) and str(number).isdecimal() for number, name in found.items()):
            return {str(number): name for number, name in found.items()}
    hint = 'it holds a list of names, {"O": 0, …} or {"0": "O", …}'
    raise DataError(f"{names} holds no names of labels: {json.dumps(found, allow_nan=False)[:80]}", hint=hint)


def _read_names(path: Path) -> Any:
    """Return the content of a JSON file, or the lines of a text file.

    :raises DataError: it cannot be read, or is broken.
    """
    with reading_errors(path):
        text = path.read_text("utf-8-sig")
    if path.suffix == ".txt":
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(
            f"{path}: broken JSON: {error}", hint="data.label_names takes a list, or a JSON file"
        ) from error
