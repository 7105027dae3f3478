"""The registry of runs: what was trained on what, how it scored, and where its checkpoints are.

Importing this package imports no database library; opening a :class:`Registry` does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from labelkit.registry.entities import (
    AssumptionRecord,
    Attempt,
    CheckpointRecord,
    Evaluation,
    Note,
    OutputRecord,
    Publication,
    RunDetails,
    RunRecord,
    RunSummary,
    SplitRecord,
    VersionRecord,
)
from labelkit.registry.group_entities import Group, Spread
from labelkit.registry.home import Home
from labelkit.registry.metric_rows import Figure, nested
from labelkit.registry.plan_values import PlanValue

if TYPE_CHECKING:
    from labelkit.registry.aliases import AliasRecord
    from labelkit.registry.comparison import ComparedScore, ComparedSplit, ComparedValue, Comparison
    from labelkit.registry.deletion import DeletedRun
    from labelkit.registry.garbage_collection import CollectedGarbage, GarbageItem
    from labelkit.registry.lineage import Origin
    from labelkit.registry.observer import RegistryObserver
    from labelkit.registry.ranking import Ranking
    from labelkit.registry.registry import Registry, new_run_id
    from labelkit.registry.searches import SearchRecord
    from labelkit.registry.sql_query import ResultTable
    from labelkit.registry.verification import FileState, Verification, VerifiedCheckpoint

__all__ = [
    "AliasRecord",
    "AssumptionRecord",
    "Attempt",
    "CheckpointRecord",
    "CollectedGarbage",
    "ComparedScore",
    "ComparedSplit",
    "ComparedValue",
    "Comparison",
    "DeletedRun",
    "Evaluation",
    "Figure",
    "FileState",
    "GarbageItem",
    "Group",
    "Home",
    "Note",
    "Origin",
    "OutputRecord",
    "PlanValue",
    "Publication",
    "Ranking",
    "Registry",
    "RegistryObserver",
    "ResultTable",
    "RunDetails",
    "RunRecord",
    "RunSummary",
    "SearchRecord",
    "SplitRecord",
    "Spread",
    "Verification",
    "VerifiedCheckpoint",
    "VersionRecord",
    "nested",
    "new_run_id",
]

# Importing SQLAlchemy takes 0.16 s: modules that need it are imported when one of their names is used.
_LAZY = {
    "aliases": ("AliasRecord",),
    "comparison": ("ComparedScore", "ComparedSplit", "ComparedValue", "Comparison"),
    "deletion": ("DeletedRun",),
    "garbage_collection": ("CollectedGarbage", "GarbageItem"),
    "lineage": ("Origin",),
    "observer": ("RegistryObserver",),
    "ranking": ("Ranking",),
    "registry": ("Registry", "new_run_id"),
    "searches": ("SearchRecord",),
    "sql_query": ("ResultTable",),
    "verification": ("FileState", "Verification", "VerifiedCheckpoint"),
}
_MODULES = {name: module for module, names in _LAZY.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
