"""``labelkit runs report``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from labelkit.cli.common import Shell, command_options


@click.command("report")
@click.argument("run")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; default RUN.html in this folder."
)
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@click.option("--task", metavar="TASK", help="Of a run of several tasks, report this one; default the first.")
@command_options
def report(shell: Shell, run: str, task: str | None, output: Path | None, force: bool) -> None:
    """Write a report on RUN as one page of HTML: data, curves, scores, confusion, errors, plan.

    The page is self-contained. Scores are the recorded ones. For its errors, the validation split is labelled again by
    the checkpoint; those of the test split are shown if its predictions are recorded, since a report does not score it.

    \b
    labelkit runs report latest
    labelkit runs report ner@best -o best.html
    """
    import labelkit
    from labelkit.console.output import open_output
    from labelkit.errors import LabelkitError
    from labelkit.files.targets import check_target, is_stream
    from labelkit.registry import Registry
    from labelkit.registry.liveness import now
    from labelkit.registry.task_view import details_of_task
    from labelkit.report.collect import collect
    from labelkit.report.page import file_name, make_page, render

    with Registry.open(shell.home, create=False) as registry:
        details = details_of_task(registry.runs.get(registry.runs.find(run).id), task)
    id_, path = details.record.id, output or Path(file_name(details))
    shell.reserve_stdout(path)
    check_target(path, force=force)
    contents = collect(details, shell.catalog, shell.environment, shell.home, shell.say)
    page = make_page(contents, labelkit=labelkit.__version__, written=now())
    content = render(page).encode()
    with open_output(path, "html", force=force) as written:
        written.stream.write(content)
    step = details.scores[0].step if details.scores else None
    digest = hashlib.sha256(content).hexdigest()
    try:
        if not is_stream(path):
            with Registry.open(shell.home, create=False) as registry:
                registry.recorder.log_output(id_, path, step=step, kind="report", size=len(content), sha256=digest)
    except LabelkitError as error:
        shell.say(f"note: not recorded: {error.message}")
    if shell.as_json:
        shell.json({"run": id_, "path": str(path.absolute()), "bytes": len(content), **page.to_json()})
        return
    from labelkit.cli.runs.display import line

    line(shell.out, f"{path}: report of {id_}")
    for split, why in page.unpredicted:
        shell.say(f"note: no errors of {split}: {why}")
