"""Labelled records as JSON, with the field names that users and programs rely on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from labelkit.records import Labelled


def to_json(record: Labelled) -> dict[str, Any]:
    """Return a labelled record ready for JSON; the caller's own fields stand beside ours and never replace them."""
    ours: dict[str, Any] = {"id": record.id, "text": record.text}
    if record.words is not None:
        ours |= {"words": list(record.words), "labels": list(record.labels or ())}
        ours["spans"] = [asdict(span) for span in record.spans or ()]
    else:
        ours |= {"label": record.label, "score": record.score, "scores": dict(record.scores or {})}
    ours["coverage"] = asdict(record.coverage)
    return {**record.extra, **ours}
