"""Average precision: the area under the curve of precision against recall, for one sample or for many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
#: most weights (samples × texts) in memory at once
BLOCK = 1 << 22


def average_precisions(gold: Bools, scores: NDArray[np.float32]) -> dict[int, float]:
    """Return column → average precision, of the labels that a text has.

    :param gold: which labels each text has, of shape (texts, labels).
    :param scores: of the same shape; only their order counts.
    """
    alone = np.ones((1, len(gold)))
    return {
        column: float(average_precision(gold[:, column], scores[:, column], alone)[0])
        for column in np.flatnonzero(gold.any(axis=0)).tolist()
    }


def mean_average_precision(gold: Bools, scores: NDArray[np.float32], weights: Floats) -> Floats:
    """Return the mean of the average precisions of labels in each sample, float64 of shape (samples,).

    :param weights: how often each text is in each sample, of shape (samples, texts).
    """
    areas = [
        average_precision(gold[:, column], scores[:, column], weights) for column in np.flatnonzero(gold.any(axis=0))
    ]
    if not areas:
        return np.full(len(weights), np.nan)
    found = np.stack(areas)
    defined = ~np.isnan(found)
    total = defined.sum(axis=0)
    return np.where(total > 0, np.where(defined, found, 0).sum(axis=0) / np.maximum(total, 1), np.nan)


def average_precision(positive: Bools, scores: NDArray[np.float32], weights: Floats) -> Floats:
    """Return the sum of the precisions at each score, weighted by the recall that is gained there.

    Computed in the order of scikit-learn, so that its scores are equal to the last digit.

    :param weights: how often each text is in each sample, of shape (samples, texts).
    :returns: float64 of shape (samples,); NaN for a sample without positive texts.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    ranked, positive = scores[order], positive[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    block = max(1, BLOCK // max(1, weights.shape[1]))
    areas: list[Floats] = []
    for start in range(0, len(weights), block):
        part = weights[start : start + block, order]
        right = np.cumsum(part * positive, axis=1)[:, last]
        taken = right + np.cumsum(part * ~positive, axis=1)[:, last]
        precision = np.divide(right, taken, out=np.zeros_like(right), where=taken > 0)
        total = right[:, -1:]
        recall = np.divide(right, total, out=np.full_like(right, np.nan), where=total > 0)
        gained = np.diff(recall, axis=1, prepend=0.0)
        areas.append((gained * precision)[:, ::-1].sum(axis=1))
    return np.concatenate(areas)
