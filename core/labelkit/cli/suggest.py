"""``labelkit suggest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options, say_assumptions
from labelkit.cli.data import reading_context, reading_options
from labelkit.files.targets import check_target, is_stdout

if TYPE_CHECKING:
    from labelkit.active_learning.suggestion import Suggestions
    from labelkit.label.labeller import Labeller
    from labelkit.records import Format

#: the strategies, as a list that --help needs no numpy for
_STRATEGIES = ("least-confidence", "margin", "entropy", "diverse", "random")


@click.command()
@click.argument("run")
@click.argument("pool", nargs=-1, required=True, metavar="POOL…")
@click.option("--n", "number", type=click.IntRange(min=1), default=100, show_default=True, help="Suggest N texts.")
@click.option(
    "--strategy",
    type=click.Choice(_STRATEGIES),
    default="least-confidence",
    show_default=True,
    help="Prefer texts that the labeller is uncertain of, by this measure; or choose by content, or at random.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Write to FILE; - is stdout."
)
@click.option("--to", metavar="FORMAT", help="Write this format; default by FILE's ending, else JSON Lines.")
@click.option("--from", "source", metavar="FORMAT", help="Read the pool in this format; default by its ending.")
@click.option(
    "--exclude", multiple=True, metavar="REF", help="Suggest no text of this data either, as in --data (repeatable)."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of what is random.")
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@reading_options
@command_options
def suggest(shell: Shell, run: str, pool: tuple[str, ...], number: int, output: Path, **given: Any) -> None:
    """Choose N texts of POOL, files as in labelkit label, to annotate next, and write them with predictions.

    Texts of the data of RUN are left out, those of its test split included, and so is what is nearly the same. What is
    left is spread over clusters of texts that are alike.

    \b
    labelkit suggest ner@best pool.txt --n 200 -o next.json --to label-studio
    labelkit suggest latest reviews/ --strategy diverse -o next.jsonl
    """
    from labelkit.active_learning.known import known_texts
    from labelkit.active_learning.suggestion import SuggestOptions
    from labelkit.active_learning.suggestion import suggest as choose
    from labelkit.label.inputs import find_inputs, read_inputs
    from labelkit.label.labeller import Labeller

    shell.reserve_stdout(output)
    ctx = reading_context(shell, given["columns"], given["encoding"], given["sets"])
    inputs = find_inputs(pool, shell.catalog.formats, format_name=given["source"], ctx=ctx)
    if not is_stdout(output):
        check_target(output, force=given["force"], inputs=[one.path for one in inputs.files])
    labeller = Labeller.open(run, shell.home, shell.catalog)
    writer = _writer(shell, labeller, output, given["to"])
    say_assumptions(shell, labeller.assumptions)
    info = labeller.info
    known = known_texts(
        info.run, shell.catalog, shell.environment, shell.home, exclude=given["exclude"], ctx=ctx
    )  # fmt: skip
    for note in known.notes:
        shell.say(f"note: {note}")
    options = SuggestOptions(number=number, strategy=given["strategy"], seed=given["seed"])
    found = choose(labeller, read_inputs(inputs, info.kind, info.layer, ctx, strict=False), options, known)
    _write(writer, found, output, force=given["force"])
    say_assumptions(shell, ctx.policy.assumptions)
    _report(shell, info.run, found, output, options.strategy)


def _writer(shell: Shell, labeller: Labeller, output: Path, name: str | None) -> Format:
    """Return the format to write.

    :raises LabelkitError: there is no such format, or it does not hold the labels.
    """
    from labelkit.formats.recognition import writer_for
    from labelkit.labels.numbers import check_format

    if name is None and (is_stdout(output) or not output.suffix):
        name = "jsonl"
    path = None if is_stdout(output) else output
    chosen = writer_for(path, shell.catalog.formats, name, kind=labeller.info.kind)
    check_format(chosen, labeller.info.schema, pairs=labeller.info.pairs)
    return chosen


def _write(writer: Format, found: Suggestions, output: Path, *, force: bool) -> None:
    from labelkit.console.output import open_output
    from labelkit.data.plugin_errors import write_format
    from labelkit.formats.own_fields import with_same_fields

    with open_output(output, writer.name, force=force) as target:
        write_format(writer, with_same_fields(writer, lambda: iter(found.records)), target)


def _report(shell: Shell, run: str, found: Suggestions, output: Path, strategy: str) -> None:
    """Print what was suggested, and what was left out."""
    counts = {
        "annotated already": found.known, "repeated": found.repeated, "nearly the same as others": found.near,
        "blank": found.blank, "not readable": found.failures,
    }  # fmt: skip
    if shell.as_json:
        left_out = {name.replace(" ", "_"): number for name, number in counts.items()}
        document = {"run": run, "strategy": strategy, "output": str(output), "read": found.read}
        shell.json({**document, "suggested": len(found.records), "left_out": left_out})
    left = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)
    shell.say(f"{len(found.records):,} of {found.read:,} texts → {output}" + (f"; left out: {left}" if left else ""))
    if found.failed:
        shell.say(f"note: {found.failed[0].message}")
