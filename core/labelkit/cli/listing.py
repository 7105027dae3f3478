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


@click.command()
@command_options
def recipes(shell: Shell) -> None:
    """List the recipes of each task."""
    from labelkit.recipes import read_recipe, recipes_of

    rows = []
    for task in shell.catalog.tasks.values():
        for name, path in recipes_of(task).items():
            recipe = read_recipe(path)
            rows.append(
                {
                    "task": task.name,
                    "name": name,
                    "summary": recipe.summary,
                    "settings": dict(recipe.settings),
                }
            )
    _print(shell, ("task", "name", "summary"), rows)


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
