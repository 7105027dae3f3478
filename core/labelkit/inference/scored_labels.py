"""Predicted labels of a split with their scores: what precision-recall curves count, and thresholds drop."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from labelkit.inference.decoding import ScoredSpans, span_arrays, span_bounds
from labelkit.inference.engine import WordScores
from labelkit.inference.label_ids import Ids
from labelkit.inference.score_blocks import confidences
from labelkit.metrics.threshold_curves import ScoredLabels
from labelkit.records import Schema
from labelkit.records.heads import IGNORE_INDEX

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
#: the smallest probability that is not rounded to 0
_SMALLEST = 5e-5
#: a threshold that no score reaches
UNREACHABLE = 2.0


def types_of(schema: Schema) -> tuple[str, ...]:
    """Return what has a threshold of its own: the types of spans, or the labels."""
    return schema.types if schema.scheme is not None else schema.label_names


def threshold_of_types(thresholds: Mapping[str, float | None], schema: Schema) -> Floats:
    """Return the threshold of each type, by its number; NaN for a type without one, whose labels all stay.

    :param thresholds: type → the least score, None to leave out all its labels.
    """
    found = (thresholds.get(type_, np.nan) for type_ in types_of(schema))
    return np.array([UNREACHABLE if one is None else one for one in found], np.float64)


def scored_labels(found: WordScores, gold: Ids, ids: Ids, schema: Schema, temperature: float) -> ScoredLabels:
    """Return the predicted labels of a split, with the scores that records give them.

    These are the spans of tags, and the labels of words or texts. Where a text may have any number of labels, each of
    its labels counts with its probability, unless that is rounded to 0: a threshold decides. Words and texts without a
    known gold label are left out; a span is counted in its known parts, as metrics count it.

    :param gold: gold label ids, and ``ids`` predicted ones, of the shapes of :class:`Ids`.
    """
    types = types_of(schema)
    if schema.multilabel:
        rows, columns = np.nonzero(found.values >= np.log(_SMALLEST))
        scores = _rounded(np.exp(found.values[rows, columns]))
        return ScoredLabels(types, columns, scores, gold[rows, columns], gold.sum(axis=0))
    confidence = confidences(found.values, ids, temperature)
    known = gold != IGNORE_INDEX
    if schema.scheme is None:
        support = np.bincount(gold[known], minlength=len(types))
        return ScoredLabels(types, ids[known], _rounded(confidence[known]), ids[known] == gold[known], support)
    borders = _borders(found)
    spans = _known_parts(span_arrays(ids, confidence, borders, schema), known)
    firsts, stops, kinds = span_bounds(np.where(known, gold, 0), borders, schema)
    stop_at, kind_at = np.full((2, len(gold) + 1), -1, np.int64)
    stop_at[firsts], kind_at[firsts] = stops, kinds
    right = (stop_at[spans.firsts] == spans.stops) & (kind_at[spans.firsts] == spans.kinds)
    support = np.bincount(kinds, minlength=len(types))
    return ScoredLabels(types, spans.kinds, _rounded(spans.scores), right, support)


def labels_above(found: WordScores, ids: Ids, schema: Schema, temperature: float, thresholds: Floats) -> Ids:
    """Return label ids without the labels that do not reach the threshold of their type.

    Words of a dropped span become O. A text with any number of labels has those that reach their threshold. Plain
    labels of words, and those of texts with one label, stay: there is no id for none.

    :param thresholds: by the number of the type, see :func:`threshold_of_types`.
    """
    if schema.multilabel:
        return np.where(np.isnan(thresholds), ids, _rounded(np.exp(found.values)) >= thresholds)
    if schema.scheme is None:
        return ids
    spans = span_arrays(ids, confidences(found.values, ids, temperature), _borders(found), schema)
    low = spans.scores < thresholds[spans.kinds]
    edges = np.zeros(len(ids) + 1, np.int64)
    edges[spans.firsts[low]] += 1
    edges[spans.stops[low]] -= 1
    return np.where(np.cumsum(edges[:-1]) > 0, 0, ids)


def _borders(found: WordScores) -> Int64s:
    return np.concatenate(([0], np.cumsum(found.lengths)))


def _rounded(scores: NDArray[np.float32] | Floats) -> Floats:
    """Return scores as records give them; NaN, after training has diverged, is 0."""
    rounded: Floats = np.nan_to_num(np.round(scores.astype(np.float64), 4))
    return rounded


def _known_parts(spans: ScoredSpans, known: Bools) -> ScoredSpans:
    """Return the stretches of known words of each span, with its score."""
    if known.all():
        return spans
    span_of = np.full(len(known), -1, np.int64)
    lengths = spans.stops - spans.firsts
    words = np.arange(lengths.sum()) + np.repeat(spans.firsts - np.cumsum(lengths) + lengths, lengths)
    span_of[words] = np.repeat(np.arange(len(lengths)), lengths)
    span_of[~known] = -1
    changes = np.flatnonzero(np.diff(span_of, prepend=-2, append=-2))
    firsts, stops = changes[:-1], changes[1:]
    inside = span_of[firsts] >= 0
    firsts, stops, number = firsts[inside], stops[inside], span_of[firsts[inside]]
    return ScoredSpans(firsts, stops, spans.kinds[number], spans.scores[number])
