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
    from labelkit.evaluation.train_mentions import TrainMentions
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
                f"the ONNX model was refused: its {self.comparison.key} is {self.comparison.loss:.4f} worse, "
                f"{self.threshold:g} is allowed",
                hint="allow more with --threshold X, or accept it with --force",
            )

    def accept_or_delete(self, folder: Path | None) -> None:
        """Make an accepted model usable for labelling, and copy it to ``folder``; delete one that is not accepted.

        :param folder: a new folder for the model with configuration, tokenizer and labels; None for no copy.
        """
        if not self.accepted:
            self.model.remove()
            return
        self.model.write_check({name: value for name, value in self.to_json().items() if name != "model"})
        if folder is None:
            return
        with new_folder(folder) as beside:
            copy_checkpoint(self.labeller.folder, beside, weights=False)
            for file in sorted(self.model.folder.iterdir()):
                # hidden files are leftovers of a killed command
                if file.is_file() and not file.name.startswith("."):
                    shutil.copyfile(file, beside / file.name)
            run_once(replace(self.model, folder=beside), self.labeller.encoding)


def export_labeller(
    labeller: Labeller,
    gold: Gold,
    metrics: Sequence[Metric],
    cache: Path,
    *,
    train: Sequence[Example] | None = None,
    threshold: float | None = None,
    force: bool = False,
    runtime: str | None = None,
    train_mentions: TrainMentions | None = None,
    say: Callable[[str], None],
) -> OnnxExport:
    """Export a labeller and compare the model with it; with int8 keep more layers in fp32 until it is accepted.

    :param labeller: on torch, in fp32.
    :param metrics: the deciding one first.
    :param train: examples of the training data, to calibrate an int8 model; None for a model in fp32.
    :param threshold: the largest accepted loss; None for that of :data:`THRESHOLDS`.
    :param force: accept any loss.
    :param runtime: that computes in the comparison; None: OpenVINO for int8 where it is installed, else ONNX Runtime.
    :param train_mentions: see :func:`labelkit.evaluation.train_mentions.train_mentions`.
    :raises LabelkitError: if the model cannot be exported, or a metric fails.
    """
    precision = "fp32" if train is None else "int8"
    runtime = runtime or ("openvino" if precision == "int8" and openvino_installed() else "onnx")
    limit = THRESHOLDS[precision] if threshold is None else threshold
    written = find_model(labeller.folder, precision, cache) is None
    chosen = [replace(one, labels={}) for one in (train or ())[:: max(1, len(train or ()) // EXAMPLES)]]
    calibration = labeller.prepare(chosen).encoded.windows
    last = len(FP32_LEVELS) - 1 if precision == "int8" and not force else 0
    for level in range(last + 1):
        model = export_model(
            labeller.engine, labeller.folder, precision, cache, fp32_level=level, calibration=calibration
        )
        other = labeller.with_onnx_model(model, runtime)
        result = compare(labeller, other, gold.examples, metrics, train_mentions)
        if result.accepts(limit) or level == last:
            break
        layers = ", ".join(FP32_LEVELS[: level + 2])
        say(f"{result.key} is {result.loss:.4f} worse with int8: exporting again with {layers} in fp32")
        model.remove()
    found: dict[str, Any] = {"gold": gold, "comparison": result, "engine": f"{runtime}-{precision}", "threshold": limit}
    return OnnxExport(labeller=labeller, model=model, forced=force, written=written, **found)


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
