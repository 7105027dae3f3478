"""Which checkpoints are kept: the best by the task's metric on validation, and the last."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labelkit.evaluate.score import is_better
from labelkit.events import CheckpointRemoved, CheckpointSaved, Event

Save = Callable[[Path], Mapping[str, tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that is on disk."""

    path: Path
    step: int
    epoch: float
    figure: float


class Selection:
    """Keeps the best and the last checkpoint of a run in ``folder``; each has a folder of its own, never rewritten.

    :param higher: whether a higher figure is better.
    """

    def __init__(self, run: str, folder: Path, *, higher: bool, emit: Callable[[Event], None]) -> None:
        self._run, self._folder, self._higher, self._emit = run, folder, higher, emit
        self.best: Kept | None = None
        self.last: Kept | None = None

    def would_be_best(self, figure: float) -> bool:
        """Return whether a checkpoint with this figure would be the best so far."""
        return is_better(figure, self.best.figure if self.best else None, higher=self._higher) or self.best is None

    def keep(self, step: int, epoch: float, figure: float, save: Save) -> Kept:
        """Save a checkpoint and let go of the ones that it supersedes.

        :raises StorageError: the disk refuses; what was kept before is untouched.
        """
        path = self._folder / f"step-{step:06d}"
        best = self.would_be_best(figure)
        files = save(path)
        self._emit(CheckpointSaved(run=self._run, path=path, step=step, epoch=epoch, best=best, files=files))
        kept = Kept(path, step, epoch, figure)
        superseded = {old for old in (self.best, self.last) if old is not None}
        self.last, self.best = kept, kept if best else self.best
        for old in superseded - {self.best, self.last}:
            # recorded as gone first: a registry that names a deleted folder would be the worse lie
            self._emit(CheckpointRemoved(run=self._run, path=old.path))
            shutil.rmtree(old.path, ignore_errors=True)
        return kept
