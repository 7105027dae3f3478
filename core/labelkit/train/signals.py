"""Defer Ctrl-C and SIGTERM during training to the end of an optimizer step, so that its state can be saved."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptHandler:
    """A context that defers an interrupt during an optimizer step; a second interrupt is not deferred.

    :ivar in_step: an optimizer step is running; set by the training loop.
    :ivar requested: an interrupt was deferred.
    """

    def __init__(self) -> None:
        self.in_step = False
        self.requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # other threads cannot set handlers
            for number in _SIGNALS:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.requested or not self.in_step:
            raise KeyboardInterrupt
        self.requested = True
