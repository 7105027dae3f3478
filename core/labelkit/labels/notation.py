"""Whether labels of words are tags of a scheme or plain labels, and the spans that they stand for."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from labelkit.errors import DataError
from labelkit.labels.schemes import PREFERENCE, SpanTuple, spans_of, tags_of
from labelkit.records import Scheme

Notation = Scheme | Literal["plain"]
"""How spans are written as labels of words: as tags of a scheme, or as the span's label on each of its words."""

# The scheme that comes first is preferred if labels are tags of several.


@lru_cache(maxsize=1 << 12)
def notation_of(labels: tuple[str, ...]) -> Notation:
    """Return the scheme that ``labels`` are valid tags of; ``plain`` if they are not tags of any scheme.

    >>> notation_of(("S-PER", "O")), notation_of(("NOUN", "VERB"))
    ('BIOES', 'plain')
    """
    tags = False
    for scheme in PREFERENCE:
        try:
            found = spans_of(labels, scheme)
        except DataError:
            continue
        tags = True
        if tags_of(found, len(labels), scheme) == labels:
            return scheme
    return "IOB2" if tags else "plain"


def word_spans(labels: tuple[str, ...]) -> list[SpanTuple]:
    """Return the spans, in words, that ``labels`` stand for; each plain label is a span of one word."""
    for scheme in () if notation_of(labels) == "plain" else PREFERENCE:
        try:
            return spans_of(labels, scheme)
        except DataError:
            continue
    return [(index, index + 1, label) for index, label in enumerate(labels)]


def as_iob2(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the IOB2 tags of the spans that ``labels`` stand for."""
    return tags_of(word_spans(labels), len(labels), "IOB2")
