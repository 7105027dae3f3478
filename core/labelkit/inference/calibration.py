"""Scores that mean something: of the labels scored 0.9 nine in ten should be right.

One temperature per checkpoint, by which log-probabilities are divided before they are normalised anew. It changes no
label: within a word the order of the labels stays, and the best labels of a sentence stay the best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

#: the lowest and the highest temperature that is ever fitted
COLDEST, HOTTEST = 0.05, 20.0
#: equally wide ranges of confidence that the calibration error is taken over
BINS = 15
#: words that are computed with at once
BLOCK = 1 << 16


def apply_temperature(values: Floats, temperature: float) -> Floats:
    """Return the log-probabilities at ``temperature``; above 1 they are less sure of themselves, below 1 more.

    :param values: log-probabilities, float32 of shape (words, labels).
    """
    if temperature == 1 or not len(values):
        return values
    scaled = values / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return scaled


def calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error: the mean gap between confidence and the share of right ones.

    The gap is that of :data:`BINS` equally wide ranges of confidence, each counted by the words in it.

    :param confidence: the probability of each word's label, of shape (words,).
    :param right: whether it is the gold label, of shape (words,).
    :returns: between 0 and 1; 0 without words, not a number where a confidence is none.
    """
    if not len(right) or not np.isfinite(confidence).all():
        return 0.0 if not len(right) else float("nan")
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(place, weights=confidence.astype(np.float64) - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


def fit_temperature(values: Floats, gold: Ids) -> float:
    """Return the temperature at which gold labels are likeliest, between :data:`COLDEST` and :data:`HOTTEST`.

    One label in as many as there are words is taken for wrong, as in Platt's scaling: else a few words that are all
    right would make every score a 1. Found by Newton's method, kept within bounds: the likelihood is concave in
    1 / temperature.

    :param values: log-probabilities, float32 of shape (words, labels).
    :param gold: label ids, of shape (words,).
    """
    if not len(gold):
        return 1.0
    low, high, inverse = 1 / HOTTEST, 1 / COLDEST, 1.0
    for _ in range(60):
        slope, curve = _slope(values, gold, inverse)
        if slope > 0:
            high = inverse
        else:
            low = inverse
        step = inverse - slope / curve if curve > 0 else (high if slope < 0 else low)
        new = step if low <= step <= high else (low + high) / 2
        if abs(new - inverse) <= 1e-9 * inverse:
            break
        inverse = new
    return float(1 / inverse)


def _slope(values: Floats, gold: Ids, inverse: float) -> tuple[float, float]:
    """Return the first and second derivative of the negative log-likelihood by 1 / temperature."""
    doubt = 1 / (len(gold) + 1)
    slope = curve = 0.0
    for start in range(0, len(gold), BLOCK):
        block = values[start : start + BLOCK].astype(np.float64)
        wanted = (1 - doubt) * block[np.arange(len(block)), gold[start : start + BLOCK]] + doubt * block.mean(axis=1)
        chances = np.exp((block - block.max(axis=1, keepdims=True)) * inverse)
        chances /= chances.sum(axis=1, keepdims=True)
        mean = (chances * block).sum(axis=1)
        slope += float((mean - wanted).sum())
        curve += float((chances * (block - mean[:, None]) ** 2).sum())
    return slope, curve
