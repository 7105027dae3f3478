"""Going on with a run that stopped: the plan that it had, whether all is still as it was, and where it goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.config.plan import Request
from labelkit.errors import LabelkitError
from labelkit.registry import Home, PlanValue, Registry, RunDetails, RunRecord
from labelkit.settings import SETTINGS

if TYPE_CHECKING:
    from labelkit.train.training_state import TrainingState


def recorded_request(details: RunDetails) -> Request:
    """Return the request that gives the recorded plan again, automatic choices as they were frozen."""
    record = details.record
    overrides = {value.key: (_value(value), value.origin) for value in record.plan}
    return Request(task=record.task, recipe=record.recipe, overrides=overrides, name=record.name, frozen=True)


def _value(value: PlanValue) -> Any:
    """Return what :meth:`PlanValue.of` made text of."""
    if value.key in SETTINGS and SETTINGS[value.key].type is str:
        return value.text
    try:
        return json.loads(value.text)
    except ValueError:
        return value.text


def check_resumable(details: RunDetails) -> None:
    """Check that a run stopped before it finished, and that what it left is here.

    :raises LabelkitError: it finished, it is alive, or its checkpoints are on another machine.
    """
    record = details.record
    if details.status == "finished":
        raise LabelkitError(f"the run '{record.id}' is finished", hint="start another run; nothing is left to resume")
    if details.status == "running" and not details.stale:
        raise LabelkitError(
            f"the run '{record.id}' is running (process {record.pid} on {record.host})",
            hint="wait until it ends, or stop it first",
        )
    if away := [one for one in details.checkpoints if not one.removed and one.folder is None]:
        raise LabelkitError(
            f"the checkpoints of run '{record.id}' are {away[0].place}", hint="resume it there, or start another run"
        )


def check_data(recorded: RunRecord, splits: dict[str, str]) -> None:
    """Compare the data with what the run read.

    :param splits: split → content hash, as read now.
    :raises LabelkitError: it has changed.
    """
    before = {split.split: split.content_hash for split in recorded.splits}
    changed = sorted(name for name in before.keys() | splits.keys() if before.get(name) != splits.get(name))
    if changed:
        raise LabelkitError(
            f"the data of run '{recorded.id}' has changed since it began: {', '.join(changed)}",
            hint="bring the old data back, or start another run",
        )


def differences(before: RunRecord, after: RunRecord) -> Iterator[str]:
    """Yield what is no longer as it was when the run began, in words: its weights may then differ a little."""
    for what in ("model_sha256", "device_name", "device_count", "labelkit", "python"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            yield f"{what.replace('_', ' ')} was {old}, now it is {new}"
    versions = {(one.kind, one.name): one.version for one in before.versions}
    for one in after.versions:
        old = versions.get((one.kind, one.name), one.version)
        if old != one.version:
            yield f"{one.kind} {one.name} was {old}, now it is {one.version}"


def find_training_state(run: str, home: Home) -> TrainingState | None:
    """Return the state from which a run would go on; None where it would begin anew.

    :raises ModelError: it is damaged.
    :raises LabelkitError: a checkpoint that it needs is gone.
    """
    from labelkit.train.training_state import TrainingStateStore  # loads torch

    folder = home.runs / run
    state = TrainingStateStore(folder / "resume", 0).newest()
    missing = [path for path in _kept(state, folder).values() if not path.is_dir()]
    if missing:
        raise LabelkitError(
            f"the checkpoint {missing[0]} that run '{run}' would go on from is gone",
            hint=f"delete {folder / 'resume'}: the run then starts from its beginning",
        )
    return state


def rewind(registry: Registry, run: str, home: Home, state: TrainingState | None) -> None:
    """Set registry and checkpoints back to what they were at ``state``; to nothing where there is none.

    :raises RegistryError: the registry refused.
    """
    folder = home.runs / run
    kept = _kept(state, folder)
    registry.recorder.rewind(run, step=state.step if state else 0, best=kept.get("best"), last=kept.get("last"))
    for other in (folder / "checkpoints").glob("*"):  # hidden ones too: half-written when the run was killed
        if other not in kept.values():
            shutil.rmtree(other, ignore_errors=True)


def _kept(state: TrainingState | None, folder: Path) -> dict[str, Path]:
    """Return the folders of the best and the last checkpoint of a state."""
    selection = state.progress["selection"] if state else {}
    return {role: folder / "checkpoints" / content["name"] for role, content in selection.items() if content}
