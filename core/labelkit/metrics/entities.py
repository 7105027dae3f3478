"""Entity scores as ``seqeval`` computes them, for a whole split at once.

The spans are read by seqeval's own rules (see :mod:`labelkit.metrics.chunks`) and counted sentence by sentence. Every
score is a function of sums of these counts, so that the bootstrap and significance tests never read the tags again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from labelkit.labels.schemes import split_tag, violations
from labelkit.metrics.chunks import PREFIXES, Mode, SpanArrays, TagArrays, TagVocabulary, find_spans, transition_rules
from labelkit.metrics.precision_recall import (
    Nested,
    by_type,
    count_table,
    macro_average,
    precision_recall_f1,
    safe_divide,
    to_floats,
)
from labelkit.records import Counts, Labels, Scheme

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
#: no entity, in a confusion matrix
NONE = "O"


@dataclass(frozen=True, slots=True)
class SpanComparison:
    """Gold and predicted spans of the same words.

    :param types: by id.
    :param lengths: words of each sentence, int64 of shape (sentences,); ``correct_words``: those with the gold tag.
    :param violations: predicted tags that violate the scheme.
    """

    types: Sequence[str]
    gold: SpanArrays
    predicted: SpanArrays
    lengths: Ids
    correct_words: Ids
    violations: int


def compare_spans(
    references: Sequence[Labels], predictions: Sequence[Labels], scheme: Scheme, mode: Mode
) -> SpanComparison:
    """Read the spans of gold and predicted tags.

    :raises DataError: a label is not a tag.
    :raises ValueError: gold and predicted tags differ in number.
    """
    vocabulary = TagVocabulary()
    gold, predicted = vocabulary.encode(references), vocabulary.encode(predictions)
    if not np.array_equal(gold.lengths, predicted.lengths):
        raise ValueError("gold and predicted tags differ in number")
    for name in vocabulary.names:
        if name not in PREFIXES:  # a tag may be a prefix alone, without a type
            split_tag(name)
    types, type_of = vocabulary.types()
    rules, prefixes = transition_rules(mode, scheme), vocabulary.prefixes(mode)
    sentence = np.repeat(np.arange(len(gold.lengths)), gold.lengths)
    correct = np.bincount(sentence, gold.ids == predicted.ids, minlength=len(gold.lengths)).astype(np.int64)
    return SpanComparison(
        types=types,
        gold=find_spans(gold, prefixes, type_of, rules),
        predicted=find_spans(predicted, prefixes, type_of, rules),
        lengths=gold.lengths,
        correct_words=correct,
        violations=count_violations(predicted, vocabulary.names, scheme),
    )


def span_counts(compared: SpanComparison) -> Counts:
    """Return the counts of each sentence.

    These are the correct, predicted and gold spans of each type, the spans with correct boundaries whatever their type,
    the correct words, and the words: float64 of shape (sentences, 3 × types + 3).
    """
    gold, predicted = compared.gold, compared.predicted
    shape = len(compared.lengths), len(compared.types)
    partner = match_boundaries(gold, predicted, int(compared.lengths.sum()))
    same = partner >= 0
    correct = same & (gold.type[partner] == predicted.type) if len(gold) else same
    boundaries = np.bincount(predicted.sentence[same], minlength=shape[0])
    rows = np.hstack((
        count_table(predicted.sentence[correct], predicted.type[correct], shape),
        count_table(predicted.sentence, predicted.type, shape),
        count_table(gold.sentence, gold.type, shape),
        np.stack((boundaries, compared.correct_words, compared.lengths), axis=1).astype(np.float64),
    ))  # fmt: skip
    return Counts(rows=rows, figures=partial(span_figures, types=tuple(compared.types)))


def span_figures(sums: Floats, types: Sequence[str]) -> Nested:
    """Return the scores of summed counts, of shape (..., 3 × types + 3); each is an array of shape (...)."""
    size = len(types)
    correct, predicted, gold = (sums[..., size * part : size * (part + 1)] for part in range(3))
    boundaries, correct_words, words = (sums[..., 3 * size + part] for part in range(3))
    totals = predicted.sum(axis=-1), gold.sum(axis=-1)
    present = (predicted + gold) > 0
    each = precision_recall_f1(correct, predicted, gold)
    return {
        **precision_recall_f1(correct.sum(axis=-1), *totals),
        "accuracy": safe_divide(correct_words, words),
        **{f"macro_{name}": macro_average(values, present) for name, values in each.items()},
        **{f"span_{name}": values for name, values in precision_recall_f1(boundaries, *totals).items()},
        "per_type": by_type(types, each, present),
    }


def entity_scores(
    references: Sequence[Labels], predictions: Sequence[Labels], scheme: Scheme = "IOB2", mode: Mode = "default"
) -> Nested:
    """Return micro, macro and boundary (``span_``) scores, token ``accuracy``, ``per_type``, and the ``confusion``.

    Undefined scores are 0. ``repaired`` counts the predicted tags that violate the scheme, which default mode reads as
    the start of an entity. Strict mode repairs nothing, and calls them ``improper``.
    """
    compared = compare_spans(references, predictions, scheme, mode)
    counts = span_counts(compared)
    figures = to_floats(counts.figures(counts.rows.sum(axis=0)))
    support = np.bincount(compared.gold.type, minlength=len(compared.types)).tolist()
    per_type = {
        type_: {**row, "support": number}
        for (type_, row), number in zip(figures.pop("per_type").items(), support, strict=True)
    }
    return {
        **{name: figures.pop(name) for name in ("precision", "recall", "f1", "accuracy")},
        "support": len(compared.gold),
        **figures,
        "per_type": per_type,
        "confusion": confusion_matrix(compared),
        "scheme": scheme,
        "mode": mode,
        "repaired" if mode == "default" else "improper": compared.violations,
    }


def confusion_matrix(compared: SpanComparison) -> dict[str, dict[str, int]]:
    """Return ``{gold type: {predicted type: spans}}`` of spans with the same boundaries; :data:`NONE` for no span."""
    gold, predicted = compared.gold, compared.predicted
    names = [*compared.types, NONE if NONE not in compared.types else f"({NONE})"]
    none, words = len(compared.types), int(compared.lengths.sum())
    gold_of, predicted_of = match_boundaries(gold, predicted, words), match_boundaries(predicted, gold, words)
    spurious = predicted.type[gold_of < 0]
    rows = np.concatenate((gold.type, np.full(len(spurious), none)))
    columns = np.concatenate((np.where(predicted_of >= 0, _take(predicted.type, predicted_of), none), spurious))
    matrix: dict[str, dict[str, int]] = {}
    pairs, numbers = np.unique(np.stack((rows, columns)), axis=1, return_counts=True)
    for (row, column), number in zip(pairs.T.tolist(), numbers.tolist(), strict=True):
        matrix.setdefault(names[row], {})[names[column]] = number
    return matrix


def match_boundaries(these: SpanArrays, others: SpanArrays, words: int) -> Ids:
    """Return for each of ``others`` the position in ``these`` of the span with the same boundaries, or -1."""
    starting = np.full(words + 1, -1, np.int64)
    starting[these.first] = np.arange(len(these))
    found = starting[others.first]
    return np.where((found >= 0) & (_take(these.stop, found) == others.stop), found, -1)


def _take(values: Ids, positions: Ids) -> Ids:
    """Return ``values[positions]``; anything where a position is -1, also of no values at all."""
    return values[positions] if len(values) else positions


def count_violations(tags: TagArrays, names: Sequence[str], scheme: Scheme) -> int:
    """Return how many tags violate the scheme; each distinct triple of neighbouring tags is checked once.

    :param names: the tags, by id.
    """
    padding = len(names)  # between sentences, read as O
    size = padding + 1
    padded = np.full(int(tags.lengths.sum()) + len(tags.lengths) + 1, padding, np.int64)
    places = np.arange(len(tags.ids)) + 1 + np.repeat(np.arange(len(tags.lengths)), tags.lengths)
    padded[places] = tags.ids
    triples = (padded[places - 1] * size + padded[places]) * size + padded[places + 1]
    known = (*names, "O")
    total = 0
    for triple, number in zip(*(each.tolist() for each in np.unique(triples, return_counts=True)), strict=True):
        three = [known[triple // size**2], known[triple // size % size], known[triple % size]]
        total += number * (1 in violations(three, scheme))
    return total
