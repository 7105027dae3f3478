"""``labelkit runs show``."""

from __future__ import annotations

from dataclasses import asdict

import click

from labelkit.cli.common import Shell, command_options


@click.command("show")
@click.argument("run")
@command_options
def show(shell: Shell, run: str) -> None:
    """Show everything that is recorded of RUN: an id or its beginning, a name, latest, or TASK@best."""
    from labelkit.registry import Registry, nested

    with Registry.open(shell.home, create=False) as registry:
        found = registry.show(registry.find(run).id)
    scores = nested(found.scores)
    if shell.as_json:
        shell.json({**asdict(found), "scores": scores})
        return
    from labelkit.cli import render

    render.run_details(shell.out, found, scores)
