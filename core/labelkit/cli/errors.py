"""``labelkit errors``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options, say_assumptions
from labelkit.cli.data import reading_options
from labelkit.cli.evaluate import EvaluateOptions, read_gold_data
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.data.gold import Gold
    from labelkit.evaluation.inspection import Inspection
    from labelkit.label.labeller import Labeller
    from labelkit.registry import RunDetails


@dataclass(frozen=True, kw_only=True)
class ErrorsOptions(EvaluateOptions):
    """The arguments and options of the command."""

    train: bool = False
    folds: int = 5
    limit: int = 20
    reviewed: Path | None = None

    def __post_init__(self) -> None:
        EvaluateOptions.__post_init__(self)
        if self.train and (self.data is not None or self.split not in (None, "train")):
            raise click.UsageError("--train cannot be combined with --data or another --split")
        if self.reviewed is not None and self.to is not None:
            raise click.UsageError("--apply keeps the format of the data: leave out --to")


@click.command()
@click.argument("run")
@click.option("--data", metavar="REF", help="Inspect this gold data; default the run's own.")
@click.option("--split", metavar="NAME", help="Inspect this split; default validation, of REF as for evaluate.")
@click.option("--train", is_flag=True, help="Inspect the train split by cross-validation, which trains models.")
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Cross-validate in N folds.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Show N mistakes and N label errors."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the examples to review to FILE."
)
@click.option("--to", metavar="FORMAT", help="Write this format; default by the ending of FILE.")
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@click.option(
    "--apply",
    "reviewed",
    type=click.Path(path_type=Path),
    metavar="REVIEWED",
    help="Merge the labels of a reviewed file into the data: show the diff, or write a corrected copy to -o FILE.",
)
@click.option("--task", metavar="TASK", help="Of a run of several tasks, take this one; default the first.")
@reading_options
@command_options
def errors(shell: Shell, **given: Any) -> None:
    """Show the mistakes of the labeller of RUN, and likely label errors in the gold data.

    The examples with likely label errors can be written in any annotation format, the likeliest first, and corrected
    there.

    \b
    labelkit errors latest
    labelkit errors latest --split test --limit 50
    labelkit errors latest --train --to doccano -o review.jsonl
    labelkit errors latest --train --apply review.jsonl -o corrected.conll
    """
    from labelkit.cli import error_display

    options = ErrorsOptions(**given)
    if options.reviewed is not None:
        _apply(shell, options, options.reviewed)
        return
    options.writer(shell)
    found = _inspect(shell, options)
    if found.quality.unreliable:
        flagged = f"{len(found.label_errors):,} of {len(found.quality.order):,}"
        shell.say(f"note: {flagged} labels are flagged as errors: the model is too weak to judge the annotators")
    written = write_review(shell, options, found)
    if shell.as_json:
        output = str(options.output) if written else None
        shell.json({"run": options.run, **error_display.document(found, options.limit), "output": output})
        return
    error_display.show(shell.out, found, options.limit)
    if options.output is not None:
        review = f"{options.output}: {written:,} examples to review"
        shell.say(review if written else "no label errors: no file written")


def _apply(shell: Shell, options: ErrorsOptions, reviewed: Path) -> None:
    from labelkit.cli.corrections import apply_corrections
    from labelkit.evaluation.recorded_data import recorded_data_settings

    labeller, details = _open(shell, options)
    own = details is not None and options.data is None
    encoding = recorded_data_settings(details).encoding if details is not None and own else options.encoding
    gold = _read_gold(shell, options, labeller, details)
    apply_corrections(shell, reviewed, options.output, labeller, details, gold, encoding=encoding, force=options.force)


def _open(shell: Shell, options: ErrorsOptions) -> tuple[Labeller, RunDetails | None]:
    """Return the labeller, and the record of its run.

    :raises LabelkitError: it labels numbers, or there is no record and the options need one.
    """
    from labelkit.evaluation.recorded_data import find_details
    from labelkit.label.labeller import Labeller
    from labelkit.labels.numbers import refuse_numbers

    labeller = Labeller.open(options.run, shell.home, shell.catalog, engine="torch", task=options.task)
    say_assumptions(shell, labeller.assumptions)
    refuse_numbers(labeller.info.schema, "labelkit errors")
    details = find_details(labeller.info.run, shell.home, labeller.info.task)
    if details is None and options.train:
        raise LabelkitError("the run is not in the registry, so its plan is unknown", hint="name a recorded run")
    if details is None and options.data is None:
        raise LabelkitError("the run is not in the registry, so its data is unknown", hint="add --data REF")
    return labeller, details


def _read_gold(shell: Shell, options: ErrorsOptions, labeller: Labeller, details: RunDetails | None) -> Gold:
    """Return the gold data: that of ``--data``, or a split of the run's own."""
    from labelkit.evaluation.recorded_data import gold_split, read_run_corpus

    if details is not None and options.data is None:
        corpus = read_run_corpus(details, shell.catalog, shell.environment, shell.home)
        gold = gold_split(corpus, details, "train" if options.train else options.split or "validation")
    else:
        gold = read_gold_data(shell, options, labeller, details, mapping=None)
    say_assumptions(shell, gold.assumptions)
    return gold


def _inspect(shell: Shell, options: ErrorsOptions) -> Inspection:
    from labelkit.cli.progress import Progress
    from labelkit.evaluation.cross_validation import plan_cross_validation
    from labelkit.evaluation.inspection import inspect_split, inspect_train

    labeller, details = _open(shell, options)
    if details is not None and options.train:
        work = plan_cross_validation(details, options.folds, shell.catalog, shell.environment, shell.home)
        shell.say(work.summary)
        with Progress(shell.err) as progress:
            return inspect_train(labeller, work, shell.catalog, shell.home, show=progress, say=shell.say)
    gold = _read_gold(shell, options, labeller, details)
    return inspect_split(labeller, gold, details, shell.home, shell.say)


def write_review(shell: Shell, options: ErrorsOptions, found: Inspection) -> int:
    """Write the examples with likely label errors, and return their number."""
    from labelkit.evaluation.evaluation import write_records
    from labelkit.evaluation.label_review import FIELD, review_records

    writer = options.writer(shell, found.schema.kind)
    if options.output is None or writer is None or not found.label_errors:
        return 0
    records = list(review_records(found.label_errors, found.gold.examples, found.layer))
    if FIELD in write_records(options.output, writer, lambda: records, force=options.force):
        shell.say(f"note: format '{writer.name}' cannot hold the field '{FIELD}': the file has the examples alone")
    return len(records)
