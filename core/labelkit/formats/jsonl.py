"""JSON Lines: one object per line, with words and tags as lists, or a text with spans, or a text with a label."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.reading import read_lines
from labelkit.formats.columns import Record
from labelkit.formats.examples import read_records
from labelkit.formats.labelled_json import to_record, without_predictions
from labelkit.records import Example, Format, Labelled, LoadContext, Output


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of a JSON Lines file; blank lines are skipped.

    :raises DataError: a line is not a JSON object, or a field is missing or invalid; names file and line.
    """
    return read_records(path, ctx, ((number, without_predictions(record)) for number, record in objects(path, ctx)))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a JSON object per record, with the user's own fields."""
    for labelled in records:
        output.stream.write(json_line(to_record(labelled), labelled.id))


FORMAT = Format(
    name="jsonl",
    kinds=("token", "text"),
    suffixes=(".jsonl", ".ndjson", ".jsonlines", ".jl"),
    read=read,
    write=write,
    summary="JSON Lines: words and tags, a text and spans, or a text and a label",
)


def objects(path: Path, ctx: LoadContext) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(line, object)`` of a JSON Lines file; blank lines are skipped.

    :raises DataError: a line is not a JSON object, unless ``ctx.policy`` skips it; names file and line.
    """
    for number, line in read_lines(path, ctx.encoding, ctx.policy.on_bad_record, ctx.settings.max_record):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            message = f"{path}:{number}: broken JSON: {reason}"
            ctx.policy.skip_record(DataError(message, hint="each line must be a whole object"))
            continue
        if isinstance(found, dict):
            yield number, found
        else:
            message = f"{path}:{number}: an object is needed on each line, this is a {type(found).__name__}"
            ctx.policy.skip_record(DataError(message, hint='write it as {"text": …, "label": …}, one to a line'))


def json_line(record: Record, identifier: str) -> bytes:
    """Return a record as a line of JSON.

    :raises DataError: JSON cannot hold a value; names the record by ``identifier``.
    """
    try:
        return f"{json.dumps(record, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:  # half a surrogate pair; JSON can hold it escaped
        return f"{json.dumps(record)}\n".encode()
    except (TypeError, ValueError) as error:
        raise DataError(
            f"record '{identifier}' cannot be written as JSON: {error}", hint="leave the field out, or make it text"
        ) from error
