"""Spans on raw text made into words with IOB2 tags; nothing is moved, shortened or dropped in silence."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from labelkit.errors import DataError
from labelkit.labels.schemes import SpanTuple, tags_of

Offsets = tuple[tuple[int, int], ...]


_HINT = 'write each as {"start": 0, "end": 5, "label": "PER"} or [0, 5, "PER"]'


class TextSpan(NamedTuple):
    """A labelled stretch of a text, in code points, ``end`` exclusive."""

    start: int
    end: int
    label: str

    def shown(self, text: str) -> str:
        """Return it for a message."""
        return f"'{text[self.start : self.end]}' ({self.start}-{self.end}, {self.label})"


def parse_spans(value: Any, text: str) -> list[TextSpan]:
    """Read spans written as ``{"start", "end", "label"}`` or as ``[start, end, label]``, in order of their starts.

    :raises DataError: one is neither, or reaches outside of ``text``; names no file.
    """
    if not isinstance(value, list | tuple):
        raise DataError(f"spans must be a list, not {value!r}"[:300], hint=_HINT)
    return sorted(parse_span(item, text) for item in value)


def parse_span(item: Any, text: str) -> TextSpan:
    """Read one span as :func:`parse_spans` does.

    :raises DataError: it is none, or reaches outside of ``text``; names no file.
    """
    if isinstance(item, Mapping):
        item = [item.get(name) for name in ("start", "end", "label")]
    if not isinstance(item, list | tuple) or len(item) != 3:
        raise DataError(f"a span is start, end and label, not {item!r}"[:300], hint=_HINT)
    start, end, label = item
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label:
        raise DataError(f"a span is start, end and label, not {item!r}"[:300], hint=_HINT)
    if not 0 <= start < end <= len(text):
        raise DataError(
            f"span {start}-{end} ({label}) does not lie in a text of {len(text)} characters",
            hint="start and end count code points from 0, end is exclusive",
        )
    return TextSpan(start, end, label)


def without_overlaps(
    spans: Sequence[TextSpan], text: str, *, drop: bool, tell: Callable[[DataError], object] | None = None
) -> tuple[list[TextSpan], int]:
    """Return spans of which none overlaps another, and how many were dropped.

    :param drop: keep the longer one of two that overlap (the first one of equals) instead of refusing them.
    :param tell: called with the error of each span that is dropped.
    :raises DataError: two overlap; names no file.
    """
    kept: list[TextSpan] = []
    for span in sorted(spans, key=lambda span: span.start - span.end):
        rival = next((other for other in kept if other.start < span.end and span.start < other.end), None)
        if rival is None:
            kept.append(span)
            continue
        error = DataError(
            f"spans {rival.shown(text)} and {span.shown(text)} overlap",
            hint="tags hold one label per word: --set data.drop_overlaps=true keeps the longer span",
        )
        if not drop:
            raise error
        if tell is not None:
            tell(error)
    return sorted(kept), len(spans) - len(kept)


def align(spans: Sequence[TextSpan], text: str, words: Offsets) -> tuple[tuple[str, ...], list[str]]:
    """Return the IOB2 tags of ``words`` for spans that do not overlap, and what is wrong with those that cut a word.

    A span may begin or end with white space; it holds the words inside.
    """
    found, faults = covered(spans, text, words)
    return tags_of(found, len(words), "IOB2"), faults


def covered(spans: Sequence[TextSpan], text: str, words: Offsets) -> tuple[list[SpanTuple], list[str]]:
    """Return which words each span holds, and what is wrong with the spans that cut a word or hold none."""
    starts, ends = [start for start, _ in words], [end for _, end in words]
    found: list[SpanTuple] = []
    faults: list[str] = []
    for span in spans:
        first, stop = bisect_right(ends, span.start), bisect_left(starts, span.end)
        cut = [text[start:end] for start, end in words[first:stop] if start < span.start or end > span.end]
        if first >= stop or cut:
            what = " and ".join(f"the word '{word}'" for word in cut)
            faults.append(f"{span.shown(text)} {'cuts ' + what if cut else 'holds no word'}")
        else:
            found.append((first, stop, span.label))
    return found, faults


def offsets_of(words: Sequence[str], text: str) -> Offsets | None:
    """Return where each word stands in ``text``, one after the other; None when they are not the words of it.

    >>> offsets_of(("Rome", "!"), "Rome!")
    ((0, 4), (4, 5))
    """
    offsets, cursor = [], 0
    for word in words:
        start = text.find(word, cursor)
        if start < 0 or text[cursor:start].strip():
            return None
        cursor = start + len(word)
        offsets.append((start, cursor))
    return None if text[cursor:].strip() else tuple(offsets)


def joined_offsets(words: Sequence[str]) -> Offsets:
    """Return where each word stands in the words joined by one space."""
    offsets, cursor = [], 0
    for word in words:
        offsets.append((cursor, cursor + len(word)))
        cursor += len(word) + 1
    return tuple(offsets)
