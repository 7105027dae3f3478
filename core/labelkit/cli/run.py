"""``labelkit run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import LabelkitError, TrainingError

if TYPE_CHECKING:
    from labelkit.cli.progress import Progress
    from labelkit.train.preparation import PreparedRun
    from labelkit.train.run import RunResult


@click.command()
@click.argument("task", required=False)
@click.option("--recipe", metavar="NAME|FILE", help="Use this recipe; default quickstart, or best with --data.")
@click.option("--data", metavar="REF", help="Train on a source, a path, or train=PATH,validation=PATH,test=PATH.")
@click.option("--columns", metavar="NAME=COLUMN,…", help="Name the columns of the files, e.g. tokens=0,ner=3.")
@click.option("--encoding", metavar="NAME", help="Read text files in this encoding; default utf-8.")
@click.option("--model", metavar="REF", help="Fine-tune bundled, a folder, a run, or org/name[@REVISION] of the Hub.")
@click.option("--from", "from_run", metavar="RUN", help="Continue from RUN, and leave out what is in its test split.")
@click.option("--select", metavar="TASK", help="Of several tasks, choose the checkpoint by the metric of this one.")
@click.option("--metric", metavar="NAME", help="Choose the checkpoint by this metric; labelkit metrics lists all.")
@click.option("--decoder", metavar="NAME", help="Decode with this decoder; labelkit decoders lists all.")
@click.option("--epochs", type=float, metavar="N", help="Train for N epochs.")
@click.option("--lr", type=float, metavar="X", help="Set the peak learning rate.")
@click.option("--seed", type=int, metavar="N", help="Set the random seed.")
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="Train N runs with different seeds as a group.")
@click.option("--max-steps", type=int, metavar="N", help="Stop after N optimizer steps.")
@click.option("--max-minutes", type=float, metavar="N", help="Stop training after N minutes.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a train.KEY or data.KEY setting (repeatable).",
)
@click.option("--allow-new-labels", is_flag=True, default=None, help="Allow labels absent from the training split.")
@click.option("--name", metavar="NAME", help="Name the run: a-z, 0-9 and hyphens.")
@click.option(
    "--replace", "replaces", is_flag=True, help="Take the name from the run that has it: for Makefiles and DVC."
)
@click.option("--resume", metavar="RUN", help="Resume a stopped run with its recorded plan.")
@click.option("--dry-run", is_flag=True, help="Check everything and print the plan without training.")
@command_options
def run(shell: Shell, task: str | None, resume: str | None, dry_run: bool, seeds: int | None, **flags: Any) -> None:
    """Train a labeller for TASK, select its checkpoint on validation data, score it once on test data, and record it.

    \b
    labelkit run ner
    labelkit run ner --data train=train.conll,test=test.conll
    labelkit run ner --data conll2003 --epochs 3 --set train.weight_decay=0.1
    labelkit run ner --data conll2003 --seeds 3
    labelkit run ner+pos --data ner=wnut17,pos=ud_ewt
    labelkit run --resume latest
    """
    from labelkit.cli.progress import Progress
    from labelkit.train import distributed

    if flags["replaces"] and (seeds or 1) > 1:
        raise click.UsageError("--replace cannot be combined with --seeds: a group has a name for each run.")
    if task is None and resume is None:
        task = task_of_recipe(shell, flags)
    if distributed.world_size() > 1 and (seeds or 1) > 1:
        raise click.UsageError("--seeds cannot be combined with several processes: start one run for each seed.")
    main_process = distributed.is_main_process()
    shell.err.quiet = not main_process
    with Progress(shell.err) as progress:
        prepared = prepare_run(shell, progress, task, resume, {**flags, "seeds": seeds})
        progress.stage("loading", "torch and transformers")
        if dry_run:
            prepared = resolve_and_check(shell, progress, prepared, seeds or 1)
        elif main_process:
            result, failure = train_and_report(shell, progress, prepared, seeds or 1)
        else:
            from labelkit.train.run import train_worker

            train_worker(prepared, shell.home)
    if not main_process:
        return
    if dry_run:
        from labelkit.cli.plan_display import plan_document, print_plan

        shell.json(plan_document(prepared)) if shell.as_json else print_plan(shell.out, prepared)
        return
    from labelkit.cli.score_display import print_result

    shell.json(result.to_json()) if shell.as_json else print_result(shell.out, result)
    if failure:
        raise failure


def task_of_recipe(shell: Shell, flags: dict[str, Any]) -> str:
    """Return the task that the recipe file names; the name of the run is added to the flags where it says one.

    :raises click.UsageError: there is no recipe file, or it names no task.
    """
    from labelkit.config.recipes import read_recipe

    recipe = flags["recipe"]
    if recipe is None or not recipe.endswith(".toml"):
        raise click.UsageError("Missing argument 'TASK'; or name a recipe file that says task = \"NAME\".")
    found = read_recipe(Path(recipe).expanduser(), shell.catalog)
    if found.task is None:
        raise click.UsageError(f"Missing argument 'TASK': {recipe} names none, as task = \"NAME\" does.")
    flags["name"] = flags["name"] or found.run
    return found.task


def prepare_run(
    shell: Shell, progress: Progress, task: str | None, resume: str | None, flags: dict[str, Any]
) -> PreparedRun:
    """Return the prepared run: a new one from the flags, or the one to resume.

    :raises click.UsageError: the flags cannot be combined with ``--resume``.
    """
    from labelkit.config.requests import request_of
    from labelkit.train.preparation import prepare, prepare_resumed

    if resume is None:
        del flags["seeds"]
        assert task is not None
        return prepare(
            request_of(task, **flags),
            shell.catalog,
            shell.environment,
            shell.home,
            on_stage=progress.stage,
            on_progress=progress.activity,
        )
    if given := [name for name, value in flags.items() if value not in (None, (), False)]:
        special = {"sets": "--set", "replaces": "--replace", "from_run": "--from"}
        option = special[given[0]] if given[0] in special else f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} cannot be combined with --resume: the run keeps its recorded plan.")
    prepared = prepare_resumed(
        resume, shell.catalog, shell.environment, shell.home, on_stage=progress.stage, on_progress=progress.activity
    )
    if task not in (None, prepared.task):
        raise click.UsageError(f"The run to resume is of task {prepared.task}, not {task}.")
    return prepared


def resolve_and_check(shell: Shell, progress: Progress, prepared: PreparedRun, seeds: int) -> PreparedRun:
    """Return the run with its automatic settings resolved.

    :raises LabelkitError: a setting is invalid, or the disk has too little space for the runs.
    """
    from labelkit.train.disk_space import check_disk_space, estimate_disk_space
    from labelkit.train.resolution import resolve
    from labelkit.train.seeds import prepare_seeds, seeds_of

    resolved = resolve(prepared)[0]
    if seeds > 1:
        prepare_seeds(prepared, seeds, shell.home)
        progress.note(f"{seeds} runs with the seeds {', '.join(map(str, seeds_of(resolved.plan, seeds)))}")
    if not prepared.resumes:
        check_disk_space(estimate_disk_space(resolved, resolved.plan), shell.home, seeds)
    return resolved


def train_and_report(
    shell: Shell, progress: Progress, prepared: PreparedRun, seeds: int
) -> tuple[RunResult, LabelkitError | None]:
    """Train one run, or one for each seed; return the result, and an error if some of several seeds failed."""
    from labelkit.train.run import train
    from labelkit.train.seeds import SeedsFailedError, train_group

    for note in prepared.notes:
        progress.note(note)
    progress.assumed(prepared.assumptions)
    try:
        if seeds == 1:
            return train(prepared, shell.catalog, shell.home, listeners=[progress], warn=progress.note), None
        result = train_group(
            prepared,
            seeds,
            shell.catalog,
            shell.home,
            listeners=[progress],
            warn=progress.note,
            on_stage=progress.stage,
        )
        return result, None
    except SeedsFailedError as error:
        return error.result, error
    except (KeyboardInterrupt, LabelkitError) as error:
        if progress.run and not progress.finished and not isinstance(error, TrainingError):
            progress.note(f"labelkit run --resume {progress.run} resumes it where it stopped")
        raise
