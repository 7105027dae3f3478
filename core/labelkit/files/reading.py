"""Text files line by line, and folders of corpora."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO, cast

from labelkit.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNDECODED = re.compile("[\udc80-\udcff]")
_CHUNK = 1 << 20
#: the path that means standard input
STDIN = Path("<stdin>")
#: called with each file that is opened, so that whoever shows progress can see how far it was read
OPENED: ContextVar[Callable[[Path, BinaryIO], None] | None] = ContextVar("OPENED", default=None)


def read_lines(
    path: Path, encoding: str = "utf-8", skip: Callable[[DataError], None] | None = None
) -> Iterator[tuple[int, str]]:
    r"""Yield ``(number, line)`` of a plain or gzipped text file, counted from 1, without line ends.

    Only ``\n`` and ``\r\n`` end a line: U+2028, form feed and the like stay inside their line. One byte order
    mark at the start is dropped.

    :param skip: called with the error of a line that is not in ``encoding``, which is then left out; None raises it.
    :raises DataError: the file is missing, a folder, not readable, broken gzip, or not in ``encoding``; or in UTF-16
        where UTF-8 is expected, as then no line of it can be read.
    """
    for number, line in enumerate(whole_lines(path, encoding, "surrogateescape" if skip else "strict"), start=1):
        if skip and not line.isascii() and (found := _UNDECODED.search(line)):
            skip(_line_error(f"{path}:{number}", encoding, line, found.start()))
        else:
            yield number, line.removesuffix("\n").removesuffix("\r")


def whole_lines(path: Path, encoding: str = "utf-8", errors: str = "strict") -> Iterator[str]:
    """Yield the lines of a text file as :func:`read_lines` does, with their ends."""
    codec = _codec(encoding)
    with plain_errors(path), open_bytes(path) as stream:
        if codec == "utf-8-sig" and (mark := _start(stream)) in _UTF16:
            raise DataError(
                f"{path}:1: not {encoding.upper()} at byte offset 0 (0x{mark[0]:02x}): it begins like UTF-16",
                hint="give the right encoding, --encoding utf-16, or write the file anew in UTF-8",
            )
        text = io.TextIOWrapper(stream, encoding=codec, errors=errors, newline="\n")
        try:
            yield from text
        except UnicodeDecodeError as error:
            raise _undecodable(path, encoding) from error


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacking it where it is gzipped.

    :raises DataError: its name ends in ``.gz`` but its content is something else.
    """
    with _raw(path) as raw:
        if watch := OPENED.get():
            watch(path, raw)
        packed = raw.peek(2)[:2] == _GZIP_MAGIC
        if path.suffix == ".gz" and not packed:
            raise DataError(f"{path} is not a gzip file", hint="drop .gz from its name if it is plain text")
        yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw


def _start(stream: BinaryIO) -> bytes:
    """Return the first two bytes of a stream without reading them."""
    return cast(io.BufferedReader | gzip.GzipFile, stream).peek(2)[:2]


def _raw(path: Path) -> io.BufferedReader:
    if path == STDIN:  # a file of its own, so that closing it leaves sys.stdin alone
        return open(sys.stdin.fileno(), "rb", closefd=False)
    return path.open("rb")


def corpus_folder(name: str, path: Path | None, root: Path | None) -> Path:
    """Return ``path`` where the user gave one, or else the folder ``name`` under ``root``.

    :raises DataError: neither exists.
    """
    if path is not None:
        if not path.exists():
            raise DataError(f"{path} does not exist", hint=f"give the folder that holds the files of {name}")
        return path
    if root is None:
        raise DataError(
            f"'{name}' needs its files, and no folder of corpora is set",
            hint=f"set LABELKIT_DATA to the folder that holds {name}/, or give a path with --data PATH",
        )
    folder = root / name
    if not folder.is_dir():
        raise DataError(f"{folder} does not exist", hint=f"put the files of {name} there, or use --data PATH")
    return folder


def _codec(encoding: str) -> str:
    try:
        # Unlike codecs.lookup alone, this refuses codecs that do not give text, e.g. "hex".
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, UnicodeError, ValueError) as error:
        raise DataError(f"unknown encoding '{encoding}'", hint="use a name such as utf-8, latin-1 or cp1252") from error
    return "utf-8-sig" if name == "utf-8" else name


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Say in one line what the system or zlib found wrong with ``path``."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", hint="check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder, a file is needed") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is a broken gzip file: {error}", hint="copy or download it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _undecodable(path: Path, encoding: str) -> DataError:
    """Find the first byte that does not decode; a text stream only knows its place within a chunk."""
    decoder = codecs.getincrementaldecoder(encoding)()
    read, lines, chunk = 0, 1, b""
    with open_bytes(path) as stream:
        try:
            while chunk := stream.read(_CHUNK):
                pending = len(decoder.getstate()[0])
                decoder.decode(chunk)
                read, lines = read + len(chunk), lines + chunk.count(b"\n")
            pending = len(decoder.getstate()[0])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            start = error.start - pending
            lines += chunk.count(b"\n", 0, max(start, 0))
            return _not_encoded(f"{path}:{lines}", encoding, read + start, error.object[error.start])
    return DataError(f"{path} is not {encoding.upper()}")


def _line_error(place: str, encoding: str, line: str, at: int) -> DataError:
    offset = len(line[:at].encode(encoding, "surrogateescape"))
    error = _not_encoded(place, encoding, offset, ord(line[at]) - 0xDC00)
    return DataError(error.message.replace("at byte offset", "at byte offset of the line"), hint=error.hint)


def _not_encoded(place: str, encoding: str, offset: int, byte: int) -> DataError:
    other = "latin-1" if encoding.lower().replace("-", "").startswith("utf8") else "utf-8"
    return DataError(
        f"{place}: not {encoding.upper()} at byte offset {offset} (0x{byte:02x})",
        hint=f"give the right encoding, e.g. --encoding {other}",
    )
