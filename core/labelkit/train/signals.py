"""Ctrl-C and a polite SIGTERM while training: the step at hand is finished first, and its state kept."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptHandler:
    """A context in which an interrupt waits for the end of an optimizer step; a second one does not.

    :ivar busy: a step is being done; set by whoever does it.
    :ivar asked: somebody wants to stop.
    """

    def __init__(self) -> None:
        self.busy = False
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no signals
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        if self.asked or not self.busy:
            raise KeyboardInterrupt
        self.asked = True
