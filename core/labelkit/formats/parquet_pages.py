"""The pages of a Parquet file, before they are unpacked: a few bytes may stand for gigabytes.

A page header is a struct in Thrift's compact protocol, of which only the sizes are read. pyarrow does not show them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

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
#: types of Thrift's compact protocol
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12


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
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        of_dictionaries = 0
        for index in range(group.num_columns):
            column, values, dictionary = group.column(index), 0, 0
            for page in pages(stream, column):
                if page.unpacked > MAX_PAGE:
                    raise _too_large(path, column, f"a page that unpacks to {page.unpacked:,} bytes", MAX_PAGE)
                if page.kind == "dictionary":
                    dictionary = max(dictionary, page.unpacked)
                else:
                    values += page.values
            if file.schema.column(index).max_repetition_level and values > max_values:
                raise _too_large(path, column, f"lists of {values:,} values in one row group", max_values)
            of_dictionaries += dictionary
        longest = max(longest, of_dictionaries)
    return max(1, min(1000, MAX_BATCH // max(longest, 1)))


def pages(stream: BinaryIO, column: Any) -> Iterator[Page]:
    """Yield the pages of a column chunk.

    :raises ValueError: a header is damaged.
    """
    starts = (column.dictionary_page_offset, column.data_page_offset)
    position = min(start for start in starts if start)
    end = position + column.total_compressed_size
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
            return _Header(content).page()
        except IndexError:
            if size > min(_MAX_HEADER, end - position):
                raise ValueError("the header of a page is damaged") from None
            size *= 16


class _Header:
    """Reads a page header.

    :raises IndexError: more bytes are needed.
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
                raise ValueError("the header of a page is damaged")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, type_: int, depth: int = 0) -> None:
        if depth > 8 or type_ in (_SET, _MAP) or type_ > _STRUCT:  # page headers have none
            raise ValueError("the header of a page is damaged")
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


def _too_large(path: Path, column: Any, what: str, limit: int) -> DataError:
    return DataError(
        f"{path}: column '{column.path_in_schema}' has {what}, more than {limit:,}",
        hint="write it with smaller pages and row groups, or in another format",
    )
