"""CSV and TSV with a header row: a text and its label in columns; other columns are the user's own fields.

CSV also holds words and their labels, or a text and spans, as lists in JSON.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.reading import lines_with_ends
from labelkit.formats.columns import Columns, Record, check_columns, find_columns
from labelkit.formats.encoding import encode_text
from labelkit.formats.examples import read_records
from labelkit.formats.labelled_json import to_record, without_predictions
from labelkit.formats.record_limit import RecordLimit
from labelkit.records import Example, Format, Labelled, LoadContext, Output

_FRACTION = re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+|nan", re.IGNORECASE)

_UNEVEN_HINT = "text that holds the separator needs quotes; --set data.quotes=true or false says whether they count"


def read(path: Path, ctx: LoadContext, *, separator: str, quotes: bool) -> Iterator[Example]:
    """Yield the rows of a table with a header row.

    :param quotes: whether fields may be quoted, if ``data.quotes`` does not say; only such tables hold JSON.
    :raises DataError: a column is missing, a row is uneven, or a text or label is missing; names file and line.
    """
    quoted = quotes if ctx.settings.quotes is None else ctx.settings.quotes
    rows = parse_rows(path, ctx, separator, quotes=quoted)
    return read_records(path, ctx, parse_lists(rows, ctx) if quotes else rows, cells=True)


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a header row and a row per record; values that are not text are written as JSON.

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
                hint="another format can hold it, e.g. --to jsonl",
            )
        buffer = io.StringIO(newline="")
        # rows end with \r\n, as RFC 4180 says
        csv.writer(buffer).writerows([*rows, [as_text(record.get(name)) for name in header]])
        output.stream.write(encode_text(buffer.getvalue(), labelled, "CSV"))


FORMATS = (
    Format(
        name="csv",
        kinds=("token", "text"),
        suffixes=(".csv",),
        read=partial(read, separator=",", quotes=True),
        write=write,
        summary="CSV with a header row: a text and its label; words, tags and spans as JSON lists",
    ),
    Format(
        name="tsv",
        kinds=("text",),
        suffixes=(".tsv", ".tab"),
        read=partial(read, separator="\t", quotes=False),
        summary="TSV with a header row: a text and its label; quotes are part of the text",
    ),
)


def as_text(value: Any) -> str:
    """Return the value of a field for CSV: text as it is, None as an empty field, everything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def parse_rows(path: Path, ctx: LoadContext, separator: str, *, quotes: bool) -> Iterator[tuple[int, Record]]:
    """Yield ``(line, row)`` of a table; empty fields are None.

    :raises DataError: a quote is unterminated, or a row is uneven and ``ctx.policy`` does not skip it.
    """
    csv.field_size_limit(2**31 - 1)  # global to Python; the records of each file have a limit of their own
    quoting: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    limit = RecordLimit(path, ctx)
    lines = lines_with_ends(path, ctx.encoding, ctx.policy.undecodable, limit.characters)
    table = csv.reader(limit.count(lines), delimiter=separator, quoting=quoting, strict=True)
    header: list[str] = []
    line = 1
    try:
        for fields in table:
            limit.start()
            if fields and not header:
                header = [name.strip() for name in fields]
                check_columns(path, ctx, header)
            elif fields and len(fields) == len(header):
                yield line, {name: value or None for name, value in zip(header, fields, strict=True)}
            elif fields:
                message = f"{path}:{line}: {len(header)} columns expected as in the header, {len(fields)} found"
                ctx.policy.skip_record(DataError(message, hint=_UNEVEN_HINT))
            line = table.line_num + 1
    except csv.Error as error:
        hint = "--set data.quotes=true reads quoted fields"
        if quotes:
            hint = "a quote inside a quoted field is written twice"
        raise DataError(f"{path}:{line}: {error}", hint=hint) from error


def parse_lists(rows: Iterable[tuple[int, Record]], ctx: LoadContext) -> Iterator[tuple[int, Record]]:
    """Yield ``(line, row)``; for a task of words with the lists that :func:`write` made JSON of."""
    columns: Columns | None = None
    for line, row in rows:
        if columns is None:  # all rows have the columns of the header
            columns = find_columns(tuple(row), ctx)
            listed = {columns.roles.get("tokens"), columns.roles.get("spans"), *columns.layers.values(), "coverage"}
        if columns.kind == "token":
            parsed = dict(row)
            for name, value in row.items():
                if name in listed and isinstance(value, str) and value[:1] in ("[", "{"):
                    with contextlib.suppress(ValueError, RecursionError):  # other text
                        parsed[name] = json.loads(value)
            if "tokens" in columns.roles and (text := columns.roles.get("text")) is not None:
                parsed[text] = parsed[text] or ""  # no words
            row = parsed
        yield line, without_predictions(row)
