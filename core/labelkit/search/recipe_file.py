"""Write the winner of a search as a recipe file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labelkit.config.plan import Plan
from labelkit.errors import DataError
from labelkit.files.atomic import new_file
from labelkit.files.small import read_small
from labelkit.files.targets import check_target

#: origins of settings that are the same without a recipe
_IMPLIED = ("default", "task ", "head ", "automatic")
#: settings of a search, not of a recipe
_LEFT_OUT = frozenset(("train.seed", "train.score_test", "data.validation_seed"))


def mark_of(search: str) -> str:
    """Return the first line of the recipe file of a search."""
    return f"# the winner of labelkit search {search}"


def check_recipe_file(path: Path, search: str, *, force: bool) -> None:
    """Raise if a file is there already, unless the same search wrote it.

    :raises DataError: it is.
    """
    try:
        check_target(path, force=force)
    except DataError:
        if not path.is_file() or not read_small(path).startswith(f"{mark_of(search)}\n".encode()):
            raise


def recipe_text(plan: Plan, values: Mapping[str, Any], search: str, summary: str) -> str:
    """Return the recipe of a plan with the values of the winner.

    :param plan: of the search, with its automatic settings not resolved.
    :param summary: of the recipe, in one line.
    """
    settings = {
        key: value
        for key, (value, origin) in plan.entries().items()
        if value is not None and key not in _LEFT_OUT and not origin.startswith(_IMPLIED)
    }
    settings |= values
    if "train.per_device_train_batch_size" in values and "train.batch_tokens" not in values:
        settings["train.batch_tokens"] = 0
    sections: dict[str, list[str]] = {"": [], "data": [], "train": []}
    for key, value in settings.items():
        section, dot, name = key.partition(".")
        section, name = ("data", "reference") if key == "data" else (section, name) if dot else ("", key)
        sections.setdefault(section, []).append(f"{name} = {toml_value(value)}")
    head = [mark_of(search), f"summary = {toml_value(summary)}", f"task = {toml_value(plan.task.name)}"]
    parts = ["\n".join(head + sections.pop(""))]
    parts += ["\n".join([f"[{name}]", *lines]) for name, lines in sections.items() if lines]
    return "\n\n".join(parts) + "\n"


def write_recipe(path: Path, text: str) -> None:
    """Write a recipe file, complete or not at all.

    :raises StorageError: the disk is full, or ``path`` cannot be written.
    """
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def toml_value(value: Any) -> str:
    """Return a value in TOML.

    >>> toml_value({"a": [1, 0.5], "b c": True})
    '{"a" = [1, 0.5], "b c" = true}'
    """
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{json.dumps(key, allow_nan=False)} = {toml_value(one)}" for key, one in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")
