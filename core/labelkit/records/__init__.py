"""The frozen records that flow between plugins and core.

Records are keyword-only. New fields come with defaults, so a plugin written today keeps working.
"""

from __future__ import annotations

from labelkit.records.contexts import Context, RunContext, Settings
from labelkit.records.examples import (
    Assumption,
    Example,
    Kind,
    Labels,
    LoadContext,
    Mentions,
    Place,
    ReadingPolicy,
    Schema,
    TextPair,
)
from labelkit.records.heads import Head, HeadBatch, HeadContext
from labelkit.records.labelled import (
    Coverage,
    Labelled,
    Output,
    Span,
)
from labelkit.records.parts import (
    Counts,
    Decoder,
    Encoder,
    Format,
    Metric,
    Predictions,
    Preprocessor,
    ResolvedEncoder,
    Scores,
    Source,
    Task,
)
from labelkit.settings import DataSettings, Scheme

__all__ = [
    "Assumption",
    "Context",
    "Counts",
    "Coverage",
    "DataSettings",
    "Decoder",
    "Encoder",
    "Example",
    "Format",
    "Head",
    "HeadBatch",
    "HeadContext",
    "Kind",
    "Labelled",
    "Labels",
    "LoadContext",
    "Mentions",
    "Metric",
    "Output",
    "Place",
    "Predictions",
    "Preprocessor",
    "ReadingPolicy",
    "ResolvedEncoder",
    "RunContext",
    "Schema",
    "Scheme",
    "Scores",
    "Settings",
    "Source",
    "Span",
    "Task",
    "TextPair",
]
