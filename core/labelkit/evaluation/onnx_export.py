"""Export a labeller to ONNX, compare the model with torch on gold data, and accept or delete it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.data.gold import Gold, read_gold
from labelkit.errors import LabelkitError
from labelkit.evaluation.recorded_data import gold_split, read_run_corpus, record_scores, without_surfaces
from labelkit.files.atomic import new_folder
from labelkit.inference.onnx.export import OnnxModel, export_model, find_model, openvino_installed, run_once
from labelkit.inference.onnx.quantization import FP32_LEVELS
from labelkit.models.checkpoint_files import copy_checkpoint
from labelkit.records import Example, LoadContext, Metric

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.encode.alignment import Window
    from labelkit.evaluation.train_mentions import TrainMentions
    from labelkit.inference.engine import Engine
    from labelkit.label.labeller import Labeller
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails

#: precision → the largest accepted loss in the deciding metric
THRESHOLDS = {"fp32": 0.001, "int8": 0.005}
#: examples of calibration data
EXAMPLES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxComparison:
    """Scores of an ONNX model and of torch in fp32.

    :param torch: scores of torch.
    :param onnx: scores of the ONNX model.
    :param key: the deciding metric.
    :param same: number of words (or texts) that both predict the same label for.
    :param words: number of all words (or texts).
    """

    torch: dict[str, Any]
    onnx: dict[str, Any]
    key: str
    higher_is_better: bool
    same: int
    words: int

    @property
    def difference(self) -> float:
        """The deciding metric of the ONNX model minus that of torch."""
        return float(self.onnx[self.key]) - float(self.torch[self.key])

    @property
    def loss(self) -> float:
        """The loss in the deciding metric; negative if the ONNX model is better."""
        return -self.difference if self.higher_is_better else self.difference

    @property
    def share(self) -> float:
        """The fraction of words (or texts) with the same label."""
        return self.same / self.words if self.words else 1.0

    def accepts(self, threshold: float) -> bool:
        """Return whether the loss is at most ``threshold``; False for NaN."""
        return self.loss <= threshold


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxExport:
    """An exported model, and the comparison that decides whether it is accepted.

    :param engine: the engine of the comparison, such as ``onnx-fp32``.
    :param threshold: the largest accepted loss.
    :param forced: accept any loss.
    :param written: whether it was exported now; else it was in the cache.
    """

    labeller: Labeller
    model: OnnxModel
    gold: Gold
    comparison: OnnxComparison
    engine: str
    threshold: float
    forced: bool
    written: bool

    @property
    def accepted(self) -> bool:
        """Whether the model may be used."""
        return self.forced or self.comparison.accepts(self.threshold)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as a JSON document."""
        info, result = self.labeller.info, self.comparison
        return {
            "run": info.run,
            "task": info.task,
            "engine": self.engine,
            "model": str(self.model.path),
            "size": self.model.size,
            "data": self.gold.ref,
            "split": self.gold.split,
            "content_hash": self.gold.content_hash,
            "examples": len(self.gold.examples),
            "words": result.words,
            "same": result.same,
            "same_share": result.share,
            "metric": result.key,
            "difference": result.difference,
            "threshold": self.threshold,
            "accepted": self.accepted,
            "forced": self.forced,
            "metrics": {"torch-fp32": result.torch, self.engine: result.onnx},
            "written": self.written,
        }

    def record(self, home: Home) -> LabelkitError | None:
        """Record the scores with the run; return the error if they cannot be recorded."""
        result = self.comparison
        facts = {"difference": result.difference, "same_share": result.share, "accepted": float(self.accepted)}
        gold = replace(self.gold, ref=f"{self.gold.ref} ({self.engine})")
        return record_scores(self.labeller.info, gold, {**result.onnx, **facts}, home, source="onnx")

    def check_accepted(self) -> None:
        """Raise if the model was not accepted.

        :raises LabelkitError: it was not.
        """
        if not self.accepted:
            raise LabelkitError(
                f"the ONNX model was refused: its {self.comparison.key} is {self.comparison.loss:.4f} worse"
                f"{f' for {self.labeller.info.task!r}' if self.model.columns else ''}, {self.threshold:g} is allowed",
                hint="allow more with --threshold X, or accept it with --force",
            )


def document_of(exports: Sequence[OnnxExport]) -> dict[str, Any]:
    """Return the comparison of an exported model as a JSON document.

    Of several tasks it has those of each in ``tasks``, beside the fields of the first one; all must be accepted.

    :param exports: one for each task.
    """
    first = exports[0].to_json()
    if len(exports) == 1:
        return first
    tasks = {one.labeller.info.task: one.to_json() for one in exports}
    return {**first, "accepted": all(one.accepted for one in exports), "tasks": tasks}


def accept_or_delete(exports: Sequence[OnnxExport], folder: Path | None) -> None:
    """Make a model usable for labelling that all tasks accept, and copy it to ``folder``; delete any other.

    :param exports: one for each task.
    :param folder: a new folder for the model with configuration, tokenizer and labels; None for no copy.
    """
    first = exports[0]
    if not all(one.accepted for one in exports):
        first.model.remove()
        return
    first.model.write_check({name: value for name, value in document_of(exports).items() if name != "model"})
    if folder is None:
        return
    with new_folder(folder) as beside:
        copy_checkpoint(first.labeller.folder, beside, weights=False)
        for file in sorted(first.model.folder.iterdir()):
            # hidden files are leftovers of a killed command
            if file.is_file() and not file.name.startswith("."):
                shutil.copyfile(file, beside / file.name)
        run_once(replace(first.model, folder=beside), first.labeller.encoding)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedTask:
    """A task of an exported model, and the data that the model is compared with torch on.

    :param labeller: of the task, on torch, in fp32.
    :param metrics: the deciding one first.
    :param train: examples of the training data, to calibrate an int8 model.
    :param train_mentions: see :func:`labelkit.evaluation.train_mentions.train_mentions`.
    """

    labeller: Labeller
    gold: Gold
    metrics: Sequence[Metric]
    train: Sequence[Example] = ()
    train_mentions: TrainMentions | None = None

    def calibration(self) -> list[Window]:
        """Return the windows of some examples of the training data."""
        chosen = [replace(one, labels={}) for one in self.train[:: max(1, len(self.train) // EXAMPLES)]]
        return list(self.labeller.prepare(chosen).encoded.windows)

    def compared(self, model: OnnxModel, runtime: str, **options: Any) -> OnnxExport:
        """Return the comparison of an exported model with torch.

        :param model: of the task, or of all tasks.
        :param options: further fields of the comparison.
        """
        view = model.of_tasks([self.labeller.info.task]) if model.tasks else model
        other = self.labeller.with_onnx_model(view, runtime)
        found = compare(self.labeller, other, self.gold.examples, self.metrics, self.train_mentions)
        return OnnxExport(labeller=self.labeller, model=view, gold=self.gold, comparison=found, **options)


def export_labeller(
    tasks: Sequence[ComparedTask],
    engines: Sequence[Engine],
    cache: Path,
    *,
    int8: bool,
    threshold: float | None = None,
    force: bool = False,
    runtime: str | None = None,
    say: Callable[[str], None],
) -> list[OnnxExport]:
    """Export a labeller and compare each task with it; with int8 keep more layers in fp32 until all are accepted.

    :param engines: the labeller's, on torch, in fp32: one, or of several tasks one for each group.
    :param int8: export a model in int8, calibrated on the training data, in place of fp32.
    :param threshold: the largest accepted loss; None for that of :data:`THRESHOLDS`.
    :param force: accept any loss.
    :param runtime: that computes in the comparison; None: OpenVINO for int8 where it is installed, else ONNX Runtime.
    :raises LabelkitError: if the model cannot be exported, or a metric fails.
    """
    precision = "int8" if int8 else "fp32"
    runtime = runtime or ("openvino" if int8 and openvino_installed() else "onnx")
    limit = THRESHOLDS[precision] if threshold is None else threshold
    folder, joint = tasks[0].labeller.folder, bool(engines[0].joined)
    written = find_model(folder, precision, cache, joint=joint) is None
    calibration = [window for one in tasks for window in one.calibration()] if int8 else []
    last = len(FP32_LEVELS) - 1 if int8 and not force else 0
    found: list[OnnxExport] = []
    for level in range(last + 1):
        model = export_model(
            engines[0], folder, precision, cache, fp32_level=level, calibration=calibration, further=engines[1:]
        )
        options: dict[str, Any] = {"engine": f"{runtime}-{precision}", "threshold": limit, "forced": force}
        found = [one.compared(model, runtime, written=written, **options) for one in tasks]
        worse = next((one for one in found if not one.comparison.accepts(limit)), None)
        if worse is None or level == last:
            break
        layers, result = ", ".join(FP32_LEVELS[: level + 2]), worse.comparison
        task = f" for '{worse.labeller.info.task}'" if joint else ""
        say(f"{result.key} is {result.loss:.4f} worse with int8{task}: exporting again with {layers} in fp32")
        model.remove()
    return found


def compare(
    torch: Labeller,
    onnx: Labeller,
    examples: Sequence[Example],
    metrics: Sequence[Metric],
    train_mentions: TrainMentions | None = None,
) -> OnnxComparison:
    """Score both labellers on gold examples and count the equal labels.

    :param torch: the labeller in fp32.
    :param onnx: the same labeller with the ONNX model.
    :param metrics: the deciding one first.
    :raises LabelkitError: if a metric or the ONNX model fails.
    """
    unlabelled = [replace(example, labels={}) for example in examples]
    same = words = 0
    for one, other in zip(torch.stream(unlabelled), onnx.stream(unlabelled), strict=True):
        whole_text = [(one.labels or one.label, other.labels or other.label)]
        pairs = whole_text if one.words is None else list(zip(one.labels or (), other.labels or (), strict=True))
        same, words = same + sum(a == b for a, b in pairs), words + len(pairs)
    return OnnxComparison(
        torch=torch.score(examples, metrics, train_mentions),
        onnx=onnx.score(examples, metrics, train_mentions),
        key=metrics[0].key,
        higher_is_better=metrics[0].higher_is_better,
        same=same,
        words=words,
    )


def read_recorded_splits(
    details: RunDetails, catalog: Catalog, environment: Environment, home: Home
) -> tuple[Gold, Sequence[Example]]:
    """Return the validation split of a run, and the examples of its train split.

    :raises LabelkitError: if the data cannot be read, or has changed.
    """
    try:
        corpus = read_run_corpus(details, catalog, environment, home)
    except LabelkitError as error:
        raise LabelkitError(
            f"the validation data of '{details.record.id}' cannot be read: {error.message}",
            hint="give gold data: --data REF",
        ) from error
    return gold_split(corpus, details, "validation"), without_surfaces(corpus.splits["train"].examples)


def read_splits(
    reference: str, split: str, labeller: Labeller, catalog: Catalog, ctx: LoadContext, *, train: bool
) -> tuple[Gold, Sequence[Example]]:
    """Return a split of other data, and the examples of its train split.

    :param train: whether to read the train split; without one the examples are those of ``split``.
    :raises LabelkitError: if the data cannot be read.
    """
    info = labeller.info

    def read(name: str) -> Gold:
        return read_gold(reference, name, layer=info.layer, schema=info.schema, catalog=catalog, ctx=ctx)

    gold = read(split)
    try:
        return gold, read("train").examples if train else ()
    except LabelkitError:
        return gold, gold.examples
