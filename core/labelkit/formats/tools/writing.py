"""Labelled records as spans on their text, for tools that know spans only; what those cannot say stands beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.labelled_json import is_gold
from labelkit.labels.notation import Notation, notation_of, word_spans
from labelkit.labels.spans import Offsets, TextSpan, joined_offsets, offsets_of, words_of_spans
from labelkit.records import Labelled, Span

ASIDE = "labelkit"
"""The field in which a tool's file keeps what only labelkit needs: id, words, scheme, coverage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """A record of words as spans.

    :param offsets: where each word stands in the record's text.
    :param notation: how the spans become the record's labels again.
    """

    spans: tuple[Span, ...]
    words: tuple[str, ...]
    offsets: Offsets
    notation: Notation


def marked(labelled: Labelled) -> Marked:
    """Return the spans of a record: its own, or those that its labels mean; plain labels make one span per word.

    :raises DataError: its words do not stand in its text, or share a place there so that spans cannot tell them apart.
    """
    words, labels = labelled.words or (), labelled.labels or ()
    offsets = _offsets(labelled, words)
    notation = notation_of(labels)
    if labelled.spans is not None:
        return Marked(spans=labelled.spans, words=words, offsets=offsets, notation=notation)
    found = word_spans(labels)
    spans = [TextSpan(offsets[first][0], offsets[stop - 1][1], label) for first, stop, label in found]
    if any(span.start >= span.end for span in spans) or words_of_spans(spans, labelled.text, offsets)[0] != found:
        raise DataError(
            f"record '{labelled.id}': words that are empty or share a place in the text cannot be told apart by spans",
            hint="another format can hold them, e.g. --to jsonl",
        )
    return Marked(
        spans=tuple(
            Span(start=span.start, end=span.end, label=span.label, text=labelled.text[span.start : span.end])
            for span in spans
        ),
        words=words,
        offsets=offsets,
        notation=notation,
    )


def beside(labelled: Labelled, held: Marked | None) -> dict[str, Any]:
    """Return what a tool has no place for: id, words, their offsets where the text does not tell, scheme, coverage."""
    found: dict[str, Any] = {"id": labelled.id}
    if held is not None:
        found["words"] = list(held.words)
        if offsets_of(held.words, labelled.text) != held.offsets:
            found["offsets"] = [list(pair) for pair in held.offsets]
        found["scheme"] = held.notation
    elif labelled.scores is not None:
        found |= {"score": labelled.score, "scores": dict(labelled.scores)}
    if not is_gold(labelled):
        found["coverage"] = {name: count for name, count in asdict(labelled.coverage).items() if count}
        found |= {"engine": labelled.engine} if labelled.engine else {}
    return found


def check_own(labelled: Labelled, taken: Iterable[str], where: str) -> None:
    """Check that none of the caller's own fields has a name that ``where`` uses itself.

    :raises DataError: one has.
    """
    if clash := [name for name in labelled.extra if name in taken]:
        raise DataError(
            f"record '{labelled.id}': its own field '{clash[0]}' has a name that {where} uses itself",
            hint=f"rename it, or leave it out: --drop {clash[0]}",
        )


def misfit(labelled: Labelled, span: Span, what: str) -> DataError:
    """Return the error about a span that is not made of whole words."""
    return DataError(
        f"record '{labelled.id}': the span {span.start}-{span.end} ({span.label}) {what}",
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
