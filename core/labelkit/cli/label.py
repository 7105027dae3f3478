"""``labelkit label``."""

from __future__ import annotations

import click

from labelkit.cli.common import Shell, command_options


@click.command()
@click.argument("run")
@click.option("--text", required=True, metavar="TEXT", help="The text to label.")
@command_options
def label(shell: Shell, run: str, text: str) -> None:
    """Label a text with the labeller of RUN: an id or its beginning, a name, latest, TASK@best, or ./folder.

    \b
    labelkit label latest --text "Ada Lovelace was born in London."
    """
    from labelkit.label.labeller import Labeller
    from labelkit.label.records import to_json

    labeller = Labeller.open(run, shell.home, shell.catalog)
    record = labeller.label(text)
    if shell.as_json:
        shell.json(to_json(record))
        return
    from labelkit.cli import render

    schema = labeller.info.schema
    render.labelled(shell.out, record, schema.types or schema.labels)
