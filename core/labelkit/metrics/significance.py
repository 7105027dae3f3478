"""Significance of the difference between two labellers on the same sentences: paired approximate randomisation.

Under the null hypothesis both are equally good, and it does not matter which of them labelled a sentence. So the two
outputs of each sentence are swapped at random, many times; the p-value is the share of swaps whose difference is at
least as large as the observed one. The 95% CI of the difference is a paired bootstrap: both on the same samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.metrics.intervals import (
    BLOCK,
    LEVEL,
    RECOMPUTED,
    SEED,
    ResampledExamples,
    bootstrap_weights,
    scalar_scores,
)
from labelkit.records import Metric, Predictions

Floats = NDArray[np.float64]
#: label type (None for the whole split) and name of a score
Key = tuple[str | None, str]
#: each score of both labellers: one value, or an array of samples
Pairs = dict[Key, tuple[Any, Any]]
#: random swaps of all sentences
SHUFFLES = 10_000
#: differences that are as close as this are equal but for rounding
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreDifference:
    """The difference between two labellers in a score.

    :param type: the label type that is scored; None for the whole split.
    :param difference: the score of the second less that of the first.
    :param interval: 95% CI of the difference.
    :param p_value: two-sided.
    """

    name: str
    type: str | None
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    p_value: float


def paired_randomisation_test(metric: Metric, first: Predictions, second: Predictions) -> list[ScoreDifference]:
    """Return the difference in each score of a metric; a score that is undefined for one of the two is left out.

    A metric without counts is recomputed for fewer swaps and samples, and without types.

    :param first: predictions of one labeller, and ``second`` of the other, for the same references.
    """
    sample = _sample_recomputed if metric.counts is None else _sample_counts
    observed, swapped, resampled = sample(metric, first, second)
    found = []
    for (type_, name), (one, other) in observed.items():
        chance, spread = (_defined_differences(samples.get((type_, name))) for samples in (swapped, resampled))
        if np.isnan(one) or np.isnan(other) or not len(chance) or not len(spread):
            continue
        difference = float(other) - float(one)
        low, high = np.percentile(spread, LEVEL).tolist()
        larger = int((np.abs(chance) >= abs(difference) - ROUNDING).sum())
        found.append(
            ScoreDifference(
                name=name,
                type=type_,
                first=float(one),
                second=float(other),
                difference=difference,
                interval=(low, high),
                p_value=(larger + 1) / (len(chance) + 1),
            )
        )
    return found


def _defined_differences(samples: tuple[Floats, Floats] | None) -> Floats:
    differences = samples[1] - samples[0] if samples is not None else np.zeros(0)
    return differences[~np.isnan(differences)]


def _sample_counts(metric: Metric, first: Predictions, second: Predictions) -> tuple[Pairs, Pairs, Pairs]:
    """Return observed, randomly swapped and bootstrapped scores of a metric with counts."""
    assert metric.counts is not None
    examples = len(first.references)
    # counted together, so that both have the same columns
    counts = metric.counts(
        Predictions(
            references=[*first.references, *second.references],
            predictions=[*first.predictions, *second.predictions],
            schema=first.schema,
            examples=[*first.examples, *second.examples],
            train_mentions=first.train_mentions,
        )
    )
    one, other = counts.rows[:examples], counts.rows[examples:]

    def scores(*sums: Floats) -> Pairs:
        both = [_flatten(counts.figures(each)) for each in sums]
        return {key: (both[0][key], both[1][key]) for key in both[0]}

    return (
        scores(one.sum(axis=0), other.sum(axis=0)),
        _concatenate(scores(*sums) for sums in random_swaps(one, other)),
        _concatenate(scores(weights @ one, weights @ other) for weights in bootstrap_weights(examples)),
    )


def random_swaps(one: Floats, other: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield the sums of both counts after random swaps, float64 of shape (some swaps, counts).

    :param one: counts of each sentence, of shape (sentences, counts); ``other``: those of the other labeller.
    """
    random = np.random.default_rng(SEED)
    change = (other - one)[(other != one).any(axis=1)]  # swapping equal sentences changes nothing
    block = max(1, BLOCK // max(1, len(change)))
    for start in range(0, SHUFFLES, block):
        swaps = random.integers(0, 2, (min(block, SHUFFLES - start), len(change))).astype(np.float64)
        moved = swaps @ change
        yield one.sum(axis=0) + moved, other.sum(axis=0) - moved


def _flatten(scores: Mapping[str, Any]) -> dict[Key, Any]:
    overall: dict[Key, Any] = {(None, name): value for name, value in scores.items() if not isinstance(value, Mapping)}
    return overall | {
        (type_, name): value for type_, row in scores.get("per_type", {}).items() for name, value in row.items()
    }


def _concatenate(parts: Iterable[Pairs]) -> Pairs:
    found: dict[Key, tuple[list[Any], list[Any]]] = {}
    for part in parts:
        for key, pair in part.items():
            for values, value in zip(found.setdefault(key, ([], [])), pair, strict=True):
                values.append(np.atleast_1d(value))
    return {key: (np.concatenate(one), np.concatenate(other)) for key, (one, other) in found.items()}


def _sample_recomputed(metric: Metric, first: Predictions, second: Predictions) -> tuple[Pairs, Pairs, Pairs]:
    """Return observed, randomly swapped and bootstrapped scores of a metric without counts."""
    random = np.random.default_rng(SEED)
    examples = len(first.references)

    def scores(places: NDArray[np.int64], swap: NDArray[np.bool_]) -> Pairs:
        chosen = list(zip(places.tolist(), swap.tolist(), strict=True))
        given = replace(
            first,
            references=[first.references[place] for place, _ in chosen],
            examples=ResampledExamples(first.examples, places.tolist()) if first.examples else (),
            scores=None,
        )
        rows = (
            [sides[swapped].predictions[place] for place, swapped in chosen]
            for sides in ((first, second), (second, first))
        )
        one, other = (scalar_scores(metric, replace(given, predictions=row)) for row in rows)
        return {(None, name): (one[name], other[name]) for name in one if name in other}

    everything, never = np.arange(examples), np.zeros(examples, np.bool_)
    swapped = _concatenate(scores(everything, random.integers(0, 2, examples) == 1) for _ in range(RECOMPUTED))
    resampled = _concatenate(scores(random.integers(0, examples, examples), never) for _ in range(RECOMPUTED))
    return scores(everything, never), swapped, resampled
