"""Labelled records as JSON, with the field names that users and programs rely on; and records that could not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from labelkit.labels.schemes import spans_of, tags_of
from labelkit.records import Labelled, Scheme

#: what the coverage says only where there is something to say
_SELDOM = ("below_min_score", "repaired")
_OURS = {
    "token": frozenset(("id", "text", "words", "labels", "spans", "coverage")),
    "text": frozenset(("id", "text", "label", "score", "scores", "coverage")),
}


@dataclass(frozen=True, slots=True)
class Failed:
    """A record that could not be read or labelled.

    :param message: what and where, as errors say it.
    :param ends_file: nothing after it could be read either.
    """

    message: str
    hint: str | None = None
    ends_file: bool = False


def to_json(record: Labelled) -> dict[str, Any]:
    """Return a labelled record ready for JSON; the caller's own fields stand beside ours and never replace them."""
    ours: dict[str, Any] = {"id": record.id, "text": record.text}
    if record.words is not None:
        ours |= {"words": list(record.words), "labels": list(record.labels or ())}
        ours["spans"] = [asdict(span) for span in record.spans or ()]
    else:
        ours |= {"label": record.label, "score": record.score, "scores": dict(record.scores or {})}
    coverage = asdict(record.coverage)
    ours["coverage"] = {name: value for name, value in coverage.items() if value or name not in _SELDOM}
    if record.engine:
        ours["coverage"]["engine"] = record.engine
    return {**record.extra, **ours}


def carried(extra: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the caller's own fields; those called like one of ours get ``input_`` before their name.

    >>> carried({"label": "x", "author": "me"}, "text")
    {'input_label': 'x', 'author': 'me'}
    """
    kept: dict[str, Any] = {}
    for name, value in extra.items():
        while name in _OURS[kind] or name in kept:
            name = f"input_{name}"
        kept[name] = value
    return kept


def above(record: Labelled, min_score: float, scheme: Scheme | None) -> Labelled:
    """Return the record without what was scored lower than ``min_score``; how much that was stands in the coverage.

    Spans go, and their words get the label ``O``. A plain label stays, as every word has one, only its span goes. The
    label of a whole text becomes None; its scores stay.
    """
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
    found = zip(spans, spans_of(labels, scheme), strict=True)
    words = [of_words for span, of_words in found if (span.score or 0) >= min_score]
    return replace(record, spans=kept, labels=tags_of(words, len(labels), scheme), coverage=coverage)
