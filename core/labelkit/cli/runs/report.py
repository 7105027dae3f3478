"""``labelkit runs report``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelkit.cli.common import Shell, command_options

if TYPE_CHECKING:
    from labelkit.registry import RunDetails


@click.command("report")
@click.argument("run")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; default RUN.html in this folder."
)
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@command_options
def report(shell: Shell, run: str, output: Path | None, force: bool) -> None:
    """Write everything about RUN as one page of HTML: data, curves, scores, confusion, errors, plan.

    The page needs nothing else, and opens from the disk. Scores are the recorded ones. For the errors of validation
    the checkpoint labels it again; those of test are shown where predictions are recorded: a report scores no test.

    \b
    labelkit runs report latest
    labelkit runs report ner@best -o best.html
    """
    from labelkit.label.job import refuse_existing
    from labelkit.registry import Registry
    from labelkit.report.page import file_name

    with Registry.open(shell.home, create=False) as registry:
        details = registry.runs.get(registry.runs.find(run).id)
    path = output or Path(file_name(details))
    refuse_existing(path, force=force)
    _write(shell, details, path, force=force)


def _write(shell: Shell, details: RunDetails, path: Path, *, force: bool) -> None:
    import labelkit
    from labelkit.files.output import new_output
    from labelkit.registry.liveness import now
    from labelkit.report.collect import collect
    from labelkit.report.page import make_page, render

    material = collect(details, shell.catalog, shell.environment, shell.home, shell.say)
    page = make_page(material, labelkit=labelkit.__version__, written=now())
    content = render(page).encode()
    with new_output(path, force=force) as written:
        written.stream.write(content)
    _record(shell, details, path)
    if shell.as_json:
        shell.json({"run": details.record.id, "path": str(path.absolute()), "bytes": len(content), **page.to_json()})
        return
    from labelkit.cli.runs.display import line

    line(shell.out, f"{path}: report of {details.record.id}")
    for split, why in page.unjudged:
        shell.say(f"note: no errors of {split}: {why}")


def _record(shell: Shell, details: RunDetails, path: Path) -> None:
    """Have the registry know where the file came from, where it can be written."""
    from labelkit.errors import LabelkitError
    from labelkit.registry import Registry

    content = path.read_bytes()
    step = details.scores[0].step if details.scores else None
    digest = hashlib.sha256(content).hexdigest()
    try:
        with Registry.open(shell.home, create=False) as registry:
            registry.recorder.log_output(
                details.record.id, path, step=step, kind="report", size=len(content), sha256=digest, records=None
            )
    except LabelkitError as error:
        shell.say(f"note: not recorded: {error.message}")
