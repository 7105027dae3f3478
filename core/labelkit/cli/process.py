"""How the process of a command ends: interrupted by signals, and never as done before it is."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from labelkit.console.terminal import END_SIGNALS, detach_closed_terminal, is_ignored


@contextlib.contextmanager
def command_process() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the command as Ctrl-C does, and keep plugins from ending it as if it were done.

    Python itself handles Ctrl-C.
    """
    numbers = [number for number in END_SIGNALS if number != signal.SIGINT and not is_ignored(number)]
    before: dict[int, Any] = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        with exit_guard():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Handle a signal as Ctrl-C, so that a run is recorded as interrupted.

    :raises KeyboardInterrupt: always.
    """
    detach_closed_terminal()
    raise KeyboardInterrupt


@contextlib.contextmanager
def exit_guard() -> Iterator[None]:
    """Make ``os._exit(0)``, from any thread of this process, exit with status 1 and say where it was called."""
    process, end = os.getpid(), os._exit

    def exit_unfinished(status: int) -> Any:
        if status == 0 and os.getpid() == process:  # processes that were forked end as they like
            caller = sys._getframe(1)
            place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
            with contextlib.suppress(OSError):
                os.write(2, f"error: {place} ended the process before the command was done\n".encode())
            status = 1
        end(status)

    os._exit = exit_unfinished
    try:
        yield
    finally:
        os._exit = end
