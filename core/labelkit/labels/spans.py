"""Labelled spans of raw text: parsing them, resolving overlaps, and finding the words that they cover."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from labelkit.errors import DataError
from labelkit.labels.schemes import SpanTuple
from labelkit.records.examples import Offsets

OVERLAPS = "nested or overlapping spans were dropped, the longer ones kept"
_HINT = 'write each as {"start": 0, "end": 5, "label": "PER"} or [0, 5, "PER"]'


#: where text is not ASCII and offsets do not fit it
UNITS_HINT = "; --set data.utf16=true reads them as UTF-16 units; counts of bytes are to be converted"


class TextSpan(NamedTuple):
    """A labelled stretch of a text, in code points, ``end`` exclusive."""

    start: int
    end: int
    label: str

    def shown(self, text: str) -> str:
        """Return the span as messages show it."""
        return f"'{text[self.start : self.end]}' ({self.start}-{self.end}, {self.label})"


def parse_spans(value: Any, text: str) -> list[TextSpan]:
    """Parse spans written as ``{"start", "end", "label"}`` or ``[start, end, label]``; return them sorted.

    :raises DataError: one is invalid, or outside of ``text``; names no file.
    """
    if not isinstance(value, list | tuple):
        raise DataError(f"spans must be a list, not {value!r}"[:300], hint=_HINT)
    return sorted(parse_span(item, text) for item in value)


def parse_span(item: Any, text: str) -> TextSpan:
    """Parse one span as :func:`parse_spans` does.

    :raises DataError: it is invalid, or outside of ``text``; names no file.
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
            hint="start and end count code points from 0, end is exclusive" + ("" if text.isascii() else UNITS_HINT),
        )
    return TextSpan(start, end, label)


class OverlapError(DataError):
    """Two spans overlap, so that tags of words cannot express both.

    :ivar summary: what is counted where the shorter span is dropped.
    """

    def __init__(self, kept: TextSpan, dropped: TextSpan, text: str) -> None:
        same = (kept.start, kept.end) == (dropped.start, dropped.end)
        what = "keeps the first label" if same else "keeps the longer span"
        super().__init__(
            f"spans {kept.shown(text)} and {dropped.shown(text)} overlap",
            hint=f"tags hold one label per word: --set data.drop_overlaps=true {what}",
        )
        self.summary = (
            f"of the labels {kept.label} and {dropped.label} of the same words only {kept.label} was kept"
            if same and kept.label != dropped.label
            else OVERLAPS
        )

    def at(self, place: object) -> DataError:  # type: ignore[override]
        """Return the error with its place, without the spans."""
        return DataError(f"{place}: {self.message}", hint=self.hint)


def without_overlaps(
    spans: Sequence[TextSpan], text: str, on_overlap: Callable[[OverlapError], object] | None = None
) -> list[TextSpan]:
    """Return spans of which none overlaps another: the longer of two, the first of equals.

    :param on_overlap: called with the error of each span that is dropped; None raises it.
    :raises OverlapError: two spans overlap; names no file.
    """
    kept: list[TextSpan] = []
    for span in sorted(spans, key=lambda span: span.start - span.end):
        rival = next((other for other in kept if other.start < span.end and span.start < other.end), None)
        if rival is None:
            kept.append(span)
            continue
        error = OverlapError(rival, span, text)
        if on_overlap is None:
            raise error
        on_overlap(error)
    return sorted(kept)


def words_of_spans(spans: Sequence[TextSpan], text: str, words: Offsets) -> tuple[list[SpanTuple], list[str]]:
    """Return the words of each span, and messages about spans that cut a word or cover none.

    A span may begin or end with white space; it covers the words inside.
    """
    starts, ends = [start for start, _ in words], [end for _, end in words]
    found: list[SpanTuple] = []
    messages: list[str] = []
    for span in spans:
        first, stop = bisect_right(ends, span.start), bisect_left(starts, span.end)
        cut = [text[start:end] for start, end in words[first:stop] if start < span.start or end > span.end]
        if first >= stop or cut:
            what = " and ".join(f"the word '{word}'" for word in cut)
            messages.append(f"{span.shown(text)} {'cuts ' + what if cut else 'holds no word'}")
        else:
            found.append((first, stop, span.label))
    return found, messages


def offsets_of(words: Sequence[str], text: str) -> Offsets | None:
    """Return the offsets of the words in ``text``, in order; None if they are not the words of it.

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
    """Return the offsets of the words in the text that joins them by spaces."""
    offsets, cursor = [], 0
    for word in words:
        offsets.append((cursor, cursor + len(word)))
        cursor += len(word) + 1
    return tuple(offsets)
