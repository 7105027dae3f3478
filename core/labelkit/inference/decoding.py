"""Decode scores into label ids, and label ids into labels and spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelkit.errors import LabelkitError, explanation, package_of
from labelkit.labels.schemes import split_tag
from labelkit.records import Decoder, Schema, Scores


def decode(decoder: Decoder, scores: Scores) -> NDArray[Any]:
    """Return the label ids that ``decoder`` predicts, int64 of shape (words,).

    For numbers float64 of shape (texts,); for texts with any number of labels bool of shape (texts, labels).

    :raises LabelkitError: if the decoder raises, or does not return one valid label id per word.
    """
    try:
        ids = np.asarray(decoder.decode(scores))
    except Exception as error:
        raise LabelkitError(
            f"decoder '{decoder.name}'{package_of(decoder.decode)} failed: {explanation(error)}"
        ) from error
    if scores.schema.numeric:
        if ids.shape != (len(scores.values),) or ids.dtype.kind not in "fiu":
            raise LabelkitError(f"decoder '{decoder.name}' must return a number for each of {len(scores.values)} texts")
        return ids.astype(np.float64)
    labels = len(scores.schema.label_names)
    if scores.schema.multilabel:
        if ids.shape != (len(scores.values), labels) or ids.dtype.kind != "b":
            raise LabelkitError(
                f"decoder '{decoder.name}' must return whether each of {len(scores.values)} texts has each of {labels} "
                "labels: a bool array of that shape"
            )
        return ids
    valid = ids.shape == (len(scores.values),) and (ids.dtype.kind in "iu" or not len(ids))
    if not valid or (len(ids) and not (ids.min() >= 0 and ids.max() < labels)):
        raise LabelkitError(
            f"decoder '{decoder.name}' must return one of {labels} label ids for each of {len(scores.values)} words"
        )
    return ids.astype(np.int64)


def label_sequences(ids: NDArray[np.int64], scores: Scores) -> Iterator[tuple[str, ...]]:
    """Yield the labels of each sentence."""
    names = np.array(scores.schema.label_names, dtype=object)
    start = 0
    for length in scores.lengths.tolist():
        yield tuple(names[ids[start : start + length]])
        start += length


def repair_label_ids(ids: NDArray[np.int64], scores: Scores) -> NDArray[np.int64]:
    """Return label ids that are valid in the scheme and mean the same spans.

    The same as :func:`labelkit.labels.schemes.repair`, for all sentences at once. Valid tags and plain
    labels do not change.

    :param ids: label ids, int64 of shape (words,).
    """
    schema = scores.schema
    if schema.scheme is None:
        return ids
    borders = np.concatenate(([0], np.cumsum(scores.lengths)))
    firsts, stops, kinds = span_bounds(ids, borders, schema)
    # label ids are ordered by type, then by prefix: B I in IOB1 and IOB2, B I E S, B I L U
    prefix = np.ones(len(ids), np.int64)
    if schema.scheme == "IOB1":
        same = (firsts[1:] == stops[:-1]) & (kinds[1:] == kinds[:-1]) & ~np.isin(firsts[1:], borders)
        prefix[firsts[1:][same]] = 0
    else:
        prefix[firsts] = 0
    if schema.scheme in ("BIOES", "BILOU"):
        prefix[stops - 1] = np.where(stops - firsts == 1, 3, 2)
    span = np.repeat(np.arange(len(firsts)), stops - firsts)
    words = np.arange(len(span)) + (firsts - np.cumsum(stops - firsts) + stops - firsts)[span]
    prefixes = (len(schema.label_names) - 1) // max(len(schema.types), 1)
    fixed = np.zeros_like(ids)
    fixed[words] = 1 + kinds[span] * prefixes + prefix[words]
    return fixed


def count_changes(before: NDArray[np.int64], after: NDArray[np.int64], scores: Scores) -> list[int]:
    """Return for each sentence the number of label ids that differ between ``before`` and ``after``."""
    so_far = np.concatenate(([0], np.cumsum(before != after)))
    counts: list[int] = np.diff(so_far[np.concatenate(([0], np.cumsum(scores.lengths)))]).tolist()
    return counts


class WordSpan(NamedTuple):
    """A span of the words ``[first, stop)`` of a sentence.

    :param label: the span's type.
    :param score: confidence of the least confident word, rounded to 4 digits.
    """

    first: int
    stop: int
    label: str
    score: float


def decode_spans(ids: NDArray[np.int64], confidence: NDArray[np.float32], scores: Scores) -> Iterator[list[WordSpan]]:
    """Yield the spans of each sentence.

    The same as :func:`labelkit.labels.schemes.spans_of`, for all sentences at once. Plain labels make one span
    per word.

    :param ids: label ids, int64 of shape (words,).
    :param confidence: the probability of each word's label, float32 of shape (words,).
    """
    borders = np.concatenate(([0], np.cumsum(scores.lengths)))
    found = span_arrays(ids, confidence, borders, scores.schema)
    types = scores.schema.types or scores.schema.labels
    names = [types[kind] for kind in found.kinds.tolist()]
    inside = np.searchsorted(found.firsts, borders)
    starts, ends, rounded = found.firsts.tolist(), found.stops.tolist(), found.scores.tolist()
    for number, base in enumerate(borders[:-1].tolist()):
        here = range(int(inside[number]), int(inside[number + 1]))
        yield [WordSpan(starts[i] - base, ends[i] - base, names[i], rounded[i]) for i in here]


class ScoredSpans(NamedTuple):
    """The spans of many sentences, whose words are counted over all of them: arrays of shape (spans,).

    :param firsts: the first words, int64; ``stops``: the words after the last ones.
    :param kinds: type ids, int64; label ids where labels are plain.
    :param scores: confidence of the least confident word, rounded to 4 digits, float64.
    """

    firsts: NDArray[np.int64]
    stops: NDArray[np.int64]
    kinds: NDArray[np.int64]
    scores: NDArray[np.float64]


def span_arrays(
    ids: NDArray[np.int64], confidence: NDArray[np.float32], borders: NDArray[np.int64], schema: Schema
) -> ScoredSpans:
    """Return the spans that label ids mean, with their scores.

    :param confidence: the probability of each word's label, float32 of shape (words,).
    :param borders: the first word of each sentence, and the number of all words.
    """
    firsts, stops, kinds = span_bounds(ids, borders, schema)
    least = np.zeros(0, np.float32)
    if len(firsts):
        edges = np.stack((firsts, stops), axis=1).ravel()
        least = np.minimum.reduceat(np.append(confidence, np.float32(1)), edges)[::2]
    rounded = np.round(least.astype(np.float64), 4).astype(np.float64, copy=False)
    return ScoredSpans(firsts, stops, kinds, rounded)


def span_bounds(
    ids: NDArray[np.int64], borders: NDArray[np.int64], schema: Schema
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return first word, stop and type id of every span; words are counted over all sentences.

    :param borders: the first word of each sentence, and the number of all words.
    :returns: three arrays of shape (spans,); without a scheme the third holds label ids.
    """
    if schema.scheme is None:
        firsts = np.arange(len(ids))
        return firsts, firsts + 1, ids
    tags = [split_tag(name) for name in schema.label_names]
    number = {type_: index for index, type_ in enumerate(schema.types)}
    types = np.array([number.get(type_, -1) for _, type_ in tags])
    joins = np.array([prefix in "IEL" for prefix, _ in tags])
    closes = np.array([prefix in "ESLU" for prefix, _ in tags])
    kind, before = types[ids], np.concatenate(([-1], ids[:-1])).astype(np.int64)
    open_type = np.where(closes[before], -1, types[before])
    open_type[borders[:-1][borders[:-1] < len(ids)]] = -1
    continued = joins[ids] & (kind >= 0) & (open_type == kind)
    firsts = np.flatnonzero((kind >= 0) & ~continued)
    ends = np.append(np.flatnonzero(~continued), len(ids))
    stops = ends[np.searchsorted(ends, firsts, side="right")]
    return firsts, stops, kind[firsts]
