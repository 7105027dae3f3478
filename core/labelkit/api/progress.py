"""A progress bar of training for notebooks and programs, by tqdm."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labelkit.events import Event, RunEnded, Scored, Stage, StepDone, TrainingStarted
from labelkit.train.listeners import Listener


class ProgressBar:
    """Shows the steps of a run and its latest scores on validation; a listener."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._metric = ""

    def __call__(self, event: Event) -> None:
        """Show ``event``."""
        match event:
            case TrainingStarted():
                from tqdm.auto import tqdm

                self._metric = event.metric
                self._bar = tqdm(
                    total=event.steps, initial=event.done, desc=f"run {event.run}", unit="step", mininterval=1
                )
            case StepDone() if self._bar is not None:
                self._bar.update(event.step - self._bar.n)
            case Scored() if self._bar is not None and event.split == "validation":
                value = event.metrics.get(self._metric)
                if isinstance(value, int | float):
                    self._bar.set_postfix({f"validation {self._metric}": f"{value:.4f}"})
            case Stage(name="testing") | RunEnded():
                self.close()

    def close(self) -> None:
        """End the bar, which stays visible."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


@contextmanager
def progress_listeners(wanted: bool | None) -> Iterator[tuple[Listener, ...]]:
    """Yield the listener that shows progress, or none.

    :param wanted: None: in notebooks only.
    """
    if not (in_notebook() if wanted is None else wanted):
        yield ()
        return
    bar = ProgressBar()
    try:
        yield (bar,)
    finally:
        bar.close()


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
