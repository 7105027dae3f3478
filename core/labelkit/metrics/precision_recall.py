"""Precision, recall and F1 out of counts, for one sample or for thousands of bootstrap samples at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ids = NDArray[np.int64]
Nested = dict[str, Any]


def count_table(rows: Ids, columns: Ids, shape: tuple[int, int]) -> Floats:
    """Return how often each pair of a row and a column occurs, float64 of ``shape``."""
    cells = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1])
    return cells.reshape(shape).astype(np.float64)


def safe_divide(numerator: Floats, denominator: Floats) -> Floats:
    """Return ``numerator / denominator``, and 0 where the denominator is 0."""
    zeros = np.zeros(np.broadcast(numerator, denominator).shape)
    return np.divide(numerator, denominator, out=zeros, where=denominator != 0)


def precision_recall_f1(correct: Floats, predicted: Floats, gold: Floats) -> dict[str, Floats]:
    """Return precision, recall and F1 of counts of the same shape; 0 where undefined, as in seqeval."""
    precision, recall = safe_divide(correct, predicted), safe_divide(correct, gold)
    return {"precision": precision, "recall": recall, "f1": safe_divide(2 * precision * recall, precision + recall)}


def macro_average(scores: Floats, present: Bools) -> Floats:
    """Return the mean over the last axis of the types that are ``present``; 0 where none is."""
    return safe_divide(np.where(present, scores, 0.0).sum(axis=-1), present.sum(axis=-1).astype(np.float64))


def by_type(types: Sequence[str], scores: Mapping[str, Floats], present: Bools) -> dict[str, Nested]:
    """Return ``{type: {score: values}}`` of scores whose last axis is the type; NaN where a type is absent."""
    defined = {name: np.where(present, values, np.nan) for name, values in scores.items()}
    return {type_: {name: values[..., index] for name, values in defined.items()} for index, type_ in enumerate(types)}


def to_floats(scores: Mapping[str, Any]) -> Nested:
    """Return the scores of one sample as Python floats; 0 where undefined."""
    return {
        name: to_floats(value) if isinstance(value, Mapping) else float(np.nan_to_num(value, nan=0.0))
        for name, value in scores.items()
    }
