"""The events of a run, which the console, the registry and the observers of plugins receive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

#: "stale" is written by ``labelkit runs reap`` for a run without a heartbeat
Status = Literal["running", "finished", "failed", "interrupted", "stale", "adopted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """The base of all events; ``run`` is the run's id."""

    run: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted(Event):
    """The plan is validated and the run is registered."""

    task: str
    plan: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage(Event):
    """A longer stage of a run begins, ``encoding``, ``testing`` or ``exporting``; ``detail`` is one line to show."""

    name: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageAdvanced(Event):
    """``done`` of ``total`` examples of the stage ``name`` are done; ``detail`` is as in the stage."""

    name: str
    detail: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingStarted(Event):
    """Training begins; ``steps`` optimizer steps over ``epochs`` epochs are planned.

    ``done`` of them were done before the run was resumed; ``metric`` is the score that chooses the checkpoint, e.g.
    ``f1``.
    """

    steps: int
    epochs: float
    done: int = 0
    metric: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepDone(Event):
    """An optimizer step is done."""

    step: int
    epoch: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored(Event):
    """A split was evaluated; ``metrics`` maps names to figures, with ``per_type`` inside where there are types.

    ``epoch`` and ``step`` are those reached by then; ``train_loss`` is the mean since the last event of this kind.
    """

    split: str
    task: str
    step: int
    epoch: float
    metrics: Mapping[str, Any]
    train_loss: float | None = None
    best: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointSaved(Event):
    """A checkpoint folder is complete; ``files`` maps names to (size in bytes, SHA-256)."""

    path: Path
    step: int
    epoch: float
    best: bool
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointRemoved(Event):
    """A checkpoint is superseded; its folder is deleted next."""

    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted(Event):
    """A note to be recorded with the run; ``text`` is one line to show."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnded(Event):
    """The run has ended."""

    status: Status
    seconds: float
    error: str | None = None
    hint: str | None = None
