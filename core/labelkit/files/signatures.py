"""Recognise files that are not text by their first bytes: archives, documents, tables and models."""

from __future__ import annotations

import re
from pathlib import Path

from labelkit.errors import DataError
from labelkit.files.compression import compression_of

_UNPACK = "unpack it, and give the files that are in it"
_TEXT = "save what it holds as text or CSV first"
#: first bytes, what the file is, and what to do with it; the first that fits counts
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x04\x22\x4d\x18", "compressed with lz4", "unpack it first: lz4 -d FILE"),
    (b"\x1f\x9d", "compressed with compress", "unpack it first: uncompress FILE"),
    (b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    (b"Rar!", "a rar archive", _UNPACK),
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"PAR1", "a Parquet file", "read it as one: --set data.format=parquet"),
    (b"ARROW1", "an Arrow file", "read it as one: --set data.format=arrow"),
    (b"%PDF-", "a PDF document", _TEXT),
    (b"\xd0\xcf\x11\xe0", "a document of Microsoft Office", _TEXT),
    (b"SQLite format 3\0", "an SQLite database", "export its table as CSV first"),
    (b"\x89HDF", "an HDF5 file", "export its table as CSV first"),
    (b"\x93NUMPY", "a NumPy array", _TEXT),
    *((bytes((0x80, protocol)), "a Python pickle", _TEXT) for protocol in range(2, 6)),
    *((start, "a picture", _TEXT) for start in (b"\x89PNG", b"GIF8", b"\xff\xd8\xff")),
    (b"\x7fELF", "a program", "check that it is the file you mean"),
)
#: zip archives that are documents, by their ending
_OFFICE = (".docx", ".xlsx", ".pptx", ".odt", ".ods")
_PDF = re.compile(rb"%PDF-\d\.\d\s")  # it may begin with text alone
_TAR, _TAR_AT = b"ustar", 257


def check_is_text(path: Path, head: bytes) -> None:
    """Raise if a file is not text but of a known kind, for example an archive.

    :param head: its first bytes, decompressed if it is compressed; 512 suffice.
    :raises DataError: it is; the hint says what to do.
    """
    if not head or (_is_utf8(head) and not _PDF.match(head)):
        return
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        raise DataError(f"{path} is a tar archive, not text", hint=_UNPACK)
    if twice := compression_of(head):
        raise DataError(f"{path} is compressed twice, with {twice.name} inside", hint="decompress it once")
    for start, what, advice in _SIGNATURES:
        if head.startswith(start):
            if what == "a zip archive" and path.name.lower().endswith(_OFFICE):
                what, advice = "an office document", _TEXT
            raise DataError(f"{path} is {what}, not text", hint=advice)


def _is_utf8(head: bytes) -> bool:
    """Return whether bytes are text in UTF-8, perhaps cut within a character."""
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.end == len(head) and len(head) - error.start < 4 and error.reason == "unexpected end of data"
    return True
