"""Spans of texts as labels of their words; errors of a file's spans are collected and raised together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from labelkit.errors import DataError
from labelkit.labels.notation import Notation
from labelkit.labels.schemes import SpanTuple, tags_of
from labelkit.labels.span_alignment import align_span
from labelkit.labels.spans import (
    UNITS_HINT,
    OverlapError,
    TextSpan,
    joined_offsets,
    without_overlaps,
    words_of_spans,
)
from labelkit.records import LoadContext, Place
from labelkit.records.examples import Offsets

ALIGNED = {
    "expand": "spans that cut words were expanded to whole words",
    "contract": "spans that cut words were contracted to whole words",
}
CUTTING = "spans that cut words, or hold none, were dropped"
_INCLUSIVE = "; all end one character before a word does: if their ends are inclusive, expand is right"
_LISTED = 20  # messages in one error
_SHOWN = 5  # spans that were aligned, in a line for users


class SpanTagger:
    """Converts the spans of one file's records to labels of their words.

    ``ctx.settings.drop_overlaps`` keeps the longer of two overlapping spans, and counts the dropped ones in
    ``ctx.policy.counts``; ``ctx.settings.align_spans`` aligns spans that cut words, which are counted and listed;
    ``ctx.settings.plain_labels`` reads spans as plain labels of words. A span that cannot be
    used is dropped where ``ctx.policy.on_bad_span`` takes its error; its record stays.
    """

    def __init__(self, ctx: LoadContext) -> None:
        self._settings, self._policy = ctx.settings, ctx.policy
        self._messages: list[str] = []
        self._count = 0
        self._aligned: list[str] = []
        self._short = 0  # spans that end one character before a word does
        self._wide = False  # texts with spans that cut words hold characters other than ASCII

    def labels(
        self,
        spans: Sequence[TextSpan],
        text: str,
        words: Sequence[str],
        offsets: Offsets | None,
        place: Place,
        notation: Notation | None = None,
    ) -> tuple[str, ...] | None:
        """Return a label per word; None if spans cut words, which :meth:`finish` reports.

        :param offsets: of the words in ``text``; None if ``text`` is the words joined by spaces.
        :param notation: the notation that the file states; None for the one of the settings.
        :raises DataError: spans overlap, or the words are not those of the text; names no file.
        """
        if offsets is None:
            offsets = joined_offsets(words)
            if text != " ".join(words):
                raise DataError(
                    "the words are not those of the text, so its spans cannot be placed",
                    hint="correct the words, or leave them out",
                )
        kept = without_overlaps(self._align(spans, text, offsets, place), text, self._on_overlap(place))
        found, messages = words_of_spans(kept, text, offsets)
        self._reject(messages, place)
        if messages and self._policy.on_bad_span is None:
            ends = {end for _, end in offsets}
            self._short += sum(span.end not in ends and span.end + 1 in ends for span in kept)
            self._wide = self._wide or not text.isascii()
            return None
        notation = notation or ("plain" if self._settings.plain_labels else "IOB2")
        if notation != "plain":
            return tags_of(found, len(words), notation)
        labels = plain_labels(found, len(words))
        missing = [f"the word '{word}' has no label" for word, label in zip(words, labels, strict=True) if not label]
        self._reject(missing, place)
        return None if missing else labels

    def finish(self) -> None:
        """List the spans that were aligned, and raise what was collected.

        :raises DataError: there were spans that cut words, or words without a label.
        """
        if self._aligned:
            self._policy.assume(
                f"spans that cut words were changed ({'; '.join(self._aligned)})",
                f"data.align_spans={self._settings.align_spans} does that, --set data.align_spans=error refuses them",
            )
        if count := self._count:
            more = f"; and {count - _LISTED} more" if count > _LISTED else ""
            raise DataError(
                f"{count} span{'s' if count > 1 else ''} cannot be written as tags of words: "
                f"{'; '.join(self._messages)}{more}",
                hint="correct them, or --set data.align_spans=expand, contract or drop does it for all of them"
                + (_INCLUSIVE if self._short == count else UNITS_HINT if self._wide else ""),
            )

    def _align(self, spans: Sequence[TextSpan], text: str, words: Offsets, place: Place) -> list[TextSpan]:
        """Return spans that cut no word, if the settings say how; those that change are counted."""
        mode = self._settings.align_spans
        if mode == "error":
            return list(spans)
        found = []
        for span in spans:
            aligned = align_span(span, words, mode)
            if aligned is not None:
                found.append(aligned)
            if aligned != span:
                self._policy.counts[CUTTING if aligned is None else ALIGNED[mode]] += 1
                if len(self._aligned) < _SHOWN:
                    now = "dropped" if aligned is None else f"'{text[aligned.start : aligned.end]}'"
                    self._aligned.append(f"{place} '{text[span.start : span.end]}' → {now}")
        return found

    def _on_overlap(self, place: Place) -> Callable[[OverlapError], object] | None:
        if self._settings.drop_overlaps:
            return lambda error: self._policy.counts.update((error.summary,))
        if self._policy.on_bad_span is None:
            return None
        return lambda error: self._policy.drop_span(error.at(place))

    def _reject(self, messages: Iterable[str], place: Place) -> None:
        """Report messages about spans to the policy, or collect them."""
        for message in messages:
            if self._policy.on_bad_span is not None:
                self._policy.drop_span(DataError(f"{place}: {message}"))
                continue
            self._count += 1
            if self._count <= _LISTED:
                self._messages.append(f"{place}: {message}")


def plain_labels(spans: Sequence[SpanTuple], length: int) -> tuple[str, ...]:
    """Return the label of the span that each of ``length`` words lies in; an empty one for words outside."""
    labels = [""] * length
    for first, stop, label in spans:
        labels[first:stop] = [label] * (stop - first)
    return tuple(labels)
