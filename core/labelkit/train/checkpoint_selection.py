"""Keep the best checkpoint of a run, by the task's metric on validation, and the last one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.events import CheckpointRemoved, CheckpointSaved, Event
from labelkit.metrics.scoring import is_better

#: writes a checkpoint to a folder, and returns the size and SHA-256 of each of its files by name
WriteCheckpoint = Callable[[Path], Mapping[str, tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A checkpoint on disk.

    :param value: of the selecting metric on validation.
    """

    path: Path
    step: int
    epoch: float
    value: float

    def to_json(self) -> dict[str, Any]:
        """Return the content for JSON, with the folder by name."""
        return {"name": self.path.name, "step": self.step, "epoch": self.epoch, "figure": self.value}


class CheckpointSelection:
    """The best and the last checkpoint of a run in ``folder``; each has its own folder, which is never rewritten.

    :param higher: whether a higher value of the metric is better.
    """

    def __init__(self, run: str, folder: Path, *, higher: bool, emit: Callable[[Event], object]) -> None:
        self._run, self._folder, self._higher, self._emit = run, folder, higher, emit
        self.best: SavedCheckpoint | None = None
        self.last: SavedCheckpoint | None = None
        self._superseded: set[SavedCheckpoint] = set()
        self._protected: set[SavedCheckpoint] = set()

    @property
    def kept(self) -> set[SavedCheckpoint]:
        """The best and the last checkpoint, as far as there are any."""
        return {checkpoint for checkpoint in (self.best, self.last) if checkpoint is not None}

    def is_best(self, value: float) -> bool:
        """Return whether a checkpoint with this value of the metric is better than all before."""
        return self.best is None or is_better(value, self.best.value, higher=self._higher)

    def save(self, step: int, epoch: float, value: float, write: WriteCheckpoint) -> None:
        """Save a checkpoint and remove those that it supersedes.

        :raises StorageError: the disk is full or not writable; the checkpoints before are unchanged.
        """
        path = self._folder / f"step-{step:06d}"
        best = self.is_best(value)
        files = write(path)
        self._emit(CheckpointSaved(run=self._run, path=path, step=step, epoch=epoch, best=best, files=files))
        self._superseded |= self.kept
        self.last = SavedCheckpoint(path, step, epoch, value)
        self.best = self.last if best else self.best
        self._remove_superseded()

    def to_json(self) -> dict[str, Any]:
        """Return the content for a training state."""
        return {"best": self.best and self.best.to_json(), "last": self.last and self.last.to_json()}

    def load(self, content: Mapping[str, Any]) -> None:
        """Restore what :meth:`to_json` returned."""
        self.best, self.last = (
            one and SavedCheckpoint(self._folder / one["name"], one["step"], one["epoch"], one["figure"])
            for one in (content["best"], content["last"])
        )
        self._protected = self.kept

    def protect(self) -> None:
        """Keep the checkpoints of the training state that was just saved, until the next one is."""
        self._protected = self.kept
        self._remove_superseded()

    def _remove_superseded(self) -> None:
        for old in self._superseded - self.kept - self._protected:
            # recorded first: the registry must not list a deleted folder
            self._emit(CheckpointRemoved(run=self._run, path=old.path))
            shutil.rmtree(old.path, ignore_errors=True)
            self._superseded.discard(old)
