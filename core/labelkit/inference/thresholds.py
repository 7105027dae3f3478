"""One threshold for each label: the probability from which on a text has it, tuned for the F1 of the label."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from labelkit.records import Schema

Floats = NDArray[np.float64]
#: the threshold of a label that cannot be tuned
DEFAULT = 0.5
#: F1 scores that are as close as this are equal but for rounding
_ROUNDING = 1e-12


def threshold_array(thresholds: Mapping[str, float], schema: Schema) -> Floats | None:
    """Return the thresholds in the order of the labels, 0.5 for a label without one; None for other schemas."""
    if not schema.multilabel:
        return None
    return np.array([thresholds.get(label, DEFAULT) for label in schema.label_names])


def tune_thresholds(values: NDArray[np.float32], gold: NDArray[np.bool_], schema: Schema) -> dict[str, float]:
    """Return label → the threshold of the highest F1; 0.5 for a label that no text has, or every text.

    :param values: log-probabilities, float32 of shape (texts, labels).
    :param gold: which labels each text has, of the same shape.
    """
    probabilities = np.exp(values.astype(np.float64))
    return {
        label: tune_threshold(probabilities[:, column], gold[:, column])
        for column, label in enumerate(schema.label_names)
    }


def tune_threshold(probabilities: Floats, gold: NDArray[np.bool_]) -> float:
    """Return the threshold of the highest F1, halfway between two probabilities; of equally good ones the most central.

    >>> tune_threshold(np.array([0.1, 0.2, 0.4, 0.9]), np.array([False, False, True, True]))
    0.3
    """
    if not gold.any() or gold.all():
        return DEFAULT
    order = np.argsort(-probabilities, kind="stable")
    ranked, right = probabilities[order], np.cumsum(gold[order])
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    f1 = 2 * right[last] / (last + 1 + gold.sum())
    below = np.append(ranked[1:], 0.0)[last]
    candidates = (ranked[last] + below) / 2
    # halfway may round to the lower one, where both are close
    candidates = np.where(candidates > below, candidates, ranked[last])
    best = np.flatnonzero(f1 >= f1.max() - _ROUNDING)
    return float(candidates[best[np.abs(candidates[best] - DEFAULT).argmin()]])
