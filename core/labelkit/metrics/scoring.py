"""Score predictions at word level with the metrics of a plan, whoever wrote them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelkit.errors import LabelkitError
from labelkit.metrics import intervals
from labelkit.records import Metric, Predictions


def score(metrics: Sequence[Metric], predictions: Predictions, *, patient: bool = False) -> dict[str, Any]:
    """Return the figures of all ``metrics``; the first one's stand under their own names.

    A figure of a later metric whose name is taken is called ``METRIC.FIGURE``. Beside them stand the ``intervals`` of
    those that have one, by the same names.

    :param patient: give intervals also to metrics that must be computed many times for them.
    :raises LabelkitError: a metric failed, or the first one lacks its own key.
    """
    merged: dict[str, Any] = {}
    sure: dict[str, Any] = {}
    for position, metric in enumerate(metrics):
        figures = _compute(metric, predictions)
        if position == 0 and not _is_number(figures.get(metric.key)):
            raise LabelkitError(
                f"metric '{metric.name}' gave no number called '{metric.key}'",
                hint=f"it gave: {', '.join(figures)}",
            )
        names = {name: f"{metric.name}.{name}" if name in merged else name for name in figures}
        merged |= {names[name]: value for name, value in figures.items()}
        sure |= {names[name]: value for name, value in _sure(metric, predictions, figures, patient).items()}
    return {**merged, intervals.NAME: sure} if sure else merged


def _sure(metric: Metric, predictions: Predictions, figures: Mapping[str, Any], patient: bool) -> dict[str, Any]:
    """Return the intervals of the figures that a metric gave."""
    try:
        if metric.counts is None:
            found = intervals.recomputed_intervals(metric, predictions) if patient else {}
        else:
            found = intervals.intervals(metric, predictions)
            if "roc_auc" in figures:
                found |= intervals.roc_auc_interval(predictions)
    except Exception as error:
        raise LabelkitError(f"metric '{metric.name}' failed: {type(error).__name__}: {error}") from error
    return {name: value for name, value in found.items() if name in figures}


def _compute(metric: Metric, predictions: Predictions) -> Mapping[str, Any]:
    try:
        figures = metric.compute(predictions)
        return {str(name): _plain(value) for name, value in figures.items()}
    except Exception as error:
        raise LabelkitError(f"metric '{metric.name}' failed: {type(error).__name__}: {error}") from error


def _plain(value: Any) -> Any:
    """Return NumPy's numbers as Python's, inside mappings too."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_better(new: float, old: float | None, *, higher: bool) -> bool:
    """Return whether ``new`` beats ``old``; what is not a number never does, unless there is nothing else.

    >>> is_better(0.5, 0.4, higher=True), is_better(0.5, 0.5, higher=True), is_better(float("nan"), 0.1, higher=True)
    (True, False, False)
    """
    if old is None or math.isnan(old):
        return old is None or not math.isnan(new)
    return new > old if higher else new < old
