"""``labelkit runs list``."""

from __future__ import annotations

from dataclasses import asdict

import click

from labelkit.cli.common import Shell, command_options


@click.command("list")
@click.option("--task", metavar="NAME", help="Only runs of this task.")
@click.option("--status", type=click.Choice(["running", "finished", "failed", "interrupted"]), help="Only these.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@command_options
def list_runs(shell: Shell, task: str | None, status: str | None, limit: int) -> None:
    """List runs, newest first."""
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = registry.runs(task=task, status=status, limit=limit)  # type: ignore[arg-type]
    if shell.as_json:
        shell.json([asdict(run) for run in found])
        return
    if not found:
        shell.say("no runs yet; labelkit run ner makes one" if not task and not status else "no such runs")
        return
    from labelkit.cli import render

    render.runs(shell.out, found)
