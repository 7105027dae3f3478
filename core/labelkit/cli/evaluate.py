"""``labelkit evaluate``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.adopt import SCHEMES
from labelkit.cli.common import Shell, command_options, operating_point_option, say_assumptions, with_safe_cells
from labelkit.cli.data import reading_context, reading_options
from labelkit.errors import LabelkitError, nearest
from labelkit.files.targets import check_target, is_stream

if TYPE_CHECKING:
    from labelkit.data.gold import Gold
    from labelkit.evaluation.gold_choice import Workplace
    from labelkit.evaluation.label_mapping import LabelMap
    from labelkit.evaluation.leakage import Leakage
    from labelkit.label.labeller import Labeller
    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.records import Format, Kind
    from labelkit.registry import RunDetails


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """The arguments and options of the command."""

    run: str
    data: str | None
    split: str | None
    columns: str | None
    encoding: str
    sets: tuple[str, ...]
    mapping: Path | None = None
    metrics: tuple[str, ...] = ()
    at_least: tuple[str, ...] = ()
    decoder: str | None = None
    splitter: str | None = None
    scheme: str | None = None
    operating_point: str | None = None
    to: str | None = None
    output: Path | None = None
    force: bool = False
    safe_cells: bool = False
    task: str | None = None

    def __post_init__(self) -> None:
        if self.to is not None and self.output is None:
            raise click.UsageError("--to needs a file: add -o FILE")
        for text in self.at_least:
            parse_threshold(text)

    @property
    def said(self) -> dict[str, Any]:
        """What the user says of the labeller, for :meth:`Labeller.open`."""
        return {
            "decoder": self.decoder,
            "splitter": self.splitter,
            "scheme": self.scheme,
            "operating_point": self.operating_point,
        }

    @property
    def file(self) -> Path | None:
        """The file to write; None where the output is a stream."""
        return None if self.output is None or is_stream(self.output) else self.output

    def writer(self, shell: Shell, kind: Kind | None = None) -> Format | None:
        """Return the format of the output file, which must not exist without ``--force``; None without one.

        :param kind: of the examples; None while it is unknown.
        """
        if self.output is None:
            return None
        from labelkit.data.references import files_read
        from labelkit.formats.recognition import writer_for
        from labelkit.plugins.functions import with_context

        shell.reserve_stdout(self.output)
        inputs = files_read(self.data) if self.data is not None else []
        check_target(self.output, force=self.force, inputs=[*inputs, *([self.mapping] if self.mapping else [])])
        if self.file is None and self.to is None:
            raise click.UsageError("a stream has no ending that names a format: add --to FORMAT")
        chosen = writer_for(self.file, shell.catalog.formats, self.to, kind=kind)
        if self.safe_cells:
            return with_safe_cells(chosen)
        return with_context(chosen, reading_context(shell, None, self.encoding, self.sets))


@click.command()
@click.argument("run")
@click.option("--data", metavar="REF", help="Evaluate on this gold data; default the run's own.")
@click.option(
    "--split", metavar="NAME", help="Evaluate on this split; default test, else validation, else all examples."
)
@click.option(
    "--map", "mapping", type=click.Path(path_type=Path), metavar="FILE", help="Map labels as this TOML file says."
)
@click.option("--metric", "metrics", multiple=True, metavar="NAME|PATH", help="Compute this metric, too (repeatable).")
@click.option("--decoder", metavar="NAME", help="Decode with this decoder; default the run's.")
@click.option("--splitter", metavar="NAME", help="Split raw text into words with this splitter; default the run's own.")
@click.option("--scheme", type=click.Choice(SCHEMES), help="Tagging scheme of the labels of a model not of labelkit.")
@operating_point_option("Score without labels below the threshold of their type that reaches this on validation.")
@click.option(
    "--at-least", "at_least", multiple=True, metavar="METRIC=X", help="Exit with 1 if METRIC is below X (repeatable)."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the predictions to FILE.")
@click.option("--to", metavar="FORMAT", help="Write this format; default by the ending of FILE.")
@click.option("--force", is_flag=True, help="Replace an existing FILE.")
@click.option("--safe-cells", is_flag=True, help="In CSV, put ' before text that spreadsheets take for a formula.")
@click.option("--task", metavar="TASK", help="Of a run of several tasks, take this one; default the first.")
@reading_options
@command_options
def evaluate(shell: Shell, **given: Any) -> None:
    """Evaluate the labeller of RUN on gold data, with the metrics of its test split.

    \b
    labelkit evaluate latest
    labelkit evaluate first-try --data new.conll --columns tokens=0,ner=1
    labelkit evaluate latest --data other.conll --map types.toml -o predictions.jsonl
    labelkit evaluate latest --decoder viterbi --metric seqeval-strict
    labelkit evaluate latest --operating-point precision=0.95
    """
    from labelkit.evaluation.evaluation import evaluate as score_labeller
    from labelkit.evaluation.evaluation import prediction_records, select_metrics, write_records
    from labelkit.evaluation.label_mapping import LabelMap, read_label_map
    from labelkit.evaluation.recorded_data import find_details, record_scores
    from labelkit.evaluation.train_mentions import train_mentions
    from labelkit.labels.numbers import check_format, refuse_numbers

    options = EvaluateOptions(**given)
    options.writer(shell)
    labeller = _open(shell, options)
    info = labeller.info
    if options.mapping:
        refuse_numbers(info.schema, "--map")
    mapping = read_label_map(options.mapping, info.schema) if options.mapping else LabelMap()
    details = find_details(info.run, shell.home, info.task)
    if (writer := options.writer(shell, info.kind)) is not None:
        check_format(writer, info.schema, pairs=info.pairs)
    metrics = select_metrics(info, details, shell.catalog, options.metrics, ctx=labeller.context)
    gold = read_gold_data(shell, options, labeller, details, mapping)
    say_assumptions(shell, gold.assumptions)
    mentions = train_mentions(labeller.folder, info.kind, details, shell.catalog, shell.environment, shell.home)
    result = score_labeller(labeller, gold, metrics, mapping, train_mentions=mentions)
    if options.decoder is not None:
        result.figures["decoder"] = options.decoder  # recorded, too: it may not be the run's
    leakage = workplace(shell).leakage(gold, details)
    if options.output is not None and writer is not None:
        left_out = write_records(
            options.output, writer, lambda: prediction_records(labeller, gold, result), force=options.force
        )
        if left_out:
            shell.say(f"note: format '{writer.name}' does not hold the fields {', '.join(left_out)}: they are left out")
    figures = {**result.figures, **leakage.facts}
    if error := record_scores(info, gold, figures, shell.home, predictions=options.file):
        shell.say(f"note: not recorded: {error.message}")
    _print(shell, info, gold, result.figures, leakage, options.output)
    check_thresholds(options.at_least, result.figures)


def _open(shell: Shell, options: EvaluateOptions) -> Labeller:
    """Open the labeller, and say what was assumed of it and which targets its operating point does not reach.

    :raises LabelkitError: an operating point cannot be combined with other options.
    """
    from labelkit.evaluation.evaluation import check_operating_point
    from labelkit.label.labeller import Labeller
    from labelkit.label.operating_points import point_line

    labeller = Labeller.open(options.run, shell.home, shell.catalog, engine="torch", task=options.task, **options.said)
    say_assumptions(shell, labeller.assumptions)
    check_operating_point(labeller, mapped=options.mapping is not None, more_metrics=bool(options.metrics))
    if labeller.operating_points:
        shell.say(point_line(labeller.operating_points))
    for note in labeller.notes:
        shell.say(f"note: {note}")
    return labeller


def parse_threshold(text: str) -> tuple[str, float]:
    """Return metric and value of ``METRIC=X``.

    :raises click.UsageError: it is written in another way.
    """
    name, _, value = text.partition("=")
    try:
        threshold = float(value)
    except ValueError:
        threshold = math.nan
    if not name or math.isnan(threshold):
        raise click.UsageError(f"--at-least takes METRIC=X, e.g. f1=0.8 or PER.f1=0.8, not '{text}'")
    return name, threshold


def check_thresholds(thresholds: Sequence[str], figures: Mapping[str, Any]) -> None:
    """Raise if a figure is below its threshold, or there is no such figure.

    :param thresholds: ``METRIC=X``; that of a type as ``TYPE.METRIC=X``.
    :raises LabelkitError: with all figures that are too low.
    """
    known = {name: value for name, value in figures.items() if isinstance(value, int | float)}
    for type_, row in (figures.get("per_type") or {}).items():
        known |= {f"{type_}.{name}": value for name, value in row.items() if isinstance(value, int | float)}
    low = []
    for name, threshold in map(parse_threshold, thresholds):
        if name not in known:
            raise LabelkitError(f"--at-least: no metric '{name}' was computed", hint=nearest(name, known))
        if not known[name] >= threshold:  # NaN is below everything
            low.append(f"{name} is {known[name]:.4f}, below {threshold:g}")
    if low:
        raise LabelkitError("; ".join(low), hint="--at-least asks for more: the scores above are recorded all the same")


def read_gold_data(
    shell: Shell, options: EvaluateOptions, labeller: Labeller, details: RunDetails | None, mapping: LabelMap | None
) -> Gold:
    """Read the gold data of the command; by default a split of the run's own data.

    :raises UnknownLabelsError: it has labels that the labeller lacks.
    """
    from labelkit.config.reading_options import ReadingOptions
    from labelkit.evaluation.gold_choice import GoldOptions

    reading = ReadingOptions(columns=options.columns, encoding=options.encoding, sets=options.sets)
    wanted = GoldOptions(run=options.run, data=options.data, split=options.split, reading=reading)
    return workplace(shell).read_gold(wanted, labeller, details, mapping)


def workplace(shell: Shell) -> Workplace:
    """Return what the commands of a shell work with."""
    from labelkit.evaluation.gold_choice import Workplace

    return Workplace(catalog=shell.catalog, environment=shell.environment, home=shell.home)


def _print(
    shell: Shell, info: CheckpointInfo, gold: Gold, figures: dict[str, Any], leakage: Leakage, output: Path | None
) -> None:
    from labelkit.labels.gold_labels import NO_SPANS, has_spans

    if shell.as_json:
        shell.json(
            {
                "run": info.run,
                "task": info.task,
                "data": gold.ref,
                "split": gold.split,
                "content_hash": gold.content_hash,
                "examples": len(gold.examples),
                "repaired_gold": gold.repaired,
                "assumptions": list(gold.assumptions),
                "test_score": leakage.test_score,
                "seen": {**leakage.shared, "examples": leakage.either} if not leakage.unknown else None,
                "output": str(output) if output else None,
                "metrics": {gold.split: {info.task: figures}},
            }
        )
    else:
        from labelkit.cli.score_display import print_curves, print_scores

        title = f"{gold.ref} ({info.task}, {gold.split}, {len(gold.examples):,} examples)"
        print_scores(shell.out, title, figures)
        print_curves(shell.out, figures)
    if info.schema.scheme and not has_spans(gold.examples, info.layer):
        shell.say(f"note: {gold.ref} {NO_SPANS}")
    shell.say(leakage.summary if leakage.test_score else f"note: {leakage.summary}")
    if output and not shell.as_json:
        shell.say(f"{output}: {len(gold.examples):,} predictions")
