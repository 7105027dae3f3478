"""95% confidence intervals of scores: the percentile bootstrap over sentences (or texts)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from labelkit.records import Example, Metric, Predictions

Floats = NDArray[np.float64]
#: bootstrap samples, each of as many examples as there are
RESAMPLES = 1000
#: the same for a metric that is recomputed for each sample
RECOMPUTED = 200
SEED = 0
#: percentiles at the ends of a 95% interval
LEVEL = (2.5, 97.5)
#: most weights in memory at once
BLOCK = 1 << 22
#: most counts (examples × columns) that intervals are computed of
MAX_COUNTS = 5 * 10**7
#: the key under which intervals stand beside their scores
NAME = "intervals"


def bootstrap_intervals(metric: Metric, predictions: Predictions) -> dict[str, Any]:
    """Return ``[low, high]`` of each score of a metric with counts, with those of types in ``per_type``.

    They span the middle 95% of :data:`RESAMPLES` bootstrap samples with a fixed seed. Nothing is returned for a metric
    without counts, or for more than :data:`MAX_COUNTS` counts.
    """
    examples = len(predictions.references)
    if metric.counts is None or not 0 < examples * 3 * (len(predictions.schema.label_names) or 2) <= MAX_COUNTS:
        return {}
    counts = metric.counts(predictions)
    sums = np.concatenate([weights @ counts.rows for weights in bootstrap_weights(examples)])
    return percentile_intervals(counts.figures(sums))


def roc_auc_interval(predictions: Predictions) -> dict[str, Any]:
    """Return the interval of ``roc_auc``, which is not a function of summed counts."""
    from labelkit.metrics.roc_auc import weighted_roc_auc

    samples = bootstrap_weights(len(predictions.references))
    return percentile_intervals({
        "roc_auc": np.concatenate([weighted_roc_auc(predictions, weights) for weights in samples])
    })  # fmt: skip


def average_precision_interval(predictions: Predictions) -> dict[str, Any]:
    """Return the interval of ``average_precision``, which is not a function of summed counts."""
    from labelkit.metrics.average_precision import mean_average_precision

    if predictions.scores is None or not predictions.schema.multilabel:
        return {}
    samples, (gold, _) = bootstrap_weights(len(predictions.references)), predictions.sets
    areas = [mean_average_precision(gold, predictions.scores, weights) for weights in samples]
    return percentile_intervals({"average_precision": np.concatenate(areas)})


def recomputed_intervals(metric: Metric, predictions: Predictions) -> dict[str, Any]:
    """Return the intervals of a metric without counts, recomputed for each of :data:`RECOMPUTED` bootstrap samples.

    A sample for which the metric fails is left out.
    """
    random = np.random.default_rng(SEED)
    examples = len(predictions.references)
    found: dict[str, list[float]] = {}
    for _ in range(RECOMPUTED if examples else 0):
        chosen = random.integers(0, examples, examples)
        if predictions.examples and not isinstance(predictions.examples, list):
            chosen.sort()  # those of large splits lie in blocks of a file
        with contextlib.suppress(Exception):
            for name, value in scalar_scores(metric, resample(predictions, chosen)).items():
                found.setdefault(name, []).append(value)
    return percentile_intervals({name: np.array(values) for name, values in found.items()})


def scalar_scores(metric: Metric, predictions: Predictions) -> dict[str, float]:
    """Return the numbers among the scores that a metric computes."""
    scores = metric.compute(predictions)
    return {name: float(value) for name, value in scores.items() if is_number(value)}


def is_number(value: object) -> bool:
    """Return whether a value is a number, of Python or NumPy; a bool is none."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def resample(predictions: Predictions, chosen: NDArray[np.int64]) -> Predictions:
    """Return the predictions of the examples at the positions ``chosen``, which may repeat."""
    places, scores = chosen.tolist(), predictions.scores
    if scores is not None and places and predictions.schema.kind == "text":
        scores = scores[chosen]
    elif scores is not None and places:
        starts = np.concatenate(([0], np.cumsum([len(labels) for labels in predictions.references])))
        scores = np.concatenate([scores[starts[place] : starts[place + 1]] for place in places])
    return Predictions(
        references=[predictions.references[place] for place in places],
        predictions=[predictions.predictions[place] for place in places],
        schema=predictions.schema,
        scores=scores,
        examples=ResampledExamples(predictions.examples, places) if predictions.examples else (),
        train_mentions=predictions.train_mentions,
    )


class ResampledExamples(Sequence[Example]):
    """The examples at some positions, which may repeat; each is read when a metric asks for it."""

    def __init__(self, examples: Sequence[Example], places: Sequence[int]) -> None:
        self._examples, self._places = examples, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self._examples[place] for place in self._places[index]]
        return self._examples[self._places[index]]


def bootstrap_weights(examples: int, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[Floats]:
    """Yield how often each example is in each bootstrap sample, in blocks: float64 of shape (samples, examples)."""
    random = np.random.default_rng(seed)
    block = max(1, BLOCK // max(1, examples))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = random.integers(0, examples, (rows, examples)) + np.arange(rows)[:, None] * examples
        yield np.bincount(drawn.ravel(), minlength=rows * examples).reshape(rows, examples).astype(np.float64)


def percentile_intervals(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``[low, high]`` of the samples of each score, without NaN; a score that is always NaN is left out."""
    found: dict[str, Any] = {}
    for name, values in scores.items():
        if isinstance(values, Mapping):
            if inner := percentile_intervals(values):
                found[name] = inner
        elif len(defined := values[~np.isnan(values)]):
            found[name] = np.percentile(defined, LEVEL).tolist()
    return found


def interval_of(scores: Mapping[str, Any], name: str, type_: str | None = None) -> Sequence[float] | None:
    """Return the interval of a score, or of a type's; None where there is none."""
    row = scores.get(NAME) or {}
    if type_ is not None:
        row = row.get("per_type", {}).get(type_, {})
    found = row.get(name)
    return found if isinstance(found, Sequence) and len(found) == 2 else None
