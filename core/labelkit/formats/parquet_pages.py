"""The pages of a Parquet file, before they are unpacked: a few bytes may stand for gigabytes.

Page headers and the footer are structs in Thrift's compact protocol, of which only places and sizes are read. pyarrow
does not show the pages, and to ask it for the place of a column ends the process where the footer is damaged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from labelkit.errors import DataError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

#: most bytes that a page may unpack to; writers make pages of a megabyte
MAX_PAGE = 1 << 29
#: most bytes of the rows that are read at once, if each has the longest value of the dictionaries
MAX_BATCH = 1 << 31
#: most values of a list column in a row group, as a multiple of ``data.max_record``: one row may have all of them
VALUES_FACTOR = 10
#: most bytes of the header of a page, which may hold the least and the greatest value
_MAX_HEADER = 1 << 24
_FIRST_READ = 1 << 10
#: fields of a page header: sizes, and the structs that hold the number of values
_UNPACKED, _PACKED = 2, 3
_KINDS = {5: "data", 7: "dictionary", 8: "data"}
#: fields of the footer: file → row groups → columns → their chunk, and what is read of that
_ROW_GROUPS, _COLUMNS, _CHUNK = 4, 1, 3
_PATH, _COMPRESSED, _DATA, _DICTIONARY = 3, 7, 9, 11
#: types of Thrift's compact protocol
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where the pages of a column in a row group are.

    :param path: names of the column and of what it is in.
    :param start: the first byte in the file.
    :param size: bytes in the file.
    """

    path: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    """The sizes that the header of a page announces.

    :param unpacked: bytes of the page, unpacked.
    :param size: bytes of header and page in the file.
    """

    kind: str
    unpacked: int
    size: int
    values: int


def check_pages(path: Path, stream: BinaryIO, file: pq.ParquetFile, max_values: int) -> int:
    """Return how many rows may be read at once, at most 1,000.

    :param max_values: most values of a column of lists in a row group.
    :raises DataError: a page unpacks to more than :data:`MAX_PAGE` bytes, or lists have too many values.
    :raises ValueError: a header is damaged.
    """
    longest = 0
    for chunks in read_footer(stream):
        if len(chunks) != len(file.schema):
            raise ValueError("a row group has other columns than the file")
        of_dictionaries = 0
        for index, chunk in enumerate(chunks):
            values, dictionary = 0, 0
            for page in pages(stream, chunk):
                if page.unpacked > MAX_PAGE:
                    raise _too_large(path, chunk, f"a page that unpacks to {page.unpacked:,} bytes", MAX_PAGE)
                if page.kind == "dictionary":
                    dictionary = max(dictionary, page.unpacked)
                else:
                    values += page.values
            if file.schema.column(index).max_repetition_level and values > max_values:
                raise _too_large(path, chunk, f"lists of {values:,} values in one row group", max_values)
            of_dictionaries += dictionary
        longest = max(longest, of_dictionaries)
    return max(1, min(1000, MAX_BATCH // max(longest, 1)))


def read_footer(stream: BinaryIO) -> list[list[Chunk]]:
    """Return row group → its columns, from the footer of a file that pyarrow has opened.

    :raises ValueError: it is damaged.
    """
    stream.seek(-8, os.SEEK_END)
    size = int.from_bytes(stream.read(4), "little")
    stream.seek(-8 - size, os.SEEK_END)
    try:
        return _Thrift(stream.read(size)).row_groups()
    except IndexError:
        raise ValueError("the footer is damaged") from None


def pages(stream: BinaryIO, chunk: Chunk) -> Iterator[Page]:
    """Yield the pages of a column chunk.

    :raises ValueError: a header is damaged.
    """
    position, end = chunk.start, chunk.start + chunk.size
    while position < end:
        page = read_header(stream, position, end)
        yield page
        position += page.size


def read_header(stream: BinaryIO, position: int, end: int) -> Page:
    """Return the page whose header begins at ``position``.

    :raises ValueError: the header is damaged.
    """
    size = _FIRST_READ
    while True:
        stream.seek(position)
        content = stream.read(min(size, end - position))
        try:
            return _Thrift(content).page()
        except IndexError:
            if size > min(_MAX_HEADER, end - position):
                raise ValueError("the header of a page is damaged") from None
            size *= 16


class _Thrift:
    """Reads a page header or a footer.

    :raises IndexError: more bytes are needed.
    :raises ValueError: it is damaged.
    """

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def page(self) -> Page:
        sizes, kind, values = {_UNPACKED: 0, _PACKED: 0}, "index", 0
        for field, type_ in self._fields():
            if field in sizes:
                sizes[field] = self._zigzag()
            elif field in _KINDS and type_ == _STRUCT:
                kind = _KINDS[field]
                for inner, inner_type in self._fields():
                    if inner == 1:
                        values = self._zigzag()
                    else:
                        self._skip(inner_type)
            else:
                self._skip(type_)
        if min(*sizes.values(), values) < 0:
            raise ValueError("the header of a page is damaged")
        return Page(kind, sizes[_UNPACKED], self._at + sizes[_PACKED], values)

    def row_groups(self) -> list[list[Chunk]]:
        found: list[list[Chunk]] = []
        for field, type_ in self._fields():
            if field == _ROW_GROUPS and type_ == _LIST:
                found += [self._row_group() for _ in self._elements()]
            else:
                self._skip(type_)
        return found

    def _row_group(self) -> list[Chunk]:
        found: list[Chunk] = []
        for field, type_ in self._fields():
            if field == _COLUMNS and type_ == _LIST:
                found += [self._column() for _ in self._elements()]
            else:
                self._skip(type_)
        return found

    def _column(self) -> Chunk:
        found: Chunk | None = None
        for field, type_ in self._fields():
            if field == _CHUNK and type_ == _STRUCT:
                found = self._chunk()
            else:
                self._skip(type_)
        if found is None:
            raise ValueError("a column has no place in the file")
        return found

    def _chunk(self) -> Chunk:
        places, names = {_COMPRESSED: 0, _DATA: 0, _DICTIONARY: 0}, [""]
        for field, type_ in self._fields():
            if field in places:
                places[field] = self._zigzag()
            elif field == _PATH and type_ == _LIST:
                names = [self._binary().decode(errors="replace") for _ in self._elements()]
            else:
                self._skip(type_)
        starts = [start for start in (places[_DATA], places[_DICTIONARY]) if start]
        if min(places.values()) < 0 or not starts:
            raise ValueError("the place of a column is damaged")
        return Chunk(".".join(names), min(starts), places[_COMPRESSED])

    def _elements(self) -> range:
        """Return one number for each element of a list; their content is read by the caller."""
        byte = self._byte()
        return range(byte >> 4 if byte >> 4 < 15 else self._varint())

    def _binary(self) -> bytes:
        length = self._varint()
        self._at += length
        return self._content[self._at - length : self._at]

    def _fields(self) -> Iterator[tuple[int, int]]:
        """Yield number and type of each field of a struct; its value is read by the caller."""
        field = 0
        while byte := self._byte():
            field = field + (byte >> 4) if byte >> 4 else self._zigzag()
            yield field, byte & 15

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return value
            if shift > 63:
                raise ValueError("a header is damaged")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, type_: int, depth: int = 0) -> None:
        if depth > 8 or type_ in (_SET, _MAP) or type_ > _STRUCT:  # neither headers nor footers have any
            raise ValueError("a header is damaged")
        if type_ in (_BYTE, _DOUBLE):
            self._at += 1 if type_ == _BYTE else 8
        elif type_ == _BINARY:
            length = self._varint()  # which moves on itself
            self._at += length
        elif type_ == _STRUCT:
            for _, inner in self._fields():
                self._skip(inner, depth + 1)
        elif type_ == _LIST:
            byte = self._byte()
            count = byte >> 4 if byte >> 4 < 15 else self._varint()
            for _ in range(min(count, len(self._content))):
                self._skip(byte & 15, depth + 1)
        elif type_ not in (_TRUE, _FALSE):
            self._varint()


def _too_large(path: Path, column: Chunk, what: str, limit: int) -> DataError:
    return DataError(
        f"{path}: column '{column.path}' has {what}, more than {limit:,}",
        hint="write it with smaller pages and row groups, or in another format",
    )
