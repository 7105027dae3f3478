"""``labelkit tasks``, ``recipes`` and ``formats``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import LabelkitError, UnknownNameError, nearest

Row = dict[str, Any]


def _print(shell: Shell, columns: Sequence[str], rows: list[Row]) -> None:
    if shell.as_json:
        shell.json(rows)
        return
    from labelkit.console import render

    cells = [[_cell(row[name]) for name in columns] for row in rows]
    render.table(shell.out, columns, cells)


def _cell(value: object) -> object:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return ("no", "yes")[value] if isinstance(value, bool) else value


@click.command()
@command_options
def tasks(shell: Shell) -> None:
    """List the labelling tasks."""
    from labelkit.config.recipes import recipes_of

    rows = [
        {
            "name": task.name,
            "kind": task.kind,
            "layer": task.layer,
            "source": task.source,
            "metrics": list(task.metrics),
            "recipes": list(recipes_of(task)),
            "plugin": shell.catalog.owner("task", task.name).name,
            "summary": task.summary,
        }
        for task in shell.catalog.tasks.values()
    ]
    _print(shell, ("name", "kind", "source", "metrics", "recipes", "plugin", "summary"), rows)


@click.group(invoke_without_command=True)
@command_options
def recipes(shell: Shell) -> None:
    """List the recipes of each task."""
    if click.get_current_context().invoked_subcommand is None:
        _print(shell, ("task", "name", "summary"), _recipes(shell))


@recipes.command("show")
@click.argument("name")
@command_options
def show_recipe(shell: Shell, name: str) -> None:
    """Show every setting of the recipe NAME, of each task that has one, or of one task: TASK/NAME."""
    task, _, wanted = name.rpartition("/")
    known = _recipes(shell)
    found = [row for row in known if row["name"] == wanted and task in ("", row["task"])]
    if not found:
        raise UnknownNameError(f"no recipe is called '{name}'", hint=nearest(wanted, {row["name"] for row in known}))
    if shell.as_json:
        shell.json(found)
        return
    from labelkit.console import render

    for row in found:
        settings = [(key, str(value)) for key, value in row["settings"].items()]
        render.table(shell.out, ("setting", "value"), settings, title=f"{row['task']}/{row['name']}: {row['summary']}")
        shell.out.print()


def _recipes(shell: Shell) -> list[Row]:
    from labelkit.config.recipes import recipes_of

    return [
        {"task": task.name, "name": name, **_recipe(path)}
        for task in shell.catalog.tasks.values()
        for name, path in recipes_of(task).items()
    ]


def _recipe(path: Path) -> Row:
    """Return what a recipe file says, or why it cannot be used: one bad file does not hide the others."""
    from labelkit.config.recipes import read_recipe

    try:
        recipe = read_recipe(path)
    except LabelkitError as error:
        return {"summary": f"cannot be used: {error}", "settings": {}}
    return {"summary": recipe.summary, "settings": dict(recipe.settings)}


@click.command()
@command_options
def formats(shell: Shell) -> None:
    """List the file formats."""
    rows = [
        {
            "name": known.name,
            "kinds": list(known.kinds),
            "suffixes": list(known.suffixes),
            "reads": known.read is not None,
            "writes": known.write is not None,
            "summary": known.summary,
        }
        for known in shell.catalog.formats.values()
    ]
    _print(shell, ("name", "kinds", "suffixes", "reads", "writes", "summary"), rows)
