"""What a report is made of: a run's record, statistics of its data, and its predictions for gold examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelkit.data.summary import SplitSummary
from labelkit.records import Example, Labels, Schema
from labelkit.registry import RunDetails


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitPredictions:
    """Gold examples of a split with the predictions of the selected checkpoint.

    :param source: where these come from, in words.
    :param predicted: in the order of ``examples``.
    :param figures: scores with ``intervals`` and ``confusion``, as metrics return them.
    :param note: a warning for the reader; else empty.
    """

    source: str
    examples: Sequence[Example]
    layer: str
    predicted: Sequence[Labels]
    schema: Schema
    figures: Mapping[str, Any]
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportContents:
    """Everything a report is made of.

    :param schema: of the labels; None if none is recorded.
    :param summaries: of the splits that can be read and have not changed since the run.
    :param unread: split → why it has no summary.
    :param predictions: by split.
    :param unpredicted: split → why it has no predictions.
    :param card: the model card as Markdown, without metadata; empty for a run without scores.
    """

    details: RunDetails
    schema: Schema | None = None
    summaries: Mapping[str, SplitSummary] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    predictions: Mapping[str, SplitPredictions] = field(default_factory=dict)
    unpredicted: Mapping[str, str] = field(default_factory=dict)
    card: str = ""


def recorded_schema(content: Mapping[str, Any] | None) -> Schema | None:
    """Return the schema that a run recorded; None if there is none, or another version of labelkit wrote it."""
    try:
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in (content or {}).items()
            if name != "tasks"  # the schemas of all tasks of a run, that of the first beside them
        }
        return Schema(**fields) if fields else None
    except Exception:  # a record of another version may hold anything
        return None
