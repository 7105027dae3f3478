"""``labelkit run``."""

from __future__ import annotations

from typing import Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import LabelkitError


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
@click.option("--max-steps", type=int, metavar="N", help="Stop after this many optimizer steps.")
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
def run(shell: Shell, task: str | None, resume: str | None, dry_run: bool, **flags: Any) -> None:
    """Train a labeller for TASK, choose its checkpoint on validation, score it once on test, record everything.

    \b
    labelkit run ner
    labelkit run ner --data train=train.conll,test=test.conll
    labelkit run ner --data conll2003 --epochs 3 --set train.weight_decay=0.1
    labelkit run --resume latest
    """
    from labelkit.cli.progress import Progress

    if task is None and resume is None:
        raise click.UsageError("Missing argument 'TASK'.")
    with Progress(shell.err) as progress:
        prepared = (
            _prepare_again(shell, progress, task, resume, flags) if resume else _prepare(shell, progress, task, flags)
        )
        result = _resolved(shell, progress, prepared) if dry_run else _train(shell, progress, prepared)
    if dry_run:
        _show_plan(shell, result, prepared)
    else:
        _show_result(shell, result)


def _prepare(shell: Shell, progress: Any, task: str | None, flags: dict[str, Any]) -> Any:
    from labelkit.api import request_of
    from labelkit.train.prepare import prepare

    assert task is not None
    request = request_of(task, **flags)
    return prepare(request, shell.catalog, shell.environment, shell.home, say=progress.stage)


def _prepare_again(shell: Shell, progress: Any, task: str | None, resume: str, flags: dict[str, Any]) -> Any:
    from labelkit.train.prepare import prepare_again

    if given := [name for name, value in flags.items() if value not in (None, ())]:
        option = "--set" if given[0] == "sets" else f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} does not go with --resume: the run keeps the plan that it has.")
    prepared = prepare_again(resume, shell.catalog, shell.environment, shell.home, say=progress.stage)
    if task not in (None, prepared.plan.task.name):
        raise click.UsageError(f"The run to resume is of task {prepared.plan.task.name}, not {task}.")
    return prepared


def _resolved(shell: Shell, progress: Any, prepared: Any) -> Any:
    progress.stage("loading", "torch and transformers")
    from labelkit.train.ready import resolve_automatic

    return resolve_automatic(prepared)[0]


def _train(shell: Shell, progress: Any, prepared: Any) -> Any:
    progress.stage("loading", "torch and transformers")
    from labelkit.train.run import train

    for note in prepared.corpus.notes:
        progress.note(note)
    try:
        return train(prepared, shell.catalog, shell.home, listeners=[progress], warn=progress.note)
    except (KeyboardInterrupt, LabelkitError):
        if progress.run:
            progress.note(f"labelkit run --resume {progress.run} goes on where it stopped")
        raise


def _show_plan(shell: Shell, plan: Any, prepared: Any) -> None:
    from labelkit.cli import render

    if shell.as_json:
        shell.json(render.plan_document(plan, prepared))
    else:
        render.plan(shell.out, plan, prepared)


def _show_result(shell: Shell, result: Any) -> None:
    from labelkit.cli import render

    if shell.as_json:
        shell.json(result.to_json())
    else:
        render.result(shell.out, result)
