"""Remove words whose label is unknown before predictions are scored: what is left are stretches of known words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example, Labels, Predictions, Schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Stretch = tuple[int, int]
"""The first word of a stretch of known words, and the word after it."""


def known_part(predictions: Predictions) -> Predictions:
    """Return predictions without the words whose gold label is unknown.

    A sentence becomes its stretches of known words, each a sentence of its own, so that nothing crosses what is
    unknown: an entity that does is scored by its known words, on both sides alike. The tags at a cut are rewritten to
    fit the scheme, so that the cut is no invalid transition.
    """
    if not any(not isinstance(row, str) and UNKNOWN in row for row in predictions.references):
        return predictions
    references: list[Labels] = []
    predicted: list[Labels] = []
    examples: list[Example] = []
    for index, (gold, guess) in enumerate(zip(predictions.references, predictions.predictions, strict=True)):
        assert not isinstance(gold, str)
        assert not isinstance(guess, str)
        for stretch in _stretches(gold):
            references.append(_cut(gold, stretch, predictions.schema))
            predicted.append(_cut(guess, stretch, predictions.schema))
            if predictions.examples:
                examples.append(_part(predictions.examples[index], stretch))
    scores = predictions.scores
    return replace(
        predictions,
        references=references,
        predictions=predicted,
        examples=examples,
        scores=None if scores is None else scores[_known_rows(predictions.references)],
    )


def _known_rows(references: Sequence[Labels]) -> NDArray[np.bool_]:
    import numpy as np

    return np.fromiter((label != UNKNOWN for row in references for label in row), np.bool_)


def _stretches(gold: Sequence[str]) -> Iterator[Stretch]:
    start = 0
    for index, label in enumerate((*gold, UNKNOWN)):
        if label == UNKNOWN:
            if start < index:
                yield start, index
            start = index + 1


def _cut(labels: Sequence[str], stretch: Stretch, schema: Schema) -> Labels:
    """Return the labels of a stretch; an entity that is cut begins, or ends, where the stretch does."""
    start, stop = stretch
    part = list(labels[start:stop])
    if schema.scheme is None:
        return tuple(part)
    marks = {"BIOES": ("E", "S"), "BILOU": ("L", "U")}.get(schema.scheme)
    first, last = ({"I": "I" if schema.scheme == "IOB1" else "B"}, {})
    if marks:
        end, single = marks
        first |= {end: single}
        last = {"B": single, "I": end}
    if start > 0:
        part[0] = _with_prefix(part[0], first)
    if stop < len(labels):
        part[-1] = _with_prefix(part[-1], last)
    return tuple(part)


def _with_prefix(tag: str, changes: dict[str, str]) -> str:
    prefix, hyphen, type_ = tag.partition("-")
    return f"{changes.get(prefix, prefix)}-{type_}" if hyphen else tag


def _part(example: Example, stretch: Stretch) -> Example:
    words, labels = example.words or (), example.labels
    cut = {layer: row if isinstance(row, str) else row[slice(*stretch)] for layer, row in labels.items()}
    return replace(example, words=words[slice(*stretch)], labels=cut, text=None, offsets=None, surface=None)
