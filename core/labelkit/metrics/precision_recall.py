"""Precision, recall and F1 out of counts, for one sample or for thousands at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Nested = dict[str, Any]


def safe_divide(part: Floats, whole: Floats) -> Floats:
    """Return ``part / whole``, and 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole != 0)


def precision_recall_f1(right: Floats, found: Floats, wanted: Floats) -> dict[str, Floats]:
    """Return precision, recall and F1 of equally shaped counts; 0 where they are undefined, as seqeval has it."""
    precision, recall = safe_divide(right, found), safe_divide(right, wanted)
    return {"precision": precision, "recall": recall, "f1": safe_divide(2 * precision * recall, precision + recall)}


def macro_average(values: Floats, here: NDArray[np.bool_]) -> Floats:
    """Return the mean over the last axis of what is ``here``; 0 where nothing is."""
    return safe_divide(np.where(here, values, 0.0).sum(axis=-1), here.sum(axis=-1).astype(np.float64))


def by_type(names: Sequence[str], figures: Mapping[str, Floats], here: NDArray[np.bool_]) -> dict[str, Nested]:
    """Return ``{type: {figure: values}}`` of figures whose last axis is the type; NaN where a type is not ``here``."""
    shown = {name: np.where(here, values, np.nan) for name, values in figures.items()}
    return {type_: {name: values[..., index] for name, values in shown.items()} for index, type_ in enumerate(names)}


def to_floats(figures: Mapping[str, Any]) -> Nested:
    """Return the figures of one sample as Python's numbers; what is undefined is 0."""
    return {
        name: to_floats(value) if isinstance(value, Mapping) else float(np.nan_to_num(value, nan=0.0))
        for name, value in figures.items()
    }
