"""The output of a command: a file, or a stream, which on a terminal shows control characters as symbols."""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from labelkit.console.results import results
from labelkit.console.text import literal
from labelkit.errors import DataError
from labelkit.files.atomic import storage_errors
from labelkit.files.output import new_output
from labelkit.files.targets import is_stdout, is_stream
from labelkit.records import Output


class StreamOutput:
    """An :class:`labelkit.records.Output` to standard output, a device or a pipe.

    :param format_name: the format that is written; ``terminal`` holds control characters on purpose.
    """

    def __init__(self, stream: BinaryIO, format_name: str) -> None:
        self._name = format_name
        shown = stream.isatty() and format_name != "terminal"
        self.stream = cast(BinaryIO, TerminalStream(stream)) if shown else stream

    def beside(self, suffix: str) -> BinaryIO:
        """Raise: a stream has no files beside it.

        :raises DataError: always.
        """
        raise DataError(f"format '{self._name}' writes several files, not a stream", hint="name one with -o FILE")


class TerminalStream:
    """Text in UTF-8 on its way to a terminal: control characters become symbols, so that no text controls it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, content: bytes) -> int:
        """Write ``content`` as :func:`labelkit.console.text.literal` shows it, with its tabs."""
        text = self._decoder.decode(content).replace("\r\n", "\n")
        self._stream.write(literal(text, tabs=True).encode())
        return len(content)

    def flush(self) -> None:
        """Flush the terminal."""
        self._stream.flush()


@contextlib.contextmanager
def open_output(path: Path | None, format_name: str, *, force: bool = False) -> Iterator[Output]:
    """Give the output of a command.

    :param path: None or ``-`` for standard output; a device, named pipe or socket is written through; a file appears
        when it is complete.
    :param force: replace a file that exists.
    :raises DataError: the file exists.
    :raises StorageError: the disk is full, or ``path`` cannot be written.
    """
    if path is None or is_stdout(path):
        stream = results().buffer
        yield StreamOutput(stream, format_name)
        stream.flush()
    elif is_stream(path):
        # without O_CREAT: what has gone meanwhile is not made a file
        with storage_errors(path), open(os.open(path, os.O_WRONLY), "wb") as stream:
            yield StreamOutput(stream, format_name)
            stream.flush()
    else:
        with new_output(path, force=force) as output:
            yield output
