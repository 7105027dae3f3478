"""``labelkit tasks``, ``recipes``, ``formats`` and ``plugins``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import UnknownNameError, nearest

Row = dict[str, Any]


def _print(shell: Shell, columns: Sequence[str], rows: list[Row]) -> None:
    if shell.as_json:
        shell.json(rows)
        return
    from labelkit.cli import render

    cells = [
        [", ".join(row[name]) if isinstance(row[name], list | tuple) else row[name] for name in columns] for row in rows
    ]
    render.table(shell.out, columns, cells)


@click.command()
@command_options
def tasks(shell: Shell) -> None:
    """List the labelling tasks."""
    from labelkit.recipes import recipes_of

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
    from labelkit.cli import render

    for row in found:
        settings = [(key, str(value)) for key, value in row["settings"].items()]
        render.table(shell.out, ("setting", "value"), settings, title=f"{row['task']}/{row['name']}: {row['summary']}")
        shell.out.print()


def _recipes(shell: Shell) -> list[Row]:
    from labelkit.recipes import read_recipe, recipes_of

    tasks_ = shell.catalog.tasks.values()
    read = ((task.name, read_recipe(path)) for task in tasks_ for path in recipes_of(task).values())
    return [
        {"task": task, "name": recipe.name, "summary": recipe.summary, "settings": dict(recipe.settings)}
        for task, recipe in read
    ]


@click.command()
@command_options
def formats(shell: Shell) -> None:
    """List the file formats."""
    rows = [
        {
            "name": known.name,
            "kinds": list(known.kinds),
            "suffixes": list(known.suffixes),
            "reads": "yes" if known.read else "no",
            "writes": "yes" if known.write else "no",
            "summary": known.summary,
        }
        for known in shell.catalog.formats.values()
    ]
    _print(shell, ("name", "kinds", "suffixes", "reads", "writes", "summary"), rows)


@click.command()
@command_options
def plugins(shell: Shell) -> None:
    """List the plugins: name, version, origin, hooks, status, and why one is not loaded."""
    if shell.as_json:
        shell.json([asdict(info) for info in shell.catalog.plugins])
        return
    from labelkit.cli import render

    render.plugins(shell.out, shell.catalog.plugins)
