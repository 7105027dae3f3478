"""The area under the ROC curve, for one sample of texts or for many bootstrap samples at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelkit.records import Predictions

Floats = NDArray[np.float64]
#: most weights (samples × texts) in memory at once
BLOCK = 1 << 22


def roc_auc(predictions: Predictions) -> float | None:
    """Return the macro-averaged one-vs-rest ROC AUC over the classes that occur.

    :return: None where it is undefined: without scores, or with fewer than two gold classes.
    """
    if predictions.scores is None:
        return None
    value = float(weighted_roc_auc(predictions, np.ones((1, len(predictions.references))))[0])
    return None if np.isnan(value) else value


def weighted_roc_auc(predictions: Predictions, weights: Floats) -> Floats:
    """Return the ROC AUC of each bootstrap sample, float64 of shape (samples,); NaN where it is undefined.

    :param weights: how often each text is in each sample, of shape (samples, texts).
    """
    assert predictions.scores is not None
    labels = list(predictions.schema.label_names)
    gold = np.array([labels.index(str(label)) for label in predictions.references], np.int64)
    present = np.unique(gold).tolist()
    if len(present) < 2:
        return np.full(len(weights), np.nan)
    # of two classes, either gives the same area
    classes = [1] if len(labels) == 2 else present
    areas = np.stack([
        binary_roc_auc(gold == label, predictions.scores[:, label].astype(np.float64), weights) for label in classes
    ])  # fmt: skip
    defined = ~np.isnan(areas)
    total = defined.sum(axis=0)
    return np.where(total > 0, np.where(defined, areas, 0).sum(axis=0) / np.maximum(total, 1), np.nan)


def binary_roc_auc(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """Return the share of pairs of a positive and a negative text that the scores rank correctly; ties count half.

    :param weights: how often each text is in each sample, of shape (samples, texts).
    """
    order = np.argsort(scores, kind="stable")
    ranked, positive = scores[order], positive[order]
    ties = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    block = max(1, BLOCK // max(1, weights.shape[1]))
    areas: list[Floats] = []
    for start in range(0, len(weights), block):
        part = weights[start : start + block, order]
        positives = np.add.reduceat(part * positive, ties, axis=1)
        negatives = np.add.reduceat(part * ~positive, ties, axis=1)
        lower = np.cumsum(negatives, axis=1) - negatives
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        correct = (positives * (lower + negatives / 2)).sum(axis=1)
        areas.append(np.divide(correct, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
    return np.concatenate(areas)
