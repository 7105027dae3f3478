"""Recipes: named TOML files of settings that plugins ship with their tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.config.plugin_settings import validate_setting
from labelkit.errors import LabelkitError, UnknownNameError, nearest
from labelkit.files.small import read_toml
from labelkit.plugins.catalog import Catalog
from labelkit.records import Task
from labelkit.settings import RUN_KEYS

#: the recipes of tasks whose plugin has none, by kind
FALLBACK = Path(__file__).parent / "default_recipes"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named set of settings, validated.

    :param settings: setting → value, keys as in :mod:`labelkit.settings`.
    """

    name: str
    summary: str
    settings: Mapping[str, Any]
    path: Path


def recipes_of(task: Task) -> dict[str, Path]:
    """Return name → file of the recipes of ``task``: its own, or else core's for its kind."""
    folder = Path(task.recipes) if task.recipes else FALLBACK / task.kind
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_recipe(task: Task, name: str, catalog: Catalog) -> Recipe:
    """Return the recipe called ``name``; a name that ends in ``.toml`` is the path of a file.

    :raises UnknownNameError: the task has no such recipe.
    :raises LabelkitError: the file cannot be read or has an invalid setting.
    """
    if name.endswith(".toml"):
        return read_recipe(Path(name).expanduser(), catalog)
    known = recipes_of(task)
    if name not in known:
        raise UnknownNameError(f"unknown recipe '{name}' of task '{task.name}'", hint=nearest(name, known))
    return read_recipe(known[name], catalog)


def read_recipe(path: Path, catalog: Catalog) -> Recipe:
    """Return the recipe in a file, with its settings validated.

    :raises LabelkitError: it is missing, invalid TOML, or has an invalid setting.
    """
    try:
        content = read_toml(path)
    except FileNotFoundError:
        raise LabelkitError(f"recipe {path} does not exist", hint="see: labelkit recipes") from None
    except ValueError as error:
        raise LabelkitError(f"recipe {path} is invalid TOML: {error}", hint="see: labelkit recipes") from None
    summary = str(content.pop("summary", ""))
    try:
        settings = {key: validate_setting(key, value, catalog) for key, value in _flatten(content).items()}
    except LabelkitError as error:
        raise LabelkitError(f"recipe {path}: {error.message}", hint=error.hint) from None
    return Recipe(path.stem, summary, settings, path)


def _flatten(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return key → value of a recipe, whose sections, e.g. ``[train]``, are tables."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict) and (name == "data" or name not in RUN_KEYS):
            found |= {f"{name}.{key}": each for key, each in value.items()} or {f"{name}.": None}
        else:
            found[name] = value
    if "data.reference" in found:
        found["data"] = found.pop("data.reference")
    return found
