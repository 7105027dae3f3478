"""The area under the ROC curve, for one sample of texts or for many resamples at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from labelkit.records import Predictions

Floats = NDArray[np.float64]
#: weights that are held at once: resamples × texts
BLOCK = 1 << 22


def roc_auc(predictions: Predictions) -> float | None:
    """Return the area under the curve of the classes, each against the rest, the mean over those that occur.

    :return: None where it does not apply: no scores are known, or fewer than two classes occur.
    """
    if predictions.scores is None:
        return None
    value = float(weighted_roc_auc(predictions, np.ones((1, len(predictions.references))))[0])
    return None if np.isnan(value) else value


def weighted_roc_auc(predictions: Predictions, weights: Floats) -> Floats:
    """Return the area for each row of ``weights``, which say how often each text counts; NaN where it is undefined.

    :param weights: of shape (samples, texts).
    """
    assert predictions.scores is not None
    labels = list(predictions.schema.label_names)
    gold = np.array([labels.index(str(label)) for label in predictions.references], np.int64)
    present = np.unique(gold).tolist()
    if len(present) < 2:
        return np.full(len(weights), np.nan)
    # of two classes the one is the mirror of the other
    asked = [1] if len(labels) == 2 else present
    each = [area(gold == label, predictions.scores[:, label].astype(np.float64), weights) for label in asked]
    with np.errstate(invalid="ignore"):
        stacked = np.stack(each)
        known = ~np.isnan(stacked)
        total = known.sum(axis=0)
        return np.where(total > 0, np.where(known, stacked, 0).sum(axis=0) / np.maximum(total, 1), np.nan)


def area(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """Return the share of pairs of a positive and a negative text that the scores put in order, equal ones half.

    :param weights: of shape (samples, texts).
    """
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    groups = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    parts = [_area(positive[order], groups, block[:, order]) for block in _blocks(weights)]
    return np.concatenate(parts)


def _blocks(weights: Floats) -> Iterator[Floats]:
    rows = max(1, BLOCK // max(1, weights.shape[1]))
    return (weights[start : start + rows] for start in range(0, len(weights), rows))


def _area(positive: NDArray[np.bool_], groups: NDArray[np.int64], weights: Floats) -> Floats:
    above = np.add.reduceat(weights * positive, groups, axis=1)
    below = np.add.reduceat(weights * ~positive, groups, axis=1)
    lower = np.cumsum(below, axis=1) - below
    pairs = above.sum(axis=1) * below.sum(axis=1)
    found: Floats = np.divide(
        (above * (lower + below / 2)).sum(axis=1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0
    )
    return found
