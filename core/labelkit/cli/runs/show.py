"""``labelkit runs show``."""

from __future__ import annotations

from dataclasses import asdict

import click

from labelkit.cli.common import Shell, command_options


@click.command("show")
@click.argument("run")
@command_options
def show(shell: Shell, run: str) -> None:
    """Show everything recorded about RUN: an id or unique prefix, a name, an alias, latest, or TASK@best.

    Of a search, by its name, show the trials, how much each setting matters, and the winner.

    Scores are those of the chosen checkpoint; the curves show the validation score and the training loss by step.
    --json has all figures of all steps.
    """
    from labelkit.registry import Registry, nested

    with Registry.open(shell.home, create=False) as registry:
        if (search := registry.searches.find(run)) is not None:
            from labelkit.cli.search_display import show_search

            show_search(shell, search)
            return
        found = registry.runs.get(registry.runs.find(run).id)
    scores = nested(found.scores)
    if shell.as_json:
        shell.json({**asdict(found), "status": found.shown, "scores": scores})
        return
    from labelkit.cli.runs.run_display import details

    details(shell.out, found, scores)
