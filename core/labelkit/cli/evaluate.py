"""``labelkit evaluate``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_context, reading_options
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.data.gold import Gold
    from labelkit.evaluate.label_mapping import LabelMap
    from labelkit.evaluate.leakage import Leakage
    from labelkit.label.labeller import Labeller
    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.records import Format, Metric
    from labelkit.registry import RunDetails

#: settings that say how data is read
HOW_READ = (
    *("path", "format", "scheme", "repair", "config", "quotes", "drop_overlaps", "max_labels"),
    *("plain_labels", "utf16", "unit"),
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command was given."""

    run: str
    data: str | None
    split: str | None
    columns: str | None
    encoding: str
    sets: tuple[str, ...]
    mapping: Path | None = None
    metrics: tuple[str, ...] = ()
    decoder: str | None = None
    to: str | None = None
    output: Path | None = None
    force: bool = False


@click.command()
@click.argument("run")
@click.option("--data", metavar="REF", help="Gold data; default the run's own.")
@click.option("--split", metavar="NAME", help="Which split; default test, else validation, else all there is.")
@click.option(
    "--map", "mapping", type=click.Path(path_type=Path), metavar="FILE", help="TOML: which label counts as which."
)
@click.option("--metric", "metrics", multiple=True, metavar="NAME|PATH", help="Score by this, too (repeatable).")
@click.option("--decoder", metavar="NAME", help="How scores become labels; default as the run chose.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the predictions to FILE.")
@click.option("--to", metavar="FORMAT", help="The format of FILE; default by its ending.")
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@reading_options
@command_options
def evaluate(shell: Shell, **given: Any) -> None:
    """Score the labeller of RUN on gold data, as its test split was scored.

    \b
    labelkit evaluate latest
    labelkit evaluate first-try --data new.conll --columns tokens=0,ner=1
    labelkit evaluate latest --data other.conll --map types.toml -o predictions.jsonl
    labelkit evaluate latest --decoder viterbi --metric seqeval-strict
    """
    from labelkit.evaluate import evaluation
    from labelkit.evaluate.label_mapping import LabelMap, read_label_map
    from labelkit.label.labeller import Labeller

    asked = Asked(**given)
    if asked.to is not None and asked.output is None:
        raise click.UsageError("--to is the format of the predictions: name a file for them with -o FILE")
    ready(shell, asked)
    labeller = Labeller.open(asked.run, shell.home, shell.catalog, decoder=asked.decoder)
    mapping = read_label_map(asked.mapping, labeller.info.schema) if asked.mapping else LabelMap()
    details = details_of(shell, labeller.info)
    writer = _writer(shell, asked, labeller.info.kind)
    metrics = metrics_of(shell, labeller, details, asked.metrics)
    gold = read(shell, asked, labeller, details, mapping)
    outcome = evaluation.evaluate(labeller, gold, metrics, mapping)
    if asked.decoder is not None:
        outcome.figures["decoder"] = asked.decoder  # recorded too: the run itself may have used another one
    seen = evaluation.seen(gold, details, shell.catalog, shell.environment, shell.home)
    if asked.output is not None and writer is not None:
        records = evaluation.predictions(labeller, gold, outcome)
        evaluation.write_predictions(asked.output, writer, records, force=asked.force)
    _record(shell, labeller.info, gold, outcome.figures, seen, asked.output)
    _print(shell, labeller.info, gold, outcome.figures, seen, asked)


def ready(shell: Shell, asked: Asked) -> None:
    """Refuse what can be refused before anything is loaded."""
    if asked.output is not None:
        from labelkit.label.job import refuse_existing

        refuse_existing(asked.output, force=asked.force)
        _writer(shell, asked, None)


def _writer(shell: Shell, asked: Asked, kind: Any) -> Format | None:
    if asked.output is None:
        return None
    from labelkit.formats.recognition import writer_for

    return writer_for(asked.output, shell.catalog.formats, asked.to, kind=kind)


def details_of(shell: Shell, info: CheckpointInfo) -> RunDetails | None:
    """Return what the registry knows of the run of a checkpoint; None for one from elsewhere."""
    from labelkit.errors import RegistryError
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        try:
            return registry.runs.get(info.run)
        except RegistryError:
            return None


def metrics_of(
    shell: Shell, labeller: Labeller, details: RunDetails | None, more: tuple[str, ...] = ()
) -> list[Metric]:
    """Return the metrics of a run, the one first that chose the checkpoint, and more ones: by name, or by path."""
    from labelkit.evaluate.recorded_data import run_metrics
    from labelkit.metrics.evaluate_modules import metric_at

    own = run_metrics(labeller.info.task, details, shell.catalog)
    known = [name for name in more if "/" not in name and not name.endswith(".py")]
    added = [shell.catalog.find("metric", name) for name in dict.fromkeys(known)]
    found = [*own, *(metric for metric in added if metric not in own)]
    if wrong := [metric for metric in found if metric.kind != labeller.info.kind]:
        raise LabelkitError(f"metric '{wrong[0].name}' is for kind {wrong[0].kind}, the labeller for the other one")
    return [*found, *(metric_at(Path(name), labeller.info.kind) for name in more if name not in known)]


def read(
    shell: Shell, asked: Asked, labeller: Labeller, details: RunDetails | None, mapping: LabelMap | None = None
) -> Gold:
    """Read the gold data that was asked for; by default the run's own."""
    from labelkit.data.gold import UnknownLabelsError, read_gold
    from labelkit.evaluate.recorded_data import gold_split, read_run_corpus

    info = labeller.info
    data, columns, encoding, sets = asked.data, asked.columns, asked.encoding, asked.sets
    if data is None:
        if details is not None and asked.split in {one.split for one in details.record.splits if one.carved}:
            return gold_split(
                read_run_corpus(details, shell.catalog, shell.environment, shell.home), details, asked.split
            )
        data, columns, encoding, sets = _own_data(shell, asked.run, columns, sets)
    ctx = reading_context(shell, columns, encoding, (f"data.splitter={info.splitter}", *sets))
    mapped = mapping is not None and (mapping.gold or mapping.predicted)
    try:
        return read_gold(
            data,
            asked.split,
            layer=info.layer,
            schema=mapping.schema(info.schema) if mapping and mapped else info.schema,
            catalog=shell.catalog,
            ctx=ctx,
            trained_on=asked.data is None,
            relabel=(lambda labels: mapping.relabel(labels, info.schema)) if mapping and mapped else None,
        )
    except UnknownLabelsError as error:
        if mapping is not None:
            line = f'{json.dumps(error.labels[0], ensure_ascii=False)} = "{error.known[0]}"'
            error.hint = f"{error.hint}; --map FILE, a TOML file with lines such as {line}, maps others"
        raise


def _own_data(
    shell: Shell, run: str, columns: str | None, sets: tuple[str, ...]
) -> tuple[str, str | None, str, tuple[str, ...]]:
    """Return the data reference of a recorded run, and how it was read."""
    if "/" in run or "\\" in run:
        raise LabelkitError("a checkpoint folder does not say which data to score", hint="add --data REF")
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        record = registry.runs.get(registry.runs.find(run, finished=True).id).record
    plan = {value.key: value.text for value in record.plan}
    kept = [f"data.{name}={plan[f'data.{name}']}" for name in HOW_READ if _is_set(plan.get(f"data.{name}"))]
    own = plan.get("data.columns")
    return record.data, columns or (own if _is_set(own) else None), plan.get("data.encoding", "utf-8"), (*kept, *sets)


def _is_set(text: str | None) -> bool:
    return text not in (None, json.dumps(None), json.dumps(False))


def _record(
    shell: Shell, info: CheckpointInfo, gold: Gold, figures: dict[str, Any], seen: Leakage, output: Path | None
) -> None:
    from labelkit.evaluate.recorded_data import record_scores

    facts: dict[str, Any] = {f"seen_{split}": number for split, number in seen.shared.items()}
    if seen.test_score is not None:
        facts["test_score"] = float(seen.test_score)
    if error := record_scores(info, gold, {**figures, **facts}, shell.home, predictions=output):
        shell.say(f"note: not recorded: {error.message}")


def _print(
    shell: Shell, info: CheckpointInfo, gold: Gold, figures: dict[str, Any], seen: Leakage, asked: Asked
) -> None:
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
                "test_score": seen.test_score,
                "seen": {**seen.shared, "examples": seen.either} if not seen.unknown else None,
                "output": str(asked.output) if asked.output else None,
                "metrics": {gold.split: {info.task: figures}},
            }
        )
    else:
        from labelkit.cli.score_display import print_scores

        title = f"{gold.ref} ({info.task}, {gold.split}, {len(gold.examples):,} examples)"
        print_scores(shell.out, title, figures)
    shell.say(seen.told if seen.test_score else f"note: {seen.told}")
    if asked.output and not shell.as_json:
        shell.say(f"{asked.output}: {len(gold.examples):,} predictions")
