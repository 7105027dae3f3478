"""Compare an ONNX model with the checkpoint that it was made of, on gold data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labelkit.records import Example, Metric

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller

#: precision → how much lower the deciding figure may be
THRESHOLDS = {"fp32": 0.001, "int8": 0.005}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """How an ONNX model does beside torch in fp32.

    :param torch: the figures of torch, and ``onnx`` those of the ONNX model.
    :param key: the figure that decides.
    :param same: words, or texts, that both give the same label; of ``words``.
    """

    torch: dict[str, Any]
    onnx: dict[str, Any]
    key: str
    higher_is_better: bool
    same: int
    words: int

    @property
    def difference(self) -> float:
        """The deciding figure of the ONNX model less that of torch."""
        return float(self.onnx[self.key]) - float(self.torch[self.key])

    @property
    def loss(self) -> float:
        """How much worse the ONNX model is in the deciding figure; below 0 where it is better."""
        return -self.difference if self.higher_is_better else self.difference

    @property
    def share(self) -> float:
        """The share of words, or texts, with the same label."""
        return self.same / self.words if self.words else 1.0

    def accepts(self, threshold: float) -> bool:
        """Return whether the loss is at most ``threshold``; what is not a number never is."""
        return self.loss <= threshold


def compare(torch: Labeller, onnx: Labeller, examples: Sequence[Example], metrics: Sequence[Metric]) -> Comparison:
    """Score both on gold examples and count the labels that are the same.

    :param torch: the labeller in fp32, and ``onnx`` the same one with the ONNX model.
    :param metrics: the deciding one first.
    :raises LabelkitError: a metric or the ONNX model failed.
    """
    plain = [replace(example, labels={}) for example in examples]
    same = words = 0
    for one, other in zip(torch.stream(plain), onnx.stream(plain), strict=True):
        pairs = list(zip(one.labels or (one.label,), other.labels or (other.label,), strict=True))
        same, words = same + sum(a == b for a, b in pairs), words + len(pairs)
    key = metrics[0]
    return Comparison(
        torch=torch.score(examples, metrics),
        onnx=onnx.score(examples, metrics),
        key=key.key,
        higher_is_better=key.higher_is_better,
        same=same,
        words=words,
    )
