"""The progress of a run: a bar and a growing table of scores in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Column, Table

from labelkit.cli.common import assumed_lines
from labelkit.config.joint import JOINED_BY
from labelkit.console.terminal import terminal_may_close
from labelkit.console.text import literal
from labelkit.events import (
    CheckpointSaved,
    Event,
    Noted,
    RunEnded,
    RunStarted,
    Scored,
    Stage,
    StageAdvanced,
    StepDone,
    TrainingStarted,
)

#: score → its column, where the metrics have it; the metric that chooses the checkpoint is added where it is none
SCORES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "subset_accuracy": "subset accuracy",
    "mse": "MSE",
    "mae": "MAE",
    "pearson": "Pearson",
    "spearman": "Spearman",
}


class Progress:
    """Shows the events of a run; a listener, and a context manager that ends the display.

    :ivar run: the id of the run, once it has started.
    :ivar finished: whether the run has finished; another may follow.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.run: str | None = None
        self.finished = False
        self._live: Live | None = None
        self._bars: Bars | None = None
        self._activity: Bars | None = None
        self._table: Table | None = None
        self._steps = 0
        self._metric = self._task = ""
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __call__(self, event: Event) -> None:
        """Show ``event``."""
        with terminal_may_close():
            self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.run, self.finished, self._task = event.run, False, event.task
                self._line(f"run {event.run}")
            case Stage():
                self._stop()
                self.stage(event.name, event.detail)
            case StageAdvanced():
                self.activity(f"{event.name} {event.detail}", event.done, event.total)
            case TrainingStarted():
                self._end_activity()
                self._start(event)
            case StepDone() if self._bars:
                self._bars.update(self._bars.task_ids[0], completed=event.step)
            case Scored() if event.split == "validation" and event.task == (
                self._task or event.task
            ):  # of several their summary
                self._show_scores(event)
            case RunEnded():
                self.finished = event.status == "finished"
            case Noted():
                self.note(event.text)
            case CheckpointSaved() if event.best:
                self._line(f"best so far: {event.path}") if not self._live else None

    def stage(self, name: str, detail: str = "") -> None:
        """Print the name of a longer stage that begins."""
        self._end_activity()
        self._line(f"{name} {detail}".rstrip())

    def activity(self, what: str, done: int | None = None, total: int | None = None) -> None:
        """Show in a terminal what is being done, and for how long; the next stage takes its place."""
        if not self._console.is_terminal:
            return
        with terminal_may_close():
            if self._activity is None:
                columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn())
                self._activity = Bars(*columns, TimeElapsedColumn(), console=self._console, transient=True)
                self._activity.add_task("", total=None)
                self._activity.start()
            task = self._activity.tasks[0]
            text = literal(what, lines=False)
            if task.description != text:
                self._activity.reset(task.id, description=text, total=total)
            self._activity.update(task.id, completed=done or 0, total=total)

    def _end_activity(self) -> None:
        if self._activity is not None:
            with terminal_may_close():
                self._activity.stop()
            self._activity = None

    def note(self, text: str) -> None:
        """Print a note."""
        self._line(f"note: {text}", style="yellow")

    def assumed(self, assumptions: Iterable[str]) -> None:
        """Print what was assumed of the data."""
        for line in assumed_lines(assumptions):
            self._line(line, style="yellow")

    def _line(self, text: str, style: str = "dim") -> None:
        seconds = time.monotonic() - self._started
        with terminal_may_close():
            self._console.print(f"{seconds:6.1f}s  {literal(text, lines=False)}", style=style, soft_wrap=True)

    def _start(self, event: TrainingStarted) -> None:
        """Show the bar and the table of scores, or a line where they cannot be drawn."""
        self._steps, self._metric = event.steps, event.metric
        if not self._console.is_terminal:
            resumed = f", resumed after step {event.done:,}" if event.done else ""
            self._line(f"training {event.epochs:g} epochs, {event.steps:,} steps{resumed}")
            return
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("steps"))
        self._bars = Bars(*columns, TimeRemainingColumn(), console=self._console)
        self._bars.add_task("training", total=event.steps, completed=event.done)
        self._live = Live(self._bars, console=self._console, refresh_per_second=8)
        self._live.start()

    def _show_scores(self, event: Scored) -> None:
        """Show the scores on validation as a row of the table, or as a line."""
        cells = score_cells(event, self._metric)
        if self._live is not None and self._bars is not None:
            if self._table is None:  # only now is it known which scores there are
                self._table = Table(*(Column(name, justify="right") for name in cells), box=None, pad_edge=False)
                self._live.update(Group(self._table, self._bars))
            row = [cells.get(str(column.header), "–") for column in self._table.columns]
            self._table.add_row(*row, style="bold" if event.best else None)
            return
        shown = ", ".join(" ".join(pair) for pair in cells.items())
        self._line(f"{shown}, step {event.step} of {self._steps}{', best' if event.best else ''}", style="none")

    def _stop(self) -> None:
        self._end_activity()
        if self._live:
            with terminal_may_close():
                self._live.stop()
        self._live = self._bars = self._table = None


def score_cells(event: Scored, metric: str) -> dict[str, str]:
    """Return column → cell of the scores that there are, with epoch and losses.

    :param metric: chooses the checkpoint, and is marked with ``*``.
    """
    scores = {"training loss": event.train_loss, "validation loss": event.metrics.get("loss")}
    of_tasks = [name for name in event.metrics if JOINED_BY in event.task and "." in name]
    for name in dict.fromkeys((*SCORES, *filter(None, (metric,)), *of_tasks)):
        if event.metrics.get(name) is not None:
            scores[SCORES.get(name, name.replace("_", " ")) + (" *" if name == metric else "")] = event.metrics[name]
    cells = {name: "–" if score is None else f"{score:.4f}" for name, score in scores.items()}
    return {"epoch": f"{event.epoch:.2f}".rstrip("0").rstrip("."), **cells}
