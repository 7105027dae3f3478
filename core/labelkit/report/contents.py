"""What a report is made of: the record of a run, its data in figures, and what its checkpoint made of gold examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelkit.data.summary import SplitSummary
from labelkit.records import Example, Labels, Schema
from labelkit.registry.entities import RunDetails


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitPredictions:
    """Gold examples of a split beside the labels that the chosen checkpoint gave them.

    :param source: where these come from, in words.
    :param predicted: in the order of ``examples``.
    :param figures: scores with ``intervals`` and ``confusion``, as the metrics give them.
    :param note: what makes them less than certain; else empty.
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

    :param schema: of the labels; None where nothing is recorded of them.
    :param summaries: of the splits that could be read again and are as the run read them.
    :param unread: split → why it has no summary.
    :param judged: by split.
    :param unjudged: split → why there are no predictions to look at.
    """

    details: RunDetails
    schema: Schema | None = None
    summaries: Mapping[str, SplitSummary] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    judged: Mapping[str, SplitPredictions] = field(default_factory=dict)
    unjudged: Mapping[str, str] = field(default_factory=dict)


def schema_of(content: Mapping[str, Any] | None) -> Schema | None:
    """Return the schema that a run recorded; None where there is none, or one that this labelkit cannot read."""
    try:
        given = (content or {}).items()
        fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given}
        return Schema(**fields) if fields else None
    except Exception:  # a record of another labelkit may hold anything
        return None
