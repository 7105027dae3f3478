"""Offsets of annotation tools, in code points or UTF-16 code units, as spans in code points."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from labelkit.errors import DataError
from labelkit.labels.spans import TextSpan, parse_span
from labelkit.records import LoadContext

CONVERTED = "spans counted in UTF-16 units were moved to code points"

Item = TypeVar("Item")


class SpanLocator:
    """Locates a tool's spans in one text.

    If the text that a tool stores with a span is not the one at its offsets, the offsets are read as UTF-16 code units,
    in which older tools count, if that gives the stored text. ``data.utf16=true`` reads all offsets so.

    :ivar errors: errors of the spans that were dropped because ``ctx.policy`` drops such spans.
    """

    def __init__(self, text: str, ctx: LoadContext) -> None:
        self.errors: list[DataError] = []
        self._text, self._policy, self._utf16 = text, ctx.policy, ctx.settings.utf16
        self._code_points: list[int] | None = None

    def collect(self, items: Iterable[Item], parse: Callable[[Item], Iterable[TextSpan]]) -> list[TextSpan]:
        """Return the spans that ``parse`` makes of each item.

        :raises DataError: an item is invalid, and ``ctx.policy`` does not drop spans; names no file.
        """
        found: list[TextSpan] = []
        for item in items:
            try:
                found += parse(item)
            except DataError as error:
                if self._policy.on_bad_span is None:
                    raise
                # several annotations of one text that agree have the same errors
                if error.message not in [other.message for other in self.errors]:
                    self.errors.append(error)
        return found

    def span(self, start: Any, end: Any, label: Any, surface: Any = None) -> TextSpan:
        """Return a span.

        :param surface: the text that the tool stores with the span; None if it stores none.
        :raises DataError: it is invalid, outside of the text, or its text is not ``surface``; names no file.
        """
        if self._utf16:
            return self._checked(self._from_utf16(start, end, label), surface)
        if surface is None or (type(start) is int and type(end) is int and _same(self._text[start:end], surface)):
            return parse_span([start, end, label], self._text)
        try:
            span = self._checked(self._from_utf16(start, end, label), surface)
        except DataError:
            return self._checked(parse_span([start, end, label], self._text), surface)
        self._policy.counts[CONVERTED] += 1
        return span

    def _from_utf16(self, start: Any, end: Any, label: Any) -> TextSpan:
        if self._code_points is None:
            # code unit → code point that begins there, -1 for the second half of a pair
            pairs = ([index, -1] if char > "\uffff" else [index] for index, char in enumerate(self._text))
            self._code_points = [*(unit for pair in pairs for unit in pair), len(self._text)]
        known = [type(unit) is int and 0 <= unit < len(self._code_points) for unit in (start, end)]
        offsets = [self._code_points[unit] for unit in (start, end)] if all(known) else [-1]
        if -1 in offsets:
            raise DataError(
                f"span {start}-{end} ({label}) in UTF-16 units does not lie in the text, or halves a character",
                hint="start and end count from 0, end is exclusive; without data.utf16 they count code points",
            )
        return parse_span([*offsets, label], self._text)

    def _checked(self, span: TextSpan, surface: Any) -> TextSpan:
        if surface is not None and not _same(self._text[span.start : span.end], surface):
            raise DataError(
                f"span {span.shown(self._text)} does not match the text {surface!r} in the file"[:300],
                hint="its offsets do not fit this text: was the text changed after it was annotated?",
            )
        return span


def _same(text: str, surface: Any) -> bool:
    """Return whether a stored text is that of the span; tools differ in how they store line ends."""
    return isinstance(surface, str) and "".join(text.split()) == "".join(surface.replace("\\n", "").split())
