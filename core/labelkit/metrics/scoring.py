"""Score predictions with several metrics at word level."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from labelkit.errors import LabelkitError, explanation, package_of
from labelkit.metrics import intervals
from labelkit.records import Metric, Predictions

#: the name under which a metric returns type → figures
PER_TYPE = "per_type"


def score(metrics: Sequence[Metric], predictions: Predictions, *, recompute_intervals: bool = False) -> dict[str, Any]:
    """Return the scores of all ``metrics``, with their ``intervals`` by the same names.

    A score whose name an earlier metric has, of the same type in ``per_type``, is called ``METRIC.SCORE``.

    :param metrics: the first one selects checkpoints.
    :param recompute_intervals: compute intervals also of metrics without counts, by computing them many times.
    :raises LabelkitError: a metric failed, or the first one lacks its own key.
    """
    scores: dict[str, Any] = {}
    bounds: dict[str, Any] = {}
    for position, metric in enumerate(metrics):
        with _metric_errors(metric):
            found = _computed(metric, predictions)
        if position == 0 and not intervals.is_number(found.get(metric.key)):
            raise LabelkitError(
                f"metric '{metric.name}' returned no number called '{metric.key}'",
                hint=f"it returned: {', '.join(found)}",
            )
        with _metric_errors(metric):
            if metric.counts is None:
                known = intervals.recomputed_intervals(metric, predictions) if recompute_intervals else {}
            else:
                known = intervals.bootstrap_intervals(metric, predictions)
                known |= intervals.roc_auc_interval(predictions) if "roc_auc" in found else {}
                known |= intervals.average_precision_interval(predictions) if "average_precision" in found else {}
            known = {name: value for name, value in known.items() if name in found}
            named = [_without_clashes(each, scores, metric.name) for each in (found, known)]
        scores, bounds = (_joined(*both) for both in zip((scores, bounds), named, strict=True))
    return {**scores, intervals.NAME: bounds} if bounds else scores


def _without_clashes(found: Mapping[str, Any], taken: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """Return the scores of a metric by names that none of those in ``taken`` has."""
    named = {}
    for name, value in found.items():
        if name == PER_TYPE and name in taken:
            named[name] = {
                type_: _without_clashes(row, taken[name].get(type_, {}), metric) for type_, row in value.items()
            }
        else:
            named[f"{metric}.{name}" if name in taken else name] = value
    return named


def _joined(before: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores of both, those of each type together."""
    joined = {**before, **new}
    if PER_TYPE in before and PER_TYPE in new:
        types = dict.fromkeys((*before[PER_TYPE], *new[PER_TYPE]))
        joined[PER_TYPE] = {
            type_: {**before[PER_TYPE].get(type_, {}), **new[PER_TYPE].get(type_, {})} for type_ in types
        }
    return joined


@contextlib.contextmanager
def _metric_errors(metric: Metric) -> Iterator[None]:
    try:
        yield
    except LabelkitError as error:
        raise LabelkitError(f"metric '{metric.name}': {error.message}", hint=error.hint) from error
    except Exception as error:
        package = package_of(metric.compute)
        raise LabelkitError(f"metric '{metric.name}'{package} failed: {explanation(error)}") from error


def _computed(metric: Metric, predictions: Predictions) -> dict[str, Any]:
    found = metric.compute(predictions)
    if not isinstance(found, Mapping):
        raise LabelkitError(
            f"it returned {type(found).__name__}, not a mapping of names and figures",
            hint=f"let it return {{{metric.key!r}: …}}",
        )
    return {str(name): _to_python(value) for name, value in found.items()}


def _to_python(value: Any) -> Any:
    """Return NumPy's numbers as Python's, inside mappings too."""
    if isinstance(value, Mapping):
        return {str(name): _to_python(inner) for name, inner in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def is_better(new: float, old: float | None, *, higher: bool) -> bool:
    """Return whether ``new`` is a better score than ``old``; NaN is better only than None.

    >>> is_better(0.5, 0.4, higher=True), is_better(0.5, 0.5, higher=True), is_better(float("nan"), 0.1, higher=True)
    (True, False, False)
    """
    if old is None or math.isnan(old):
        return old is None or not math.isnan(new)
    return new > old if higher else new < old
