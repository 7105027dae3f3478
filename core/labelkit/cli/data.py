"""``labelkit data``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Command, Shell, assumed_lines, command_options
from labelkit.files.targets import is_stdout
from labelkit.settings import SETTINGS, DataSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labelkit.data.corpus import Corpus
    from labelkit.records import LoadContext


class _DataCommands(click.Group):
    """The commands of this module, and ``check`` and ``push``, whose modules are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "check", "push"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "check":
            from labelkit.cli.data_check import check

            return check
        if cmd_name == "push":
            from labelkit.cli.data_push import push

            return push
        return super().get_command(ctx, cmd_name)


@click.group(cls=_DataCommands)
def data() -> None:
    """Show, check, convert and publish labelled data."""


def reading_options(command: Command) -> Command:
    """Decorate a command with the options of reading files: ``columns``, ``encoding`` and ``sets``."""
    for option in (
        click.option(
            "--set",
            "sets",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override data.KEY or a plugin's NAME.KEY (repeatable).",
        ),
        click.option(
            "--encoding",
            default=SETTINGS["data.encoding"].default,
            show_default=True,
            metavar="NAME",
            help="Read text files in this encoding.",
        ),
        click.option(
            "--columns",
            metavar="NAME=COLUMN,…",
            help="Name the columns of the files: tokens=0,ner=3 or text=review,label=stars.",
        ),
    ):
        command = option(command)
    return command


@data.command("show")
@click.argument("reference", metavar="REF")
@click.option("--layer", metavar="NAME", help="Show this layer of labels, e.g. ner, pos, chunk.")
@click.option("--task", metavar="NAME[+NAME…]", help="Show the labels of this task, or of several, one after another.")
@reading_options
@click.option("--split", default="train", show_default=True, metavar="NAME", help="Show examples of this split.")
@click.option(
    "--count", type=click.IntRange(min=0), default=10, show_default=True, metavar="N", help="Show N random examples."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random choice.")
@command_options
def show(
    shell: Shell,
    reference: str,
    layer: str | None,
    task: str | None,
    split: str,
    count: int,
    seed: int,
    **reading: Any,
) -> None:
    """Show random examples of REF with their labels, label counts and lengths.

    \b
    labelkit data show sample
    labelkit data show train.conll --columns tokens=0,ner=3
    labelkit data show ner=wnut17,pos=ud_ewt --task ner+pos
    """
    from labelkit.cli.data_display import corpus_document, print_corpus
    from labelkit.data import summary
    from labelkit.errors import DataError

    ctx = reading_context(shell, **reading)
    ctx = replace(ctx, settings=replace(ctx.settings, allow_new_labels=True))
    documents = {}
    decided = any(text.partition("=")[0] == "data.unlabelled" for text in reading["sets"])
    for name, corpus in _shown_corpora(shell, reference, layer, task, ctx, decided=decided).items():
        if split not in corpus.splits:
            raise DataError(f"'{corpus.reference}' has no {split} split", hint=f"it has: {', '.join(corpus.splits)}")
        examples = summary.sample_examples(corpus.splits[split].examples, count, seed)
        figures = summary.summarise(corpus)
        documents[name] = corpus_document(corpus, examples, figures)
        if not shell.as_json:
            print_corpus(shell.out, corpus, split, examples, figures)
    if shell.as_json:
        shell.json({"tasks": documents} if len(documents) > 1 else next(iter(documents.values())))


def _shown_corpora(
    shell: Shell, reference: str, layer: str | None, task: str | None, ctx: LoadContext, *, decided: bool
) -> dict[str, Corpus]:
    """Return task → its corpus; where no task is named, the corpus of the layer by an empty name.

    :param decided: the user said what is done with examples that lack a layer.
    :raises LabelkitError: layer and task are both given, a task is unknown, or its data cannot be read.
    """
    from labelkit.config.joint import joint_data, joint_tasks
    from labelkit.data.show import load_for_task, load_without_task

    if task is None:
        return {"": load_without_task(reference, layer, shell.catalog, ctx)}
    if layer is not None:
        raise click.UsageError("--task cannot be combined with --layer: a task names its layer")
    tasks = {one.name: one for one in joint_tasks(task, shell.catalog)}
    references = joint_data(reference, list(tasks))
    if len(tasks) > 1 and not decided:  # as labelkit run reads them: an example may lack a layer
        ctx = replace(ctx, settings=replace(ctx.settings, unlabelled="skip"))
    return {name: load_for_task(references[name], one, shell.catalog, ctx) for name, one in tasks.items()}


@data.command("convert")
@click.argument("reference", metavar="IN")
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="FORMAT", help="Write this format; labelkit formats lists all.")
@click.option("--from", "source", metavar="FORMAT", help="Read this format; default by the ending of IN.")
@click.option("--layer", metavar="NAME", help="Write this layer of labels only; default all layers.")
@click.option(
    "--split", default="train", show_default=True, metavar="NAME", help="Write this split, if IN has several."
)
@click.option(
    "--drop", metavar="NAME,…", help="Allow the loss of: id, text, document, scheme, extra, blank, layers, own fields."
)
@click.option("--force", is_flag=True, help="Replace an existing OUT.")
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
    **reading: Any,
) -> None:
    """Convert IN (a file, or a split of a corpus) to the file OUT in another format; labels do not change.

    \b
    labelkit data convert train.conll train.jsonl --to jsonl
    labelkit data convert reviews.csv reviews.parquet --to parquet --columns text=review,label=stars
    """
    from labelkit.data.convert import Conversion
    from labelkit.data.convert import convert as run_conversion

    conversion = Conversion(
        reference=reference,
        target=target,
        to=to,
        layer=layer,
        drop=tuple(name.strip() for name in drop.split(",")) if drop else (),
        split=split,
        force=force,
    )
    if shell.as_json and is_stdout(target):
        raise click.UsageError("--json prints the summary: name a file for the examples")
    ctx = reading_context(shell, **reading)
    if source:
        ctx = replace(ctx, settings=replace(ctx.settings, format=source))
    done = run_conversion(conversion, shell.catalog, ctx)
    if shell.as_json:
        shell.json({"input": reference, "output": str(target), "format": to, **asdict(done)})
        return
    checked = "read back and compared" if done.checked else f"{to} cannot be read back, so nothing was compared"
    shell.say(f"{target}: {done.examples:,} examples in {to}, {checked}")
    for note in (*done.notes, *assumed_lines(done.assumptions)):
        shell.say(note)


def reading_context(
    shell: Shell,
    columns: str | None,
    encoding: str,
    sets: tuple[str, ...],
    base: DataSettings | None = None,
    *,
    plugins: Mapping[str, Any] | None = None,
    trained: Mapping[str, Any] | None = None,
) -> LoadContext:
    """Return the context in which files are read with these options.

    :param sets: ``data.KEY=VALUE``, or ``NAME.KEY=VALUE`` of a plugin, of each ``--set``, validated as for a run.
    :param base: the settings that options override; None for the defaults.
    :param plugins: key → value of settings of plugins that options override.
    :param trained: key → value of settings of plugins that a checkpoint was trained with, which cannot be overridden.
    :raises LabelkitError: an option is invalid.
    """
    from labelkit.config.reading_options import ReadingOptions

    options = ReadingOptions(columns=columns, encoding=encoding, sets=sets)
    return options.context(shell.catalog, shell.environment, shell.home.cache, base, plugins=plugins, trained=trained)
