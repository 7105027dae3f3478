"""Isolate the code of plugins: what it changes in the process is restored and reported, and slow loading is announced.

Isolation cannot stop ``os._exit``, threads that go on, and code that changes other modules on purpose.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

#: seconds that a plugin may take to load before a line names it
SLOW_LOADING = 5.0


@contextlib.contextmanager
def isolate(*, loading: bool = False) -> Iterator[list[str]]:
    """Run code of a plugin so that the process is afterwards as it was before.

    What it prints to stdout goes to stderr, be it from Python, C or another program; stderr stays open; logging, the
    working directory and the handlers of SIGINT and SIGTERM are restored. Yields a list that afterwards names what had
    to be restored.

    :param loading: the plugin is being loaded: its stdin is empty, as the real one belongs to the command, and
        environment variables are restored as well. Libraries that observers use keep theirs there.
    """
    notes: list[str] = []
    guards = [unclosable_stderr, stdout_to_stderr, same_directory, same_logging, same_signal_handlers]
    with contextlib.ExitStack() as stack:
        for guard in [empty_stdin, same_environment, *guards] if loading else guards:
            stack.enter_context(guard(notes))
        yield notes


@contextlib.contextmanager
def announce_slow_loading(plugin: str, warn: Callable[[str], object]) -> Iterator[None]:
    """Name the plugin that is being loaded, once that takes more than :data:`SLOW_LOADING`."""
    line = (
        f"note: the plugin '{plugin}' has been loading for {SLOW_LOADING:g} s; Ctrl-C stops this command, and "
        f"--no-plugin {plugin} runs it without the plugin"
    )
    timer = threading.Timer(SLOW_LOADING, warn, [line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


# -- stdin, stdout, stderr --------------------------------------------------------------------------------------------


class UnclosableStream:
    """Stderr as plugins see it, under the name of ``sys.stdout`` too: they may keep it, but not close it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.used = False

    def write(self, text: str) -> int:
        """Write ``text`` and note that something was written."""
        self.used = True
        return int(self._stream.write(text))

    def close(self) -> None:
        """Leave the stream open."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def empty_stdin(notes: list[str]) -> Iterator[None]:
    """Let a plugin find nothing on stdin."""
    before = sys.stdin
    # where descriptor 0 is closed, this file gets its number, so no stream that is opened later does
    with open(os.devnull, encoding="utf-8") as empty, redirected_descriptor(0, empty.fileno()):
        sys.stdin = empty
        try:
            yield
        finally:
            sys.stdin = before


@contextlib.contextmanager
def unclosable_stderr(notes: list[str]) -> Iterator[None]:
    """Keep stderr open, and put it back where a plugin replaces it."""
    before: Any = sys.stderr
    sys.stderr = None if before is None else UnclosableStream(before)
    try:
        yield
    finally:
        sys.stderr = before


@contextlib.contextmanager
def stdout_to_stderr(notes: list[str]) -> Iterator[None]:
    """Redirect what a plugin prints to stderr: stdout belongs to the output of the command."""
    before, stream = sys.stdout, UnclosableStream(sys.stderr)

    def flush() -> None:
        for each in {id(each): each for each in (sys.stdout, before, sys.__stdout__) if each is not None}.values():
            with contextlib.suppress(OSError, ValueError):  # a broken pipe is noticed when there is more to write
                each.flush()

    flush()
    with redirected_descriptor(1, 2):
        sys.stdout = stream  # it has every method of a stream
        try:
            yield
        finally:
            flush()
            sys.stdout = before
    if stream.used:
        notes.append("printed to stdout (redirected to stderr)")


@contextlib.contextmanager
def redirected_descriptor(descriptor: int, target: int) -> Iterator[None]:
    """Redirect a file descriptor, for C code and other programs; do nothing where it is closed."""
    try:
        saved = os.dup(descriptor)
    except OSError:
        yield
        return
    with contextlib.suppress(OSError):  # the target is closed
        os.dup2(target, descriptor)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


# -- environment, working directory, logging, signals -----------------------------------------------------------------


@contextlib.contextmanager
def same_environment(notes: list[str]) -> Iterator[None]:
    """Restore environment variables."""
    before = dict(os.environ)
    try:
        yield
    finally:
        after = dict(os.environ)
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        for name in changed:
            os.environ.pop(name, None)
        os.environ.update({name: before[name] for name in changed if name in before})
        if changed:
            notes.append(f"changed environment variables (restored): {', '.join(changed):.100}")


@contextlib.contextmanager
def same_directory(notes: list[str]) -> Iterator[None]:
    """Restore the working directory."""
    before = working_directory()
    try:
        yield
    finally:
        if before is not None and working_directory() != before:
            with contextlib.suppress(OSError):  # it was deleted
                os.chdir(before)
            notes.append("changed the working directory (restored)")


def working_directory() -> str | None:
    """Return the working directory, or None where it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return None


@contextlib.contextmanager
def same_logging(notes: list[str]) -> Iterator[None]:
    """Restore logging and every logger that exists; those that a plugin or its libraries create stay as they are."""
    manager = logging.root.manager
    loggers = [logging.root, *(each for each in [*manager.loggerDict.values()] if isinstance(each, logging.Logger))]

    def state() -> tuple[Any, ...]:
        return manager.disable, logging.getLoggerClass(), logging.getLogRecordFactory(), [*map(logger_state, loggers)]

    before = disabled, class_, factory, states = state()
    try:
        yield
    finally:
        if state() != before:
            logging.disable(disabled)
            logging.setLoggerClass(class_)
            logging.setLogRecordFactory(factory)
            for logger, (level, propagate, switched_off, handlers, filters) in zip(loggers, states, strict=True):
                logger.setLevel(level)
                logger.propagate, logger.disabled = propagate, switched_off
                logger.handlers[:], logger.filters[:] = handlers, filters
            notes.append("changed logging (restored)")


def logger_state(logger: logging.Logger) -> tuple[int, bool, bool, list[logging.Handler], list[Any]]:
    """Return everything about a logger that plugins may change."""
    return logger.level, logger.propagate, logger.disabled, [*logger.handlers], [*logger.filters]


@contextlib.contextmanager
def same_signal_handlers(notes: list[str]) -> Iterator[None]:
    """Restore the handlers of SIGINT and SIGTERM."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        changed = {number: handler for number, handler in before.items() if signal.getsignal(number) != handler}
        for number, handler in changed.items():
            if handler is not None:  # None: installed by something that is not Python
                with contextlib.suppress(ValueError):  # other threads than the main one cannot have changed it
                    signal.signal(number, handler)
        if changed:
            notes.append("changed signal handlers (restored)")
