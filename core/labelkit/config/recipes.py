"""Recipes: named TOML files of settings, shipped by plugins beside their tasks."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.config.validation import validate
from labelkit.errors import LabelkitError, UnknownNameError, nearest
from labelkit.records import Task

#: recipes for tasks whose plugin brings none, by kind
FALLBACK = Path(__file__).parent / "default_recipes"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named set of settings.

    :param settings: setting → value, keys as in :mod:`labelkit.settings`.
    """

    name: str
    summary: str
    settings: Mapping[str, Any]
    path: Path


def recipes_of(task: Task) -> dict[str, Path]:
    """Return the recipes of ``task`` by name: its own, or else core's for its kind."""
    folder = Path(task.recipes) if task.recipes else FALLBACK / task.kind
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_recipe(task: Task, name: str) -> Recipe:
    """Return the recipe called ``name``, or the one in the file ``name`` when it is written with ``.toml``.

    :raises UnknownNameError: the task has no such recipe.
    :raises LabelkitError: the file cannot be read or holds a wrong setting.
    """
    if name.endswith(".toml"):
        return read_recipe(Path(name).expanduser())
    known = recipes_of(task)
    if name not in known:
        raise UnknownNameError(f"task '{task.name}' has no recipe '{name}'", hint=nearest(name, known))
    return read_recipe(known[name])


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe file.

    :raises LabelkitError: it is missing, is not TOML, or holds a wrong setting.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabelkitError(f"recipe {path} cannot be read: {error.strerror}", hint="see: labelkit recipes") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabelkitError(f"recipe {path} is not TOML: {error}", hint="see: labelkit recipes") from None
    summary = str(content.pop("summary", ""))
    try:
        settings = {key: validate(key, value) for key, value in _flat(content)}
    except LabelkitError as error:
        raise LabelkitError(f"recipe {path}: {error.message}", hint=error.hint) from None
    return Recipe(path.stem, summary, settings, path)


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if key in ("data", "train") and isinstance(value, dict):
            yield from ((f"{key}.{name}", inner) for name, inner in value.items() if name != "reference")
            if "reference" in value:
                yield key, value["reference"]
        else:
            yield key, value
