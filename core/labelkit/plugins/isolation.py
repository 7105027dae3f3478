"""A wall round the code of plugins: what it does to the process is put back, and what takes long is named.

What a wall cannot stop: ``os._exit``, threads that go on, and code that changes other modules on purpose.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

#: seconds that a plugin may take before a line names it
PATIENCE = 5.0

#: puts back what was noted before; returns what had changed, or an empty text
Restore = Callable[[], str]


@contextlib.contextmanager
def walled(*, loading: bool = False) -> Iterator[list[str]]:
    """Run code of a plugin so that the process is afterwards as it was before.

    What it prints on stdout goes to stderr, be it from Python, C or another program; stderr stays open; logging, the
    working directory and the answers to Ctrl-C and SIGTERM are put back. Gives a list that names afterwards what had
    to be.

    :param loading: the plugin is being loaded: it finds nothing on stdin, which belongs to the command, and
        environment variables are put back as well. Libraries that observers use keep theirs there.
    """
    # stdin first: where it is closed, the copy that _stdout makes would take its number
    kept = (*((_stdin, _variables) if loading else ()), _stderr, _stdout, _directory, _logging, _signals)
    restores: list[Restore] = [note() for note in kept]
    changes: list[str] = []
    try:
        yield changes
    finally:
        changes.extend(change for restore in reversed(restores) if (change := restore()))


@contextlib.contextmanager
def named_when_slow(plugin: str, say: Callable[[str], object]) -> Iterator[None]:
    """Tell people which plugin they are waiting for, once :data:`PATIENCE` is over."""
    line = (
        f"note: the plugin '{plugin}' has been loading for {PATIENCE:g} s; Ctrl-C stops this command, and "
        f"--no-plugin {plugin} runs it without the plugin"
    )
    timer = threading.Timer(PATIENCE, say, [line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


# -- stdin, stdout, stderr --------------------------------------------------------------------------------------------


class _Aside:
    """What a plugin has for ``sys.stdout`` and ``sys.stderr``: stderr, which it cannot close.

    It may keep it for good.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.used = False

    def write(self, text: str) -> int:
        self.used = True
        return int(self._stream.write(text))

    def close(self) -> None:
        """Leave it open."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _stderr() -> Restore:
    before = sys.stderr
    if before is not None:
        sys.stderr = _Aside(before)  # it has all that a stream has

    def restore() -> str:
        sys.stderr = before
        return ""

    return restore


def _stdin() -> Restore:
    before = sys.stdin
    put_back = _descriptor_in()
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # until it is put back

    def restore() -> str:
        with contextlib.suppress(OSError, ValueError):
            sys.stdin.close()
        sys.stdin = before
        put_back()
        return ""

    return restore


def _descriptor_in() -> Callable[[], None]:
    """Let file descriptor 0 lead nowhere, for C and other programs; return what undoes it."""
    try:
        saved = os.dup(0)
    except OSError:  # there is no stdin
        return _nothing
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)

    def undo() -> None:
        os.dup2(saved, 0)
        os.close(saved)

    return undo


def _stdout() -> Restore:
    before, aside = sys.stdout, _Aside(sys.stderr)
    put_back = _descriptor()
    sys.stdout = aside  # it has all that a stream has

    def restore() -> str:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        sys.stdout = before
        put_back()
        return "prints on stdout, which went to stderr" if aside.used else ""

    return restore


def _descriptor() -> Callable[[], None]:
    """Let file descriptor 1 lead to stderr, for C and other programs; return what undoes it."""
    try:
        _flush()
        saved = os.dup(1)
    except OSError:  # there is no stdout
        return _nothing
    with contextlib.suppress(OSError):
        os.dup2(2, 1)

    def undo() -> None:
        _flush()
        os.dup2(saved, 1)
        os.close(saved)

    return undo


def _flush() -> None:
    """Send what Python holds back where it belongs at this moment."""
    for stream in {id(stream): stream for stream in (sys.stdout, sys.__stdout__) if stream is not None}.values():
        with contextlib.suppress(OSError, ValueError):  # a reader that has gone is noticed when there is more to say
            stream.flush()


def _nothing() -> None:
    """Undo nothing."""


# -- environment, working directory, logging, signals -----------------------------------------------------------------


def _variables() -> Restore:
    before = dict(os.environ)

    def restore() -> str:
        after = dict(os.environ)
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        for name in changed:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]
        names = ", ".join(changed)
        return f"changed environment variables ({names:.100}), which were put back" if changed else ""

    return restore


def _directory() -> Restore:
    before = _working_directory()

    def restore() -> str:
        if before is None or _working_directory() == before:
            return ""
        with contextlib.suppress(OSError):  # it is gone
            os.chdir(before)
        return "changed the working directory, which was put back"

    return restore


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _logging() -> Restore:
    """Note how the loggers that exist are set; those that a plugin or its libraries make are their own."""
    root = logging.getLogger()
    known = [root, *(one for one in list(root.manager.loggerDict.values()) if isinstance(one, logging.Logger))]
    before = [_logger_state(logger) for logger in known]
    whole = (root.manager.disable, logging.getLoggerClass(), logging.getLogRecordFactory())

    def restore() -> str:
        changed = [
            (logger, state) for logger, state in zip(known, before, strict=True) if _logger_state(logger) != state
        ]
        for logger, state in changed:
            _set_logger(logger, *state)
        if whole == (root.manager.disable, logging.getLoggerClass(), logging.getLogRecordFactory()) and not changed:
            return ""
        logging.disable(whole[0])
        logging.setLoggerClass(whole[1])
        logging.setLogRecordFactory(whole[2])
        return "changed logging, which was put back"

    return restore


def _logger_state(logger: logging.Logger) -> tuple[int, bool, bool, list[logging.Handler], list[Any]]:
    return logger.level, logger.propagate, logger.disabled, list(logger.handlers), list(logger.filters)


def _set_logger(
    logger: logging.Logger,
    level: int,
    propagate: bool,
    disabled: bool,
    handlers: list[logging.Handler],
    filters: list[Any],
) -> None:
    logger.setLevel(level)
    logger.propagate, logger.disabled = propagate, disabled
    logger.handlers[:] = handlers
    logger.filters[:] = filters


def _signals() -> Restore:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> str:
        changed = {number: answer for number, answer in before.items() if signal.getsignal(number) != answer}
        for number, answer in changed.items():
            _answer(number, answer)
        return "changed the answer to Ctrl-C or SIGTERM, which was put back" if changed else ""

    return restore


def _answer(number: int, answer: Callable[[int, FrameType | None], Any] | int | None) -> None:
    if answer is not None:  # None: set by something that is not Python
        with contextlib.suppress(ValueError):  # only the main thread may, so nobody else has changed it
            signal.signal(number, answer)
