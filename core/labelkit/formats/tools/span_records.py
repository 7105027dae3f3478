"""Labelled records as spans of their text, for tools that know only spans; the rest is stored as metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.labelled_json import is_gold
from labelkit.labels.notation import Notation, notation_of, word_spans
from labelkit.labels.spans import TextSpan, joined_offsets, offsets_of, words_of_spans
from labelkit.records import Labelled, Span
from labelkit.records.examples import Offsets

METADATA = "labelkit"
"""The field of a tool's record for what only labelkit needs: id, words, scheme, coverage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRecord:
    """A record of words as spans.

    :param offsets: the offsets of the words in the record's text.
    :param notation: the notation of the record's labels.
    """

    spans: tuple[Span, ...]
    words: tuple[str, ...]
    offsets: Offsets
    notation: Notation

    @property
    def scores(self) -> list[float | None] | None:
        """The score of each span; None if none has a score."""
        scores = [span.score for span in self.spans]
        return scores if any(score is not None for score in scores) else None


def to_spans(labelled: Labelled) -> SpanRecord:
    """Return the spans of a record: its own, or those that its labels stand for, one per word for plain labels.

    :raises DataError: its words are not those of its text, or share offsets so that spans cannot tell them apart.
    """
    words, labels, text = labelled.words or (), labelled.labels or (), labelled.text
    offsets = _offsets(labelled, words)
    spans = labelled.spans
    if spans is None:
        of_words = word_spans(labels)
        found = [TextSpan(offsets[first][0], offsets[stop - 1][1], label) for first, stop, label in of_words]
        if any(span.start >= span.end for span in found) or words_of_spans(found, text, offsets)[0] != of_words:
            raise DataError(
                f"record '{labelled.id}': words that are empty or share a place in the text cannot be told apart by "
                "spans",
                hint="another format can hold them, e.g. --to jsonl",
            )
        spans = tuple(
            Span(start=span.start, end=span.end, label=span.label, text=text[span.start : span.end]) for span in found
        )
    return SpanRecord(spans=spans, words=words, offsets=offsets, notation=notation_of(labels))


def record_metadata(labelled: Labelled, record: SpanRecord | None) -> dict[str, Any]:
    """Return what tools have no field for: id, words, offsets that the text does not determine, scheme, coverage.

    :param record: the spans of the record; None for a classified text.
    """
    metadata: dict[str, Any] = {"id": labelled.id}
    if record is not None:
        metadata["words"] = list(record.words)
        if offsets_of(record.words, labelled.text) != record.offsets:
            metadata["offsets"] = [list(pair) for pair in record.offsets]
        metadata["scheme"] = record.notation
    elif labelled.scores is not None:
        metadata |= {} if labelled.labels is not None else {"score": labelled.score}
        metadata["scores"] = dict(labelled.scores)
    if not is_gold(labelled):
        metadata["coverage"] = {name: count for name, count in asdict(labelled.coverage).items() if count}
        metadata |= {"engine": labelled.engine} if labelled.engine else {}
    return metadata


def check_own_fields(labelled: Labelled, reserved: Iterable[str], format_name: str) -> None:
    """Check that the user's own fields have no name that a format uses itself.

    :raises DataError: one has.
    """
    if clash := [name for name in labelled.extra if name in reserved]:
        raise DataError(
            f"record '{labelled.id}': its own field '{clash[0]}' has a name that {format_name} uses itself",
            hint=f"rename it, or leave it out: --drop {clash[0]}",
        )


def span_error(labelled: Labelled, span: Span, reason: str) -> DataError:
    """Return the error for a span that does not consist of whole words."""
    return DataError(
        f"record '{labelled.id}': the span {span.start}-{span.end} ({span.label}) {reason}",
        hint="another format can hold it, e.g. --to doccano",
    )


def json_bytes(value: Any, labelled: Labelled) -> bytes:
    """Return a value as JSON in UTF-8.

    :raises DataError: JSON in UTF-8 cannot hold it.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise DataError(
            f"record '{labelled.id}' cannot be written as JSON: {error}",
            hint="leave the field out, or use another format, e.g. --to jsonl",
        ) from error


def _offsets(labelled: Labelled, words: tuple[str, ...]) -> Offsets:
    if labelled.offsets is not None:
        return labelled.offsets
    if labelled.text == " ".join(words):
        return joined_offsets(words)
    found = offsets_of(words, labelled.text)
    if found is None:
        raise DataError(
            f"record '{labelled.id}': the words are not those of the text, so spans cannot be placed",
            hint="leave the text out with --drop text, or use another format, e.g. --to jsonl",
        )
    return found
