"""Which checkpoints are kept: the best by the task's metric on validation, and the last."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.events import CheckpointRemoved, CheckpointSaved, Event
from labelkit.metrics.scoring import is_better

Save = Callable[[Path], Mapping[str, tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A checkpoint that is on disk."""

    path: Path
    step: int
    epoch: float
    figure: float

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON, its folder by name."""
        return {"name": self.path.name, "step": self.step, "epoch": self.epoch, "figure": self.figure}


class CheckpointSelection:
    """Keeps the best and the last checkpoint of a run in ``folder``; each has a folder of its own, never rewritten.

    :param higher: whether a higher figure is better.
    """

    def __init__(self, run: str, folder: Path, *, higher: bool, emit: Callable[[Event], object]) -> None:
        self._run, self._folder, self._higher, self._emit = run, folder, higher, emit
        self.best: SavedCheckpoint | None = None
        self.last: SavedCheckpoint | None = None
        self._superseded: set[SavedCheckpoint] = set()
        self._needed: set[SavedCheckpoint] = set()

    def would_be_best(self, figure: float) -> bool:
        """Return whether a checkpoint with this figure would be the best so far."""
        return is_better(figure, self.best.figure if self.best else None, higher=self._higher) or self.best is None

    def keep(self, step: int, epoch: float, figure: float, save: Save) -> SavedCheckpoint:
        """Save a checkpoint and let go of the ones that it supersedes.

        :raises StorageError: the disk refuses; what was kept before is untouched.
        """
        path = self._folder / f"step-{step:06d}"
        best = self.would_be_best(figure)
        files = save(path)
        self._emit(CheckpointSaved(run=self._run, path=path, step=step, epoch=epoch, best=best, files=files))
        kept = SavedCheckpoint(path, step, epoch, figure)
        self._superseded |= {old for old in (self.best, self.last) if old is not None}
        self.last, self.best = kept, kept if best else self.best
        self._let_go()
        return kept

    def to_json(self) -> dict[str, Any]:
        """Return what a resumed run needs to know, for a state."""
        return {"best": self.best and self.best.to_json(), "last": self.last and self.last.to_json()}

    def written(self) -> None:
        """Hear that a state with :meth:`to_json` is on the disk: the checkpoints in it stay until the next one is."""
        self._needed = {kept for kept in (self.best, self.last) if kept is not None}
        self._let_go()

    def restore(self, content: Mapping[str, Any]) -> None:
        """Become what :meth:`to_json` gave."""
        self.best, self.last = (self._kept(content[name]) for name in ("best", "last"))
        self._needed = {kept for kept in (self.best, self.last) if kept is not None}

    def _kept(self, content: Mapping[str, Any] | None) -> SavedCheckpoint | None:
        if content is None:
            return None
        return SavedCheckpoint(self._folder / content["name"], content["step"], content["epoch"], content["figure"])

    def _let_go(self) -> None:
        """Remove what is superseded, but for what the state on the disk names."""
        for old in self._superseded - {self.best, self.last} - self._needed:
            # recorded as gone first: a registry that names a deleted folder would be the worse lie
            self._emit(CheckpointRemoved(run=self._run, path=old.path))
            shutil.rmtree(old.path, ignore_errors=True)
            self._superseded.discard(old)
