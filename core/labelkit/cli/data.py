"""``labelkit data``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from labelkit.cli.common import Shell, command_options


@click.group()
def data() -> None:
    """Look at data before training on it."""


@data.command("show")
@click.argument("reference", metavar="REF")
@click.option("--layer", metavar="NAME", help="Which layer of labels, e.g. ner, pos, chunk.")
@click.option("--columns", metavar="NAME=COLUMN,…", help="Which column holds what, e.g. tokens=0,ner=3.")
@click.option("--encoding", default="utf-8", show_default=True, metavar="NAME", help="Encoding of text files.")
@click.option("--split", default="train", show_default=True, metavar="NAME", help="Where the examples come from.")
@click.option("--count", type=click.IntRange(min=0), default=10, show_default=True, help="How many examples.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which random examples.")
@command_options
def show(
    shell: Shell,
    reference: str,
    layer: str | None,
    columns: str | None,
    encoding: str,
    split: str,
    count: int,
    seed: int,
) -> None:
    """Show random examples of REF with their labels, label counts and lengths.

    \b
    labelkit data show sample
    labelkit data show train.conll --columns tokens=0,ner=3
    """
    from labelkit.data import summary
    from labelkit.data.corpus import DataOptions
    from labelkit.data.refs import parse_columns
    from labelkit.data.show import read_for_show
    from labelkit.errors import DataError
    from labelkit.records import LoadContext

    ctx = LoadContext(
        root=shell.environment.data,
        cache=shell.home.cache,
        offline=shell.environment.offline,
        encoding=encoding,
        columns=parse_columns(columns) if columns else {},
    )
    corpus = read_for_show(reference, layer, shell.catalog, ctx, DataOptions(allow_new_labels=True))
    if split not in corpus.splits:
        raise DataError(f"'{reference}' has no {split} split", hint=f"it has: {', '.join(corpus.splits)}")
    examples = summary.sample(corpus.splits[split].examples, count, seed)
    _print(shell, corpus, split, examples, summary.summarise(corpus))


def _print(shell: Shell, corpus: Any, split: str, examples: Any, figures: Any) -> None:
    if shell.as_json:
        shell.json(
            {
                "reference": corpus.reference,
                "layer": corpus.layer,
                "synthetic": corpus.synthetic,
                "scheme": corpus.scheme_read,
                "labels": list(corpus.schema.label_names),
                "splits": {row.name: asdict(row) for row in figures},
                "examples": [
                    {"id": one.id, "words": one.words, "text": one.text, "labels": one.labels[corpus.layer]}
                    for one in examples
                ],
            }
        )
        return
    from labelkit.cli import render

    render.corpus(shell.out, corpus, split, examples, figures)
