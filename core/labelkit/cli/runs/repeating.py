"""``labelkit runs repeat``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import TrainingError

if TYPE_CHECKING:
    from labelkit.train.reproduction import ComparedPart, Reproduction

_SHOWN = 8


@click.command("repeat")
@click.argument("run")
@command_options
def repeat(shell: Shell, run: str) -> None:
    """Train RUN again from its record alone, and say whether data, versions, metrics and weights agree.

    The new run has the recorded plan, with its automatic choices as they were, and a note that names RUN. It ends with
    1 when data, metrics or weights differ; different versions, another processor or other threads explain that. Where
    the data or the encoder are not what they were, nothing is trained.
    """
    from labelkit.cli.progress import Progress
    from labelkit.train.reproduction import reproduce

    with Progress(shell.err) as progress:
        found = reproduce(
            run, shell.catalog, shell.environment, shell.home,
            say=progress.stage, listeners=[progress], warn=progress.note,
        )  # fmt: skip
    if shell.as_json:
        shell.json(found.to_json())
    else:
        _show(shell, found)
    if found.differing:
        raise TrainingError(
            f"the repetition of '{found.repeats}' differs: {', '.join(found.differing)}", hint=_hint(found)
        )


def _show(shell: Shell, found: Reproduction) -> None:
    from labelkit.cli.runs.drawing import line, title
    from labelkit.cli.runs.tables import Column, table

    title(shell.out, f"{found.run or 'nothing was trained'}: repeats {found.repeats}")
    parts = {name: getattr(found, name) for name in ("data", "versions", "metrics", "weights")}
    rows = [(name, _word(part), part.compared or "–") for name, part in parts.items()]
    table(shell.out, (Column(""), Column(""), Column("compared", right=True)), rows)
    for part in parts.values():
        for text in part.differences[:_SHOWN]:
            line(shell.out, f"  {text}")
        if len(part.differences) > _SHOWN:
            line(shell.out, f"  and {len(part.differences) - _SHOWN} more: --json has all")


def _word(part: ComparedPart) -> str:
    if not part.compared:
        return "not compared"
    return "agree" if part.agrees else f"{len(part.differences)} differ"


def _hint(found: Reproduction) -> str:
    if found.run is None:
        return "bring the data and the encoder back that the run had"
    if found.versions.differences:
        return "versions, processor or threads differ, which explains it"
    return "equal weights are promised on a CPU; a GPU adds up in no fixed order"
