"""Compare an ONNX model with the checkpoint that it was exported from, on gold data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labelkit.records import Example, Metric

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller

#: precision → the largest accepted loss in the deciding metric
THRESHOLDS = {"fp32": 0.001, "int8": 0.005}


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


def compare(torch: Labeller, onnx: Labeller, examples: Sequence[Example], metrics: Sequence[Metric]) -> OnnxComparison:
    """Score both labellers on gold examples and count the equal labels.

    :param torch: the labeller in fp32.
    :param onnx: the same labeller with the ONNX model.
    :param metrics: the deciding one first.
    :raises LabelkitError: if a metric or the ONNX model fails.
    """
    plain = [replace(example, labels={}) for example in examples]
    same = words = 0
    for one, other in zip(torch.stream(plain), onnx.stream(plain), strict=True):
        pairs = list(zip(one.labels or (one.label,), other.labels or (other.label,), strict=True))
        same, words = same + sum(a == b for a, b in pairs), words + len(pairs)
    key = metrics[0]
    return OnnxComparison(
        torch=torch.score(examples, metrics),
        onnx=onnx.score(examples, metrics),
        key=key.key,
        higher_is_better=key.higher_is_better,
        same=same,
        words=words,
    )
