"""``labelkit search``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.run import run as run_command

if TYPE_CHECKING:
    from labelkit.cli.progress import Progress
    from labelkit.search.search import Search
    from labelkit.search.trials import Surroundings

#: the options of labelkit run that describe the plan of trials
_PLAN = (
    "recipe", "data", "columns", "encoding", "model", "metric", "decoder", "epochs", "lr", "seed", "max_steps",
    "max_minutes", "sets", "allow_new_labels",
)  # fmt: skip
_SAMPLERS, _PRUNERS = ("tpe", "random", "grid"), ("median", "hyperband", "none")


@click.command()
@click.argument("task", required=False)
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="Train N trials in all; default 20.")
@click.option("--space", type=click.Path(path_type=Path), metavar="FILE", help="Search the space in this TOML file.")
@click.option("--minutes", type=click.FloatRange(min=0), metavar="N", help="Begin no trial after N minutes.")
@click.option("--sampler", type=click.Choice(_SAMPLERS), help="Choose values with this sampler; default tpe.")
@click.option("--pruner", type=click.Choice(_PRUNERS), help="Stop bad trials early with this pruner; default median.")
@click.option("--seeds", type=click.IntRange(2, 10), metavar="N", help="Retrain the winner with N seeds; default 3.")
@click.option("--name", metavar="NAME", help="Name the search and the group of its trials: a-z, 0-9 and hyphens.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the winner as a recipe.")
@click.option("--force", is_flag=True, help="Replace the recipe file if it exists.")
@click.option("--resume", metavar="NAME", help="Work on a search that was started, here or on another machine.")
@click.option("--dry-run", is_flag=True, help="Check everything and print the space without training.")
@command_options
def search(
    shell: Shell,
    task: str | None,
    resume: str | None,
    dry_run: bool,
    minutes: float | None,
    output: Path | None,
    force: bool,
    **options: Any,
) -> None:
    """Search for hyperparameters of TASK: train trials, each a run of a group, and choose the best on validation.

    Trials never read test. The winner and the default recipe are retrained with fresh seeds and scored on test, and
    the winner is written as a recipe. Several processes, on several machines with one registry, may work on a search.

    \b
    labelkit search ner --data conll2003 --trials 30
    labelkit search ner --data conll2003 --space space.toml --sampler grid
    labelkit search --resume ner-search-20261121-153012-a1b2c3
    """
    from labelkit.cli.progress import Progress
    from labelkit.cli.search_display import print_space, show_search
    from labelkit.registry import Registry
    from labelkit.search.recipe_file import check_recipe_file

    with Progress(shell.err) as progress:
        around = surroundings(shell, progress)
        found = joined(around, task, resume, options) if resume else drafted(around, task, options)
        output = output or Path(f"{found.name}.toml")
        check_recipe_file(output, found.name, force=force)
        if not dry_run:
            result = work(found, around, minutes, new=resume is None)
    if dry_run:
        print_space(shell, found)
        return
    write_winner(output, found, result)
    with Registry.open(shell.home, create=False) as registry:
        record = registry.searches.get(found.name)
    show_search(shell, record, recipe=output)


# after the options of its own that stand before --name
_PLACE = next(index for index, one in enumerate(search.params) if one.name == "name")
search.params[_PLACE:_PLACE] = [one for one in run_command.params if one.name in _PLAN]


def work(found: Search, around: Surroundings, minutes: float | None, *, new: bool) -> Mapping[str, Any]:
    """Work on a search until its end, and return its result.

    :param new: it is not recorded yet.
    :raises LabelkitError: see :func:`labelkit.search.search.run_search`.
    """
    from labelkit.search.search import run_search, start_search

    if new:
        start_search(found, around)
        around.warn(f"search {found.name}; labelkit search --resume {found.name} works on it, too")
    try:
        return run_search(found, around, minutes=minutes)
    except KeyboardInterrupt:
        around.warn(f"labelkit search --resume {found.name} goes on where it stopped")
        raise


def surroundings(shell: Shell, progress: Progress) -> Surroundings:
    """Return what the runs of a search share."""
    from labelkit.search.trials import Surroundings

    return Surroundings(
        catalog=shell.catalog,
        environment=shell.environment,
        home=shell.home,
        listeners=(progress,),
        warn=progress.note,
        on_stage=progress.stage,
    )


def drafted(around: Surroundings, task: str | None, options: dict[str, Any]) -> Search:
    """Return the new search that the options describe.

    :raises click.UsageError: there is no task.
    :raises LabelkitError: the plan, the space or the name is invalid.
    """
    from labelkit.config.requests import request_of
    from labelkit.search.search import draft_search
    from labelkit.search.space import read_space

    if task is None:
        raise click.UsageError("Missing argument 'TASK'; or name a search to --resume.")
    plan = {name: options.pop(name) for name in _PLAN}
    path = options["space"]
    return draft_search(
        request_of(task, name=None, **plan),
        around,
        name=options["name"],
        space=None if path is None else read_space(path.expanduser(), around.catalog),
        sampler=options["sampler"] or "tpe",
        pruner=options["pruner"] or "median",
        trials=options["trials"] or 20,
        seeds=options["seeds"] or 3,
    )


def joined(around: Surroundings, task: str | None, name: str, options: dict[str, Any]) -> Search:
    """Return the search to work on.

    :raises click.UsageError: options describe another one.
    :raises LabelkitError: there is none of this name, or its data has changed.
    """
    from labelkit.search.search import join_search

    trials = options.pop("trials")
    if given := [key for key, value in options.items() if value not in (None, (), False)]:
        option = "--set" if given[0] == "sets" else f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} cannot be combined with --resume: the search keeps its recorded settings.")
    found = join_search(name, around, trials=trials)
    if task not in (None, found.settings.task):
        raise click.UsageError(f"The search to resume is of task {found.settings.task}, not {task}.")
    return found


def write_winner(output: Path, search: Search, result: Mapping[str, Any]) -> None:
    """Write the recipe of the winner."""
    from labelkit.search.recipe_file import recipe_text, write_recipe

    winner = result["winner"]
    summary = f"the best of a search, {search.settings.metric} {winner['validation']:.4f} on validation"
    values = {} if winner["default"] else winner["values"]
    write_recipe(output, recipe_text(search.prepared.plan, values, search.name, summary))
