"""Labelled records as fields, for the formats that write them down by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.labelled import to_json
from labelkit.records import Coverage, Labelled

#: what labelkit adds to a record that it labelled; reading it back as data needs none of it
_OURS = ("spans", "score", "scores", "coverage")


def is_gold(labelled: Labelled) -> bool:
    """Return whether nothing labelled it: its labels were read, so there is neither score nor coverage."""
    coverage = labelled.coverage
    return coverage.windows == 0 and coverage.fallback == 0 and coverage.words > 0


def gold_coverage(words: int) -> Coverage:
    """Return the coverage of a record whose labels were read."""
    return Coverage(words=max(words, 1), windows=0)


def to_record(labelled: Labelled) -> dict[str, Any]:
    """Return the fields of a record: ours first, then the caller's own.

    :raises DataError: one of the caller's own has the name of one of ours.
    """
    ours = _gold(labelled) if is_gold(labelled) else to_json(replace(labelled, extra={}))
    if clash := [name for name in labelled.extra if name in ours]:
        raise DataError(
            f"record '{labelled.id}': its own field '{clash[0]}' would be overwritten by labelkit's",
            hint="rename it, or leave it out",
        )
    return {**ours, **labelled.extra}


def without_ours(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a record without what :func:`to_record` added to one that labelkit labelled."""
    coverage = record.get("coverage")
    if isinstance(coverage, dict) and {"words", "windows"} <= coverage.keys():
        return {name: value for name, value in record.items() if name not in _OURS}
    return record


def _gold(labelled: Labelled) -> dict[str, Any]:
    found: Mapping[str, Any] = (
        {"label": labelled.label}
        if labelled.words is None
        else {"words": list(labelled.words), "labels": list(labelled.labels or ())}
    )
    return {"id": labelled.id, "text": labelled.text, **found}
