"""Spans on text made into labels of words, file by file: what cuts a word is collected and told at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelkit.errors import DataError
from labelkit.labels.notation import Notation
from labelkit.labels.schemes import SpanTuple, tags_of
from labelkit.labels.spans import (
    Offsets,
    TextSpan,
    joined_offsets,
    parse_span,
    parse_spans,
    without_overlaps,
    words_of_spans,
)
from labelkit.records import LoadContext, Place

OVERLAPS = "nested or overlapping spans were dropped, the longer ones kept"
_LISTED = 20  # misaligned spans in one message


class SpanTagger:
    """Makes the spans of one file's records into labels of their words.

    ``ctx.settings.drop_overlaps`` keeps the longer of two overlapping spans, and counts the dropped ones in
    ``ctx.policy.counts``; ``ctx.settings.plain_labels`` reads spans as plain labels of words. A span that cannot be
    used is dropped where ``ctx.policy.on_bad_span`` takes its error; its record stays.
    """

    def __init__(self, ctx: LoadContext) -> None:
        self._settings, self._counts = ctx.settings, ctx.policy.counts
        self._skip = ctx.policy.on_bad_span
        self._faults: list[str] = []
        self._unlisted = 0

    def parse(self, value: Any, text: str, place: Place) -> list[TextSpan]:
        """Read spans as :func:`labelkit.labels.spans.parse_spans` does.

        :raises DataError: one is none, or reaches outside of ``text``; names no file.
        """
        if self._skip is None or not isinstance(value, list | tuple):
            return parse_spans(value, text)
        found = []
        for item in value:
            try:
                found.append(parse_span(item, text))
            except DataError as error:
                self._skip(DataError(f"{place}: {error.message}", hint=error.hint))
        return sorted(found)

    def labels(
        self,
        spans: Sequence[TextSpan],
        text: str,
        words: Sequence[str],
        offsets: Offsets | None,
        place: Place,
        notation: Notation | None = None,
    ) -> tuple[str, ...] | None:
        """Return a label per word; None when spans do not fit the words, which :meth:`finish` tells of.

        :param offsets: where the words stand in ``text``; None where ``text`` is the words joined by one space.
        :param notation: what the file says of itself; None where it says nothing.
        :raises DataError: spans overlap, or the words are not those of the text; names no file.
        """
        if offsets is None:
            offsets = joined_offsets(words)
            if text != " ".join(words):
                raise DataError(
                    "the words are not those of the text, so its spans cannot be placed",
                    hint="correct the words, or leave them out",
                )
        kept, dropped = self._apart(spans, text, place)
        if dropped:
            self._counts[OVERLAPS] += dropped
        found, faults = words_of_spans(kept, text, offsets)
        faults = self._told(faults, place)
        notation = notation or ("plain" if self._settings.plain_labels else "IOB2")
        if notation == "plain" and not faults:
            labels = plain_labels(found, len(words))
            faults = [f"the word '{word}' has no label" for word, label in zip(words, labels, strict=True) if not label]
        else:
            labels = tags_of(found, len(words), "IOB2" if notation == "plain" else notation)
        if self._skip is not None:
            self._told(faults, place)
            return None if faults else labels
        room = _LISTED - len(self._faults)
        self._faults += [f"{place}: {fault}" for fault in faults[:room]]
        self._unlisted += len(faults[room:])
        return None if faults else labels

    def _apart(self, spans: Sequence[TextSpan], text: str, place: Place) -> tuple[list[TextSpan], int]:
        """Return spans that do not overlap, and how many were dropped because that was asked for."""
        skip = self._skip
        if skip is None or self._settings.drop_overlaps:
            return without_overlaps(spans, text, drop=self._settings.drop_overlaps)
        kept, _ = without_overlaps(
            spans, text, drop=True, on_drop=lambda error: skip(DataError(f"{place}: {error.message}", hint=error.hint))
        )
        return kept, 0

    def _told(self, faults: list[str], place: Place) -> list[str]:
        """Tell of spans that are left out, where errors of spans are collected; return what is yet to be told."""
        if self._skip is None:
            return faults
        for fault in faults:
            self._skip(DataError(f"{place}: {fault}"))
        return []

    def finish(self) -> None:
        """Raise what was collected.

        :raises DataError: there were spans that cut words.
        """
        if self._faults:
            count = len(self._faults) + self._unlisted
            more = f"; and {self._unlisted} more" if self._unlisted else ""
            raise DataError(
                f"{count} span{'s' if count > 1 else ''} cannot be written as tags of words: "
                + "; ".join(self._faults)
                + more,
                hint="correct them, or give the words already split, as a list",
            )


def plain_labels(found: Sequence[SpanTuple], length: int) -> tuple[str, ...]:
    """Return the label of the span that each word lies in; an empty one where there is none."""
    labels = [""] * length
    for first, stop, label in found:
        labels[first:stop] = [label] * (stop - first)
    return tuple(labels)
