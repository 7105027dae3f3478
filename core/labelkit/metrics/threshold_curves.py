"""Precision and recall of predicted labels above each threshold of their score, and the threshold of a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: the two figures that can be a target
TargetFigure = Literal["precision", "recall"]

MICRO, PER_TYPE = "micro", "per_type"
#: points of a curve; of one that has more, points at equal distances are kept
POINTS = 100
#: figures that are as close as this are equal but for rounding
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class ScoredLabels:
    """The predicted labels of a split, spans for tags: arrays of shape (predicted,).

    :param types: by id.
    :param type: the id of each.
    :param score: its score as records give it, rounded to 4 digits.
    :param right: whether it is a gold label.
    :param support: the gold labels of each type, of shape (types,).
    """

    types: Sequence[str]
    type: Ids
    score: Floats
    right: Bools
    support: Ids


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The scores of the labels whose score is at least ``threshold``; 0 where undefined."""

    threshold: float
    precision: float
    recall: float
    f1: float
    predicted: int
    correct: int


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """How many labels of a type reach each threshold.

    :param support: gold labels of the type.
    :param thresholds: falling, each the score of a label.
    :param tp: labels with at least this score that are right; ``fp``: that are wrong.
    """

    support: int
    thresholds: Sequence[float]
    tp: Sequence[int]
    fp: Sequence[int]

    def __post_init__(self) -> None:
        thresholds = np.array(self.thresholds, np.float64)
        counts = [np.array(each) for each in (self.tp, self.fp)]
        whole = all(each.dtype.kind in "iu" or not len(each) for each in counts) and isinstance(self.support, int)
        if not whole or not len(thresholds) == len(counts[0]) == len(counts[1]):
            raise ValueError("a curve has a whole number of right and of wrong labels for each threshold")
        if not ((thresholds >= 0) & (thresholds <= 1)).all() or (np.diff(thresholds) >= 0).any():
            raise ValueError("the thresholds of a curve fall, from 1 at most to 0 at least")
        if any((np.diff(each, prepend=0) < 0).any() for each in counts) or self.support < 0:
            raise ValueError("the counts of a curve never fall")

    @classmethod
    def of(cls, score: Floats, right: Bools, support: int, most: int = POINTS) -> Self:
        """Return the curve of the scores of predicted labels.

        :param right: which of them are right, of the same shape.
        :param support: the number of gold labels.
        :param most: points of the curve.
        """
        order = np.argsort(-score, kind="stable")
        ranked, correct = score[order], np.cumsum(right[order])
        last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.zeros(0, np.int64)
        if len(last) > most:
            last = last[np.linspace(0, len(last) - 1, most).round().astype(np.int64)]
        tp = correct[last]
        return cls(int(support), ranked[last].tolist(), tp.tolist(), (last + 1 - tp).tolist())

    @property
    def points(self) -> Iterator[CurvePoint]:
        """The points of the curve, the highest threshold first."""
        for threshold, tp, fp in zip(self.thresholds, self.tp, self.fp, strict=True):
            yield point(threshold, tp, fp, self.support)

    def reaching(self, figure: TargetFigure, value: float) -> CurvePoint | None:
        """Return the point where a figure reaches ``value`` and the other one is highest; None if it never does.

        A higher ``value`` gives the same point or one further along the curve: its threshold is never lower for
        precision, and never higher for recall.
        """
        found = [one for one in self.points if getattr(one, figure) >= value - _ROUNDING]
        if figure == "precision":
            return max(found, key=lambda one: (one.correct, -one.predicted), default=None)
        return max(found, key=lambda one: (one.precision, one.correct), default=None)

    def highest(self, figure: TargetFigure) -> float:
        """Return the highest value of a figure; 0 without points."""
        return max((getattr(one, figure) for one in self.points), default=0.0)


def point(threshold: float, tp: int, fp: int, support: int) -> CurvePoint:
    """Return the scores of a threshold by its counts."""
    precision, recall = (tp / total if total else 0.0 for total in (tp + fp, support))
    f1 = 2 * tp / (tp + fp + support) if tp else 0.0
    return CurvePoint(threshold, precision, recall, f1, tp + fp, tp)


@dataclass(frozen=True, slots=True)
class SplitCurves:
    """The curves of a split.

    :param micro: of all labels, at one threshold for all types.
    :param per_type: type → its curve, for the types that occur in gold or predicted labels.
    """

    micro: ThresholdCurve
    per_type: Mapping[str, ThresholdCurve]

    @classmethod
    def of(cls, labels: ScoredLabels) -> Self:
        """Return the curves of predicted labels."""
        order = np.argsort(labels.type, kind="stable")
        borders = np.searchsorted(labels.type[order], np.arange(len(labels.types) + 1))
        per_type = {}
        for index, type_ in enumerate(labels.types):
            own, support = order[borders[index] : borders[index + 1]], int(labels.support[index])
            if len(own) or support:
                per_type[type_] = ThresholdCurve.of(labels.score[own], labels.right[own], support)
        return cls(ThresholdCurve.of(labels.score, labels.right, int(labels.support.sum())), per_type)

    def to_json(self) -> dict[str, Any]:
        """Return the content for JSON."""
        return {MICRO: asdict(self.micro), PER_TYPE: {type_: asdict(one) for type_, one in self.per_type.items()}}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Return the curves of a JSON content.

        :raises ValueError: it is no content of curves, or its numbers are not those of curves.
        """
        try:
            per_type = {str(type_): ThresholdCurve(**one) for type_, one in content[PER_TYPE].items()}
            return cls(ThresholdCurve(**content[MICRO]), per_type)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"invalid precision-recall curve: {type(error).__name__}: {error}") from None


def scores_at(labels: ScoredLabels, thresholds: Floats) -> dict[str, Any]:
    """Return precision, recall and F1 of the labels whose score reaches the threshold of their type.

    :param thresholds: by type id: above 1 where all its labels are left out, NaN where all are kept.
    :returns: micro averages, and by type in ``per_type``; ``kept`` is the share of labels that are kept.
    """
    kept = ~(labels.score < thresholds[labels.type])
    size = len(labels.types)
    tp = np.bincount(labels.type[kept & labels.right], minlength=size).tolist()
    fp = np.bincount(labels.type[kept & ~labels.right], minlength=size).tolist()
    support = labels.support.tolist()
    counts = zip(labels.types, zip(tp, fp, support, strict=True), strict=True)
    per_type = {type_: _figures(*row) for type_, row in counts if any(row)}
    whole = _figures(sum(tp), sum(fp), sum(support))
    share = float(kept.mean()) if len(kept) else 1.0
    return {**whole, "kept": share, "average": MICRO, PER_TYPE: per_type}


def _figures(tp: int, fp: int, support: int) -> dict[str, Any]:
    found = point(0.0, tp, fp, support)
    return {"precision": found.precision, "recall": found.recall, "f1": found.f1, "support": support}
