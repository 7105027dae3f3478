"""``labelkit data``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Command, Shell, command_options
from labelkit.settings import SETTINGS, DataSettings

if TYPE_CHECKING:
    from labelkit.records import LoadContext


class _Commands(click.Group):
    """The commands of this module, and those of modules that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "check"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "check":
            from labelkit.cli.data_check import check

            return check
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands)
def data() -> None:
    """Look at data before training on it."""


def reading_options(command: Command) -> Command:
    """Give a command the options that say how files are read."""
    for option in (
        click.option("--set", "sets", multiple=True, metavar="data.KEY=VALUE", help="A setting of data (repeatable)."),
        click.option(
            "--encoding",
            default=SETTINGS["data.encoding"].default,
            show_default=True,
            metavar="NAME",
            help="Encoding of text files.",
        ),
        click.option(
            "--columns",
            metavar="NAME=COLUMN,…",
            help="Which column holds what: tokens=0,ner=3 or text=review,label=stars.",
        ),
    ):
        command = option(command)
    return command


@data.command("show")
@click.argument("reference", metavar="REF")
@click.option("--layer", metavar="NAME", help="Which layer of labels, e.g. ner, pos, chunk.")
@reading_options
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
    sets: tuple[str, ...],
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
    from labelkit.data.show import load_without_task
    from labelkit.errors import DataError

    ctx = reading_context(shell, columns, encoding, sets)
    ctx = replace(ctx, settings=replace(ctx.settings, allow_new_labels=True))
    corpus = load_without_task(reference, layer, shell.catalog, ctx)
    if split not in corpus.splits:
        raise DataError(f"'{reference}' has no {split} split", hint=f"it has: {', '.join(corpus.splits)}")
    examples = summary.sample_examples(corpus.splits[split].examples, count, seed)
    _print(shell, corpus, split, examples, summary.summarise(corpus))


@data.command("convert")
@click.argument("reference", metavar="IN")
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="FORMAT", help="The format to write; see labelkit formats.")
@click.option("--from", "source", metavar="FORMAT", help="The format to read; by default that of IN's ending.")
@click.option("--layer", metavar="NAME", help="The one layer of labels to write; by default all.")
@click.option("--split", default="train", show_default=True, metavar="NAME", help="Which split, where IN has several.")
@click.option("--drop", metavar="NAME,…", help="May be lost: id, text, document, scheme, extra, layers, own fields.")
@click.option("--force", is_flag=True, help="Replace OUT where it exists.")
@reading_options
@command_options
def convert(
    shell: Shell,
    reference: str,
    target: Path,
    to: str,
    source: str | None,
    layer: str | None,
    split: str,
    drop: str | None,
    force: bool,
    columns: str | None,
    encoding: str,
    sets: tuple[str, ...],
) -> None:
    """Write IN (a file, or a split of a corpus) to the file OUT in another format; labels stay as they are.

    \b
    labelkit data convert train.conll train.jsonl --to jsonl
    labelkit data convert reviews.csv reviews.parquet --to parquet --columns text=review,label=stars
    """
    from labelkit.data.convert import Conversion
    from labelkit.data.convert import convert as run

    asked = Conversion(
        reference=reference,
        target=target,
        to=to,
        layer=layer,
        drop=tuple(name.strip() for name in drop.split(",")) if drop else (),
        split=split,
        force=force,
    )
    ctx = reading_context(shell, columns, encoding, sets)
    if source:
        ctx = replace(ctx, settings=replace(ctx.settings, format=source))
    done = run(asked, shell.catalog, ctx)
    if shell.as_json:
        shell.json({"input": reference, "output": str(target), "format": to, **asdict(done)})
        return
    checked = "read back and compared" if done.checked else f"{to} cannot be read back, so nothing was compared"
    shell.say(f"{target}: {done.examples:,} examples in {to}, {checked}")
    for note in done.notes:
        shell.say(note)


def reading_context(
    shell: Shell, columns: str | None, encoding: str, sets: tuple[str, ...], base: DataSettings | None = None
) -> LoadContext:
    """Return the context of reading by the given options; ``--set data.KEY=VALUE`` is validated as for a run.

    :param base: the settings that options override; None for the defaults.
    """
    from labelkit.config.validation import parse_set, validate
    from labelkit.errors import LabelkitError

    given: dict[str, Any] = {"encoding": encoding, **({"columns": columns} if columns else {})}
    for text in sets:
        key, value = parse_set(text)
        if not key.startswith("data."):
            raise LabelkitError(f"--set {text!r}: only settings of data are of use here", hint="write data.KEY=VALUE")
        given[key.removeprefix("data.")] = validate(key, value)
    return shell.environment.load_context(replace(base or DataSettings(), **given), shell.home.cache)


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
    from labelkit.cli.data_display import print_corpus

    print_corpus(shell.out, corpus, split, examples, figures)
