"""``labelkit runs compare`` and ``labelkit runs best``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.runs.list_runs import as_document


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN…")
@click.option("--all", "everything", is_flag=True, help="Show equal values, too.")
@click.option("--per-type", is_flag=True, help="Show the scores of each label type, too.")
@click.option("--groups", is_flag=True, help="Compare the mean scores of groups; each RUN names a group.")
@click.option("--significance", is_flag=True, help="Label the test data again, and test the differences in scores.")
@click.option("--task", metavar="TASK", help="Of runs of several tasks, test the differences of this one.")
@command_options
def compare(
    shell: Shell,
    runs: tuple[str, ...],
    everything: bool,
    per_type: bool,
    groups: bool,
    significance: bool,
    task: str | None,
) -> None:
    """Show the differences between runs: plan, data, versions, and scores with their differences to the first.

    A * marks the score that selected the checkpoint. Scores on different examples are shown without differences.
    """
    from labelkit.cli.runs import display
    from labelkit.registry import Registry
    from labelkit.registry.task_view import details_of_task

    if len(runs) < 2:
        raise click.UsageError("compare needs two runs or more")
    if groups and significance:
        raise click.UsageError("--significance cannot be combined with --groups")
    if task is not None and not significance:
        raise click.UsageError("--task is for --significance: the scores of all tasks are shown")
    if groups:
        _compare_groups(shell, runs)
        return
    with Registry.open(shell.home, create=False) as registry:
        ids = [registry.runs.find(run).id for run in runs]
        found = registry.runs.compare(*ids)
        details = [details_of_task(registry.runs.get(run), task) for run in ids] if significance else []
    tests = []
    if significance:
        from labelkit.evaluation.comparison import compare_runs

        tests = compare_runs(details, shell.catalog, shell.environment, shell.home, shell.say)
    if not shell.as_json:
        display.comparison(shell.out, found, everything=everything, per_type=per_type)
        for index, one in enumerate(tests, 1):
            shell.out.print()
            display.significance(shell.out, one, display.letter(index), per_type=per_type)
        return
    document: dict[str, Any] = asdict(found)
    for name in ("facts", "settings", "splits", "versions"):
        rows = getattr(found, name)
        document[name] = [asdict(row) for row in rows if row.differs or everything]
    document["scores"] = [asdict(row) for row in found.scores if per_type or row.type is None]
    if significance:
        document["significance"] = [asdict(one) for one in tests]
    shell.json(document)


def _compare_groups(shell: Shell, names: tuple[str, ...]) -> None:
    from labelkit.cli.runs import display
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = [registry.runs.group(name) for name in names]
        first = [one.runs[0] for one in found if one.runs]
        notes = registry.runs.compare(*first).notes if len(first) > 1 else ()
    if shell.as_json:
        shell.json({"groups": [asdict(one) for one in found], "notes": notes})
    else:
        display.groups(shell.out, found, notes)


@click.command("best")
@click.argument("task", required=False)
@click.option("--data", metavar="REF", help="Rank only runs on this data reference.")
@click.option("--group", metavar="HASH", help="Rank only runs whose validation content hash starts with HASH.")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="Show so many of each group.")
@command_options
def best(shell: Shell, task: str | None, data: str | None, group: str | None, limit: int) -> None:
    """Rank the finished runs of TASK, or of all tasks, by their validation score.

    Only runs with the same validation examples and metric are ranked together. Test scores are shown, but do not rank:
    a test that models are selected by is no test. The reference before each group (such as ner@best:wnut17) names its
    best run wherever a command takes a RUN.
    """
    from labelkit.cli.runs import display
    from labelkit.registry import Registry

    if data and group:
        raise click.UsageError("--data cannot be combined with --group")
    with Registry.open(shell.home, create=False) as registry:
        found = registry.runs.rankings(task, group=data or group or "", limit=limit)
    if shell.as_json:
        shell.json([{**asdict(one), "runs": [as_document(run) for run in one.runs]} for one in found])
        return
    for index, one in enumerate(found):
        if index:
            shell.out.print()
        display.ranking(shell.out, one)
