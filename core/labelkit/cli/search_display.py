"""Print a search: its space, its trials, how much each setting matters, and the winner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from labelkit.cli.runs.display import duration, line, title
from labelkit.cli.runs.fitted_table import Column, table
from labelkit.console.tables import figure

if TYPE_CHECKING:
    from labelkit.cli.common import Shell
    from labelkit.registry import SearchRecord
    from labelkit.search.overview import SearchOverview
    from labelkit.search.search import Search


def print_space(shell: Shell, search: Search) -> None:
    """Print what a search would try, without starting it."""
    from labelkit.search.overview import setting_text

    settings = search.settings
    if shell.as_json:
        content = settings.to_json()
        shell.json({name: content[name] for name in ("task", "space", "defaults", "sampler", "pruner", "trials")})
        return
    title(
        shell.out, f"{settings.trials} trials of {settings.task}, sampler {settings.sampler}, pruner {settings.pruner}"
    )
    rows = [(key, str(domain), setting_text(settings.defaults[key])) for key, domain in settings.space.items()]
    table(shell.out, (Column("setting"), Column("values", least=20), Column("default")), rows)


def show_search(shell: Shell, record: SearchRecord, recipe: Path | None = None) -> None:
    """Print a recorded search.

    :param recipe: the file that the winner was written to.
    """
    from labelkit.search.overview import overview

    found = overview(shell.home, record)
    if shell.as_json:
        shell.json({**found.to_json(), **({"recipe": str(recipe)} if recipe else {})})
        return
    print_search(shell.out, found)
    if recipe:
        line(shell.out, f"the winner as a recipe: {recipe}")


def print_search(console: Console, found: SearchOverview) -> None:
    """Print the trials of a search, the importances of its settings, and its result."""
    from labelkit.search.overview import result_lines, setting_text

    settings = found.settings
    title(console, f"{found.record.name}  {settings.task}, sampler {settings.sampler}, pruner {settings.pruner}")
    names = [key.removeprefix("train.") for key in settings.space]
    columns = [Column("trial"), Column("state"), Column(f"validation {settings.metric}", right=True)]
    columns += [Column(name, right=True) for name in names] + [Column("time", right=True)]
    rows = [
        (
            one.run + " (default)" * one.default,
            one.state if one.pruned_at is None else f"{one.state} at {one.pruned_at}",
            figure(one.value),
            *(setting_text(one.values.get(key)) for key in settings.space),
            duration(one.seconds) if one.seconds is not None else "",
        )
        for one in found.trials
    ]
    table(console, columns, rows)
    line(console, f"{len(found.trials)} of {settings.trials} trials")
    if found.importances:
        console.print()
        ranked = sorted(found.importances.items(), key=lambda item: -item[1])
        table(console, (Column("setting"), Column("importance", right=True)), [(k, f"{v:.2f}") for k, v in ranked])
    if found.record.result:
        console.print()
        for text in result_lines(found.record.result, settings.metric):
            line(console, text)
