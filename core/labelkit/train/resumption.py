"""Resume a run: its recorded plan, checks of what has changed, and the state to resume from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.config.plan import Request
from labelkit.config.validation import validate
from labelkit.errors import LabelkitError
from labelkit.registry import Home, PlanValue, Registry, RunDetails, RunRecord
from labelkit.registry.home import CHECKPOINTS, RESUME
from labelkit.registry.names import COMPLETE
from labelkit.settings import SETTINGS, is_plugin_key

if TYPE_CHECKING:
    from labelkit.train.training_state import TrainingState


def recorded_request(details: RunDetails) -> Request:
    """Return the request that gives the recorded plan, automatic choices included."""
    record = details.record
    overrides = {value.key: (recorded_value(value), value.origin) for value in record.plan}
    return Request(task=record.task, recipe=record.recipe, overrides=overrides, name=record.name, frozen=True)


def recorded_value(value: PlanValue) -> Any:
    """Return the value of a setting from the text of :meth:`PlanValue.of`.

    Text that reads as JSON is text where the setting takes no such JSON: of ``train.optim_args`` ``5`` is one.
    """
    if value.key in SETTINGS and SETTINGS[value.key].type is str:
        return value.text
    try:
        found = json.loads(value.text)
    except ValueError:
        return value.text
    if is_plugin_key(value.key) or _accepts(value.key, found) or not _accepts(value.key, value.text):
        return found
    return value.text


def _accepts(key: str, value: Any) -> bool:
    try:
        validate(key, value)
    except LabelkitError:
        return False
    return True


def check_resumable(details: RunDetails) -> None:
    """Raise if a run cannot be resumed.

    :raises LabelkitError: it is finished, it is running, or its checkpoints are on another machine.
    """
    record = details.record
    if details.status in COMPLETE:
        raise LabelkitError(
            f"the run '{record.id}' is {details.status}", hint="start another run; nothing is left to resume"
        )
    if details.status == "running" and not details.stale:
        raise LabelkitError(
            f"the run '{record.id}' is running (process {record.pid} on {record.host})",
            hint="wait until it ends, or stop it first",
        )
    if away := [one for one in details.checkpoints if not one.removed and one.folder is None]:
        raise LabelkitError(
            f"the checkpoints of run '{record.id}' are {away[0].place}", hint="resume it there, or start another run"
        )


def check_data_unchanged(recorded: RunRecord, splits: dict[str, str]) -> None:
    """Raise if the data of a run has changed.

    :param splits: split → current content hash.
    :raises LabelkitError: with the changed splits.
    """
    before = {split.split: split.content_hash for split in recorded.splits}
    check_splits_unchanged(f"run '{recorded.id}'", before, splits)


def check_splits_unchanged(what: str, before: Mapping[str, str], splits: Mapping[str, str]) -> None:
    """Raise if data has changed.

    :param what: whose data it is, for the message.
    :param before: split → content hash then, and ``splits`` now.
    :raises LabelkitError: with the changed splits.
    """
    changed = sorted(name for name in before.keys() | splits.keys() if before.get(name) != splits.get(name))
    if changed:
        raise LabelkitError(
            f"the data of {what} has changed since it began: {', '.join(changed)}",
            hint=f"bring the old data back, or start another {what.split()[0]}",
        )


def provenance_changes(before: RunRecord, after: RunRecord) -> Iterator[str]:
    """Yield what has changed since a run began, one line each: its weights may then differ slightly."""
    for what in ("model_sha256", "device_name", "device_count", "labelkit", "python"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            yield f"{what.replace('_', ' ')} was {old}, now it is {new}"
    known = {value.key for value in after.plan}
    for value in before.plan:
        if value.key not in known:
            yield f"the setting {value.key} was {value.text}, now no plugin declares it"
    versions = {(one.kind, one.name): one.version for one in before.versions}
    for one in after.versions:
        old = versions.get((one.kind, one.name), one.version)
        if old != one.version:
            yield f"{one.kind} {one.name} was {old}, now it is {one.version}"


def find_training_state(run: str, home: Home) -> TrainingState | None:
    """Return the state to resume a run from; None where it starts from its beginning.

    :raises ModelError: it is damaged.
    :raises LabelkitError: a checkpoint that it needs is missing.
    """
    from labelkit.train.training_state import TrainingStateStore  # loads torch

    folder = home.runs / run
    state = TrainingStateStore(folder / RESUME, 0).latest()
    missing = [path for path in _state_checkpoints(state, folder).values() if not path.is_dir()]
    if missing:
        raise LabelkitError(
            f"the checkpoint {missing[0]} that run '{run}' needs to resume is missing",
            hint=f"delete {folder / 'resume'}: the run then starts from its beginning",
        )
    return state


def rewind(registry: Registry, run: str, home: Home, state: TrainingState | None) -> TrainingState | None:
    """Reset the registry and the checkpoints to ``state``; to the beginning of the run where it is None. Return it.

    :raises RegistryError: the registry cannot be written.
    """
    folder = home.runs / run
    kept = _state_checkpoints(state, folder)
    registry.recorder.rewind(run, step=state.step if state else 0, best=kept.get("best"), last=kept.get("last"))
    for other in (folder / CHECKPOINTS).glob("*"):  # hidden ones too: incomplete when the run was killed
        if other not in kept.values():
            shutil.rmtree(other, ignore_errors=True)
    return state


def _state_checkpoints(state: TrainingState | None, folder: Path) -> dict[str, Path]:
    """Return the folders of the best and the last checkpoint of a state, as far as there are any."""
    selection = state.progress["selection"] if state else {}
    return {role: folder / CHECKPOINTS / content["name"] for role, content in selection.items() if content}
