"""Reading text files line by line, plain or compressed, with errors that name file and line."""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import BinaryIO, TextIO, cast
from weakref import WeakKeyDictionary

from labelkit.errors import DataError, MissingDataError
from labelkit.files.compression import decompressed, start_of
from labelkit.files.signatures import check_is_text
from labelkit.settings import MAX_RECORD

#: bytes by which the content of a file is recognised
HEAD = 1 << 16
#: encodings that text which is not UTF-8 is commonly in: of Western and Central Europe, Cyrillic, Chinese, Japanese
_ENCODINGS = ("cp1252", "cp1250", "cp1251", "gb18030", "cp932")
_WORD_ENDS = re.compile(rb"[\s,;:|\"'./]")
_MOSTLY = 0.8
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNDECODED = re.compile("[\udc80-\udcff]")
#: the path that stands for standard input
STDIN = Path("<stdin>")
#: standard input → its buffer
_BUFFERS: WeakKeyDictionary[TextIO, io.BufferedReader] = WeakKeyDictionary()
#: called with each file that is opened, to show how far it has been read
OPEN_LISTENER: ContextVar[Callable[[Path, BinaryIO], None] | None] = ContextVar("OPEN_LISTENER", default=None)


def read_lines(
    path: Path,
    encoding: str = "utf-8",
    skip: Callable[[DataError], object] | None = None,
    limit: int = MAX_RECORD,
) -> Iterator[tuple[int, str]]:
    r"""Yield ``(number, line)`` of a plain or compressed text file, counted from 1, without line ends.

    Only ``\n`` and ``\r\n`` end a line, or ``\r`` in files without any ``\n``; U+2028, form feed and the like do not.
    A byte order mark at the start is dropped.

    :param skip: called with the error of a line that is not in ``encoding``, which is then skipped; None raises it.
    :param limit: the most characters of a line.
    :raises DataError: the file is missing, a folder, not readable, broken, not in ``encoding``, or a line is too
        long. A file in UTF-16 where UTF-8 is expected is never skipped line by line.
    """
    errors = "surrogateescape" if skip else "strict"
    for number, line in enumerate(lines_with_ends(path, encoding, errors, limit), start=1):
        if skip and not line.isascii() and (found := _UNDECODED.search(line)):
            offset = len(line[: found.start()].encode(encoding, "surrogateescape"))
            where, content = f"byte offset of the line {offset}", line.encode(encoding, "surrogateescape")
            skip(_encoding_error(f"{path}:{number}", encoding, where, content, offset))
        else:
            yield number, line.removesuffix("\n").removesuffix("\r")


def lines_with_ends(
    path: Path, encoding: str = "utf-8", errors: str = "strict", limit: int = MAX_RECORD
) -> Iterator[str]:
    """Yield the lines of a text file as :func:`read_lines` does, with their ends, which count as characters, too."""
    codec = text_codec(encoding)
    with reading_errors(path), open_bytes(path) as stream:
        head = cast(io.BufferedReader, stream).peek(HEAD)
        if not codec.startswith(("utf-16", "utf-32")):
            check_is_text(path, head)
        if codec == "utf-8-sig" and (mark := head[:2]) in _UTF16:
            raise DataError(
                f"{path}:1: not {encoding.upper()} at byte offset 0 (0x{mark[0]:02x}): it begins like UTF-16",
                hint="give the right encoding, --encoding utf-16, or write the file anew in UTF-8",
            )
        if not codec.startswith(("utf-16", "utf-32")) and (wide := _wide_encoding(head)):
            what = f"not {encoding.upper()} at byte offset {head.index(0)}"
            raise DataError(
                f"{path}:1: {what}: it has zeros as in {wide.upper()} without a byte order mark",
                hint=f"give the right encoding, --encoding {wide}, or write the file anew in UTF-8",
            )
        newline = "\r" if b"\r" in head and b"\n" not in head else "\n"
        text = io.TextIOWrapper(stream, encoding=codec, errors=errors, newline=newline)
        number = 0
        try:
            # A line may have no end, as in /dev/zero and in gzip files of a few kilobytes: it is read up to the limit.
            for number, line in enumerate(iter(partial(text.readline, limit + 1), ""), start=1):
                if len(line) > limit:
                    raise too_long(f"{path}:{number}", "line", limit)
                if newline == "\r" and "\n" in line:
                    raise _mixed_ends(f"{path}:{number}")
                yield line
        except UnicodeDecodeError as error:
            raise _undecodable(path, encoding, number + 1, error, stream) from error


def _wide_encoding(head: bytes) -> str | None:
    """Return the encoding of text in UTF-16 without a byte order mark, by the zeros in it; None for other text."""
    if len(head) < 4 or b"\0" not in head:
        return None
    first, second = (head[start::2].count(0) / len(head[start::2]) for start in (0, 1))
    if max(first, second) <= _MOSTLY or min(first, second) >= 1 - _MOSTLY:
        return None
    return "utf-16-be" if first > second else "utf-16-le"


def read_bytes(path: Path, limit: int = MAX_RECORD) -> bytes:
    """Return the content of a file that holds a single record, decompressed if it is compressed.

    :raises DataError: the file cannot be read, or has more than ``limit`` bytes.
    """
    with reading_errors(path), open_bytes(path) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise too_long(str(path), "file", limit, "bytes")
    return content


def too_long(place: str, what: str, limit: int, unit: str = "characters") -> DataError:
    """Return the error for a line, record or file of more than ``limit`` characters."""
    return DataError(
        f"{place}: this {what} has more than {limit:,} {unit}",
        hint="check that it is the file you mean; --set data.max_record=N reads longer ones",
    )


def _mixed_ends(place: str) -> DataError:
    return DataError(
        f"{place}: some lines end with a carriage return alone, and some with a line feed",
        hint="write the file anew with one kind of line ends",
    )


def read_head(path: Path, size: int = HEAD) -> bytes:
    """Return the first bytes of a file, decompressed if it is compressed, and leave them to be read again.

    Empty for what cannot be read twice, such as a named pipe; of standard input as many as have arrived.

    :raises DataError: the file cannot be read.
    """
    if path != STDIN and not path.is_file():
        return b""
    with reading_errors(path):
        if path != STDIN:
            with open_bytes(path) as stream:
                return stream.read(size)
        return start_of(_stdin().peek(size)[:size], size)


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, and decompress it if it is compressed with gzip, bzip2, xz or zstd.

    :raises DataError: it is compressed and broken, or its name says that it is compressed and it is not.
    """
    with nullcontext(_stdin()) if path == STDIN else path.open("rb", HEAD) as raw:
        if listener := OPEN_LISTENER.get():
            listener(path, raw)
        with decompressed(path, raw) as stream:
            yield stream


def _stdin() -> io.BufferedReader:
    """Return standard input as a buffer of its own: closing it leaves sys.stdin open, and all readers share it."""
    found = _BUFFERS.get(sys.stdin)
    if found is None or found.closed:
        found = io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False), HEAD)
        _BUFFERS[sys.stdin] = found
    return found


def corpus_folder(name: str, path: Path | None, root: Path | None) -> Path:
    """Return the folder of a corpus: ``path`` if the user gave one, or else ``name`` in the folder ``root``.

    :raises MissingDataError: the folder does not exist, or neither is given.
    """
    if path is not None:
        if not path.exists():
            hint = f"name the folder that holds the files of {name}: --set data.path=PATH"
            raise MissingDataError(f"{path} does not exist", hint=hint)
        return path
    if root is None:
        raise MissingDataError(
            f"'{name}' needs its files, and no folder of corpora is set",
            hint=f"set LABELKIT_DATA to the folder that holds {name}/, or name that one: --set data.path=PATH",
        )
    folder = root / name
    if not folder.is_dir():
        hint = f"put the files of {name} there, or name their folder: --set data.path=PATH"
        raise MissingDataError(f"{folder} does not exist", hint=hint)
    return folder


def text_codec(encoding: str) -> str:
    """Return Python's name of an encoding of text; that of UTF-8 drops a byte order mark.

    :raises DataError: the encoding is unknown, or does not encode text.
    """
    try:
        # Unlike codecs.lookup alone, this raises for codecs that do not decode to text, e.g. "hex".
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, UnicodeError, ValueError) as error:
        raise DataError(f"unknown encoding '{encoding}'", hint="use a name such as utf-8, latin-1 or cp1252") from error
    return "utf-8-sig" if name == "utf-8" else name


@contextmanager
def reading_errors(path: Path) -> Iterator[None]:
    """Raise what the system reports while ``path`` is read as a :class:`DataError` of one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", hint="check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder, a file is needed") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _undecodable(path: Path, encoding: str, line: int, error: UnicodeDecodeError, stream: BinaryIO) -> DataError:
    """Return the error for the first byte that cannot be decoded.

    :param line: the number of the line that was being read; all chunks before the one in ``error`` belong to it.
    :param stream: has been read up to the end of that chunk. A pipe cannot tell its position.
    """
    chunk = error.object
    place = f"{path}:{line + chunk[: error.start].count(10)}"
    offset = f"byte offset {stream.tell() - len(chunk) + error.start}" if stream.seekable() else "a byte"
    return _encoding_error(place, encoding, offset, chunk, error.start)


def _encoding_error(place: str, encoding: str, offset: str, content: bytes, at: int) -> DataError:
    """Return the error for a byte that cannot be decoded, at index ``at`` of ``content``."""
    hint = "give the right encoding, e.g. --encoding utf-8, and look at it with labelkit data show"
    if encoding.lower().replace("-", "").startswith("utf8") and (readings := _readings(content, at)):
        hint = f"give the right encoding with --encoding NAME: the word here is {readings}"
    return DataError(f"{place}: not {encoding.upper()} at {offset} (0x{content[at]:02x})", hint=hint)


def _readings(content: bytes, at: int) -> str:
    """Return how the word around an index reads in some encodings, of which users know the right one at a glance.

    Guessing does worse: for German and French, charset-normalizer 3.5 names cp1250 and cp1257, and none for Russian.
    """
    before = _WORD_ENDS.split(content[max(at - 30, 0) : at])[-1]
    word = before + _WORD_ENDS.split(content[at : at + 30])[0]
    found: dict[str, str] = {}
    for name in _ENCODINGS:
        text = word.decode(name, "ignore")
        if text and text.isprintable() and len(text.encode(name)) == len(word):
            found.setdefault(text, name)
    return ", ".join(f"'{text}' in {name}" for text, name in found.items())
