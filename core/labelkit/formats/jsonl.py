"""JSON Lines: one object per line, with words and tags as lists, or a text with spans, or a text with a label."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.columns import Record
from labelkit.formats.json_values import line_values
from labelkit.formats.labelled_json import to_record
from labelkit.records import Labelled, LoadContext, Output


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a JSON object per record, with the user's own fields."""
    for labelled in records:
        output.stream.write(json_line(to_record(labelled), labelled.id))


def objects(path: Path, ctx: LoadContext) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(line, object)`` of a JSON Lines file; blank lines are skipped.

    :raises DataError: a line is not a JSON object, unless ``ctx.policy`` skips it; names file and line.
    """
    for number, value in line_values(path, ctx):
        if isinstance(value, dict):
            yield number, value
        else:
            ctx.policy.skip_record(no_object_error(value).at(f"{path}:{number}"))


def no_object_error(value: Any) -> DataError:
    """Return the error for a value where an object is needed."""
    message = f"an object is needed on each line, this is a {type(value).__name__}"
    return DataError(message, hint='write it as {"text": …, "label": …}, one to a line')


def json_line(record: Record, identifier: str) -> bytes:
    """Return a record as a line of JSON.

    :raises DataError: JSON cannot hold a value; names the record by ``identifier``.
    """
    try:
        return f"{json.dumps(record, ensure_ascii=False, allow_nan=False)}\n".encode()
    except UnicodeEncodeError:  # half a surrogate pair; JSON can hold it escaped
        return f"{json.dumps(record, allow_nan=False)}\n".encode()
    except (TypeError, ValueError) as error:
        raise DataError(
            f"record '{identifier}' cannot be written as JSON: {error}", hint="leave the field out, or make it text"
        ) from error
