"""The records that a JSON object holds in one of its fields, or by columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.columns import USUAL, listed
from labelkit.records import LoadContext

#: fields of records, of which the first is meant where there are several
RECORD_FIELDS = ("data", "annotations", "records", "examples", "rows", "items", "common_examples")
_WRITE_LINES = "write a record per line: table.to_json(path, orient='records', lines=True)"
_OTHERWISE = "write a record per line to say otherwise"


def contained_records(value: Mapping[str, Any], ctx: LoadContext) -> Sequence[Any] | None:
    """Return the records in a field of an object, or in its columns; None if it is itself a record.

    :raises DataError: it holds records in several fields, or by columns of numbered rows; names no file.
    """
    names, rows = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        ctx.policy.assume(
            "the object holds the names of columns and rows, as pandas writes with orient='split'", _OTHERWISE
        )
        if uneven := next((row for row in rows if len(row) != len(names)), None):
            raise DataError(f"{len(names)} columns are named, a row has {len(uneven)}", hint=_WRITE_LINES)
        return [dict(zip(map(str, names), row, strict=True)) for row in rows]
    if {*USUAL["text"], *USUAL["tokens"]} & value.keys():
        return records_of_columns(value, ctx)
    inner = [held for held in value.values() if isinstance(held, Mapping)]
    if len(inner) == len(value) == 1 and any(map(_are_records, inner[0].values())):  # as in Rasa's files
        return contained_records(inner[0], ctx)
    fields = [name for name, held in value.items() if _are_records(held)]
    if fields:
        usual = [name for name in RECORD_FIELDS if name in fields]
        if len(fields) > 1 and not usual:
            raise DataError(
                f"records in several fields of one object: {listed(fields)}",
                hint="write each into a file of its own, e.g. train.jsonl and test.jsonl",
            )
        name = (usual or fields)[0]
        others = [other for other in fields if other != name]
        left = f", not those in {listed(others)}" if others else ""
        otherwise = "write these into a file of their own" if others else _OTHERWISE
        ctx.policy.assume(f"the records are those in the field '{name}' of the file's object{left}", otherwise)
        return [_inner(record) for record in value[name]]
    if len(value) > 1 and len(inner) == len(value) and all(name.isdecimal() for name in value):
        raise DataError("the object holds numbered records", hint=_WRITE_LINES)
    return None


def records_of_columns(value: Mapping[str, Any], ctx: LoadContext) -> Sequence[Any] | None:
    """Return the records of an object whose fields are columns, all of one length; None for a single record.

    :raises DataError: the columns hold numbered rows, as pandas writes by default; names no file.
    """
    columns = list(value.values())
    if all(isinstance(column, Mapping) for column in columns):
        raise DataError("the object holds columns of numbered rows", hint=_WRITE_LINES)
    text = next((value[name] for name in USUAL["text"] if name in value), None)
    tokens = next((value[name] for name in USUAL["tokens"] if name in value), None)
    table = isinstance(text, list) or (isinstance(tokens, list) and all(isinstance(one, list) for one in tokens))
    if not table or not all(isinstance(column, list) and 0 < len(column) == len(columns[0]) for column in columns):
        return None
    ctx.policy.assume("the fields of the file's object are columns of records", _OTHERWISE)
    return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]


def _inner(record: Any) -> Any:
    """Return the fields of a row as the viewer of the Hub gives it, with its number; any other record as it is."""
    row = record.get("row") if isinstance(record, Mapping) and "row_idx" in record else None
    return row if isinstance(row, Mapping) else record


def _are_records(value: Any) -> bool:
    """Return whether a value is a list of objects, or of spaCy's tuples, some of them perhaps null."""
    if not isinstance(value, list):
        return False
    kinds = {type(item) for item in value if item is not None}
    tuples = all(len(item) == 2 and isinstance(item[0], str) for item in value if isinstance(item, list))
    return bool(kinds) and all(issubclass(kind, Mapping | list) for kind in kinds) and tuples
