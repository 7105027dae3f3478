"""How uncertain a labeller is of each text, by one of the usual measures.

The words of a text are taken as independent, so the measures of a text follow from those of its words: the confidence
of all labels together is their product (Culotta and McCallum 2005), the entropy is their sum (Settles and Craven 2008).
A long text is therefore more uncertain than a short one whose words are as uncertain.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from labelkit.errors import UnknownNameError, nearest

Floats = NDArray[np.float64]
Strategy = Literal["least-confidence", "margin", "entropy", "diverse", "random"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
#: strategies that need no predictions
BLIND: frozenset[Strategy] = frozenset(("diverse", "random"))


def check_strategy(name: str) -> None:
    """Raise if there is no strategy of this name.

    :raises UnknownNameError: there is none.
    """
    if name not in STRATEGIES:
        raise UnknownNameError(f"unknown strategy '{name}'", hint=nearest(name, STRATEGIES))


def uncertainty(values: NDArray[np.float32], lengths: NDArray[np.int64], strategy: Strategy, *, sets: bool) -> Floats:
    """Return how uncertain the labels of each text are, larger for less certain ones; of shape (texts,).

    :param values: calibrated log-probabilities of shape (words of all texts, labels), or (texts, labels).
    :param lengths: number of rows of each text.
    :param sets: a text has any number of labels: each column is a decision of its own.
    """
    rows = _rows_of_sets(values, strategy) if sets else _rows(values, strategy)
    text = np.repeat(np.arange(len(lengths)), lengths)
    if strategy == "margin":  # the smallest margin of a text
        found = np.zeros(len(lengths))
        np.maximum.at(found, text, rows)
        return found
    return _floats(np.bincount(text, weights=rows, minlength=len(lengths)))


def _rows(values: NDArray[np.float32], strategy: Strategy) -> Floats:
    """Return the uncertainty of each row of log-probabilities."""
    logs = values.astype(np.float64)
    if strategy == "least-confidence":
        return _floats(-logs.max(axis=1))
    probabilities = np.exp(logs)
    if strategy == "entropy":
        return _floats(_entropy(probabilities).sum(axis=1))
    if values.shape[1] < 2:
        return np.zeros(len(values))
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    return _floats(1 - (first - second))


def _rows_of_sets(values: NDArray[np.float32], strategy: Strategy) -> Floats:
    """Return the uncertainty of each row where every label is a decision of its own."""
    yes = np.exp(values.astype(np.float64))
    if strategy == "entropy":
        return _floats((_entropy(yes) + _entropy(1 - yes)).sum(axis=1))
    confidence = np.maximum(yes, 1 - yes)
    if strategy == "least-confidence":
        return _floats(-np.log(confidence).sum(axis=1))
    return _floats(1 - (2 * confidence - 1).min(axis=1))


def _entropy(probabilities: Floats) -> Floats:
    """Return -p log p, which is 0 where p is 0."""
    return _floats(-probabilities * np.log(np.maximum(probabilities, 1e-300)))


def _floats(values: Any) -> Floats:
    """Return an array as float64, a type that numpy's own functions do not state."""
    return np.asarray(values, np.float64)
