"""CSV and TSV with a header row: a text and its label in columns, the others kept as the caller's own fields.

CSV also holds words and their labels, or a text and spans: lists, written as JSON.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.reading import lines_with_ends
from labelkit.formats.fields import Layout, layout_of
from labelkit.formats.labelled_json import to_record, without_predictions
from labelkit.formats.rows import Record, check_columns, fraction, read_rows
from labelkit.records import Example, Format, Labelled, LoadContext, Output

_FRACTION = re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+|nan", re.IGNORECASE)


def _reader(separator: str, *, quotes: bool) -> Callable[[Path, LoadContext], Iterator[Example]]:
    def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
        """Yield the rows of a table with a header row.

        :raises DataError: a column is missing, a row is uneven, or a text or label is missing; names file and line.
        """
        wanted = ctx.settings.quotes
        rows = _rows(path, ctx, separator, quotes=quotes if wanted is None else wanted)
        for example in read_rows(path, ctx, _with_lists(rows, ctx) if quotes else rows):
            for label in example.labels.values():
                if isinstance(label, str) and _FRACTION.fullmatch(label):
                    error = fraction(label)
                    raise DataError(f"{example.place}: {error.message}", hint=error.hint)
            yield example

    return read


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a header row and a row per record; what is no text is written as JSON.

    :raises DataError: a record has fields that the first one had not.
    """
    header: list[str] = []
    for labelled in records:
        record = to_record(labelled)
        if not header:
            header = list(record)
            output.stream.write(_row(header, labelled))
        if new := [name for name in record if name not in header]:
            raise DataError(
                f"record '{labelled.id}' has a field '{new[0]}' that the first one has not",
                hint="another format can hold it, e.g. --to jsonl",
            )
        output.stream.write(_row([as_text(record.get(name)) for name in header], labelled))


FORMATS = (
    Format(
        name="csv",
        kinds=("token", "text"),
        suffixes=(".csv",),
        read=_reader(",", quotes=True),
        write=write,
        summary="CSV with a header row: a text and its label; words, tags and spans as JSON lists",
    ),
    Format(
        name="tsv",
        kinds=("text",),
        suffixes=(".tsv",),
        read=_reader("\t", quotes=False),
        summary="TSV with a header row: a text and its label; quotes are part of the text",
    ),
)


def as_text(value: Any) -> str:
    """Return a field as CSV holds it: text as it is, nothing as nothing, everything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _rows(path: Path, ctx: LoadContext, separator: str, *, quotes: bool) -> Iterator[tuple[int, Record]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a text may be long; the limit is one for all of Python
    quoting: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    lines = lines_with_ends(path, ctx.encoding, ctx.policy.undecodable)
    table = csv.reader(lines, delimiter=separator, quoting=quoting, strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for fields in table:
            if fields and header is None:
                header = [name.strip() for name in fields]
                check_columns(path, ctx, header)
            elif fields and header is not None and _even(path, ctx, line, header, fields):
                yield line, {name: value or None for name, value in zip(header, fields, strict=True)}
            line = table.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}:{line}: {error}",
            hint="a quote inside a quoted field is written twice"
            if quotes
            else "--set data.quotes=true reads quoted fields",
        ) from error


def _with_lists(rows: Iterable[tuple[int, Record]], ctx: LoadContext) -> Iterator[tuple[int, Record]]:
    """Yield the rows, for a task of words with lists where :func:`write` made JSON of them."""
    layout: Layout | None = None
    for line, record in rows:
        if layout is None:  # all rows have the columns of the header
            layout = layout_of(tuple(record), ctx)
            columns = {layout.roles.get("tokens"), layout.roles.get("spans"), *layout.layers.values(), "coverage"}
        if layout.kind == "token":
            record = {name: _parsed(value) if name in columns else value for name, value in record.items()}
            if "tokens" in layout.roles and (text := layout.roles.get("text")) is not None:
                record[text] = record[text] or ""  # no words
        yield line, without_predictions(record)


def _parsed(value: Any) -> Any:
    """Return what a field of JSON holds; other text stays as it is."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def _even(path: Path, ctx: LoadContext, line: int, header: list[str], fields: list[str]) -> bool:
    """Return whether a row has the columns of the header; whoever reads may let it be skipped."""
    if len(fields) == len(header):
        return True
    error = DataError(
        f"{path}:{line}: {len(header)} columns expected as in the header, {len(fields)} found",
        hint="text that holds the separator needs quotes; --set data.quotes=true or false says whether they count",
    )
    if ctx.policy.on_bad_record is None:
        raise error
    ctx.policy.on_bad_record(error)
    return False


def _row(fields: list[str], labelled: Labelled) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(fields)  # ends rows as RFC 4180 says, with \r\n
    try:
        return buffer.getvalue().encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"record '{labelled.id}' holds half a surrogate pair, which CSV cannot",
            hint="another format can hold it, e.g. --to jsonl",
        ) from error
