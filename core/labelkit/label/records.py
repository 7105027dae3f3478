"""The records of a labelling job: those that failed, scores below a threshold, and names of the user's own fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import compress
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
    kept, dropped = _keep(record, lambda label, score: score >= min_score, scheme)
    return replace(kept, coverage=replace(record.coverage, below_min_score=dropped)) if dropped else record


def apply_thresholds(record: Labelled, thresholds: Mapping[str, float | None], scheme: Scheme | None) -> Labelled:
    """Return the record as :func:`drop_low_scores` does, with a threshold for each type.

    A text with any number of labels also gets those that reach their threshold and were not predicted.

    :param thresholds: type → the least score, None to drop all its labels; others stay.
    """

    def keeps(label: str, score: float) -> bool:
        least = thresholds.get(label, 0.0)
        return least is not None and score >= least

    before, scores = record.labels, record.scores
    if record.words is None and before is not None and scores is not None:
        chosen = [
            label
            for label, score in scores.items()
            if (keeps(label, score) if label in thresholds else label in before)
        ]
        kept, dropped = replace(record, labels=tuple(chosen)), len(set(before) - set(chosen))
    else:
        kept, dropped = _keep(record, keeps, scheme)
    return replace(kept, coverage=replace(record.coverage, below_threshold=dropped)) if dropped else kept


def _keep(record: Labelled, keeps: Callable[[str, float], bool], scheme: Scheme | None) -> tuple[Labelled, int]:
    """Return the record with the spans or labels that ``keeps`` accepts by label and score, and how many it lost."""
    if record.words is None and record.labels is not None:
        scores = record.scores or {}
        high = tuple(label for label in record.labels if keeps(label, scores.get(label, 0.0)))
        return replace(record, labels=high), len(record.labels) - len(high)
    if record.words is None:
        if record.label is None or record.score is None or keeps(record.label, record.score):
            return record, 0
        return replace(record, label=None), 1
    spans = record.spans or ()
    kept = [keeps(span.label, span.score or 0.0) for span in spans]
    if all(kept):
        return record, 0
    found = replace(record, spans=tuple(compress(spans, kept)))
    if scheme is not None:
        labels = record.labels or ()
        of_words = compress(spans_of(labels, scheme), kept)
        found = replace(found, labels=tags_of(list(of_words), len(labels), scheme))
    return found, len(spans) - len(found.spans or ())
