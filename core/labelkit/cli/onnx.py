"""``labelkit onnx``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options, say_assumptions
from labelkit.cli.data import reading_context, reading_options
from labelkit.errors import LabelkitError
from labelkit.files.targets import check_target, is_stream

if TYPE_CHECKING:
    from labelkit.data.gold import Gold
    from labelkit.label.labeller import Labeller
    from labelkit.records import Example
    from labelkit.registry import RunDetails


@dataclass(frozen=True, kw_only=True)
class OnnxOptions:
    """Arguments and options of the command."""

    run: str
    int8: bool
    threshold: float | None
    force: bool
    output: Path | None
    data: str | None
    split: str | None
    columns: str | None
    encoding: str
    sets: tuple[str, ...]

    def check(self) -> None:
        """Raise if the folder of the model exists, or is no name of a folder."""
        if self.output is not None:
            if is_stream(self.output):
                raise LabelkitError(f"{self.output} is no folder", hint="name a new folder with -o FOLDER")
            if self.output.is_dir():
                raise LabelkitError(f"{self.output} exists already", hint="name a new folder with -o FOLDER")
            check_target(self.output, force=False)


@click.command()
@click.argument("run")
@click.option("--int8", is_flag=True, help="Quantize to int8: faster, a little less exact.")
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    metavar="X",
    help="Accept a score lower than torch's by X; default 0.001, with --int8 0.005.",
)
@click.option("--force", is_flag=True, help="Accept the model whatever its score is.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Copy the model to FOLDER.")
@click.option("--data", metavar="REF", help="Compare on this gold data; default the run's own validation data.")
@click.option("--split", metavar="NAME", help="Compare on this split of REF; default validation.")
@reading_options
@command_options
def onnx(shell: Shell, **given: Any) -> None:
    """Export the labeller of RUN to ONNX, compare its score with torch's, and accept it if it is as good.

    \b
    labelkit onnx latest --int8
    labelkit label latest mails/ -o labelled.jsonl --engine openvino-int8
    """
    from labelkit.evaluation.onnx_export import export_labeller
    from labelkit.evaluation.recorded_data import run_metrics
    from labelkit.evaluation.train_mentions import train_mentions
    from labelkit.inference.onnx.export import require_runtime
    from labelkit.label.labeller import Labeller

    options = OnnxOptions(**given)
    require_runtime()
    options.check()
    details = _recorded_run(shell, options.run)
    labeller = Labeller.open(options.run, shell.home, shell.catalog, engine="torch")
    info = labeller.info
    gold, train = _read_data(shell, options, labeller, details)
    export = export_labeller(
        labeller,
        gold,
        run_metrics(info.task, details, shell.catalog, info.suppliers, labeller.context, info.head),
        shell.home.cache,
        train=train if options.int8 else None,
        threshold=options.threshold,
        force=options.force,
        train_mentions=train_mentions(
            labeller.folder, info.kind, details, shell.catalog, shell.environment, shell.home
        ),
        say=shell.say,
    )
    document = export.to_json()
    if error := export.record(shell.home):
        shell.say(f"note: not recorded: {error.message}")
    export.accept_or_delete(options.output)
    if shell.as_json:
        shell.json(document)
    else:
        from labelkit.console.text import literal

        for line in _summary_lines(document, options.output):
            shell.print(literal(line))
    if not export.accepted:
        raise LabelkitError(
            f"the ONNX model was refused: its {export.comparison.key} is {export.comparison.loss:.4f} worse, "
            f"{export.threshold:g} is allowed",
            hint="allow more with --threshold X, or accept it with --force",
        )


def _recorded_run(shell: Shell, run: str) -> RunDetails | None:
    """Return the record of a run; None for a checkpoint folder."""
    if "/" in run or "\\" in run:
        return None
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        return registry.runs.get(registry.runs.find(run, finished=True).id)


def _read_data(
    shell: Shell, options: OnnxOptions, labeller: Labeller, details: RunDetails | None
) -> tuple[Gold, Sequence[Example]]:
    """Return the gold data to compare on, and training examples."""
    from labelkit.evaluation.onnx_export import read_recorded_splits, read_splits
    from labelkit.label.plugin_settings import trained_values
    from labelkit.settings import DataSettings

    say_assumptions(shell, labeller.assumptions)
    if options.data is not None:
        base = DataSettings(splitter=labeller.info.splitter)
        trained = trained_values(labeller.info, shell.catalog)
        ctx = reading_context(shell, options.columns, options.encoding, options.sets, base, trained=trained)
        split = options.split or "validation"
        return read_splits(options.data, split, labeller, shell.catalog, ctx, train=options.int8)
    if details is None:
        raise LabelkitError("a checkpoint folder does not say which data to compare on", hint="add --data REF")
    return read_recorded_splits(details, shell.catalog, shell.environment, shell.home)


def _summary_lines(document: dict[str, Any], output: Path | None) -> Iterator[str]:
    key, engine, model = document["metric"], document["engine"], Path(document["model"])
    before, after = (document["metrics"][name][key] for name in ("torch-fp32", engine))
    units = "words" if document["words"] != document["examples"] else "examples"
    yield f"{engine}: {document['size'] / 1e6:,.1f} MB, {'exported' if document['written'] else 'found in the cache'}"
    yield f"{document['data']} ({document['split']}, {document['examples']:,} examples)"
    yield f"{key} {after:.4f}, torch-fp32 {before:.4f}, difference {document['difference']:+.4f}"
    yield f"the same label on {document['same']:,} of {document['words']:,} {units} ({document['same_share']:.3%})"
    if document["accepted"]:
        yield f"model: {output / model.name if output else model}"
