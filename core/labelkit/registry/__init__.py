"""The registry: what is known of every run. Importing it loads no database library until it is opened."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from labelkit.registry.figures import nested
from labelkit.registry.home import Home
from labelkit.registry.models import (
    Attempt,
    CheckpointRecord,
    Evaluation,
    Figure,
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
from labelkit.registry.reports import (
    AliasRecord,
    CheckedCheckpoint,
    Collected,
    FileState,
    Leftover,
    Origin,
    Removed,
    Verification,
)

if TYPE_CHECKING:
    from labelkit.registry.compare import ComparedScore as ComparedScore
    from labelkit.registry.compare import ComparedSplit as ComparedSplit
    from labelkit.registry.compare import ComparedValue as ComparedValue
    from labelkit.registry.compare import Comparison as Comparison
    from labelkit.registry.observer import RegistryObserver as RegistryObserver
    from labelkit.registry.query import ResultTable as ResultTable
    from labelkit.registry.ranking import Ranking as Ranking
    from labelkit.registry.store import Registry as Registry
    from labelkit.registry.store import new_run_id as new_run_id

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
    "ComparedScore": "compare",
    "ComparedSplit": "compare",
    "ComparedValue": "compare",
    "Comparison": "compare",
    "Ranking": "ranking",
    "Registry": "store",
    "RegistryObserver": "observer",
    "ResultTable": "query",
    "new_run_id": "store",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
