"""``labelkit runs compare`` and ``labelkit runs best``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.runs.listing import as_document

if TYPE_CHECKING:
    from labelkit.evaluate.comparison import SignificanceTest
    from labelkit.registry import RunDetails


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN…")
@click.option("--all", "everything", is_flag=True, help="Also what agrees.")
@click.option("--per-type", is_flag=True, help="Also the scores of each label type.")
@click.option("--groups", is_flag=True, help="Each RUN names a group: compare the means of their scores.")
@click.option("--significance", is_flag=True, help="Label the test data anew and tell how sure each difference is.")
@command_options
def compare(
    shell: Shell, runs: tuple[str, ...], everything: bool, per_type: bool, groups: bool, significance: bool
) -> None:
    """Show what differs between runs: plan, data, versions, and scores with their differences to the first.

    A * marks the figure that chose the checkpoint. Scores on different examples are shown without differences.
    """
    from labelkit.registry import Registry

    if len(runs) < 2:
        raise click.UsageError("compare needs two runs or more")
    if groups and significance:
        raise click.UsageError("--significance compares single runs: leave --groups out")
    if groups:
        _compare_groups(shell, runs)
        return
    with Registry.open(shell.home, create=False) as registry:
        ids = [registry.runs.find(run).id for run in runs]
        found = registry.runs.compare(*ids)
        details = [registry.runs.get(run) for run in ids] if significance else []
    tested = _significance(shell, details) if significance else []
    if not shell.as_json:
        from labelkit.cli.runs import drawing

        drawing.comparison(shell.out, found, everything=everything, per_type=per_type)
        for index, one in enumerate(tested, 1):
            shell.out.print()
            drawing.significance(shell.out, one, drawing.letter(index), per_type=per_type)
        return
    document: dict[str, Any] = asdict(found)
    for name in ("facts", "settings", "splits", "versions"):
        rows = getattr(found, name)
        document[name] = [asdict(row) for row in rows if row.differs or everything]
    document["scores"] = [asdict(row) for row in found.scores if per_type or row.type is None]
    if significance:
        document["significance"] = [asdict(one) for one in tested]
    shell.json(document)


def _significance(shell: Shell, details: list[RunDetails]) -> list[SignificanceTest]:
    from labelkit.evaluate.comparison import check, significance
    from labelkit.evaluate.recorded_data import record_test_inspection

    check(details)
    shell.say(f"labelling the test data with {len(details)} labellers")
    tested = significance(details, shell.catalog, shell.environment, shell.home)
    for run in details:
        if error := record_test_inspection(run, tested[0].content_hash, shell.home, "compare"):
            shell.say(f"note: not recorded: {error.message}")
    return tested


def _compare_groups(shell: Shell, names: tuple[str, ...]) -> None:
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = [registry.runs.group(name) for name in names]
        first = [one.runs[0] for one in found if one.runs]
        notes = registry.runs.compare(*first).notes if len(first) > 1 else ()
    if shell.as_json:
        shell.json({"groups": [asdict(one) for one in found], "notes": notes})
        return
    from labelkit.cli.runs import drawing

    drawing.groups(shell.out, found, notes)


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
        found = registry.runs.rankings(task, group=data or group or "", limit=limit)
    if shell.as_json:
        shell.json([{**asdict(one), "runs": [as_document(run) for run in one.runs]} for one in found])
        return
    from labelkit.cli.runs import drawing

    for index, one in enumerate(found):
        if index:
            shell.out.print()
        drawing.ranking(shell.out, one)
