"""The limit on the length of a record: memory stays bounded where a file never ends one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from labelkit.files.reading import too_long
from labelkit.records import LoadContext


class RecordLimit:
    """Counts the characters of the record that is being read.

    :ivar characters: the most characters of a record: ``data.max_record``.
    """

    def __init__(self, path: Path, ctx: LoadContext) -> None:
        self.characters = ctx.settings.max_record
        self._path, self._length = path, 0
        self._line, self._first = 0, 1

    def start(self) -> None:
        """Begin a new record with the next line."""
        self._length, self._first = 0, self._line + 1

    def count(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield ``lines`` and count them as parts of the current record.

        :raises DataError: the record is too long; names the file and the line where it begins.
        """
        for line in lines:
            self._line += 1
            self._length += len(line)
            if self._length > self.characters:
                raise too_long(f"{self._path}:{self._first}", "record", self.characters)
            yield line


def limited_sentences(path: Path, lines: Iterable[tuple[int, str]], limit: int) -> Iterator[tuple[int, str]]:
    """Yield numbered lines of a file in which blank lines separate sentences.

    :param limit: the most characters of a sentence; one of more than a twentieth as many lines is refused, too, since
        a line of one character takes a hundred bytes in memory.
    :raises DataError: a sentence is too long; names the file and the line where it begins.
    """
    length, first, most_lines = 0, 1, max(1, limit // 20)
    for number, line in lines:
        if not line or line.isspace():
            length, first = 0, number + 1
        else:
            length += len(line)
            if length > limit:
                raise too_long(f"{path}:{first}", "sentence", limit)
            if number - first >= most_lines:
                raise too_long(f"{path}:{first}", "sentence", most_lines, "lines")
        yield number, line


class LimitedStream:
    """A stream of bytes that refuses to read a record of more bytes than the limit of characters.

    Call :meth:`start` after each record. The stream is read ahead by one block, so a record may be longer by that.
    """

    def __init__(self, stream: BinaryIO, path: Path, ctx: LoadContext) -> None:
        self._stream, self._path, self._limit = stream, path, ctx.settings.max_record
        self._length, self._number = 0, 1

    def start(self) -> None:
        """Begin a new record."""
        self._length, self._number = 0, self._number + 1

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        :raises DataError: the record is too long; names the file and the number of the record.
        """
        content = self._stream.read(size)
        self._length += len(content)
        if self._length > self._limit + max(size, 0):
            raise too_long(f"{self._path}, record {self._number}", "record", self._limit, "bytes")
        return content
