"""``labelkit evaluate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_context, reading_options
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.checkpoint import CheckpointInfo
    from labelkit.data.gold import Gold

#: settings that say how data is read
HOW_READ = ("path", "format", "scheme", "repair", "config", "quotes", "drop_overlaps", "max_labels")


@click.command()
@click.argument("run")
@click.option("--data", metavar="REF", help="Gold data; default the run's own.")
@click.option("--split", metavar="NAME", help="Which split; default test, else validation, else all there is.")
@click.option("--decoder", metavar="NAME", help="How scores become labels; default as the run chose.")
@reading_options
@command_options
def evaluate(
    shell: Shell,
    run: str,
    data: str | None,
    split: str | None,
    decoder: str | None,
    columns: str | None,
    encoding: str,
    sets: tuple[str, ...],
) -> None:
    """Score the labeller of RUN on gold data, as its test split was scored.

    \b
    labelkit evaluate latest
    labelkit evaluate first-try --data new.conll --columns tokens=0,ner=1
    labelkit evaluate latest --decoder viterbi
    """
    from labelkit.data.corpus import DataOptions
    from labelkit.data.gold import read_gold
    from labelkit.label.labeller import Labeller

    own = data is None
    if data is None:
        data, columns, encoding, sets = _own_data(shell, run, columns, sets)
    labeller = Labeller.open(run, shell.home, shell.catalog, decoder=decoder)
    info = labeller.info
    ctx = reading_context(shell, columns, encoding, (f"data.splitter={info.splitter}", *sets))
    options = DataOptions(
        **{name: ctx.options[name] for name in ("scheme", "repair", "format", "path") if name in ctx.options}
    )
    gold = read_gold(
        data,
        split,
        layer=info.layer,
        schema=info.schema,
        catalog=shell.catalog,
        ctx=ctx,
        options=options,
        trained_on=own,
    )
    names = shell.catalog.find("task", info.task).metrics
    figures = labeller.score(gold.examples, [shell.catalog.find("metric", name) for name in names])
    if decoder is not None:
        figures["decoder"] = decoder  # recorded too: the run itself may have used another one
    _record(shell, info, gold, figures)
    _print(shell, info, gold, figures)


def _record(shell: Shell, info: CheckpointInfo, gold: Gold, figures: dict[str, Any]) -> None:
    """Put the scores beside their run, where the registry knows it and can be written."""
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        try:
            registry.record_evaluation(
                info.run,
                task=info.task,
                ref=gold.ref,
                split=gold.split,
                content_hash=gold.content_hash,
                examples=len(gold.examples),
                metrics=figures,
            )
        except LabelkitError as error:
            shell.say(f"note: not recorded: {error.message}")


def _own_data(
    shell: Shell, run: str, columns: str | None, sets: tuple[str, ...]
) -> tuple[str, str | None, str, tuple[str, ...]]:
    """Return the data reference of a recorded run, and how it was read."""
    if "/" in run or "\\" in run:
        raise LabelkitError("a checkpoint folder does not say which data to score", hint="add --data REF")
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        record = registry.show(registry.find(run, finished=True).id).record
    plan = {value.key: value.text for value in record.plan}
    kept = [f"data.{name}={plan[f'data.{name}']}" for name in HOW_READ if _is_set(plan.get(f"data.{name}"))]
    own = plan.get("data.columns")
    return record.data, columns or (own if _is_set(own) else None), plan.get("data.encoding", "utf-8"), (*kept, *sets)


def _is_set(text: str | None) -> bool:
    return text not in (None, json.dumps(None), json.dumps(False))


def _print(shell: Shell, info: Any, gold: Any, figures: dict[str, Any]) -> None:
    if shell.as_json:
        shell.json(
            {
                "run": info.run,
                "task": info.task,
                "data": gold.ref,
                "split": gold.split,
                "content_hash": gold.content_hash,
                "examples": len(gold.examples),
                "repaired_gold": gold.repaired,
                "metrics": {gold.split: {info.task: figures}},
            }
        )
        return
    from labelkit.cli import render

    render.scores(shell.out, f"{gold.ref} ({info.task}, {gold.split}, {len(gold.examples):,} examples)", figures)
