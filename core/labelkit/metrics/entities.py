"""Entity scores as ``seqeval`` gives them, computed for a whole split at once.

The spans are read by seqeval's own rules (see :mod:`labelkit.metrics.chunks`) and counted sentence by sentence: every
figure is made of sums over these counts, so that intervals and tests of significance need no second look at the tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.labels.schemes import split_tag, violations
from labelkit.metrics.chunks import PREFIXES, Mode, SpanArrays, TagArrays, TagVocabulary, find_spans, transition_rules
from labelkit.metrics.precision_recall import (
    Nested,
    by_type,
    macro_average,
    precision_recall_f1,
    safe_divide,
    to_floats,
)
from labelkit.records import Counts, Labels, Scheme

Floats = NDArray[np.float64]
#: stands in a confusion for no entity
NONE = "O"


@dataclass(frozen=True, slots=True)
class SpanComparison:
    """Gold and predicted spans of the same words.

    :param types: by number.
    :param right_words: words with exactly the right tag, by sentence, int64 of shape (sentences,).
    :param improper: predicted tags that do not fit the scheme.
    """

    types: Sequence[str]
    gold: SpanArrays
    guess: SpanArrays
    lengths: NDArray[np.int64]
    right_words: NDArray[np.int64]
    improper: int


def compare_spans(
    references: Sequence[Labels], predictions: Sequence[Labels], scheme: Scheme, mode: Mode
) -> SpanComparison:
    """Read the spans of gold and predicted tags.

    :raises DataError: a label is no tag.
    :raises ValueError: there is not one predicted tag for each gold one.
    """
    vocabulary = TagVocabulary()
    gold, guess = vocabulary.read(references), vocabulary.read(predictions)
    if not np.array_equal(gold.lengths, guess.lengths):
        raise ValueError("gold and predicted tags are not of the same number")
    for name in vocabulary.names:
        if name not in PREFIXES:  # a prefix alone has the same type everywhere
            split_tag(name)
    types, type_of = vocabulary.types()
    rules, prefixes = transition_rules(mode, scheme), vocabulary.prefixes(mode)
    sentence = np.repeat(np.arange(len(gold.lengths)), gold.lengths)
    right = np.bincount(sentence, gold.ids == guess.ids, minlength=len(gold.lengths)).astype(np.int64)
    return SpanComparison(
        types=types,
        gold=find_spans(gold, prefixes, type_of, rules),
        guess=find_spans(guess, prefixes, type_of, rules),
        lengths=gold.lengths,
        right_words=right,
        improper=_improper(guess, vocabulary.names, scheme),
    )


def span_counts(compared: SpanComparison) -> Counts:
    """Return right, found and wanted spans of each type, right borders, right words and words of each sentence."""
    gold, guess, types = compared.gold, compared.guess, len(compared.types)
    sentences = len(compared.lengths)
    partner = match_boundaries(gold, guess, int(compared.lengths.sum()))
    same = partner >= 0
    right = same & (gold.type[partner] == guess.type) if len(gold) else same

    def table(spans: SpanArrays, chosen: Any = slice(None)) -> Floats:
        cells = np.bincount(spans.sentence[chosen] * types + spans.type[chosen], minlength=sentences * types)
        return cells.reshape(sentences, types).astype(np.float64)

    borders = np.bincount(guess.sentence[same], minlength=sentences)
    columns = (borders, compared.right_words, compared.lengths)
    rows = np.hstack((table(guess, right), table(guess), table(gold), np.stack(columns, axis=1).astype(np.float64)))
    return Counts(rows=rows, figures=partial(span_figures, types=tuple(compared.types)))


def span_figures(sums: Floats, types: Sequence[str]) -> Nested:
    """Return the figures of summed counts, of shape (..., 3 × types + 3): each is an array of shape (...)."""
    size = len(types)
    right, found, wanted = (sums[..., size * part : size * (part + 1)] for part in range(3))
    borders, right_words, words = (sums[..., 3 * size + part] for part in range(3))
    here = (found + wanted) > 0
    each = precision_recall_f1(right, found, wanted)
    spans = precision_recall_f1(borders, found.sum(axis=-1), wanted.sum(axis=-1))
    return {
        **precision_recall_f1(right.sum(axis=-1), found.sum(axis=-1), wanted.sum(axis=-1)),
        "accuracy": safe_divide(right_words, words),
        **{f"macro_{name}": macro_average(values, here) for name, values in each.items()},
        **{f"span_{name}": values for name, values in spans.items()},
        "per_type": by_type(types, each, here),
    }


def entity_scores(
    references: Sequence[Labels], predictions: Sequence[Labels], scheme: Scheme = "IOB2", mode: Mode = "default"
) -> Nested:
    """Return micro, macro and span-only scores, token ``accuracy``, ``per_type``, and the ``confusion`` of types.

    Figures that are undefined are 0. ``repaired`` counts the predicted tags that do not fit the scheme and that default
    mode reads as the start of an entity; strict mode repairs nothing: there they are ``improper`` in its place.
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
        "repaired" if mode == "default" else "improper": compared.improper,
    }


def confusion_matrix(compared: SpanComparison) -> dict[str, dict[str, int]]:
    """Return ``{gold type: {predicted type: spans}}`` of spans with the same borders; :data:`NONE` for no span."""
    gold, guess = compared.gold, compared.guess
    names = [*compared.types, NONE if NONE not in compared.types else f"({NONE})"]
    none, words = len(compared.types), int(compared.lengths.sum())
    forth, back = match_boundaries(gold, guess, words), match_boundaries(guess, gold, words)
    pairs = np.concatenate(
        (
            np.stack((gold.type, np.where(back >= 0, _at(guess.type, back), none))),
            np.stack((np.full((forth < 0).sum(), none), guess.type[forth < 0])),
        ),
        axis=1,
    )
    rows: dict[str, dict[str, int]] = {}
    for (wanted, found), number in _counted(pairs):
        rows.setdefault(names[wanted], {})[names[found]] = number
    return rows


def match_boundaries(these: SpanArrays, others: SpanArrays, words: int) -> NDArray[np.int64]:
    """Return for each of ``others`` the number of the span among ``these`` that has the same borders, or -1."""
    starting = np.full(words + 1, -1, np.int64)
    starting[these.first] = np.arange(len(these))
    found = starting[others.first]
    return np.where((found >= 0) & (_at(these.stop, found) == others.stop), found, -1)


def _at(values: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return values by position; anything for -1."""
    return values[places] if len(values) else places


def _counted(pairs: NDArray[np.int64]) -> list[tuple[tuple[int, int], int]]:
    found, numbers = np.unique(pairs, axis=1, return_counts=True)
    return [((a, b), number) for (a, b), number in zip(found.T.tolist(), numbers.tolist(), strict=True)]


def _improper(tags: TagArrays, names: Sequence[str], scheme: Scheme) -> int:
    """Count the tags that do not fit the scheme: each trio of neighbours is looked at once."""
    size = len(names) + 1  # the last number is what stands between sentences, which counts as O
    padded = np.full(int(tags.lengths.sum()) + len(tags.lengths) + 1, size - 1, np.int64)
    places = np.arange(len(tags.ids)) + 1 + np.repeat(np.arange(len(tags.lengths)), tags.lengths)
    padded[places] = tags.ids
    trios = (padded[places - 1] * size + padded[places]) * size + padded[places + 1]
    found, numbers = np.unique(trios, return_counts=True)
    known = (*names, "O")
    wrong = 0
    for trio, number in zip(found.tolist(), numbers.tolist(), strict=True):
        three = [known[trio // size**2], known[trio // size % size], known[trio % size]]
        wrong += number * (1 in violations(three, scheme))
    return wrong
