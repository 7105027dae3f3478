"""``labelkit export``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_options
from labelkit.cli.onnx import OnnxOptions, comparison_options, write_onnx
from labelkit.exports.limits import LIMITS, TARGETS, Limit, Target

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller

#: options of the comparison on gold data, which ``--to transformers`` does not make
_COMPARING = ("int8", "threshold", "force", "data", "split", "columns", "sets")


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Arguments and options of the command.

    :param comparison: how ONNX models are compared with torch.
    :param accepted: names of limits that the user accepts.
    """

    run: str
    folder: Path | None
    target: Target
    accepted: tuple[str, ...]
    comparison: OnnxOptions

    @classmethod
    def of(
        cls, run: str, folder: Path | None, target: Target, accepted: tuple[str, ...], **given: Any
    ) -> ExportOptions:
        """Return the options, after a check of how they fit each other.

        :raises UsageError: some do not.
        :raises LabelkitError: the folder exists, or is no name of a folder.
        """
        from labelkit.exports.folders import check_new_folder

        if folder is None and target != "onnx":
            raise click.UsageError(f"--to {target} needs a folder: labelkit export RUN DIR --to {target}")
        if target == "transformers" and (unused := [name for name in _COMPARING if given.get(name)]):
            raise click.UsageError(f"--{unused[0].removesuffix('s')} is for --to onnx")
        if folder is not None:
            check_new_folder(folder)
        comparison = OnnxOptions(run=run, output=folder, **given)
        return cls(run=run, folder=folder, target=target, accepted=accepted, comparison=comparison)


@click.command()
@click.argument("run")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="Export for this program.")
@click.option(
    "--accept",
    "accepted",
    type=click.Choice(LIMITS),
    multiple=True,
    help="Export although the target does not reproduce this (repeatable).",
)
@comparison_options
@reading_options
@command_options
def export(shell: Shell, run: str, folder: Path | None, target: Target, **given: Any) -> None:
    """Export the labeller of RUN to a new folder DIR for another program, and check it by running it.

    Without DIR the ONNX model is kept for labelkit itself.

    \b
    labelkit export latest my-model --to transformers
    labelkit export latest my-model --to onnx --int8
    labelkit export latest --to onnx --int8
    """
    from labelkit.exports.limits import check_limits, limits_of
    from labelkit.label.labeller import Labeller

    options = ExportOptions.of(run, folder, target, **given)
    if target != "transformers":
        from labelkit.inference.onnx.export import require_runtime

        require_runtime()
    labeller = Labeller.open(run, shell.home, shell.catalog, engine="torch")
    limits = limits_of(labeller.info, target) if folder is not None else []
    check_limits(limits, options.accepted, target)
    for limit in limits:
        shell.say(f"note: not reproduced by {target}: {limit.reason}")
    if folder is None or target == "onnx":
        if folder is not None:
            shell.say(f"note: the model computes logits; labelkit decodes them with '{labeller.info.decoder}'")
        write_onnx(shell, labeller, options.comparison)
    else:
        _write_folder(shell, labeller, options, limits)


def _write_folder(shell: Shell, labeller: Labeller, options: ExportOptions, limits: list[Limit]) -> None:
    from labelkit.console.text import literal
    from labelkit.exports.folders import files_of
    from labelkit.exports.transformers_folder import export_to_transformers

    assert options.folder is not None
    found = export_to_transformers(labeller, options.folder, shell.catalog.tasks, [limit.name for limit in limits])
    document = {
        "run": labeller.info.run,
        "task": labeller.info.task,
        "target": options.target,
        "folder": str(options.folder),
        "files": files_of(options.folder),
        "not_reproduced": {limit.name: limit.reason for limit in limits},
        "checked": found.to_json(),
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
    yield f"run by {checked['program']}: the same label on {checked['same']:,} of {checked['compared']:,} trial inputs"
