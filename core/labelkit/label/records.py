"""The records of a labelling job: those that failed, scores below a threshold, and names of the user's own fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from labelkit.labels.schemes import spans_of, tags_of
from labelkit.records import Kind, Labelled, Scheme

#: fields of a labelled record in JSON
_RESERVED: Mapping[Kind, frozenset[str]] = {
    "token": frozenset(("id", "text", "words", "labels", "spans", "coverage", "layers")),
    "text": frozenset(("id", "text", "label", "labels", "score", "scores", "coverage", "layers")),
}


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A record that could not be read or labelled.

    :param message: the error's message, with file and line.
    :param ends_file: the rest of the file could not be read either.
    """

    message: str
    hint: str | None = None
    ends_file: bool = False


def rename_reserved_fields(extra: Mapping[str, Any], kind: Kind, *, pair: bool = False) -> dict[str, Any]:
    """Return the user's own fields, with ``input_`` before names that a labelled record uses itself.

    :param pair: the record is one of a pair of texts.

    >>> rename_reserved_fields({"label": "x", "author": "me"}, "text")
    {'input_label': 'x', 'author': 'me'}
    """
    reserved = _RESERVED[kind] | {"pair"} if pair else _RESERVED[kind]
    renamed: dict[str, Any] = {}
    for name, value in extra.items():
        while name in reserved or name in renamed:
            name = f"input_{name}"
        renamed[name] = value
    return renamed


def drop_low_scores(record: Labelled, min_score: float, scheme: Scheme | None) -> Labelled:
    """Return the record without spans or a label scored below ``min_score``; the coverage counts how many.

    Words of a dropped span get the label ``O``. A plain label of a word stays, as every word has one; only its span
    is dropped. The label of a whole text becomes None, and of a set of labels those below are left out; scores stay.
    """
    if record.words is None and record.labels is not None:
        scores = record.scores or {}
        high = tuple(label for label in record.labels if scores.get(label, 0.0) >= min_score)
        dropped = len(record.labels) - len(high)
        return replace(record, labels=high, coverage=replace(record.coverage, below_min_score=dropped))
    if record.words is None:
        if record.score is None or record.score >= min_score:
            return record
        return replace(record, label=None, coverage=replace(record.coverage, below_min_score=1))
    spans = record.spans or ()
    kept = tuple(span for span in spans if (span.score or 0) >= min_score)
    if len(kept) == len(spans):
        return record
    coverage = replace(record.coverage, below_min_score=len(spans) - len(kept))
    if scheme is None:
        return replace(record, spans=kept, coverage=coverage)
    labels = record.labels or ()
    pairs = zip(spans, spans_of(labels, scheme), strict=True)
    of_words = [of_words for span, of_words in pairs if (span.score or 0) >= min_score]
    return replace(record, spans=kept, labels=tags_of(of_words, len(labels), scheme), coverage=coverage)
