"""Prepare, train and resume the run of a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labelkit.config.environment import Environment
from labelkit.config.plan import Setting
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home
from labelkit.search.settings import ORIGIN, SearchSettings
from labelkit.train.listeners import Listener
from labelkit.train.preparation import PreparedRun, prepare, prepare_resumed

if TYPE_CHECKING:
    from transformers import TrainerCallback

#: settings that decide parts or data, so that a run with another value is prepared anew
_PREPARED_ANEW = frozenset(("train.head", "train.class_weights", "data.train_scheme", "data.mark_case"))
_WINDOWS, _SUBWORDS = "train.per_device_train_batch_size", "train.batch_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all runs of a search share.

    :param listeners: called with the events of each run; ``warn``: with warnings.
    :param on_stage: called with the name and detail of each longer step.
    """

    catalog: Catalog
    environment: Environment
    home: Home
    listeners: Sequence[Listener] = ()
    warn: Callable[[str], object] = lambda line: None
    on_stage: Callable[[str, str], object] = lambda stage, detail: None


def with_changes(
    prepared: PreparedRun, settings: SearchSettings, changes: Mapping[str, Any], around: Surroundings
) -> PreparedRun:
    """Return a prepared run with other values of settings.

    :param prepared: of the plan of ``settings``.
    :raises LabelkitError: the values cannot be combined.
    """
    changes = dict(changes)
    if _WINDOWS in changes and _SUBWORDS not in settings.space:  # else the budget in subwords would win
        changes[_SUBWORDS] = 0
    if all(key.startswith(("train.", "data.")) and key not in _PREPARED_ANEW for key in changes):
        updated = prepared.plan.updated({key: Setting(value, ORIGIN) for key, value in changes.items()})
        return replace(prepared, plan=updated)
    return prepare(
        settings.request(changes), around.catalog, around.environment, around.home, on_stage=lambda stage, detail: None
    )


def start_run(prepared: PreparedRun, around: Surroundings, *, run: str, group: str) -> None:
    """Train a new run.

    :param run: its id.
    :raises LabelkitError: it failed, or there is a run of this id.
    """
    from labelkit.train.run import train

    train(
        prepared,
        around.catalog,
        around.home,
        listeners=around.listeners,
        warn=around.warn,
        group=group,
        run_id=run,
    )


def resume_run(run: str, around: Surroundings, callbacks: tuple[TrainerCallback, ...] = ()) -> None:
    """Train a stopped run on from its latest state.

    :raises LabelkitError: it failed, or it cannot be resumed.
    """
    from labelkit.train.run import train

    prepared = prepare_resumed(
        run, around.catalog, around.environment, around.home, on_stage=lambda stage, detail: None
    )
    train(
        replace(prepared, callbacks=callbacks),
        around.catalog,
        around.home,
        listeners=around.listeners,
        warn=around.warn,
    )


def message_of(error: BaseException) -> str:
    """Return what an error says, for the record of a trial."""
    return error.message if isinstance(error, LabelkitError) else f"{type(error).__name__}: {error}"
