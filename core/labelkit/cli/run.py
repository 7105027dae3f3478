"""``labelkit run``."""

from __future__ import annotations

from typing import Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import LabelkitError, TrainingError


@click.command()
@click.argument("task", required=False)
@click.option("--recipe", metavar="NAME|FILE", help="Named settings; default quickstart, or best with --data.")
@click.option("--data", metavar="REF", help="A source, a path, or train=PATH,validation=PATH,test=PATH.")
@click.option("--columns", metavar="NAME=COLUMN,…", help="Which column holds what, e.g. tokens=0,ner=3.")
@click.option("--encoding", metavar="NAME", help="Encoding of text files; default utf-8.")
@click.option("--model", metavar="REF", help="The encoder: bundled, a folder, or org/name[@REVISION] on the Hub.")
@click.option("--metric", metavar="NAME", help="The metric that chooses the checkpoint.")
@click.option("--decoder", metavar="NAME", help="How scores become labels: argmax, viterbi, …")
@click.option("--epochs", type=float, metavar="N", help="Passes over train.")
@click.option("--lr", type=float, metavar="X", help="Peak learning rate.")
@click.option("--seed", type=int, metavar="N", help="Seed of everything random.")
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="Train N runs with as many seeds, as a group.")
@click.option("--max-steps", type=int, metavar="N", help="Stop after this many optimizer steps.")
@click.option("--max-minutes", type=float, metavar="N", help="Stop training after so many minutes.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any train.KEY or data.KEY setting (repeatable).",
)
@click.option("--allow-new-labels", is_flag=True, default=None, help="Take label types that train does not have.")
@click.option("--name", metavar="NAME", help="A name for the run: a-z, 0-9 and hyphens.")
@click.option("--resume", metavar="RUN", help="Go on with a run that stopped, by the plan that it has.")
@click.option("--dry-run", is_flag=True, help="Check everything and show the plan; train nothing.")
@command_options
def run(shell: Shell, task: str | None, resume: str | None, dry_run: bool, seeds: int | None, **flags: Any) -> None:
    """Train a labeller for TASK, choose its checkpoint on validation, score it once on test, record everything.

    \b
    labelkit run ner
    labelkit run ner --data train=train.conll,test=test.conll
    labelkit run ner --data conll2003 --epochs 3 --set train.weight_decay=0.1
    labelkit run ner --data conll2003 --seeds 3
    labelkit run --resume latest
    """
    from labelkit.cli.progress import Progress
    from labelkit.train import distributed

    if task is None and resume is None:
        raise click.UsageError("Missing argument 'TASK'.")
    if distributed.world_size() > 1 and (seeds or 1) > 1:
        raise click.UsageError("--seeds does not go with several processes: start each seed by itself.")
    shell.err.quiet = not distributed.is_main_process()
    with Progress(shell.err) as progress:
        if resume:
            prepared = _prepare_again(shell, progress, task, resume, {**flags, "seeds": seeds})
        else:
            prepared = _prepare(shell, progress, task, flags)
        count = seeds or 1
        if dry_run:
            plan = _resolved(shell, progress, prepared, count)
        elif not distributed.is_main_process():
            _follow(shell, prepared)
            return
        else:
            result, error = _train(shell, progress, prepared, count)
    if dry_run:
        if distributed.is_main_process():
            _show_plan(shell, plan, prepared)
        return
    _show_result(shell, result)
    if error:
        raise error


def _prepare(shell: Shell, progress: Any, task: str | None, flags: dict[str, Any]) -> Any:
    from labelkit.api import request_of
    from labelkit.train.preparation import prepare

    assert task is not None
    request = request_of(task, **flags)
    return prepare(request, shell.catalog, shell.environment, shell.home, say=progress.stage)


def _prepare_again(shell: Shell, progress: Any, task: str | None, resume: str, flags: dict[str, Any]) -> Any:
    from labelkit.train.preparation import prepare_resumed

    if given := [name for name, value in flags.items() if value not in (None, ())]:
        option = "--set" if given[0] == "sets" else f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} does not go with --resume: the run keeps the plan that it has.")
    prepared = prepare_resumed(resume, shell.catalog, shell.environment, shell.home, say=progress.stage)
    if task not in (None, prepared.plan.task.name):
        raise click.UsageError(f"The run to resume is of task {prepared.plan.task.name}, not {task}.")
    return prepared


def _resolved(shell: Shell, progress: Any, prepared: Any, count: int) -> Any:
    progress.stage("loading", "torch and transformers")
    from labelkit.train.disk_space import check_disk_space, estimate_disk_space
    from labelkit.train.resolution import resolve_plan
    from labelkit.train.seeds import prepare_seeds, seeds_of

    plan = resolve_plan(prepared)[0]
    if count > 1:
        prepare_seeds(prepared, count, shell.home)
        progress.note(f"{count} runs with the seeds {', '.join(map(str, seeds_of(plan, count)))}")
    if not prepared.resumes:
        check_disk_space(estimate_disk_space(prepared, plan), shell.home, count)
    return plan


def _train(shell: Shell, progress: Any, prepared: Any, count: int) -> tuple[Any, LabelkitError | None]:
    """Return the result, and what went wrong with some of several runs."""
    progress.stage("loading", "torch and transformers")
    from labelkit.train.run import train
    from labelkit.train.seeds import SeedsFailedError, train_group

    for note in prepared.corpus.notes:
        progress.note(note)
    given = {"listeners": [progress], "warn": progress.note}
    try:
        if count == 1:
            return train(prepared, shell.catalog, shell.home, **given), None
        return train_group(prepared, count, shell.catalog, shell.home, say=progress.stage, **given), None
    except SeedsFailedError as error:
        return error.result, error
    except (KeyboardInterrupt, LabelkitError) as error:
        if progress.run and not progress.finished and not isinstance(error, TrainingError):
            progress.note(f"labelkit run --resume {progress.run} goes on where it stopped")
        raise


def _follow(shell: Shell, prepared: Any) -> None:
    from labelkit.train.run import train_worker

    train_worker(prepared, shell.home)


def _show_plan(shell: Shell, plan: Any, prepared: Any) -> None:
    from labelkit.console import render

    if shell.as_json:
        shell.json(render.plan_document(plan, prepared))
    else:
        render.plan(shell.out, plan, prepared)


def _show_result(shell: Shell, result: Any) -> None:
    from labelkit.console import render

    if shell.as_json:
        shell.json(result.to_json())
    else:
        render.result(shell.out, result)
