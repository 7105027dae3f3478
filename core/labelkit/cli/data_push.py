"""``labelkit data push``."""

from __future__ import annotations

from typing import Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_context, reading_options
from labelkit.cli.publish import card_options, push_lines
from labelkit.console.text import literal


@click.command()
@click.argument("reference", metavar="REF")
@click.argument("repository", metavar="ORG/NAME")
@click.option("--layer", metavar="NAME", help="Push this layer of labels only; default all of a source.")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--revision", default="main", show_default=True, metavar="BRANCH", help="Push to this branch.")
@card_options
@click.option("--dry-run", is_flag=True, help="List the files and their sizes; send nothing.")
@click.option("--force", is_flag=True, help="Replace a card that was edited outside of its markers.")
@reading_options
@command_options
def push(shell: Shell, reference: str, layer: str | None, dry_run: bool, **given: Any) -> None:
    """Push labelled data to the Hugging Face Hub as Parquet with class names, with its card, in one commit.

    \b
    labelkit data push train=train.conll,test=test.conll me/my-corpus --license cc-by-4.0
    labelkit data show hub:me/my-corpus
    """
    from labelkit.publish.dataset import DataPushOptions, plan_data_push, push_data, read_labelled_data

    reading = {name: given.pop(name) for name in ("columns", "encoding", "sets")}
    options = DataPushOptions(**given)
    data = read_labelled_data(reference, layer, shell.catalog, reading_context(shell, **reading))
    for note in data.notes:
        shell.say(note)
    result = plan_data_push(data, options) if dry_run else push_data(data, options)
    if shell.as_json:
        shell.json(result.to_json())
    else:
        for line in push_lines(result):
            shell.print(literal(line))
