"""The messages of Arrow data, before they are unpacked: a few bytes may stand for gigabytes.

A message is a flatbuffer and a body of buffers. A compressed buffer begins with its size when unpacked. pyarrow does
not show these sizes, and allocates them as they are announced.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from labelkit.errors import DataError
from labelkit.formats.parquet_pages import MAX_BATCH

ARROW_MAGIC = b"ARROW1"
#: most bytes of the description of a message; the names of a million classes take some 20 million
MAX_DESCRIPTION = 1 << 28
_CONTINUATION = 0xFFFFFFFF
#: kinds of messages
_DICTIONARY, _RECORDS = 2, 3
#: fields of the tables that describe a message, the records or the dictionary in it, and a file
_KIND, _CONTENT, _BODY = 1, 2, 3
_BUFFERS, _COMPRESSION, _DICTIONARY_RECORDS = 2, 3, 1
_FILE_DICTIONARIES, _FILE_RECORDS = 2, 3
_BUFFER, _BLOCK = 16, 24  # bytes of the structs
#: the end of a file: the size of its footer, and the magic bytes again
_END = 4 + len(ARROW_MAGIC)


@dataclass(frozen=True, slots=True)
class Message:
    """What a message announces.

    :param body: bytes of the body, as it is in the file.
    :param unpacked: bytes of its buffers, unpacked.
    :param end: where it ends in the file.
    """

    body: int
    unpacked: int
    end: int


def check_messages(path: Path, stream: BinaryIO) -> None:
    """Leave ``stream`` at its start if each message fits into memory.

    A file that is not compressed is never refused for its own size.

    :raises DataError: a message unpacks to more than :data:`MAX_BATCH` bytes.
    :raises ValueError: a description is damaged.
    """
    limit = max(MAX_BATCH, os.stat(path).st_size if path.is_file() else 0)
    for message in messages(stream):
        if (size := max(message.unpacked, message.body)) > limit:
            raise DataError(
                f"{path} has a record batch that unpacks to {size:,} bytes, more than {limit:,}",
                hint="write it in smaller record batches, or in another format",
            )
    stream.seek(0)


def messages(stream: BinaryIO) -> Iterator[Message]:
    """Yield the messages of a file or a stream that are read.

    :raises ValueError: a description is damaged.
    """
    stream.seek(0)
    if stream.read(len(ARROW_MAGIC)) == ARROW_MAGIC:
        for position in _positions(stream):
            if found := _read_message(stream, position):
                yield found
        return
    position = 0
    while found := _read_message(stream, position):
        yield found
        position = found.end


def _positions(stream: BinaryIO) -> list[int]:
    """Return where the messages of a file begin, as its footer says: what lies elsewhere is not read."""
    end = stream.seek(0, os.SEEK_END) - _END
    stream.seek(max(end, 0))
    size = int.from_bytes(stream.read(4), "little")
    if not 0 < size <= min(end, MAX_DESCRIPTION):
        raise ValueError("its footer is damaged")
    stream.seek(end - size)
    footer = _Flatbuffer(stream.read(size))
    root = footer.root()
    starts = [start for field in (_FILE_DICTIONARIES, _FILE_RECORDS) for start in footer.structs(root, field, _BLOCK)]
    return [footer.long(start) for start in starts]


def _read_message(stream: BinaryIO, position: int) -> Message | None:
    """Return the message that begins at ``position``; None at the end of the stream."""
    stream.seek(position)
    head = stream.read(8)
    if len(head) < 4:
        return None
    first, start = int.from_bytes(head[:4], "little"), position + 4
    if first == _CONTINUATION:
        first, start = int.from_bytes(head[4:], "little"), position + 8
    if first == 0:
        return None
    if first > MAX_DESCRIPTION:
        raise ValueError("the description of a message is damaged")
    stream.seek(start)
    description = _Flatbuffer(stream.read(first))
    root = description.root()
    body = description.long(at) if (at := description.field(root, _BODY)) else 0
    if body < 0:
        raise ValueError("the description of a message is damaged")
    unpacked = sum(_unpacked_sizes(stream, description, root, start + first, body))
    return Message(body, unpacked, start + first + body)


def _unpacked_sizes(stream: BinaryIO, description: _Flatbuffer, root: int, body: int, body_size: int) -> Iterator[int]:
    """Yield the sizes that the compressed buffers of a message announce."""
    kind = description.byte(at) if (at := description.field(root, _KIND)) else 0
    if kind not in (_DICTIONARY, _RECORDS):
        return
    records = description.table(root, _CONTENT)
    if kind == _DICTIONARY and records:
        records = description.table(records, _DICTIONARY_RECORDS)
    if not records or not description.field(records, _COMPRESSION):
        return
    for at in description.structs(records, _BUFFERS, _BUFFER):
        offset, length = description.long(at), description.long(at + 8)
        if length == 0:
            continue
        if length < 8 or offset < 0 or offset + length > body_size:
            raise ValueError("the description of a message is damaged")
        stream.seek(body + offset)
        size = int.from_bytes(stream.read(8), "little", signed=True)
        yield length if size < 0 else size  # -1: this buffer is stored as it is


class _Flatbuffer:
    """Reads the tables of a flatbuffer; 0 stands for a table or field that is not there.

    :raises ValueError: an offset lies outside.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def root(self) -> int:
        return self._number("<I", 0)

    def field(self, table: int, field: int) -> int:
        """Return where a field of a table is."""
        names = table - self._number("<i", table)
        at = 4 + 2 * field
        offset = self._number("<H", names + at) if at + 2 <= self._number("<H", names) else 0
        return table + offset if offset else 0

    def table(self, table: int, field: int) -> int:
        at = self.field(table, field)
        return at + self._number("<I", at) if at else 0

    def structs(self, table: int, field: int, size: int) -> Iterator[int]:
        """Yield where the structs of a vector are, each of ``size`` bytes."""
        if not (at := self.field(table, field)):
            return
        vector = at + self._number("<I", at)
        count = self._number("<I", vector)
        if count * size > len(self._content):
            raise ValueError("a vector is longer than its message")
        for index in range(count):
            yield vector + 4 + index * size

    def long(self, at: int) -> int:
        return self._number("<q", at)

    def byte(self, at: int) -> int:
        return self._number("<B", at)

    def _number(self, form: str, at: int) -> int:
        if not 0 <= at <= len(self._content) - struct.calcsize(form):
            raise ValueError("an offset lies outside of its message")
        found: int = struct.unpack_from(form, self._content, at)[0]
        return found
