"""Isolate the code of plugins: what it changes in the process is restored and reported, and slow loading is announced.

Isolation cannot stop threads that go on, and code that changes other modules on purpose.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from labelkit.console.terminal import END_SIGNALS

#: seconds that a plugin may take to load before a line names it
SLOW_LOADING = 5.0


@contextlib.contextmanager
def isolate(*, loading: bool = False) -> Iterator[list[str]]:
    """Run code of a plugin so that the process is afterwards as it was before.

    What it prints to stdout goes to stderr, be it from Python, C or another program; stderr stays open; logging, the
    working directory and the handlers of :data:`END_SIGNALS` are restored. Yields a list that afterwards names what had
    to be restored.

    :param loading: the plugin is being loaded: its stdin is empty, as the real one belongs to the command, and
        environment variables are restored as well. Libraries that observers use keep theirs there.
    """
    notes: list[str] = []
    output = UnclosableStream(sys.stderr)
    variables, directory = dict(os.environ), working_directory()
    known = [*logging.root.manager.loggerDict.values()]
    loggers = [logging.root, *(logger for logger in known if isinstance(logger, logging.Logger))]
    logs = logging_state(loggers)
    handlers = {number: signal.getsignal(number) for number in END_SIGNALS}
    try:
        # stdin first: where descriptor 0 is closed, the copy of descriptor 1 would get its number
        with empty_stdin() if loading else contextlib.nullcontext(), stdout_to_stderr(output):
            yield notes
    finally:
        notes += ["printed to stdout (redirected to stderr)"] if output.used else []
        notes += restore_signal_handlers(handlers) + restore_logging(loggers, logs) + restore_directory(directory)
        notes += restore_environment(variables) if loading else []


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
def empty_stdin() -> Iterator[None]:
    """Replace stdin by an empty file."""
    before = sys.stdin
    with open(os.devnull, encoding="utf-8") as empty, redirected_descriptor(0, empty.fileno()):
        sys.stdin = empty
        try:
            yield
        finally:
            sys.stdin = before


@contextlib.contextmanager
def stdout_to_stderr(output: UnclosableStream) -> Iterator[None]:
    """Redirect stdout to stderr, which cannot be closed meanwhile; ``output`` replaces ``sys.stdout``."""
    stdout, stderr = sys.stdout, sys.stderr

    def flush() -> None:
        for stream in {id(each): each for each in (sys.stdout, stdout, sys.__stdout__) if each is not None}.values():
            with contextlib.suppress(OSError, ValueError):  # a broken pipe is noticed when there is more to write
                stream.flush()

    flush()
    with redirected_descriptor(1, 2):
        sys.stdout, sys.stderr = output, stderr and UnclosableStream(stderr)  # which have every method of a stream
        try:
            yield
        finally:
            flush()
            sys.stdout, sys.stderr = stdout, stderr


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


def restore_environment(before: Mapping[str, str]) -> list[str]:
    """Restore environment variables, and return a note if any was changed."""
    after = dict(os.environ)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name in changed:
        os.environ.pop(name, None)
    os.environ.update({name: before[name] for name in changed if name in before})
    return [f"changed environment variables (restored): {', '.join(changed):.100}"] if changed else []


def working_directory() -> str | None:
    """Return the working directory, or None where it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return None


def restore_directory(before: str | None) -> list[str]:
    """Restore the working directory, and return a note if it was changed."""
    if before is None or working_directory() == before:
        return []
    with contextlib.suppress(OSError):  # it was deleted
        os.chdir(before)
    return ["changed the working directory (restored)"]


def logging_state(loggers: Iterable[logging.Logger]) -> list[tuple[Any, ...]]:
    """Return everything about logging, and about each of the loggers, that plugins may change."""
    module = (logging.root.manager.disable, logging.getLoggerClass(), logging.getLogRecordFactory())
    return [module, *((x.level, x.propagate, x.disabled, [*x.handlers], [*x.filters]) for x in loggers)]


def restore_logging(loggers: Iterable[logging.Logger], before: list[tuple[Any, ...]]) -> list[str]:
    """Restore logging and the loggers, and return a note if any was changed."""
    if logging_state(loggers) == before:
        return []
    (disabled, class_, factory), *states = before
    logging.disable(disabled)
    logging.setLoggerClass(class_)
    logging.setLogRecordFactory(factory)
    for logger, (level, propagate, switched_off, handlers, filters) in zip(loggers, states, strict=True):
        logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, switched_off
        logger.handlers[:], logger.filters[:] = handlers, filters
    return ["changed logging (restored)"]


def restore_signal_handlers(before: Mapping[signal.Signals, Any]) -> list[str]:
    """Restore the handlers of signals, and return a note if any was changed."""
    changed = {number: handler for number, handler in before.items() if signal.getsignal(number) != handler}
    for number, handler in changed.items():
        if handler is not None:  # None: installed by something that is not Python
            with contextlib.suppress(ValueError):  # other threads than the main one cannot have changed it
                signal.signal(number, handler)
    return ["changed signal handlers (restored)"] if changed else []
