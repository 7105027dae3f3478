"""Runs as a table for other programs: one row per run, or one per score."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import sqlalchemy as sa

from labelkit.files.json_text import to_json
from labelkit.registry import tables
from labelkit.registry.filters import COLUMNS, Condition, Fields, figure_name
from labelkit.registry.queries import CURRENT_ALIASES
from labelkit.registry.sql_query import ResultTable

TableFormat = Literal["csv", "json", "parquet"]
FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
_RUNS = tables.runs.c
_LONG = ("run", "task", "split", "type", "name", "value", "text", "step", "epoch")


def long(connection: sa.Connection, conditions: Sequence[Condition]) -> ResultTable:
    """Return a row for each figure of each chosen checkpoint."""
    columns = tables.scores.c
    query = (
        sa.select(*(columns[name] for name in _LONG))
        .join(tables.runs, _RUNS.id == columns.run)
        .where(*conditions)
        .order_by(_RUNS.started, _RUNS.id, columns.task, columns.split, columns.type, columns.name)
    )
    return ResultTable(columns=_LONG, rows=tuple(tuple(row) for row in connection.execute(query)))


def wide(connection: sa.Connection, conditions: Sequence[Condition]) -> ResultTable:
    """Return a row for each run, oldest first: its columns, tags, aliases, settings and scores.

    Settings and scores are called as in conditions; one that has a name of the run itself (``data``) is left out.
    """
    facts: dict[str, sa.ColumnElement[Any]] = {name: _RUNS[column] for name, column in COLUMNS.items()}
    fields = Fields(connection)
    facts["status"] = fields.shown_status()
    # the figures that choose the checkpoint, whatever they are called
    facts |= {name: fields.named(name).values()[0] for name in ("validation", "test")}
    query = sa.select(*(column.label(name) for name, column in facts.items())).where(*conditions)
    rows = [dict(row) for row in connection.execute(query.order_by(_RUNS.started, _RUNS.id)).mappings()]
    by_run = {row["run"]: row for row in rows}
    asked = sa.select(_RUNS.id).where(*conditions)
    words = _add(by_run, _words(connection, asked))
    settings = _add(by_run, _settings(connection, asked), besides=facts)
    figures = _add(by_run, _figures(connection, asked), besides={**facts, **dict.fromkeys(settings)})
    names = (*facts, *words, *settings, *figures)
    return ResultTable(columns=names, rows=tuple(tuple(row.get(name) for name in names) for row in rows))


def _add(
    rows: dict[str, dict[str, Any]], cells: Iterable[tuple[str, str, Any]], *, besides: Iterable[str] = ()
) -> list[str]:
    """Put cells (run, column, value) into ``rows`` and return the names of the columns, in alphabetical order."""
    taken, names = set(besides), set()
    for run, name, value in cells:
        if name not in taken:
            names.add(name)
            rows[run][name] = value
    return sorted(names)


def _words(connection: sa.Connection, asked: sa.Select[Any]) -> Iterable[tuple[str, str, Any]]:
    aliases, tags = CURRENT_ALIASES.c, tables.tags.c
    queries = {
        "tags": sa.select(tags.run, tags.tag).where(tags.run.in_(asked)).order_by(tags.run, tags.tag),
        "aliases": sa.select(aliases.run, aliases.task + "@" + aliases.alias).where(aliases.run.in_(asked)),
    }
    for name, query in queries.items():
        found: dict[str, list[str]] = {}
        for run, word in connection.execute(query):
            found.setdefault(run, []).append(word)
        yield from ((run, name, ",".join(sorted(words))) for run, words in found.items())


def _settings(connection: sa.Connection, asked: sa.Select[Any]) -> Iterable[tuple[str, str, Any]]:
    columns = tables.plan_values.c
    query = sa.select(columns.run, columns.key, columns.text, columns.number).where(columns.run.in_(asked))
    for run, key, text, number in connection.execute(query):
        yield run, key, number if number is not None else None if text == "null" else text


def _figures(connection: sa.Connection, asked: sa.Select[Any]) -> Iterable[tuple[str, str, Any]]:
    columns = tables.scores.c
    wanted = (columns.run, columns.split, columns.type, columns.name, columns.value, columns.text)
    query = sa.select(*wanted).join(tables.runs, _RUNS.id == columns.run)
    # other tasks of the same run would have figures of the same names
    query = query.where(columns.run.in_(asked), columns.task == _RUNS.task)
    for run, split, type_, name, value, text in connection.execute(query):
        yield run, figure_name(split, type_, name), value if text is None else text


def as_text(table: ResultTable, format_: Literal["csv", "json"]) -> str:
    """Return ``table`` as CSV (with a header, nothing for None) or as JSON (a list of objects)."""
    if format_ == "json":
        rows = ([_time(value) for value in row] for row in table.rows)
        return to_json([dict(zip(table.columns, row, strict=True)) for row in rows]) + "\n"
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return stream.getvalue()


def write(table: ResultTable, path: Path, format_: TableFormat) -> None:
    """Write ``table`` into the file ``path``."""
    if format_ == "parquet":
        _write_parquet(table, path)
    else:
        # half surrogate pairs, which no file of UTF-8 takes, are written as their escapes
        path.write_text(as_text(table, format_), encoding="utf-8", errors="backslashreplace", newline="")


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else _time(value)


def _time(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value


def _write_parquet(table: ResultTable, path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {name: _uniform(list(values)) for name, values in _columns(table).items()}
    types = {name: pyarrow.string() for name, values in columns.items() if all(value is None for value in values)}
    arrays = {name: pyarrow.array(values, type=types.get(name)) for name, values in columns.items()}
    parquet.write_table(pyarrow.table(arrays), path)


def _columns(table: ResultTable) -> dict[str, Sequence[Any]]:
    if not table.rows:
        return dict.fromkeys(table.columns, ())
    return dict(zip(table.columns, zip(*table.rows, strict=True), strict=True))


def _uniform(values: list[Any]) -> list[Any]:
    """Return values of one type: a column of numbers and words becomes words."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [value if value is None else float(value) for value in values]
    if len(kinds) > 1 or kinds == {str}:
        return [value if value is None else str(value).encode("utf-8", "replace").decode() for value in values]
    return values
