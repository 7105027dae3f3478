"""``labelkit onnx``, and the ONNX models of ``labelkit export``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Command, Shell, command_options, say_assumptions
from labelkit.cli.data import reading_context, reading_options
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.data.gold import Gold
    from labelkit.evaluation.onnx_export import ComparedTask, OnnxExport
    from labelkit.inference.engine import Engine
    from labelkit.inference.onnx.export import OnnxModel
    from labelkit.label.labeller import Labeller
    from labelkit.records import Example
    from labelkit.registry import RunDetails


@dataclass(frozen=True, kw_only=True)
class OnnxOptions:
    """How an ONNX model of a run is made, compared with torch, and where it is copied to.

    :param output: a new folder; None for no copy.
    """

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

    def __post_init__(self) -> None:
        given = {"--split": self.split, "--columns": self.columns, "--set": self.sets}
        if self.data is None and (unused := [option for option, value in given.items() if value]):
            raise click.UsageError(f"{unused[0]} says how --data is read: add --data REF")

    def reference(self, task: str, tasks: Sequence[str]) -> str | None:
        """Return the gold data of one of the compared tasks; None for the run's own.

        :raises DataError: ``--data TASK=REF,…`` lacks a task.
        """
        from labelkit.config.joint import joint_data

        if self.data is None or len(tasks) == 1:
            return self.data
        return joint_data(self.data, tasks)[task]


def comparison_options(command: Command) -> Command:
    """Decorate a command with the options of making an ONNX model and comparing it with torch."""
    for option in (
        click.option("--split", metavar="NAME", help="Compare on this split of REF; default validation."),
        click.option(
            "--data",
            metavar="REF",
            help="Compare on this gold data, or TASK=REF,… of several tasks; default the run's validation data.",
        ),
        click.option("--force", is_flag=True, help="Accept the model whatever its score is."),
        click.option(
            "--threshold",
            type=click.FloatRange(min=0),
            metavar="X",
            help="Accept a score lower than torch's by X; default 0.001, with --int8 0.005.",
        ),
        click.option(
            "--int8/--no-int8",
            default=None,
            help="Quantize to int8: faster, a little less exact; transformers.js gets both unless --no-int8.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("run")
@comparison_options
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Copy the model to FOLDER.")
@reading_options
@command_options
def onnx(shell: Shell, **given: Any) -> None:
    """Export the labeller of RUN to ONNX: the old name of labelkit export RUN --to onnx.

    \b
    labelkit export latest --to onnx --int8
    """
    from labelkit.exports.folders import check_new_folder
    from labelkit.inference.onnx.export import require_runtime
    from labelkit.label.labeller import Labeller

    options = OnnxOptions(**{**given, "int8": bool(given["int8"])})
    require_runtime()
    if options.output is not None:
        check_new_folder(options.output)
    place = "" if options.output is None else " DIR"
    shell.say(f"note: labelkit onnx is going away after this release: labelkit export RUN{place} --to onnx")
    write_onnx(shell, Labeller.open(options.run, shell.home, shell.catalog, engine="torch"), options)


def write_onnx(shell: Shell, labeller: Labeller, options: OnnxOptions, *, all_tasks: bool = False) -> None:
    """Make the ONNX model of a labeller, compare, record and show its scores, and accept it if it is as good.

    :param labeller: on torch, in fp32.
    :param all_tasks: make the model of all tasks, where the checkpoint has several.
    :raises LabelkitError: the model is not as good, or cannot be made.
    """
    from labelkit.console.text import literal
    from labelkit.evaluation.onnx_export import accept_or_delete, document_of

    labellers, engines = _of_all_tasks(shell, labeller, options.run) if all_tasks else ([labeller], [labeller.engine])
    exports = compared_model(shell, labellers, engines, options)
    document = document_of(exports)
    accept_or_delete(exports, options.output)
    if document["accepted"] and options.output is None and not options.int8:
        _keep_beside(shell, labeller, engines)
    if shell.as_json:
        shell.json(document)
    else:
        for one in exports:
            for line in _summary_lines(one.to_json(), options.output, named=len(exports) > 1):
                shell.print(literal(line))
    for one in exports:
        one.check_accepted()


def _of_all_tasks(shell: Shell, labeller: Labeller, run: str) -> tuple[list[Labeller], list[Engine]]:
    """Return the labeller of each task of a checkpoint, and the engine of each group of tasks."""
    from labelkit.label.joint import JointLabeller
    from labelkit.label.labeller import Labeller
    from labelkit.models.checkpoint import read_checkpoint

    tasks = read_checkpoint(labeller.folder).of_tasks
    if len(tasks) == 1:
        return [labeller], [labeller.engine]
    joint = Labeller.open(run, shell.home, shell.catalog, engine="torch", all_tasks=True)
    assert isinstance(joint, JointLabeller)
    others = [Labeller.open(run, shell.home, shell.catalog, engine="torch", task=task) for task in list(tasks)[1:]]
    return [labeller, *others], joint.group_engines


def accepted_model(shell: Shell, labeller: Labeller, options: OnnxOptions) -> OnnxModel:
    """Make the ONNX model of a labeller, and say its scores.

    :raises LabelkitError: it is not as good as torch, or cannot be made.
    """
    from labelkit.evaluation.onnx_export import accept_or_delete

    exports = compared_model(shell, [labeller], [labeller.engine], options)
    accept_or_delete(exports, None)
    exports[0].check_accepted()
    for line in _summary_lines(exports[0].to_json(), None):
        shell.say(line)
    return exports[0].model


def _keep_beside(shell: Shell, labeller: Labeller, engines: Sequence[Engine]) -> None:
    """Keep the model beside the checkpoint, too, if that lies in the home: labelling then starts without torch."""
    from labelkit.errors import StorageError
    from labelkit.inference.onnx.kept import keep_model

    if shell.home.runs.resolve() not in labeller.folder.resolve().parents:
        return
    try:
        keep_model(engines[0], labeller.folder, labeller.info, shell.home.cache, engines[1:])
    except StorageError as error:
        shell.say(f"note: not kept beside the checkpoint: {error.message}")


def compared_model(
    shell: Shell, labellers: Sequence[Labeller], engines: Sequence[Engine], options: OnnxOptions
) -> list[OnnxExport]:
    """Make the ONNX model of a labeller, compare each of its tasks with torch, and record the scores.

    :param labellers: one for each task.
    :param engines: one for each group of tasks.
    :raises LabelkitError: the model cannot be made, or there is no gold data.
    """
    from labelkit.evaluation.onnx_export import export_labeller

    tasks = [one.info.task for one in labellers]
    exports = export_labeller(
        [_compared_task(shell, one, options, options.reference(one.info.task, tasks)) for one in labellers],
        engines,
        shell.home.cache,
        int8=options.int8,
        threshold=options.threshold,
        force=options.force,
        # other programs run what is copied in ONNX Runtime
        runtime="onnx" if options.output is not None else None,
        say=shell.say,
    )
    for one in exports:
        if error := one.record(shell.home):
            shell.say(f"note: not recorded: {error.message}")
    return exports


def _compared_task(shell: Shell, labeller: Labeller, options: OnnxOptions, reference: str | None) -> ComparedTask:
    """Return a task with the data that its model is compared on.

    :param reference: to gold data; None for the run's own.
    """
    from labelkit.evaluation.onnx_export import ComparedTask
    from labelkit.evaluation.recorded_data import run_metrics
    from labelkit.evaluation.train_mentions import train_mentions
    from labelkit.registry.task_view import details_of_task

    info, recorded = labeller.info, _recorded_run(shell, options.run)
    details = details_of_task(recorded, info.task) if recorded else None
    gold, train = _read_data(shell, options, reference, labeller, details)
    mentions = train_mentions(labeller.folder, info.kind, details, shell.catalog, shell.environment, shell.home)
    metrics = run_metrics(info.task, details, shell.catalog, info.suppliers, labeller.context, info.head)
    return ComparedTask(labeller=labeller, gold=gold, metrics=metrics, train=train, train_mentions=mentions)


def _recorded_run(shell: Shell, run: str) -> RunDetails | None:
    """Return the record of a run; None for a checkpoint folder."""
    if "/" in run or "\\" in run:
        return None
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        return registry.runs.get(registry.runs.find(run, finished=True).id)


def _read_data(
    shell: Shell, options: OnnxOptions, reference: str | None, labeller: Labeller, details: RunDetails | None
) -> tuple[Gold, Sequence[Example]]:
    """Return the gold data to compare on, and training examples."""
    from labelkit.evaluation.onnx_export import read_recorded_splits, read_splits
    from labelkit.label.plugin_settings import trained_values
    from labelkit.settings import DataSettings

    say_assumptions(shell, labeller.assumptions)
    if reference is not None:
        base = DataSettings(splitter=labeller.info.splitter)
        trained = trained_values(labeller.info, shell.catalog)
        ctx = reading_context(shell, options.columns, options.encoding, options.sets, base, trained=trained)
        split = options.split or "validation"
        return read_splits(reference, split, labeller, shell.catalog, ctx, train=options.int8)
    if details is None:
        raise LabelkitError("a checkpoint folder does not say which data to compare on", hint="add --data REF")
    return read_recorded_splits(details, shell.catalog, shell.environment, shell.home)


def _summary_lines(document: dict[str, Any], output: Path | None, *, named: bool = False) -> Iterator[str]:
    """Yield the lines on a comparison.

    :param named: with the name of the task.
    """
    key, engine, model = document["metric"], document["engine"], Path(document["model"])
    before, after = (document["metrics"][name][key] for name in ("torch-fp32", engine))
    units = "words" if document["words"] != document["examples"] else "examples"
    what = f"{document['task']}, {engine}" if named else engine
    origin = "exported" if document["written"] else "found in the cache"
    yield f"{what}: {document['size'] / 1e6:,.1f} MB, {origin}"
    yield f"{document['data']} ({document['split']}, {document['examples']:,} examples)"
    yield f"{key} {after:.4f}, torch-fp32 {before:.4f}, difference {document['difference']:+.4f}"
    yield f"the same label on {document['same']:,} of {document['words']:,} {units} ({document['same_share']:.3%})"
    if document["accepted"]:
        yield f"model: {output / model.name if output else model}"
