"""Standard output belongs to the result of a command: whatever else prints goes to standard error.

A metric or decoder that prints, and a C library that writes to descriptor 1, would break JSON that is piped.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TextIO

_RESULTS: ContextVar[TextIO | None] = ContextVar("_RESULTS", default=None)


def results() -> TextIO:
    """Return the stream of results: standard output as it was when the command began."""
    return _RESULTS.get() or sys.stdout


@contextlib.contextmanager
def results_only() -> Iterator[None]:
    """Reserve standard output for :func:`results`: ``sys.stdout`` and descriptor 1 are standard error meanwhile.

    :raises BrokenPipeError: the reader of the results has closed its pipe.
    """
    before = sys.stdout
    if before is None or sys.stderr is None or _RESULTS.get() is not None:  # closed, or within another command
        yield
        return
    with _own_descriptor(before) as stream:
        token = _RESULTS.set(stream)
        sys.stdout = sys.stderr
        try:
            yield
            stream.flush()
        finally:
            sys.stdout = before
            _RESULTS.reset(token)


@contextlib.contextmanager
def _own_descriptor(stdout: TextIO) -> Iterator[TextIO]:
    """Give a stream on a duplicate of descriptor 1, which leads to standard error meanwhile.

    ``stdout`` itself is given where it is not that of the process, as in a notebook.
    """
    if stdout is not sys.__stdout__:
        yield stdout
        return
    stdout.flush()
    descriptor = stdout.fileno()
    saved = os.dup(descriptor)
    # C libraries that know nothing of UTF-8 print nothing here: the encoding is that of sys.stdout
    stream = open(saved, "w", encoding=stdout.encoding, errors=stdout.errors, newline="\n", closefd=False)  # noqa: SIM115
    try:
        with contextlib.suppress(OSError):  # descriptor 2 is closed
            os.dup2(2, descriptor)
        yield stream
    finally:
        with contextlib.suppress(OSError):  # a broken pipe was raised before, where there was more to write
            stream.close()
        os.dup2(saved, descriptor)
        os.close(saved)
