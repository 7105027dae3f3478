"""``labelkit runs list``."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options

if TYPE_CHECKING:
    from labelkit.registry import RunSummary

_STATUSES = ["running", "finished", "failed", "interrupted", "stale"]


@click.command("list")
@click.option("--task", metavar="NAME", help="Only runs of this task.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only these; stale: died without a word.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only runs with this tag (repeatable: with all).")
@click.option("--data", metavar="REF", help="Only runs on this data reference.")
@click.option("--model", metavar="REF", help="Only runs of this model reference.")
@click.option("--group", metavar="GROUP", help="Only runs of this group.")
@click.option("--since", metavar="TIME", help="Started then or later: 2026-11-21, or 3d, 12h ago.")
@click.option("--until", metavar="TIME", help="Started then or before.")
@click.option("--where", metavar="CONDITION", help='As in "validation.f1 > 0.4 and lr < 1e-4".')
@click.option("--columns", metavar="NAME,…", help="Show these in place of the usual: columns, settings, scores.")
@click.option("--sort", metavar="NAME", help="Sort by any of these; -NAME: greatest first. Default: newest first.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@click.option("--all", "everything", is_flag=True, help="All of them, however many.")
@command_options
def list_runs(shell: Shell, columns: str | None, sort: str | None, limit: int, everything: bool, **asked: Any) -> None:
    """List runs, newest first.

    \b
    labelkit runs list --where "validation.f1 > 0.4 and lr < 1e-4" --sort -test.f1
    labelkit runs list --columns lr,epochs,validation.f1,validation.PER.f1
    labelkit runs list --where "status in (failed, stale) and started > 3d"

    Names are columns (task, status, name, data, model, seed, seconds, started, device, tag …), settings (lr, epochs,
    train.weight_decay …) and scores (validation.f1, test.PER.recall, validation["creative-work"].f1). Signs are
    = != < <= > >= and ~ for contains; in (…), is null, and, or, not, parentheses.
    """
    from labelkit.registry import Registry

    names = split_names(columns)
    most = None if everything else limit
    with Registry.open(shell.home, create=False) as registry:
        found = registry.runs.search(columns=names, sort=sort, limit=most and most + 1, **asked)
    shown = found[:most]
    if shell.as_json:
        shell.json([as_document(run) for run in shown])
        return
    if not found:
        asks = any(value for value in asked.values())
        shell.say("no such runs" if asks else "no runs yet; labelkit run ner makes one")
        return
    _show(shell, shown, names, more=len(found) > len(shown))


def _show(shell: Shell, shown: list[RunSummary], names: list[str], *, more: bool) -> None:
    from labelkit.cli.runs import drawing

    left_out = drawing.runs(shell.out, shown, names)
    if left_out:
        shell.say(f"left out, since the terminal is narrow: {', '.join(left_out)}; --columns chooses")
    if more:
        shell.say(f"there are more than these {len(shown)}: --limit N or --all")


def split_names(text: str | None) -> list[str]:
    """Return names that were separated by commas; a comma in quotes is part of a name."""
    parts = re.findall(r"""(?:"[^"]*"|'[^']*'|[^,"'])+""", text or "")
    return [name.strip() for name in parts if name.strip()]


def as_document(run: RunSummary) -> dict[str, Any]:
    """Return a run for JSON, with its status as it is shown."""
    return {**asdict(run), "status": run.shown}
