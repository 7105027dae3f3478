"""``labelkit runs compare`` and ``labelkit runs best``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.runs.listing import as_document


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN…")
@click.option("--all", "everything", is_flag=True, help="Also what agrees.")
@click.option("--per-type", is_flag=True, help="Also the scores of each label type.")
@command_options
def compare(shell: Shell, runs: tuple[str, ...], everything: bool, per_type: bool) -> None:
    """Show what differs between runs: plan, data, versions, and scores with their differences to the first.

    A * marks the figure that chose the checkpoint. Scores on different examples are shown without differences.
    """
    from labelkit.registry import Registry

    if len(runs) < 2:
        raise click.UsageError("compare needs two runs or more")
    with Registry.open(shell.home, create=False) as registry:
        found = registry.compare(*(registry.find(run).id for run in runs))
    if not shell.as_json:
        from labelkit.cli.runs import drawing

        drawing.comparison(shell.out, found, everything=everything, per_type=per_type)
        return
    document: dict[str, Any] = asdict(found)
    for name in ("facts", "settings", "splits", "versions"):
        rows = getattr(found, name)
        document[name] = [asdict(row) for row in rows if row.differs or everything]
    document["scores"] = [asdict(row) for row in found.scores if per_type or row.type is None]
    shell.json(document)


@click.command("best")
@click.argument("task", required=False)
@click.option("--data", metavar="REF", help="Only runs on this data reference.")
@click.option("--group", metavar="HASH", help="Only runs whose validation content hash begins so.")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="How many of each group.")
@command_options
def best(shell: Shell, task: str | None, data: str | None, group: str | None, limit: int) -> None:
    """Rank the finished runs of TASK, or of all tasks, by their key figure on validation.

    Only runs with the same validation examples and metric are ranked together. Test scores are shown and never rank:
    whoever chooses by test has no test left. What stands before each group (as ner@best:wnut17) means its best run
    wherever a RUN is asked for.
    """
    from labelkit.registry import Registry

    if data and group:
        raise click.UsageError("--data and --group are two ways to say which runs: give one")
    with Registry.open(shell.home, create=False) as registry:
        found = registry.best(task, group=data or group or "", limit=limit)
    if shell.as_json:
        shell.json([{**asdict(one), "runs": [as_document(run) for run in one.runs]} for one in found])
        return
    from labelkit.cli.runs import drawing

    for index, one in enumerate(found):
        if index:
            shell.out.print()
        drawing.ranking(shell.out, one)
