"""Defer Ctrl-C, SIGTERM and SIGHUP during training to the end of an optimizer step, so that its state can be saved."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from labelkit.console.terminal import END_SIGNALS, detach_closed_terminal, is_ignored


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
            for number in END_SIGNALS:
                if not is_ignored(number):
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        detach_closed_terminal()
        if self.requested or not self.in_step:
            raise KeyboardInterrupt
        self.requested = True
