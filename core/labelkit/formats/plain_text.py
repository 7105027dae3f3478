"""Plain text, which holds no labels: a record per line, or per file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from labelkit.files.reading import lines_with_ends, read_lines
from labelkit.formats.column_lines import without_marks
from labelkit.formats.record_limit import RecordLimit
from labelkit.records import Example, Format, LoadContext, Place

Unit = Literal["line", "document"]
#: suffixes of plain text; a file that is named explicitly may also have an unknown one
TEXTS = (".txt", ".text", ".md", ".log")


def text_format(unit: Unit = "line") -> Format:
    """Return the format of plain text, whose records are lines (blank ones too) or whole files."""
    return Format(
        name="text",
        kinds=("token", "text"),
        suffixes=TEXTS,
        read=_read_lines if unit == "line" else _read_document,
        summary="plain text: a record per line, or per file",
    )


def _read_lines(path: Path, ctx: LoadContext) -> Iterator[Example]:
    lines = read_lines(path, ctx.encoding, ctx.policy.on_bad_record, ctx.settings.max_record)
    for number, line in without_marks(lines, ctx):
        yield Example(id=str(number), text=line, place=Place(file=str(path), line=number))


def _read_document(path: Path, ctx: LoadContext) -> Iterator[Example]:
    limit = RecordLimit(path, ctx)
    text = "".join(limit.count(lines_with_ends(path, ctx.encoding, limit=limit.characters)))
    yield Example(id=path.name, text=text, place=Place(file=str(path), line=1))
