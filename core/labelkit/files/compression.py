"""Compressed files: gzip, bzip2, xz and zstd, known by their first bytes when read, by their ending when written."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from labelkit.errors import DataError

#: the most bytes by which a compression is known
MAGIC = 16


@dataclass(frozen=True, slots=True)
class Compression:
    """One way in which a file is compressed.

    :param name: what it is called, for messages.
    :param suffix: the ending of file names.
    :param magic: matches the first bytes of a file.
    :param reader: compressed stream → stream of the content, with ``peek``.
    :param writer: stream → stream that compresses what it is given; closing it leaves the first one open.
    """

    name: str
    suffix: str
    magic: re.Pattern[bytes]
    reader: Callable[[BinaryIO], BinaryIO]
    writer: Callable[[BinaryIO], BinaryIO]


def _read_gzip(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream))


def _write_gzip(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream, mode="wb", filename="", mtime=0))


def _read_bzip2(stream: BinaryIO) -> BinaryIO:
    import bz2

    return cast(BinaryIO, bz2.BZ2File(stream))


def _write_bzip2(stream: BinaryIO) -> BinaryIO:
    import bz2

    return cast(BinaryIO, bz2.BZ2File(stream, "wb"))


def _read_xz(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, lzma.LZMAFile(stream))


def _write_xz(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, lzma.LZMAFile(stream, "wb"))


def _read_zstd(stream: BinaryIO) -> BinaryIO:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return cast(BinaryIO, zstd.ZstdFile(stream))


def _write_zstd(stream: BinaryIO) -> BinaryIO:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    # the checksum tells a damaged file, as the zstd command writes it
    return cast(BinaryIO, zstd.ZstdFile(stream, "wb", options={zstd.CompressionParameter.checksum_flag: 1}))


COMPRESSIONS = (
    Compression("gzip", ".gz", re.compile(rb"\x1f\x8b"), _read_gzip, _write_gzip),
    # a block or the end of the stream follows: text may begin with "BZh", too
    Compression("bzip2", ".bz2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), _read_bzip2, _write_bzip2),
    Compression("xz", ".xz", re.compile(rb"\xfd7zXZ\0"), _read_xz, _write_xz),
    # what pzstd writes begins with a frame that is skipped
    Compression("zstd", ".zst", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _read_zstd, _write_zstd),
)
#: the endings of compressed files
COMPRESSED_SUFFIXES = tuple(one.suffix for one in COMPRESSIONS)


def compression_of(head: bytes) -> Compression | None:
    """Return how a file is compressed, by its first :data:`MAGIC` bytes; None for one that is not."""
    return next((one for one in COMPRESSIONS if one.magic.match(head)), None)


def compression_named(name: str) -> Compression | None:
    """Return the compression that the ending of a file name says; None for another ending."""
    return next((one for one in COMPRESSIONS if name.lower().endswith(one.suffix)), None)


def uncompressed_name(name: str) -> str:
    """Return a file name in lower case, without the ending of a compression.

    >>> uncompressed_name("Train.conll.ZST")
    'train.conll'
    """
    found = compression_named(name)
    return name.lower().removesuffix(found.suffix) if found else name.lower()


def sibling(path: Path, suffix: str) -> Path:
    """Return the path of the file beside ``path`` with another ending, compressed in the same way.

    >>> sibling(Path("notes.ann.gz"), ".txt").name
    'notes.txt.gz'
    """
    found = compression_named(path.name)
    packed = path.name[-len(found.suffix) :] if found else ""
    return path.with_name(path.name.removesuffix(packed)).with_suffix(suffix + packed)


@contextmanager
def decompressed(path: Path, stream: BinaryIO) -> Iterator[BinaryIO]:
    """Yield the content of ``stream``, a buffered file at its start, decompressed where it is compressed.

    :param path: the file, for messages.
    :raises DataError: it is compressed and broken, or its name says that it is compressed and it is not.
    """
    head = cast("gzip.GzipFile", stream).peek(MAGIC)[:MAGIC]
    named, found = compression_named(path.name), compression_of(head)
    if named and not found:
        raise DataError(
            f"{path} is not a {named.name} file", hint=f"drop {named.suffix} from its name if it is plain text"
        )
    if found is None:
        yield stream
        return
    try:
        yield found.reader(stream)
    except Exception as error:
        if not _is_broken(error):
            raise
        raise DataError(f"{path} is a broken {found.name} file: {error}", hint="copy or download it again") from error


def start_of(head: bytes, size: int) -> bytes:
    """Return the first bytes of the content of a file, as many as its first bytes ``head`` hold, at most ``size``."""
    found = compression_of(head)
    if found is None:
        return head[:size]
    content = b""
    try:
        stream = found.reader(io.BytesIO(head))
        while len(content) < size and (more := cast(gzip.GzipFile, stream).read1(size - len(content))):
            content += more
    except Exception as error:
        if not _is_broken(error):
            raise
    return content


def _is_broken(error: Exception) -> bool:
    """Return whether a decompressor raised this: zstd has an exception of its own, bzip2's has no error number."""
    if isinstance(error, OSError):
        return error.errno is None
    return isinstance(error, EOFError | zlib.error | lzma.LZMAError) or type(error).__name__ == "ZstdError"
