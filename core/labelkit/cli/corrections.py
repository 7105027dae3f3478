"""``labelkit errors --apply``: merge reviewed labels into the data, as a diff or as files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.cli.common import Shell
from labelkit.console.text import literal
from labelkit.errors import DataError
from labelkit.files.atomic import new_file
from labelkit.files.targets import check_target

if TYPE_CHECKING:
    from labelkit.data.gold import Gold
    from labelkit.data.line_edits import CorrectedFile
    from labelkit.label.labeller import Labeller
    from labelkit.registry import RunDetails


def apply_corrections(
    shell: Shell, reviewed: Path, output: Path | None, labeller: Labeller, details: RunDetails | None, gold: Gold,
    *, encoding: str, force: bool,
) -> None:  # fmt: skip
    """Print the diff that a reviewed export makes in the data, or write the corrected files to ``output``.

    :param output: a file, or a folder; None to write nothing.
    :raises LabelkitError: something cannot be merged; nothing is written then.
    """
    from labelkit.cli.evaluate import workplace
    from labelkit.config.reading_options import ReadingOptions
    from labelkit.data.line_edits import correct_files
    from labelkit.evaluation.corrections import find_corrections
    from labelkit.evaluation.gold_choice import GoldOptions

    info = labeller.info
    reading = ReadingOptions(columns=None, encoding="utf-8", sets=())
    wanted = GoldOptions(run=str(labeller.folder), data=str(reviewed), split=None, reading=reading)
    read = workplace(shell).read_gold(wanted, labeller, details, None)
    found = find_corrections(read.examples, gold.examples, info.layer, info.schema)
    labels = {one.example: one.labels for one in found}
    files = correct_files(gold.examples, labels, info.layer, info.schema, encoding)
    targets = _targets(files, output, force=force)
    for file, target in zip(files, targets, strict=False):
        with new_file(target) as beside:
            beside.write_bytes(file.content)
    if shell.as_json:
        shell.json(_document(reviewed, len(read.examples), len(found), files, targets))
        return
    for file in () if output else files:
        for line in file.diff():
            shell.print(literal(line, tabs=True))
    lines = sum(len(file.changes) for file in files)
    shell.say(
        f"{reviewed}: {len(read.examples):,} examples, {len(found):,} of them corrected in {lines:,} lines of "
        f"{gold.ref} ({gold.split})"
    )
    for target in targets:
        shell.say(f"{target}: corrected copy; the data itself is as it was")
    if files and output is None:
        shell.say("nothing was written: -o FILE writes a corrected copy")


def _targets(files: list[CorrectedFile], output: Path | None, *, force: bool) -> list[Path]:
    """Return where each corrected file goes.

    :raises DataError: there are several and ``output`` is no folder, or a file would be replaced.
    """
    if output is None:
        return []
    if output.is_dir():
        targets = [output / file.path.name for file in files]
    elif len(files) > 1:
        raise DataError(f"{len(files)} files are corrected, and {output} is one", hint="give -o an existing folder")
    else:
        targets = [output][: len(files)]
    for target in targets:
        check_target(target, force=force, inputs=[file.path for file in files])
    return targets


def _document(
    reviewed: Path, examples: int, corrected: int, files: list[CorrectedFile], targets: list[Path]
) -> dict[str, Any]:
    """Return the corrections ready for JSON."""
    return {
        "reviewed": str(reviewed),
        "examples": examples,
        "corrected": corrected,
        "files": [
            {
                "file": str(file.path),
                "output": str(targets[number]) if targets else None,
                "changes": [change._asdict() for change in file.changes.values()],
            }
            for number, file in enumerate(files)
        ],
    }
