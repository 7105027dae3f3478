"""Recipes: named TOML files of settings that plugins ship with their tasks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelkit.config.plugin_settings import validate_setting
from labelkit.data.references import parse_reference
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
    :param task: the task that it is for, where it names one; and ``run`` the name of the run.
    """

    name: str
    summary: str
    settings: Mapping[str, Any]
    path: Path
    task: str | None = None
    run: str | None = None


def recipes_of(task: Task) -> dict[str, Path]:
    """Return name → file of the recipes of ``task``: its own, or else core's for its kind."""
    folder = Path(task.recipes) if task.recipes else FALLBACK / task.kind
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_recipe(task: Task, name: str, catalog: Catalog) -> Recipe:
    """Return the recipe called ``name``; a name that ends in ``.toml`` is the path of a file.

    :raises UnknownNameError: the task has no such recipe.
    :raises LabelkitError: the file cannot be read, has an invalid setting, or is for another task.
    """
    if name.endswith(".toml"):
        recipe = read_project(Path(name).expanduser(), catalog)
        if recipe.task not in (None, task.name):
            raise LabelkitError(f"recipe {recipe.path} is for task '{recipe.task}', not '{task.name}'")
        return recipe
    known = recipes_of(task)
    if name not in known:
        raise UnknownNameError(f"unknown recipe '{name}' of task '{task.name}'", hint=nearest(name, known))
    return read_recipe(known[name], catalog)


def read_project(path: Path, catalog: Catalog) -> Recipe:
    """Return the recipe in a user's own file, whose paths are relative to it.

    A path that does not exist there stays as it is, relative to the working directory.
    """
    recipe = read_recipe(path, catalog)
    settings = dict(recipe.settings)
    for key in ("data.path", "data.label_names", "model"):
        if isinstance(settings.get(key), str) and (key != "model" or "/" in settings[key]):
            settings[key] = _relative(settings[key], path.parent)
    if isinstance(reference := settings.get("data"), str) and reference not in catalog.sources:
        settings["data"] = relative_reference(reference, path.parent)
    return replace(recipe, settings=settings)


def relative_reference(reference: str, folder: Path) -> str:
    """Return a data reference with its paths in ``folder``, as far as they exist there."""
    parsed = None if (folder / reference).exists() else parse_reference(reference)
    if parsed is None or parsed.kind == "place":
        return _relative(reference, folder)
    files = {split: _relative(str(path), folder) for split, path in parsed.files.items()}
    return ",".join(f"{split}={path}" for split, path in files.items()) or reference


def _relative(path: str, folder: Path) -> str:
    found = folder / Path(path).expanduser()
    if not found.exists():
        return path
    return str(found) if found.is_absolute() or os.sep in str(found) else os.path.join(os.curdir, found)


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
    task, run = (_name(path, content, key) for key in ("task", "run"))
    try:
        settings = {key: validate_setting(key, value, catalog) for key, value in _flatten(content).items()}
    except LabelkitError as error:
        raise LabelkitError(f"recipe {path}: {error.message}", hint=error.hint) from None
    return Recipe(path.stem, summary, settings, path, task, run)


def _name(path: Path, content: dict[str, Any], key: str) -> str | None:
    """Return and remove what a recipe says of its task, or its run.

    :raises LabelkitError: it is no text.
    """
    value = content.pop(key, None)
    if value is not None and not isinstance(value, str):
        raise LabelkitError(f"recipe {path}: {key} must be a name", hint=f'write {key} = "NAME"')
    return value


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
