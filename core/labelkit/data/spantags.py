"""Spans on text made into labels of words, file by file: what cuts a word is collected and told at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from labelkit.data.schemes import SpanTuple, tags_of
from labelkit.data.spans import Offsets, TextSpan, covered, joined_offsets, without_overlaps
from labelkit.errors import DataError
from labelkit.records import LoadContext, Place, Scheme

Notation = Scheme | Literal["plain"]
"""How spans become labels of words: tags of a scheme, or the span's own label on each of its words."""

OVERLAPS = "nested or overlapping spans were dropped, the longer ones kept"
_LISTED = 20  # misaligned spans in one message


class SpanTagger:
    """Makes the spans of one file's records into labels of their words.

    ``ctx.options``: ``drop_overlaps`` keeps the longer of two spans that overlap, ``plain_labels`` takes spans for
    plain labels of words, ``tally`` counts what is dropped.
    """

    def __init__(self, ctx: LoadContext) -> None:
        self._options: Mapping[str, Any] = ctx.options
        self._faults: list[str] = []
        self._unlisted = 0

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
        kept, dropped = without_overlaps(spans, text, drop=bool(self._options.get("drop_overlaps")))
        if dropped and (tally := self._options.get("tally")) is not None:
            tally[OVERLAPS] += dropped
        found, faults = covered(kept, text, offsets)
        notation = notation or ("plain" if self._options.get("plain_labels") else "IOB2")
        if notation == "plain" and not faults:
            labels = plain_labels(found, len(words))
            faults = [f"the word '{word}' has no label" for word, label in zip(words, labels, strict=True) if not label]
        else:
            labels = tags_of(found, len(words), "IOB2" if notation == "plain" else notation)
        room = _LISTED - len(self._faults)
        self._faults += [f"{place}: {fault}" for fault in faults[:room]]
        self._unlisted += len(faults[room:])
        return None if faults else labels

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
