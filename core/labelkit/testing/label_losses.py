"""Find what a labeller loses of a text: words, text, labels, offsets or scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labelkit.records import Labelled, Labels, TextPair

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller


def labels_of(record: Labelled) -> Labels:
    """Return the labels of a record: one for each word, the one of a text, or any number of them."""
    return record.label or "" if record.labels is None else record.labels


def find_losses(labeller: Labeller, given: str | tuple[str, ...], kind: str) -> Iterator[str]:
    """Yield what differs between a text, or words, and the record that a labeller makes of it."""
    record = labeller.label(TextPair(given, "b") if labeller.info.pairs and isinstance(given, str) else given)
    yield from text_losses(record, given) if kind == "text" else word_losses(record, given)
    labels = labels_of(record) if record.number is None else ()
    unknown = [label for label in ((labels,) if isinstance(labels, str) else labels) if label not in labeller.labels]
    if unknown:
        yield f"{unknown[0]!r} is not a label of the schema"


def text_losses(record: Labelled, given: str | tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with the record of a text."""
    scores = record.scores or {}
    if record.text != given:
        yield "the text does not come back as it was"
    if record.number is None and (not scores or not all(0 <= score <= 1 for score in scores.values())):
        yield f"the scores are {scores}"


def word_losses(record: Labelled, given: str | tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with the record of words."""
    words, offsets, text = record.words or (), record.offsets or (), record.text
    if given != (text if isinstance(given, str) else words):
        yield "the text does not come back as it was"
    if not len(words) == len(record.labels or ()) == len(offsets) == record.coverage.words:
        yield f"{len(words)} words have {len(record.labels or ())} labels"
    if any(text[start:end] != word for word, (start, end) in zip(words, offsets, strict=False)):
        yield "words do not stand where their offsets say"
    for span in record.spans or ():
        if span.text != text[span.start : span.end] or not 0 <= (span.score or 0) <= 1:
            yield f"span {span.start} to {span.end} is not '{span.text}' with a score between 0 and 1"
