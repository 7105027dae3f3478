"""``labelkit runs repeat``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import TrainingError

if TYPE_CHECKING:
    from labelkit.train.reproduction import Reproduction

MAX_DIFFERENCES = 8


@click.command("repeat")
@click.argument("run")
@command_options
def repeat(shell: Shell, run: str) -> None:
    """Reproduce RUN from its record alone, and compare data, versions, metrics and weights.

    The new run has the recorded plan, automatic settings included, and a note that names RUN. The exit status is 1 when
    data, metrics or weights differ; different versions, processors or thread counts explain that. Nothing is trained
    where the data or the encoder have changed.
    """
    from labelkit.cli.progress import Progress
    from labelkit.train.reproduction import reproduce

    with Progress(shell.err) as progress:
        found = reproduce(
            run, shell.catalog, shell.environment, shell.home,
            on_stage=progress.stage, listeners=[progress], warn=progress.note,
        )  # fmt: skip
    if shell.as_json:
        shell.json(found.to_json())
    else:
        print_reproduction(shell, found)
    if found.differing:
        if found.run is None:
            hint = "restore the data and the encoder of the recorded run"
        elif found.versions.differences:
            hint = "versions, processor or threads differ, which explains it"
        else:
            hint = "bit-identical weights are promised on a CPU; a GPU sums in no fixed order"
        raise TrainingError(f"the repetition of '{found.repeats}' differs: {', '.join(found.differing)}", hint=hint)


def print_reproduction(shell: Shell, found: Reproduction) -> None:
    """Print what of the new run agrees with the recorded one, and the first differences of each part."""
    from labelkit.cli.runs.display import line, title
    from labelkit.cli.runs.fitted_table import Column, table

    title(shell.out, f"{found.run or 'nothing was trained'}: repeats {found.repeats}")
    parts = {name: getattr(found, name) for name in ("data", "versions", "metrics", "weights")}
    rows = []
    for name, part in parts.items():
        agreement = "agree" if part.agrees else f"{len(part.differences)} differ"
        rows.append((name, agreement if part.compared else "not compared", part.compared or "–"))
    table(shell.out, (Column(""), Column(""), Column("compared", right=True)), rows)
    for part in parts.values():
        for text in part.differences[:MAX_DIFFERENCES]:
            line(shell.out, f"  {text}")
        if len(part.differences) > MAX_DIFFERENCES:
            line(shell.out, f"  and {len(part.differences) - MAX_DIFFERENCES} more: --json has all")
