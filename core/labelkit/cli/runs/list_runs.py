"""``labelkit runs list``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options

if TYPE_CHECKING:
    from labelkit.registry import RunSummary

_STATUSES = ["running", "finished", "failed", "interrupted", "stale", "adopted"]


@click.command("list")
@click.option("--task", metavar="NAME", help="Only runs of this task.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only runs with this status; stale: the process has died.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only runs with this tag (repeatable: with all).")
@click.option("--data", metavar="REF", help="Only runs on this data reference.")
@click.option("--model", metavar="REF", help="Only runs of this model reference.")
@click.option("--group", metavar="GROUP", help="Only runs of this group.")
@click.option("--since", metavar="TIME", help="Started at or after: 2026-11-21, or 3d, 12h ago.")
@click.option("--until", metavar="TIME", help="Started at or before.")
@click.option("--where", metavar="CONDITION", help='A filter, e.g. "validation.f1 > 0.4 and lr < 1e-4".')
@click.option("--columns", metavar="NAME,…", help="Columns to show: run columns, settings, scores.")
@click.option("--sort", metavar="NAME", help="Sort by a column; -NAME: descending. Default: newest first.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Maximum number of runs.")
@click.option("--all", "everything", is_flag=True, help="List all runs.")
@command_options
def list_runs(
    shell: Shell, columns: str | None, sort: str | None, limit: int, everything: bool, **filters: Any
) -> None:
    """List runs, newest first.

    \b
    labelkit runs list --where "validation.f1 > 0.4 and lr < 1e-4" --sort -test.f1
    labelkit runs list --columns lr,epochs,validation.f1,validation.PER.f1
    labelkit runs list --where "status in (failed, stale) and started > 3d"

    Names are columns (task, status, name, data, model, seed, seconds, started, device, tag …), settings (lr, epochs,
    train.weight_decay …) and scores (validation.f1, test.PER.recall, validation["creative-work"].f1). Operators are
    = != < <= > >= and ~ for contains; in (…), is null, and, or, not, parentheses.
    """
    from labelkit.registry import Registry
    from labelkit.registry.filter_parser import split_names

    names = split_names(columns)
    most = None if everything else limit
    with Registry.open(shell.home, create=False) as registry:
        found = registry.runs.search(columns=names, sort=sort, limit=most and most + 1, **filters)
    shown = found[:most]
    if shell.as_json:
        shell.json([as_document(run) for run in shown])
        return
    if not found:
        shell.say("no matching runs" if any(filters.values()) else "no runs yet; labelkit run ner makes one")
        return
    from labelkit.cli.runs import display

    if hidden := display.runs(shell.out, shown, names):
        shell.say(f"columns hidden, the terminal is too narrow: {', '.join(hidden)}; --columns chooses")
    if len(found) > len(shown):
        shell.say(f"there are more than these {len(shown)}: --limit N or --all")


def as_document(run: RunSummary) -> dict[str, Any]:
    """Return a run as a JSON document, with its derived status (such as stale)."""
    return {**asdict(run), "status": run.shown}
