"""CSV and TSV: a text and its label in columns; other columns are the user's own fields.

CSV also holds words and their labels, or a text and spans, as lists in JSON or as Python prints them; or a word in each
row.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.json_text import to_json_line
from labelkit.files.reading import lines_with_ends
from labelkit.formats.cells import parse_cell
from labelkit.formats.column_hints import are_names
from labelkit.formats.column_lines import BOM, MARKS_LEFT_OUT
from labelkit.formats.columns import Columns, Record, check_columns, find_columns, listed
from labelkit.formats.dialect import Dialect, find_dialect
from labelkit.formats.encoding import encode_text
from labelkit.formats.examples import read_records
from labelkit.formats.indicator_columns import joined_names
from labelkit.formats.labelled_json import to_record
from labelkit.formats.record_limit import RecordLimit
from labelkit.formats.spreadsheet import safe_cell
from labelkit.formats.tools.label_studio_tasks import read_tasks
from labelkit.formats.word_rows import WORD_NAMES, word_columns
from labelkit.records import Example, Format, Labelled, LoadContext, Output, ReadingPolicy

BLANK_ROWS = "rows of empty fields were left out"
HEADERS_AGAIN = "repeated header rows were left out"
_UNEVEN_HINT = "text that holds the separator needs quotes; --set data.quotes=true or false says whether they count"
_HEADER_HINT = "without a header row: --set data.header=false --columns {}"
_SENTENCES_HINT = (
    "each row seems to be a word: --columns tokens={},sentence=COLUMN names the column that tells sentences apart; "
    "where blank lines do, --set data.format=conll"
)
_WORDS_HINT = "a word in each row without a header row: --set data.format=conll"


def read(path: Path, ctx: LoadContext, *, separator: str, quotes: bool) -> Iterator[Example]:
    """Yield the rows of a table, or the sentences of a table with a word in each row.

    :param separator: between the fields, unless ``data.separator`` or the file says otherwise.
    :param quotes: whether fields may be quoted, unless ``data.quotes`` or the file says otherwise; only such formats
        hold JSON.
    :raises DataError: a column is missing, a row is uneven, or a text or label is missing; names file and line.
    """
    dialect = find_dialect(path, ctx, separator, quotes=quotes)
    rows = parse_rows(path, ctx, dialect)
    first = next(rows, None)
    if first is None:
        return
    rows = chain([first], rows)
    if {"annotation_id", "lead_time"} <= first[1].keys() and ctx.settings.format is None:
        if "pair" in ctx.columns:
            raise DataError(f"{path}: an export of Label Studio cannot hold pairs of texts", hint="write a plain table")
        ctx.policy.assume(
            f"{path.name} is read as a CSV export of Label Studio",
            f"--set data.format={'csv' if quotes else 'tsv'} reads a plain table",
        )
        yield from read_tasks(path, ctx, label_studio_rows(rows, ctx))
    else:
        yield from read_records(path, ctx, parse_lists(path, rows, ctx) if quotes else rows, cells=True)


def write(records: Iterable[Labelled], output: Output, *, safe_cells: bool = False) -> None:
    """Write a header row and a row per record; values that are not text are written as JSON.

    :param safe_cells: write cells as :func:`labelkit.formats.spreadsheet.safe_cell` does; readers find other text.
    :raises DataError: a record has fields that the first one lacks, or CSV cannot hold it.
    """
    header: list[str] = []
    for labelled in records:
        record = to_record(labelled)
        rows = [] if header else [list(record)]
        header = header or rows[0]
        if new := [name for name in record if name not in header]:
            raise DataError(
                f"record '{labelled.id}' has a field '{new[0]}' that the first one lacks",
                hint="-o FILE collects the fields of all records first; or another format can hold it, e.g. --to jsonl",
            )
        buffer = io.StringIO(newline="")
        # rows end with \r\n, as RFC 4180 says
        rows.append([as_text(record.get(name)) for name in header])
        for row in rows:  # readers leave out one mark at the start of a row
            row[0] = f"{BOM}{row[0]}" if row[0].startswith(BOM) else row[0]
        csv.writer(buffer).writerows([[safe_cell(cell) for cell in row] for row in rows] if safe_cells else rows)
        output.stream.write(encode_text(buffer.getvalue(), labelled, "CSV"))


FORMATS = (
    Format(
        name="csv",
        pairs=True,
        numbers=True,
        same_fields=True,
        multilabel=True,
        kinds=("token", "text"),
        suffixes=(".csv",),
        read=partial(read, separator=",", quotes=True),
        write=write,
        summary="CSV with a header row: a text and its label; words, tags and spans as JSON lists",
    ),
    Format(
        name="tsv",
        pairs=True,
        numbers=True,
        kinds=("text",),
        suffixes=(".tsv", ".tab"),
        read=partial(read, separator="\t", quotes=False),
        summary="TSV with a header row: a text and its label; quotes are part of the text",
    ),
)


def as_text(value: Any) -> str:
    """Return the value of a field for CSV: text as it is, None and NaN as an empty field, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return "" if math.isnan(value) else str(value)
    return "" if value is None else to_json_line(value)


def parse_rows(path: Path, ctx: LoadContext, dialect: Dialect) -> Iterator[tuple[int, Record]]:
    """Yield ``(line, row)`` of a table; empty fields are None.

    Rows of empty fields and repeated header rows are left out and counted.

    :raises DataError: a quote is unterminated, or a row is uneven and ``ctx.policy`` does not skip it.
    """
    columns: TableColumns | None = None
    for line, fields in split_rows(path, ctx, dialect):
        if columns is None:
            columns = TableColumns(path, ctx, fields, dialect)
            if dialect.header:
                continue
        if fields == columns.header:
            ctx.policy.counts[HEADERS_AGAIN] += 1
        elif len(fields) > 1 and not any(fields):
            ctx.policy.counts[BLANK_ROWS] += 1
        else:
            try:
                row = columns.row(fields)
            except DataError as error:
                ctx.policy.skip_record(error.at(f"{path}:{line}"))
                continue
            yield line, row


class _RowLines:
    """The lines of a table without a byte order mark at the start of a row, as files have that were joined."""

    def __init__(self, lines: Iterator[str], policy: ReadingPolicy) -> None:
        """Take the first line as the start of the file, where a mark is none of its text already."""
        self._lines, self._policy = lines, policy
        self.starts_row = False

    def __iter__(self) -> Iterator[str]:
        """Yield the lines; :attr:`starts_row` says that the next one starts a row."""
        for line in self._lines:
            if self.starts_row and line.startswith(BOM):
                self._policy.assume(*MARKS_LEFT_OUT)
                line = line[1:]
            self.starts_row = False
            yield line


def split_rows(path: Path, ctx: LoadContext, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line, fields)`` of each row of a table that is not blank.

    :raises DataError: a quote is unterminated, or a row is too long; names file and line.
    """
    csv.field_size_limit(2**31 - 1)  # global to Python; the records of each file have a limit of their own
    quoting: Any = csv.QUOTE_MINIMAL if dialect.quotes else csv.QUOTE_NONE
    limit = RecordLimit(path, ctx)
    lines = limit.count(lines_with_ends(path, ctx.encoding, ctx.policy.undecodable, limit.characters))
    skipped = dialect.first - 1
    for _ in islice(lines, skipped):
        limit.start()
    rows = _RowLines(lines, ctx.policy)
    table = csv.reader(rows, delimiter=dialect.separator, quoting=quoting, strict=True)
    line = dialect.first
    try:
        for fields in table:
            limit.start()
            rows.starts_row = True
            if fields:
                yield line, fields
            line = table.line_num + dialect.first
    except csv.Error as error:
        hint = "--set data.quotes=true reads quoted fields"
        if dialect.quotes:
            hint = "a quote inside a quoted field is written twice; --set data.quotes=false reads quotes as text"
        raise DataError(f"{path}:{line}: {error}", hint=hint) from error


class TableColumns:
    """The columns of one table, by its first row.

    :ivar header: the fields of the header row; None if the table has none.
    """

    def __init__(self, path: Path, ctx: LoadContext, first: list[str], dialect: Dialect) -> None:
        """Check that the table can be read.

        :raises DataError: a column that is needed is missing, or occurs twice; names the file.
        """
        self.header = first if dialect.header else None
        self._names = dialect.names or tuple(name.strip() for name in first)
        # Excel writes columns without a name on the right; pandas an index without a name on the left
        nameless = [index for index, name in enumerate(self._names) if not name]
        self._nameless = set(nameless if len(nameless) > 1 else ())
        named = [name for index, name in enumerate(self._names) if index not in self._nameless]
        if word_columns(named, ctx):
            return
        try:
            check_columns(path, ctx, joined_names(named, ctx))
        except DataError as error:
            raise DataError(error.message, hint=self._hint(error, named, ctx)) from error

    def _hint(self, error: DataError, names: Sequence[str], ctx: LoadContext) -> str | None:
        """Return what to do where the columns do not fit: name them, or say that the first row holds none."""
        word = next((name for name in names if name.lower() in WORD_NAMES), None)
        if ctx.kind != "text" and word is not None and error.message.endswith(listed(names)):
            return _SENTENCES_HINT.format(word)
        if names and names[0].startswith("#"):
            return f"the first row, '{names[0][:40]}', looks like a comment: remove it"
        if self.header is None or are_names(names):
            return error.hint
        more = _WORDS_HINT if ctx.kind == "token" and len(names) > 1 else _HEADER_HINT
        columns = "text=0" if len(names) == 1 else "text=0,label=1"
        return "; ".join(filter(None, (more.format(columns), error.hint)))

    def row(self, fields: Sequence[str]) -> Record:
        """Return the fields of a row by the names of their columns.

        :raises DataError: it has other fields than the header, or a value without a name; names no file.
        """
        width = len(self._names)
        if len(fields) < width or any(fields[width:]):
            where = "as in the header" if self.header else "as in the first row"
            raise DataError(f"{width} columns expected {where}, {len(fields)} found", hint=_UNEVEN_HINT)
        if lost := next((fields[index] for index in self._nameless if fields[index]), None):
            raise DataError(f"the value '{lost[:60]}' stands in a column without a name", hint="name it in the header")
        return {
            name: value or None
            for index, (name, value) in enumerate(zip(self._names, fields, strict=False))
            if index not in self._nameless and (name or value)
        }


def label_studio_rows(rows: Iterable[tuple[int, Record]], ctx: LoadContext) -> Iterator[tuple[int, Record]]:
    """Yield ``(line, task)`` of a CSV export of Label Studio, whose regions and choices are JSON in their cells."""
    text = ctx.columns.get("text", "text")
    for line, row in rows:
        yield (
            line,
            {
                name: parse_cell(value) if isinstance(value, str) and name != text else value
                for name, value in row.items()
                if value is not None or name == text
            },
        )


def parse_lists(path: Path, rows: Iterable[tuple[int, Record]], ctx: LoadContext) -> Iterator[tuple[int, Record]]:
    """Yield ``(line, row)``; for a task of words with the lists that cells hold, in JSON or as Python prints them.

    :raises DataError: a list was shortened, and ``ctx.policy`` does not skip it; names file and line.
    """
    columns: Columns | None = None
    listed: Collection[str | None] = ()
    for line, row in rows:
        if columns is None and not word_columns(row, ctx):  # all rows have the columns of the header
            columns = find_columns(joined_names(row, ctx), ctx)
            if columns.kind == "token":
                listed = {columns.roles.get("tokens"), columns.roles.get("spans"), *columns.layers.values()}
        try:
            parsed = {
                name: parse_cell(value) if isinstance(value, str) and (name in listed or name == "coverage") else value
                for name, value in row.items()
            }
        except DataError as error:
            ctx.policy.skip_record(error.at(f"{path}:{line}"))
            continue
        if columns is not None and "tokens" in columns.roles and (text := columns.roles.get("text")) is not None:
            parsed[text] = parsed[text] or ""  # no words
        yield line, parsed
