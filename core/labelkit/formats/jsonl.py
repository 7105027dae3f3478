"""JSON Lines: one object per line, with words and tags as lists, or a text with spans, or a text with a label."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.reading import read_lines
from labelkit.formats.labelled_json import to_record, without_predictions
from labelkit.formats.rows import Record, read_rows
from labelkit.records import Example, Format, Labelled, LoadContext, Output


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of a file of JSON Lines; blank lines are skipped.

    :raises DataError: a line is no JSON object, or lacks what is needed; names file and line.
    """
    return read_rows(path, ctx, ((number, without_predictions(record)) for number, record in objects(path, ctx)))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a JSON object per record, with the caller's own fields."""
    for labelled in records:
        output.stream.write(line_of(to_record(labelled), labelled.id))


FORMAT = Format(
    name="jsonl",
    kinds=("token", "text"),
    suffixes=(".jsonl", ".ndjson"),
    read=read,
    write=write,
    summary="JSON Lines: words and tags, a text and spans, or a text and a label",
)


def objects(path: Path, ctx: LoadContext) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(line, object)`` of a file of JSON Lines; blank lines are skipped.

    :raises DataError: a line is no JSON object; names file and line. Whoever reads may have it skipped instead.
    """
    on_bad_record = ctx.policy.on_bad_record
    for number, line in read_lines(path, ctx.encoding, on_bad_record):
        if not line.strip():
            continue
        try:
            yield number, _object(path, number, line)
        except DataError as error:
            if on_bad_record is None:
                raise
            on_bad_record(error)


def line_of(record: Record, id_: str) -> bytes:
    """Return a line of JSON.

    :raises DataError: JSON cannot hold a value of the record called ``id_``.
    """
    try:
        return f"{json.dumps(record, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:  # half a surrogate pair; JSON can hold it escaped
        return f"{json.dumps(record)}\n".encode()
    except (TypeError, ValueError) as error:
        raise DataError(
            f"record '{id_}' cannot be written as JSON: {error}", hint="leave the field out, or make it text"
        ) from error


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataError(f"{path}:{number}: broken JSON: {reason}", hint="each line must be a whole object") from error
    if not isinstance(found, dict):
        raise DataError(
            f"{path}:{number}: an object is needed on each line, this is a {type(found).__name__}",
            hint='write it as {"text": …, "label": …}, one to a line',
        )
    return found
