"""What a run shows while it works: a bar and a growing table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from labelkit.console.text import literal
from labelkit.events import (
    CheckpointSaved,
    Event,
    Noted,
    RunEnded,
    RunStarted,
    Scored,
    Stage,
    StepDone,
    TrainingStarted,
)

COLUMNS = ("epoch", "training loss", "validation loss", "precision", "recall", "F1", "accuracy")


class Progress:
    """Listens to the events of a run; use it as a context manager.

    :ivar run: its id, once it has begun.
    :ivar finished: whether it has finished; another may follow.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.run: str | None = None
        self.finished = False
        self._live: Live | None = None
        self._bars: Bars | None = None
        self._table: Table | None = None
        self._steps = 0
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __call__(self, event: Event) -> None:
        """Show ``event``."""
        match event:
            case RunStarted():
                self.run, self.finished = event.run, False
                self._line(f"run {event.run}")
            case Stage():
                self._stop()
                self.stage(event.name, event.detail)
            case TrainingStarted():
                self._start(event)
            case StepDone() if self._bars:
                self._bars.update(self._bars.task_ids[0], completed=event.step)
            case Scored() if event.split == "validation":
                self._epoch(event)
            case RunEnded():
                self.finished = event.status == "finished"
            case Noted():
                self.note(event.text)
            case CheckpointSaved() if event.best:
                self._line(f"best so far: {event.path}") if not self._live else None

    def stage(self, name: str, detail: str = "") -> None:
        """Say which longer step begins."""
        self._line(f"{name} {detail}".rstrip())

    def note(self, text: str) -> None:
        """Say something that the user should know."""
        self._line(f"note: {text}", style="yellow")

    def _line(self, text: str, style: str = "dim") -> None:
        seconds = time.monotonic() - self._started
        self._console.print(f"{seconds:6.1f}s  {literal(text, lines=False)}", style=style, soft_wrap=True)

    def _start(self, event: TrainingStarted) -> None:
        self._steps = event.steps
        if not self._console.is_terminal:
            going_on = f", going on after step {event.done:,}" if event.done else ""
            self._line(f"training {event.epochs:g} epochs, {event.steps:,} steps{going_on}")
            return
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
        )
        self._bars = Bars(*columns, console=self._console)
        self._bars.add_task("training", total=event.steps, completed=event.done)
        self._table = _table()
        self._live = Live(Group(self._table, self._bars), console=self._console, refresh_per_second=8)
        self._live.start()

    def _epoch(self, event: Scored) -> None:
        row = epoch_row(event)
        if self._table is not None:
            self._table.add_row(*row, style="bold" if event.best else None)
            return
        shown = ", ".join(f"{name} {value}" for name, value in zip(COLUMNS, row, strict=True))
        self._line(f"{shown}, step {event.step} of {self._steps}{', best' if event.best else ''}", style="none")

    def _stop(self) -> None:
        if self._live:
            self._live.stop()
        self._live = self._bars = self._table = None


def _table() -> Table:
    table = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right")
    return table


def epoch_row(event: Scored) -> list[str]:
    """Return the cells of an epoch's row; a figure that the metrics do not have is a dash."""
    figures: dict[str, Any] = dict(event.metrics)
    cells = [f"{event.epoch:.2f}".rstrip("0").rstrip(".")]
    cells += [f"{loss:.4f}" if isinstance(loss, float) else "–" for loss in (event.train_loss, figures.get("loss"))]
    names = ("precision", "recall", "f1", "accuracy")
    return cells + [f"{figures[name]:.4f}" if name in figures else "–" for name in names]
