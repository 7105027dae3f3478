"""The commands that list what the plugins supply: tasks, recipes, formats, metrics, sources and the like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import LabelkitError, UnknownNameError, nearest

Row = dict[str, Any]


def print_rows(shell: Shell, columns: Sequence[str], rows: list[Row]) -> None:
    """Print rows as one JSON document, or as a table of ``columns``, which may be fewer than a row's keys."""
    if shell.as_json:
        shell.json(rows)
        return
    from labelkit.console.tables import table

    def cell(value: object) -> object:
        if isinstance(value, list):
            return ", ".join(map(str, value))
        return ("no", "yes")[value] if isinstance(value, bool) else value

    table(shell.out, columns, [[cell(row[name]) for name in columns] for row in rows])


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
    print_rows(shell, ("name", "kind", "source", "metrics", "recipes", "plugin", "summary"), rows)


@click.group(invoke_without_command=True)
@command_options
def recipes(shell: Shell) -> None:
    """List the recipes of each task."""
    if click.get_current_context().invoked_subcommand is None:
        print_rows(shell, ("task", "name", "summary"), recipe_rows(shell))


@recipes.command("show")
@click.argument("name")
@command_options
def show_recipe(shell: Shell, name: str) -> None:
    """Show all settings of the recipe NAME, for each task that has one, or for one task: TASK/NAME."""
    task, _, recipe = name.rpartition("/")
    rows = recipe_rows(shell)
    found = [row for row in rows if row["name"] == recipe and task in ("", row["task"])]
    if not found:
        raise UnknownNameError(f"unknown recipe '{name}'", hint=nearest(recipe, {row["name"] for row in rows}))
    if shell.as_json:
        shell.json(found)
        return
    from labelkit.console.tables import table

    for row in found:
        settings = [(key, str(value)) for key, value in row["settings"].items()]
        table(shell.out, ("setting", "value"), settings, title=f"{row['task']}/{row['name']}: {row['summary']}")
        shell.out.print()


def recipe_rows(shell: Shell) -> list[Row]:
    """Return task, name, summary and settings of every recipe; the summary of an invalid file is its error."""
    from labelkit.config.recipes import read_recipe, recipes_of

    rows: list[Row] = []
    for task in shell.catalog.tasks.values():
        for name, path in recipes_of(task).items():
            row: Row = {"task": task.name, "name": name}
            try:
                recipe = read_recipe(path, shell.catalog)
            except LabelkitError as error:
                rows.append({**row, "summary": f"invalid: {error}", "settings": {}})
            else:
                rows.append({**row, "summary": recipe.summary, "settings": dict(recipe.settings)})
    return rows


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
    print_rows(shell, ("name", "kinds", "suffixes", "reads", "writes", "summary"), rows)


def listing_command(name: str, kind: str, summary: str) -> click.Command:
    """Return the command ``name``, which lists the records of one kind with their plugins.

    :param kind: the kind of record in the catalog, e.g. ``metric``.
    :param summary: the help text.
    """

    @click.command(name, help=summary)
    @command_options
    def command(shell: Shell) -> None:
        rows = [
            {
                "name": record.name,
                **kind_columns(record),
                "plugin": shell.catalog.owner(kind, record.name).name,
                "summary": record.summary,
            }
            for record in shell.catalog.usable(kind).values()
        ]
        print_rows(shell, list(rows[0]) if rows else ("name", "kind", "plugin", "summary"), rows)

    return command


def kind_columns(record: Any) -> Row:
    """Return the column of the kinds that a record serves; none for encoders, which serve all."""
    if hasattr(record, "kinds"):
        return {"kinds": list(record.kinds)}
    return {"kind": record.kind} if hasattr(record, "kind") else {}


metrics = listing_command("metrics", "metric", "List the metrics.")
sources = listing_command("sources", "source", "List the named corpora.")
heads = listing_command("heads", "head", "List the heads: what stands on the encoder and how it learns.")
decoders = listing_command("decoders", "decoder", "List the decoders.")
preprocessors = listing_command("preprocessors", "preprocessor", "List the preprocessors.")
encoders = listing_command("encoders", "encoder", "List the kinds of encoder reference.")
