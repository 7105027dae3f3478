"""Delete searches: their trials, which are runs, their studies in Optuna, and their records."""

from __future__ import annotations

from collections.abc import Sequence

from labelkit.registry import Home, Registry
from labelkit.search.storage import close_storage, database_errors, open_storage, require_optuna


def trials_of(registry: Registry, name: str) -> list[str]:
    """Return the ids of the runs that are trials of a search; those of its winner are in groups of their own."""
    return [run.id for run in registry.runs.search(group=name)]


def delete_searches(names: Sequence[str], home: Home, registry: Registry) -> None:
    """Delete the studies and records of searches whose trials are deleted.

    The record goes last: where this is interrupted, the search is still there to be deleted again.

    :raises LabelkitError: Optuna is not installed, or the database refuses.
    """
    require_optuna()
    storage = open_storage(home)
    try:
        for name in names:
            with database_errors(home):
                study = {one.study_name: one._study_id for one in storage.get_all_studies()}.get(name)
                if study is not None:
                    storage.delete_study(study)
            registry.searches.remove(name)
    finally:
        close_storage(storage)
