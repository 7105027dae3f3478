"""Temperature scaling: of the labels with a confidence of 0.9 nine in ten should be right.

Each checkpoint has one temperature, by which log-probabilities are divided before they are normalised again. It changes
no label: the order of the labels within a word and the best label sequence of a sentence stay the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelkit.inference.score_blocks import blocks

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

#: bounds of a fitted temperature
COLDEST, HOTTEST = 0.05, 20.0
#: number of equally wide confidence bins of the calibration error
BINS = 15


def apply_temperature(values: Floats, temperature: float) -> Floats:
    """Return the log-probabilities at ``temperature``: above 1 confidence falls, below 1 it rises.

    :param values: log-probabilities, float32 of shape (words, labels).
    """
    if temperature == 1 or not len(values):
        return values
    scaled = values / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return scaled


def calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy.

    The mean is over :data:`BINS` equally wide bins of confidence, weighted by the words in them.

    :param confidence: the probability of each word's label, of shape (words,).
    :param right: whether it is the gold label, of shape (words,).
    :returns: between 0 and 1; 0 without words, NaN if a confidence is not finite.
    """
    if not len(right) or not np.isfinite(confidence).all():
        return 0.0 if not len(right) else float("nan")
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, weights=confidence.astype(np.float64) - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


def fit_temperature(values: Floats, gold: Ids) -> float:
    """Return the temperature of maximum likelihood, between :data:`COLDEST` and :data:`HOTTEST`; 1 without words.

    Targets are smoothed as in Platt scaling, by 1 / (words + 1): without it a few words that are all right would make
    every confidence 1. Newton's method, with bisection to stay within bounds: the likelihood is concave in
    1 / temperature.

    :param values: log-probabilities, float32 of shape (words, labels).
    :param gold: label ids, of shape (words,).
    """
    if not len(gold):
        return 1.0
    low, high, inverse = 1 / HOTTEST, 1 / COLDEST, 1.0
    for _ in range(60):
        slope, curve = _derivatives(values, gold, inverse)
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


def _derivatives(values: Floats, gold: Ids, inverse: float) -> tuple[float, float]:
    """Return the first and second derivative of the negative log-likelihood with respect to 1 / temperature."""
    smoothing = 1 / (len(gold) + 1)
    slope = curve = 0.0
    for rows in blocks(values):
        block = values[rows].astype(np.float64)
        right = block[np.arange(len(block)), gold[rows]]
        target = (1 - smoothing) * right + smoothing * block.mean(axis=1)
        probabilities = np.exp((block - block.max(axis=1, keepdims=True)) * inverse)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        mean = (probabilities * block).sum(axis=1)
        slope += float((mean - target).sum())
        curve += float((probabilities * (block - mean[:, None]) ** 2).sum())
    return slope, curve
