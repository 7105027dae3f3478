"""The signals that end a command, and the terminal that may be closed while it works."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
from collections.abc import Iterator

#: SIGHUP says that the terminal was closed; Windows has none
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


def is_ignored(number: int) -> bool:
    """Return whether a signal is to stay ignored: ``nohup`` ignores SIGHUP."""
    return number not in (signal.SIGINT, signal.SIGTERM) and signal.getsignal(number) is signal.SIG_IGN


def detach_closed_terminal() -> None:
    """Let the standard streams write nowhere that were a terminal and are closed: any write there would fail."""
    null = os.stat(os.devnull).st_rdev
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            kind = os.fstat(descriptor)
            if stat.S_ISCHR(kind.st_mode) and kind.st_rdev != null and not os.isatty(descriptor):
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


@contextlib.contextmanager
def terminal_may_close() -> Iterator[None]:
    """Ignore the errors of writing to a terminal that was closed; SIGHUP follows, and is what ends the command."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        detach_closed_terminal()
