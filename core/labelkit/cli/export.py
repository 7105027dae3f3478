"""``labelkit export``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_options
from labelkit.cli.onnx import OnnxOptions, accepted_model, comparison_options, write_onnx
from labelkit.errors import LabelkitError
from labelkit.exports.limits import LIMITS, TARGETS, Limit, Target

if TYPE_CHECKING:
    from labelkit.exports.transformers_folder import Comparison
    from labelkit.label.labeller import Labeller

#: parameter → its option, of those of the comparison on gold data, which ``--to transformers`` does not make
_COMPARING = {
    "int8": "int8", "threshold": "threshold", "force": "force", "data": "data", "split": "split", "columns": "columns",
    "sets": "set", "check_in": "check-in",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Arguments and options of the command.

    :param accepted: names of limits that the user accepts.
    :param packages: a folder whose ``node_modules`` hold transformers.js, to run the export in Node; None: it is not.
    :param comparison: how ONNX models are compared with torch.
    """

    run: str
    folder: Path | None
    target: Target
    accepted: tuple[str, ...]
    packages: Path | None
    comparison: OnnxOptions

    @classmethod
    def of(cls, run: str, folder: Path | None, target: Target, **given: Any) -> ExportOptions:
        """Return the options, after a check of how they fit each other.

        :raises UsageError: some do not.
        :raises LabelkitError: the folder exists, or is no name of a folder.
        """
        from labelkit.exports.folders import check_new_folder

        if folder is None and target != "onnx":
            raise click.UsageError(f"--to {target} needs a folder: labelkit export RUN DIR --to {target}")
        if target == "transformers" and (unused := [option for name, option in _COMPARING.items() if given.get(name)]):
            raise click.UsageError(f"--{unused[0]} cannot be combined with --to transformers")
        packages = given.pop("check_in")
        if packages is not None and target != "transformers.js":
            raise click.UsageError("--check-in is for --to transformers.js")
        if folder is not None:
            check_new_folder(folder)
        accepted = given.pop("accepted")
        given["int8"] = target == "transformers.js" if given["int8"] is None else given["int8"]
        comparison = OnnxOptions(run=run, output=folder, **given)
        return cls(run=run, folder=folder, target=target, accepted=accepted, packages=packages, comparison=comparison)


@click.command()
@click.argument("run")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="Export for this program.")
@click.option(
    "--task", metavar="TASK", help="Of a run of several tasks, export this one; default the first, to ONNX all."
)
@click.option(
    "--accept",
    "accepted",
    type=click.Choice(LIMITS),
    multiple=True,
    help="Export although the target does not reproduce this (repeatable).",
)
@click.option(
    "--check-in",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Run an export to transformers.js in Node, with the node_modules in FOLDER.",
)
@comparison_options
@reading_options
@command_options
def export(shell: Shell, run: str, folder: Path | None, target: Target, task: str | None, **given: Any) -> None:
    """Export the labeller of RUN to a new folder DIR for another program, and check it by running it.

    Without DIR the ONNX model is kept for labelkit itself.

    \b
    labelkit export latest my-model --to transformers
    labelkit export latest my-model --to onnx --int8
    labelkit export latest my-model --to transformers.js
    labelkit export latest --to onnx --int8
    labelkit export latest my-model --to transformers --task pos

    Of a run of several tasks --to onnx exports all tasks in one graph, or with --task the first one.
    """
    from labelkit.exports.limits import check_limits, limits_of
    from labelkit.label.labeller import Labeller
    from labelkit.models.architectures import architecture_of

    options = ExportOptions.of(run, folder, target, **given)
    _require_programs(options)
    labeller = Labeller.open(run, shell.home, shell.catalog, engine="torch", task=task)
    check_task(labeller, target)
    architecture = architecture_of(labeller.folder)
    limits = limits_of(labeller.info, architecture, target) if folder is not None else []
    check_limits(limits, options.accepted, target)
    for limit in limits:
        shell.say(f"note: not reproduced by {target}: {limit.reason}")
    if folder is None or target == "onnx":
        if folder is not None:
            shell.say(f"note: the model computes logits; labelkit decodes them with '{labeller.info.decoder}'")
        write_onnx(shell, labeller, options.comparison, all_tasks=task is None)
        return
    write = _write_javascript if target == "transformers.js" else _write_transformers
    _show(shell, labeller, options, limits, write(shell, labeller, options, [limit.name for limit in limits]))


def check_task(labeller: Labeller, target: Target) -> None:
    """Raise if a target cannot be made of a further task of a checkpoint of several: ONNX models are of the first.

    :raises LabelkitError: it cannot.
    """
    from labelkit.models.checkpoint import read_checkpoint

    task, first = labeller.info.task, read_checkpoint(labeller.folder).task
    if target != "transformers" and task != first:
        raise LabelkitError(
            f"--to {target} exports the first task of a checkpoint, '{first}', not '{task}'",
            hint=f"first give it a folder of its own: --task {task} --to transformers; then export that folder",
        )


def _require_programs(options: ExportOptions) -> None:
    """Raise if a program is missing that the export needs, before anything is loaded."""
    if options.target != "transformers":
        from labelkit.inference.onnx.export import require_runtime

        require_runtime()
    if options.packages is not None:
        from labelkit.exports.node import check_node

        check_node(options.packages)


def _write_transformers(
    shell: Shell, labeller: Labeller, options: ExportOptions, limits: Sequence[str]
) -> Comparison | None:
    from labelkit.exports.transformers_folder import export_to_transformers

    assert options.folder is not None
    return export_to_transformers(labeller, options.folder, shell.catalog.tasks, limits)


def _write_javascript(
    shell: Shell, labeller: Labeller, options: ExportOptions, limits: Sequence[str]
) -> Comparison | None:
    from labelkit.exports.javascript_folder import export_to_javascript
    from labelkit.exports.node import compare_node

    assert options.folder is not None
    precisions = ["fp32", "int8"] if options.comparison.int8 else ["fp32"]
    models = [
        accepted_model(shell, labeller, replace(options.comparison, int8=precision == "int8"))
        for precision in precisions
    ]
    found: list[Comparison] = []

    def check(folder: Path) -> None:
        if options.packages is not None:
            found.append(compare_node(labeller, folder, options.packages, precisions, shell.catalog.tasks))
            found[0].check(limits)

    export_to_javascript(labeller, options.folder, models, check)
    if not found:
        shell.say("note: run in ONNX Runtime, but not in Node: --check-in FOLDER names node_modules to run it there")
    return found[0] if found else None


def _show(
    shell: Shell, labeller: Labeller, options: ExportOptions, limits: Sequence[Limit], found: Comparison | None
) -> None:
    from labelkit.console.text import literal
    from labelkit.exports.folders import files_of

    assert options.folder is not None
    document = {
        "run": labeller.info.run,
        "task": labeller.info.task,
        "target": options.target,
        "folder": str(options.folder),
        "files": files_of(options.folder),
        "not_reproduced": {limit.name: limit.reason for limit in limits},
        "checked": found.to_json() if found else None,
    }
    if shell.as_json:
        shell.json(document)
    else:
        for line in _summary_lines(document):
            shell.print(literal(line))


def _summary_lines(document: dict[str, Any]) -> Iterator[str]:
    checked, files = document["checked"], document["files"]
    size = sum(file["size"] for file in files)
    yield f"{document['folder']}: {len(files)} files, {size / 1e6:,.1f} MB, for {document['target']}"
    if checked:
        same, compared = checked["same"], checked["compared"]
        yield f"run by {checked['program']}: the same label on {same:,} of {compared:,} trial inputs"
