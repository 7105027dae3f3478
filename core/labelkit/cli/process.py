"""How the process of a command ends: interrupted by signals, and never as done before it is."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from labelkit.console.terminal import END_SIGNALS, detach_closed_terminal, is_ignored

#: seconds after which a dropped interrupt is repeated
_SOON = 0.05


@contextlib.contextmanager
def command_process() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the command as Ctrl-C does, and keep plugins from ending it as if it were done.

    Python itself handles Ctrl-C.
    """
    numbers = [number for number in END_SIGNALS if number != signal.SIGINT and not is_ignored(number)]
    before: dict[int, Any] = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        with exit_guard(), interrupted_again():
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
def interrupted_again() -> Iterator[None]:
    """Interrupt the command again where Python drops the interrupt: what a finalizer raises goes nowhere."""
    before = sys.unraisablehook
    again = signal.SIGINT if is_ignored(signal.SIGTERM) else signal.SIGTERM

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):  # from another thread, when the finalizer is over
            threading.Timer(_SOON, os.kill, (os.getpid(), again)).start()
        else:
            before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


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
