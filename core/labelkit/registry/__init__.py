"""The registry: what is known of every run. Importing it loads no database library until it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelkit.registry.figures import nested
from labelkit.registry.home import Home
from labelkit.registry.models import (
    Attempt,
    CheckpointRecord,
    Evaluation,
    Figure,
    Note,
    OutputRecord,
    PlanValue,
    RunDetails,
    RunRecord,
    RunSummary,
    SplitRecord,
    VersionRecord,
)

if TYPE_CHECKING:
    from labelkit.registry.observer import RegistryObserver as RegistryObserver
    from labelkit.registry.store import Registry as Registry
    from labelkit.registry.store import new_run_id as new_run_id

__all__ = [
    "Attempt",
    "CheckpointRecord",
    "Evaluation",
    "Figure",
    "Home",
    "Note",
    "OutputRecord",
    "PlanValue",
    "Registry",
    "RegistryObserver",
    "RunDetails",
    "RunRecord",
    "RunSummary",
    "SplitRecord",
    "VersionRecord",
    "nested",
    "new_run_id",
]


def __getattr__(name: str) -> Any:
    # SQLAlchemy takes 0.16 s to import: whoever only needs the home does not pay for it.
    if name == "RegistryObserver":
        from labelkit.registry import observer

        return observer.RegistryObserver
    if name in ("Registry", "new_run_id"):
        from labelkit.registry import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
