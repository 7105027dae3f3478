"""Whether one labeller is better than another on the same sentences: paired approximate randomisation.

If both were equally good, it would not matter which of them had labelled a sentence. So the two outputs of each
sentence are swapped at random, many times over, and the p-value is the share of times that the difference is as large
as the real one. The interval of the difference comes from the bootstrap, the same sentences drawn for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.metrics.intervals import BLOCK, LEVEL, RECOMPUTED, SEED, bootstrap_weights
from labelkit.records import Counts, Metric, Predictions

Floats = NDArray[np.float64]
#: how often the outputs are swapped
SHUFFLES = 10_000
#: a difference is as large as another one in spite of so much rounding
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreDifference:
    """How far a figure of the second labeller is from that of the first.

    :param type: the label type that it is about; None for all of the split.
    :param difference: the second less the first.
    :param interval: the middle 95% of the difference.
    :param p_value: of no difference at all, two-sided.
    """

    name: str
    type: str | None
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    p_value: float


def differences(metric: Metric, first: Predictions, second: Predictions) -> list[ScoreDifference]:
    """Return the differences in all figures of a metric; one that is never defined for both is left out.

    Metrics without counts are computed anew, for fewer shuffles and without types.

    :param first: predictions of the one labeller, and ``second`` of the other, for the same references.
    """
    examples = len(first.references)
    if metric.counts is None:
        shuffled, drawn, real = _recomputed(metric, first, second)
    else:
        both = metric.counts(_stacked(first, second))
        halves = both.rows[:examples], both.rows[examples:]
        real = _of(both, *(rows.sum(axis=0) for rows in halves))
        shuffled = _joined(_of(both, *sums) for sums in _swapped(*halves))
        drawn = _joined(_of(both, *(some @ rows for rows in halves)) for some in bootstrap_weights(examples))
    return [
        found
        for key, (one, other) in real.items()
        if (found := _difference(key, float(one), float(other), shuffled.get(key), drawn.get(key)))
    ]


Key = tuple[str | None, str]
Pairs = dict[Key, tuple[Any, Any]]


def _difference(key: Key, one: float, other: float, shuffled: Any, drawn: Any) -> ScoreDifference | None:
    if np.isnan(one) or np.isnan(other) or shuffled is None or drawn is None:
        return None
    real = other - one
    by_chance, spread = (values[1] - values[0] for values in (shuffled, drawn))
    by_chance, spread = (values[~np.isnan(values)] for values in (by_chance, spread))
    if not len(by_chance) or not len(spread):
        return None
    low, high = np.percentile(spread, LEVEL).tolist()
    larger = int((np.abs(by_chance) >= abs(real) - ROUNDING).sum())
    type_, name = key
    return ScoreDifference(
        name=name,
        type=type_,
        first=one,
        second=other,
        difference=real,
        interval=(low, high),
        p_value=(larger + 1) / (len(by_chance) + 1),
    )


def _stacked(first: Predictions, second: Predictions) -> Predictions:
    """Return both as one, so that their counts have the same columns."""
    return Predictions(
        references=[*first.references, *second.references],
        predictions=[*first.predictions, *second.predictions],
        schema=first.schema,
    )


def _of(counts: Counts, one: Floats, other: Floats) -> Pairs:
    """Return the figures of both sums, by type and name."""
    first, second = dict(_flat(counts.figures(one))), dict(_flat(counts.figures(other)))
    return {key: (first[key], second[key]) for key in first}


def _flat(figures: Mapping[str, Any], type_: str | None = None) -> Iterator[tuple[Key, Any]]:
    for name, value in figures.items():
        if name == "per_type" and type_ is None:
            for inner, row in value.items():
                yield from _flat(row, inner)
        elif not isinstance(value, Mapping):
            yield (type_, name), value


def _swapped(one: Floats, other: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield the sums of both after random swaps, block by block; only sentences that differ can change anything."""
    random = np.random.default_rng(SEED)
    change = (other - one)[(other != one).any(axis=1)]
    block = max(1, BLOCK // max(1, len(change)))
    for start in range(0, SHUFFLES, block):
        swaps = random.integers(0, 2, (min(block, SHUFFLES - start), len(change))).astype(np.float64)
        moved = swaps @ change
        yield one.sum(axis=0) + moved, other.sum(axis=0) - moved


def _joined(parts: Iterator[Pairs]) -> Pairs:
    found: dict[Key, tuple[list[Any], list[Any]]] = {}
    for part in parts:
        for key, pair in part.items():
            for values, value in zip(found.setdefault(key, ([], [])), pair, strict=True):
                values.append(np.atleast_1d(value))
    return {key: (np.concatenate(one), np.concatenate(other)) for key, (one, other) in found.items()}


def _recomputed(metric: Metric, first: Predictions, second: Predictions) -> tuple[Pairs, Pairs, Pairs]:
    """Return shuffled and drawn figures, and the real ones, of a metric that has no counts."""
    random = np.random.default_rng(SEED)
    examples = len(first.references)

    def pair(chosen: NDArray[np.int64], swap: NDArray[np.bool_]) -> Pairs:
        sides = [_mixed(first, second, chosen, turned) for turned in (swap, ~swap)]
        one, other = ({name: _number(value) for name, value in metric.compute(side).items()} for side in sides)
        return {(None, name): (one[name], other[name]) for name in one if name in other}

    everything, never = np.arange(examples), np.zeros(examples, np.bool_)
    shuffled = _joined(pair(everything, random.integers(0, 2, examples) == 1) for _ in range(RECOMPUTED))
    drawn = _joined(pair(random.integers(0, examples, examples), never) for _ in range(RECOMPUTED))
    return shuffled, drawn, pair(everything, never)


def _mixed(first: Predictions, second: Predictions, chosen: NDArray[np.int64], swap: NDArray[np.bool_]) -> Predictions:
    rows: Sequence[Any] = [
        (second if turned else first).predictions[place]
        for place, turned in zip(chosen.tolist(), swap.tolist(), strict=True)
    ]
    references = [first.references[place] for place in chosen.tolist()]
    return replace(first, references=references, predictions=rows, scores=None)


def _number(value: object) -> float:
    known = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float(value) if known else float("nan")  # type: ignore[arg-type]
