"""``labelkit onnx``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_context, reading_options
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.data.gold import Gold
    from labelkit.encode.alignment import Window
    from labelkit.inference.onnx.comparison import OnnxComparison
    from labelkit.inference.onnx.export import OnnxModel
    from labelkit.label.labeller import Labeller
    from labelkit.records import Example, LoadContext, Metric
    from labelkit.registry import RunDetails

#: examples of train from which int8 takes its text
EXAMPLES = 2000
#: what of a checkpoint goes with a model that is copied out
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the command was given."""

    run: str
    int8: bool
    threshold: float | None
    force: bool
    output: Path | None
    data: str | None
    split: str | None
    columns: str | None
    encoding: str
    sets: tuple[str, ...]

    @property
    def precision(self) -> str:
        return "int8" if self.int8 else "fp32"

    @property
    def runtime(self) -> str:
        """What the model is compared with torch in: int8 where it is quickest."""
        from labelkit.inference.onnx.export import openvino_installed

        return "openvino" if self.int8 and openvino_installed() else "onnx"

    @property
    def engine(self) -> str:
        return f"{self.runtime}-{self.precision}"

    @property
    def limit(self) -> float:
        from labelkit.inference.onnx.comparison import THRESHOLDS

        return THRESHOLDS[self.precision] if self.threshold is None else self.threshold


@click.command()
@click.argument("run")
@click.option("--int8", is_flag=True, help="In 8-bit integers: quicker, a little less exact.")
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    metavar="X",
    help="How much lower the score may be than torch's; default 0.001, with --int8 0.005.",
)
@click.option("--force", is_flag=True, help="Keep the model whatever its score is.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Copy the model to FOLDER.")
@click.option("--data", metavar="REF", help="Gold data to compare on; default the run's own validation data.")
@click.option("--split", metavar="NAME", help="Which split of REF; default validation.")
@reading_options
@command_options
def onnx(shell: Shell, **given: Any) -> None:
    """Write the labeller of RUN as an ONNX model, score it beside torch, and keep it if it is as good.

    \b
    labelkit onnx latest --int8
    labelkit label latest mails/ -o labelled.jsonl --engine openvino-int8
    """
    from labelkit.inference.onnx.export import find_model, require_runtime
    from labelkit.label.labeller import Labeller

    asked = _Asked(**given)
    require_runtime()
    if asked.output is not None and asked.output.exists():
        raise LabelkitError(f"{asked.output} exists already", hint="name another folder")
    details = _details(shell, asked.run)
    labeller = Labeller.open(asked.run, shell.home, shell.catalog, engine="torch")
    gold, text = _gold(shell, asked, labeller, details)
    found = find_model(labeller.folder, asked.precision, shell.home.cache) is not None
    some = [replace(one, labels={}) for one in text[:: max(1, len(text) // EXAMPLES)]] if asked.int8 else []
    compared = _Compared(gold, labeller.prepare(some).encoded.windows, _metrics(shell, labeller, details))
    model, result = _good_enough(shell, asked, labeller, compared)
    document = _document(asked, labeller, model, gold, result) | {"written": not found}
    _record(shell, labeller, gold, document)
    accepted = document["accepted"]
    if accepted:
        model.write_check({name: value for name, value in document.items() if name != "model"})
        if asked.output is not None:
            _copy(model, labeller.folder, asked.output)
    else:
        model.remove()
    if shell.as_json:
        shell.json(document)
    else:
        _print(shell, document, model, asked)
    if not accepted:
        raise LabelkitError(
            f"the ONNX model was refused: its {result.key} is {result.loss:.4f} worse, {asked.limit:g} is allowed",
            hint="allow more with --threshold X, or keep it with --force",
        )


@dataclass(frozen=True)
class _Compared:
    """What int8 is made by, and what a model is judged by.

    :param windows: of text that int8 learns the ranges of activations from.
    :param metrics: the deciding one first.
    """

    gold: Gold
    windows: Sequence[Window]
    metrics: list[Metric]


def _good_enough(shell: Shell, asked: _Asked, labeller: Labeller, by: _Compared) -> tuple[OnnxModel, OnnxComparison]:
    """Write the model and compare it; with int8 spare more until the score is good enough, or all was tried."""
    from labelkit.inference.onnx.comparison import compare
    from labelkit.inference.onnx.export import export_model
    from labelkit.inference.onnx.quantization import FP32_LEVELS

    last = len(FP32_LEVELS) - 1 if asked.int8 and not asked.force else 0
    for spared in range(last + 1):
        model = export_model(
            labeller.engine,
            labeller.folder,
            asked.precision,
            shell.home.cache,
            fp32_level=spared,
            calibration=by.windows,
        )
        result = compare(labeller, labeller.with_onnx_model(model, asked.runtime), by.gold.examples, by.metrics)
        if result.accepts(asked.limit) or spared == last:
            break
        kept = ", ".join(FP32_LEVELS[: spared + 2])
        shell.say(f"{result.key} is {result.loss:.4f} worse with int8: once more without int8 in {kept}")
        model.remove()
    return model, result


def _details(shell: Shell, run: str) -> RunDetails | None:
    """Return what the registry knows of the run; None for a checkpoint folder."""
    if "/" in run or "\\" in run:
        return None
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        return registry.runs.get(registry.runs.find(run, finished=True).id)


def _metrics(shell: Shell, labeller: Labeller, details: RunDetails | None) -> list[Metric]:
    """Return the task's metrics, the one first that chose the checkpoint."""
    names = shell.catalog.find("task", labeller.info.task).metrics
    first = details.record.metric if details else names[0]
    return [shell.catalog.find("metric", name) for name in dict.fromkeys((first, *names))]


def _gold(
    shell: Shell, asked: _Asked, labeller: Labeller, details: RunDetails | None
) -> tuple[Gold, Sequence[Example]]:
    """Return what is scored, and examples of what the labeller learned from."""
    if asked.data is not None:
        return _other_gold(shell, asked, asked.data, labeller)
    if details is None:
        raise LabelkitError("a checkpoint folder does not say which data to compare on", hint="add --data REF")
    try:
        return _own_gold(shell, details)
    except LabelkitError as error:
        raise LabelkitError(
            f"the validation data of '{details.record.id}' cannot be read: {error.message}",
            hint="give gold data: --data REF",
        ) from error


def _own_gold(shell: Shell, details: RunDetails) -> tuple[Gold, Sequence[Example]]:
    """Read the run's validation split by its plan, carved from train as it was, and its train split."""
    from labelkit.config.plan import make_plan
    from labelkit.data.gold import Gold
    from labelkit.train.preparation import load_context, read_corpus
    from labelkit.train.resumption import recorded_request

    plan = make_plan(recorded_request(details), shell.catalog)
    corpus = read_corpus(plan, shell.catalog, load_context(plan, shell.environment, shell.home.cache))
    split = corpus.splits["validation"]
    if split.content_hash not in {one.content_hash for one in details.record.splits if one.split == "validation"}:
        raise LabelkitError("it has changed since the run")
    # the labeller applies the preprocessors itself
    examples, train = (
        [replace(example, surface=None) for example in corpus.splits[name].examples] for name in ("validation", "train")
    )
    gold = Gold(split="validation", examples=examples, ref=split.ref, content_hash=split.content_hash)
    return gold, train


def _other_gold(shell: Shell, asked: _Asked, data: str, labeller: Labeller) -> tuple[Gold, Sequence[Example]]:
    """Read a split of other data, and its train split where it has one."""
    info = labeller.info
    ctx = reading_context(shell, asked.columns, asked.encoding, (f"data.splitter={info.splitter}", *asked.sets))
    gold = _read(shell, labeller, data, asked.split or "validation", ctx)
    if not asked.int8:
        return gold, ()
    try:
        return gold, _read(shell, labeller, data, "train", ctx).examples
    except LabelkitError:
        return gold, gold.examples


def _read(shell: Shell, labeller: Labeller, data: str, split: str, ctx: LoadContext) -> Gold:
    from labelkit.data.gold import read_gold

    info = labeller.info
    return read_gold(data, split, layer=info.layer, schema=info.schema, catalog=shell.catalog, ctx=ctx)


def _document(
    asked: _Asked, labeller: Labeller, model: OnnxModel, gold: Gold, result: OnnxComparison
) -> dict[str, Any]:
    return {
        "run": labeller.info.run,
        "task": labeller.info.task,
        "engine": asked.engine,
        "model": str(model.path),
        "size": model.size,
        "data": gold.ref,
        "split": gold.split,
        "content_hash": gold.content_hash,
        "examples": len(gold.examples),
        "words": result.words,
        "same": result.same,
        "same_share": result.share,
        "metric": result.key,
        "difference": result.difference,
        "threshold": asked.limit,
        "accepted": asked.force or result.accepts(asked.limit),
        "forced": asked.force,
        "metrics": {"torch-fp32": result.torch, asked.engine: result.onnx},
    }


def _record(shell: Shell, labeller: Labeller, gold: Gold, document: dict[str, Any]) -> None:
    """Put the scores and the difference beside the run, where the registry knows it and can be written."""
    from labelkit.registry import Registry

    info, engine = labeller.info, document["engine"]
    facts = {
        "difference": document["difference"],
        "same_share": document["same_share"],
        "accepted": float(document["accepted"]),
    }
    try:
        with Registry.open(shell.home, create=False) as registry:
            registry.recorder.log_evaluation(
                info.run,
                task=info.task,
                ref=f"{gold.ref} ({engine})",
                split=gold.split,
                content_hash=gold.content_hash,
                examples=len(gold.examples),
                metrics={**document["metrics"][engine], **facts},
                source="onnx",
            )
    except LabelkitError as error:
        shell.say(f"note: not recorded: {error.message}")


def _copy(model: OnnxModel, checkpoint: Path, target: Path) -> None:
    """Copy the model with what is needed to use it: configuration, tokenizer and labels."""
    import shutil

    from labelkit.files.atomic import new_folder

    weights = {file for pattern in _WEIGHTS for file in checkpoint.glob(pattern)}
    with new_folder(target) as beside:
        for file in (*sorted(set(checkpoint.iterdir()) - weights), *sorted(model.folder.iterdir())):
            if file.is_file():
                shutil.copyfile(file, beside / file.name)


def _print(shell: Shell, document: dict[str, Any], model: OnnxModel, asked: _Asked) -> None:
    from labelkit.console.text import literal

    key, engine = document["metric"], document["engine"]
    before, after = (document["metrics"][name][key] for name in ("torch-fp32", engine))
    units = "words" if document["words"] != document["examples"] else "examples"
    lines = [
        f"{engine}: {document['size'] / 1e6:,.1f} MB, {'written' if document['written'] else 'was there already'}",
        f"{document['data']} ({document['split']}, {document['examples']:,} examples)",
        f"{key} {after:.4f}, torch-fp32 {before:.4f}, difference {document['difference']:+.4f}",
        f"the same label on {document['same']:,} of {document['words']:,} {units} ({document['same_share']:.3%})",
    ]
    if document["accepted"]:
        lines.append(f"model: {asked.output / model.path.name if asked.output else model.path}")
    for line in lines:
        click.echo(literal(line))
