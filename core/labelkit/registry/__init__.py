"""The registry: what is known of every run. Importing it loads no database library until it is opened."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from labelkit.registry.entities import (
    Attempt,
    CheckpointRecord,
    Evaluation,
    Group,
    Note,
    OutputRecord,
    PlanValue,
    RunDetails,
    RunRecord,
    RunSummary,
    SplitRecord,
    Spread,
    VersionRecord,
)
from labelkit.registry.home import Home
from labelkit.registry.metric_rows import Figure, nested
from labelkit.registry.reports import (
    CheckedCheckpoint,
    Collected,
    FileState,
    Leftover,
    Origin,
    Removed,
    Verification,
)

if TYPE_CHECKING:
    from labelkit.registry.aliases import AliasRecord as AliasRecord
    from labelkit.registry.comparison import ComparedScore as ComparedScore
    from labelkit.registry.comparison import ComparedSplit as ComparedSplit
    from labelkit.registry.comparison import ComparedValue as ComparedValue
    from labelkit.registry.comparison import Comparison as Comparison
    from labelkit.registry.observer import RegistryObserver as RegistryObserver
    from labelkit.registry.ranking import Ranking as Ranking
    from labelkit.registry.registry import Registry as Registry
    from labelkit.registry.registry import new_run_id as new_run_id
    from labelkit.registry.sql_query import ResultTable as ResultTable

__all__ = [
    "AliasRecord",
    "Attempt",
    "CheckedCheckpoint",
    "CheckpointRecord",
    "Collected",
    "ComparedScore",
    "ComparedSplit",
    "ComparedValue",
    "Comparison",
    "Evaluation",
    "Figure",
    "FileState",
    "Group",
    "Home",
    "Leftover",
    "Note",
    "Origin",
    "OutputRecord",
    "PlanValue",
    "Ranking",
    "Registry",
    "RegistryObserver",
    "Removed",
    "ResultTable",
    "RunDetails",
    "RunRecord",
    "RunSummary",
    "SplitRecord",
    "Spread",
    "Verification",
    "VersionRecord",
    "nested",
    "new_run_id",
]

# SQLAlchemy takes 0.16 s to import, and each record about a millisecond: whoever only needs the home does not pay.
_LATER = {
    "AliasRecord": "aliases",
    "ComparedScore": "comparison",
    "ComparedSplit": "comparison",
    "ComparedValue": "comparison",
    "Comparison": "comparison",
    "Ranking": "ranking",
    "Registry": "registry",
    "RegistryObserver": "observer",
    "ResultTable": "sql_query",
    "new_run_id": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
