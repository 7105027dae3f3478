"""How sure a score is: 95% intervals by the bootstrap over sentences (or texts)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.records import Metric, Predictions

Floats = NDArray[np.float64]
#: samples drawn with replacement, each of as many examples as there are
RESAMPLES = 1000
#: the same where a metric has to be computed anew for each sample
RECOMPUTED = 200
SEED = 0
#: shares of the samples below an interval and below its upper end
LEVEL = (2.5, 97.5)
#: counts, or drawn examples, that are held at once
BLOCK, MOST = 1 << 22, 5 * 10**7
#: the name under which intervals stand beside their figures
NAME = "intervals"


def intervals(metric: Metric, predictions: Predictions) -> dict[str, Any]:
    """Return ``[low, high]`` for each figure of a metric that has counts, ``per_type`` inside; else nothing.

    They hold the middle 95% of :data:`RESAMPLES` samples of the examples, drawn with replacement and always the same.
    """
    examples = len(predictions.references)
    if metric.counts is None or not 0 < examples * 3 * len(predictions.schema.label_names) <= MOST:
        return {}
    counts = metric.counts(predictions)
    sums = np.concatenate([drawn @ counts.rows for drawn in bootstrap_weights(examples)])
    return between(counts.figures(sums))


def roc_auc_interval(predictions: Predictions) -> dict[str, Any]:
    """Return the interval of ``roc_auc``, which is no function of sums."""
    from labelkit.metrics.roc_auc import weighted_roc_auc

    examples = len(predictions.references)
    return between(
        {"roc_auc": np.concatenate([weighted_roc_auc(predictions, drawn) for drawn in bootstrap_weights(examples)])}
    )


def recomputed_intervals(metric: Metric, predictions: Predictions) -> dict[str, Any]:
    """Return the intervals of any metric, which is computed anew for each of :data:`RECOMPUTED` samples.

    A sample for which it fails is left out.
    """
    random = np.random.default_rng(SEED)
    examples = len(predictions.references)
    found: dict[str, list[float]] = {}
    for _ in range(RECOMPUTED if examples else 0):
        for name, value in _figures(metric, sample(predictions, random.integers(0, examples, examples))).items():
            found.setdefault(name, []).append(value)
    return between({name: np.array(values) for name, values in found.items()})


def sample(predictions: Predictions, chosen: NDArray[np.int64]) -> Predictions:
    """Return the predictions of some examples, by their positions."""
    places = chosen.tolist()
    return Predictions(
        references=[predictions.references[place] for place in places],
        predictions=[predictions.predictions[place] for place in places],
        schema=predictions.schema,
        scores=_scores(predictions, chosen),
    )


def bootstrap_weights(examples: int, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[Floats]:
    """Yield how often each example is drawn, float64 of shape (some resamples, examples), block by block."""
    random = np.random.default_rng(seed)
    block = max(1, BLOCK // max(1, examples))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = random.integers(0, examples, (rows, examples)) + np.arange(rows)[:, None] * examples
        yield np.bincount(drawn.ravel(), minlength=rows * examples).reshape(rows, examples).astype(np.float64)


def between(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``[low, high]`` of the values of each figure, NaN left aside; figures that are never defined go."""
    found: dict[str, Any] = {}
    for name, values in figures.items():
        if isinstance(values, Mapping):
            inner = between(values)
            if inner:
                found[name] = inner
            continue
        known = values[~np.isnan(values)]
        if len(known):
            found[name] = np.percentile(known, LEVEL).tolist()
    return found


def _scores(predictions: Predictions, chosen: NDArray[np.int64]) -> NDArray[np.float32] | None:
    if predictions.scores is None or not len(chosen):
        return predictions.scores
    if predictions.schema.kind == "text":
        return predictions.scores[chosen]
    borders = np.concatenate(([0], np.cumsum([len(labels) for labels in predictions.references])))
    return np.concatenate([predictions.scores[borders[place] : borders[place + 1]] for place in chosen.tolist()])


def _figures(metric: Metric, predictions: Predictions) -> dict[str, float]:
    try:
        figures = metric.compute(predictions)
    except Exception:
        return {}
    return {name: float(value) for name, value in figures.items() if _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def interval_of(figures: Mapping[str, Any], name: str, type_: str | None = None) -> Sequence[float] | None:
    """Return the interval that stands beside a figure, where there is one."""
    known = figures.get(NAME) or {}
    row = known.get("per_type", {}).get(type_, {}) if type_ is not None else known
    found = row.get(name)
    return found if isinstance(found, Sequence) and len(found) == 2 else None
