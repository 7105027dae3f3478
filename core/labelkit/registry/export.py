"""Exporting runs as a table, a row for each run or for each score, to CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, BinaryIO, Literal, get_args

import sqlalchemy as sa

from labelkit.files.json_text import to_json
from labelkit.formats.spreadsheet import safe_cell
from labelkit.metrics import CURVES
from labelkit.registry import tables
from labelkit.registry.filter_comparisons import Condition
from labelkit.registry.filters import COLUMNS, Fields, figure_name
from labelkit.registry.queries import CURRENT_ALIASES
from labelkit.registry.sql_query import ResultTable

TableFormat = Literal["csv", "json", "parquet"]
FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
_RUNS = tables.runs.c
_LONG = ("run", "task", "split", "type", "name", "value", "text", "step", "epoch")


def long(connection: sa.Connection, conditions: Sequence[Condition]) -> ResultTable:
    """Return a row for each score of the best checkpoints of the runs that meet ``conditions``."""
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

    Settings and scores are named as in filter expressions; one with the name of a column (``data``) is left out, and so
    are precision-recall curves.
    """
    columns: dict[str, sa.ColumnElement[Any]] = {name: _RUNS[column] for name, column in COLUMNS.items()}
    fields = Fields(connection)
    columns["status"] = fields.shown_status()
    # The deciding metric, whatever its name.
    columns |= {name: fields.named(name).values()[0] for name in ("validation", "test")}
    query = sa.select(*(column.label(name) for name, column in columns.items())).where(*conditions)
    rows = [dict(row) for row in connection.execute(query.order_by(_RUNS.started, _RUNS.id)).mappings()]
    by_run = {row["run"]: row for row in rows}
    selected = sa.select(_RUNS.id).where(*conditions)
    names = list(columns)
    for cells in (_words(connection, selected), _settings(connection, selected), _scores(connection, selected)):
        taken, added = set(names), set()
        for run, name, value in cells:
            if name not in taken:
                added.add(name)
                by_run[run][name] = value
        names += sorted(added)
    return ResultTable(columns=tuple(names), rows=tuple(tuple(row.get(name) for name in names) for row in rows))


def _words(connection: sa.Connection, runs: sa.Select[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield run, column and value of the tags and aliases of ``runs``."""
    aliases, tags = CURRENT_ALIASES.c, tables.tags.c
    queries = {
        "tags": sa.select(tags.run, tags.tag).where(tags.run.in_(runs)),
        "aliases": sa.select(aliases.run, aliases.task + "@" + aliases.alias).where(aliases.run.in_(runs)),
    }
    for name, query in queries.items():
        found: dict[str, list[str]] = {}
        for run, word in connection.execute(query):
            found.setdefault(run, []).append(word)
        yield from ((run, name, ",".join(sorted(words))) for run, words in found.items())


def _settings(connection: sa.Connection, runs: sa.Select[Any]) -> Iterator[tuple[str, str, Any]]:
    columns = tables.plan_values.c
    query = sa.select(columns.run, columns.key, columns.text, columns.number).where(columns.run.in_(runs))
    for run, key, text, number in connection.execute(query):
        yield run, key, number if number is not None else None if text == "null" else text


def _scores(connection: sa.Connection, runs: sa.Select[Any]) -> Iterator[tuple[str, str, Any]]:
    columns = tables.scores.c
    selected = (columns.run, columns.split, columns.type, columns.name, columns.value, columns.text)
    query = sa.select(*selected).join(tables.runs, _RUNS.id == columns.run)
    # Other tasks of the same run would have scores of the same names.
    # A curve has more characters than a cell of a spreadsheet holds.
    query = query.where(columns.run.in_(runs), columns.task == _RUNS.task, columns.name != CURVES)
    for run, split, type_, name, value, text in connection.execute(query):
        yield run, figure_name(split, type_, name), value if text is None else text


def as_text(table: ResultTable, format_: Literal["csv", "json"], *, safe_cells: bool = False) -> str:
    """Return ``table`` as CSV (with a header, empty for None) or as JSON (a list of objects).

    :param safe_cells: write text of CSV as :func:`labelkit.formats.spreadsheet.safe_cell` does.
    """
    if format_ == "json":
        rows = ([_time(value) for value in row] for row in table.rows)
        return to_json([dict(zip(table.columns, row, strict=True)) for row in rows]) + "\n"
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    cell = safe_cell if safe_cells else lambda value: value
    writer.writerow([cell(name) for name in table.columns])
    for row in table.rows:
        writer.writerow([str(value).lower() if isinstance(value, bool) else cell(_time(value)) for value in row])
    return stream.getvalue()


def write(table: ResultTable, stream: BinaryIO, format_: TableFormat, *, safe_cells: bool = False) -> None:
    """Write ``table`` to ``stream``.

    :param safe_cells: as in :func:`as_text`.
    """
    if format_ == "parquet":
        import pyarrow
        from pyarrow import parquet

        arrays = {}
        for index, name in enumerate(table.columns):
            values = uniform([row[index] for row in table.rows])
            empty = all(value is None for value in values)
            arrays[name] = pyarrow.array(values, type=pyarrow.string() if empty else None)
        parquet.write_table(pyarrow.table(arrays), stream)
    else:
        # Half surrogate pairs, which UTF-8 cannot encode, are written as escapes.
        stream.write(as_text(table, format_, safe_cells=safe_cells).encode("utf-8", "backslashreplace"))


def _time(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value


def uniform(values: list[Any]) -> list[Any]:
    """Return values of one type: mixed numbers become floats, and other mixtures text.

    >>> uniform([1, 0.5, None]), uniform([1, "a"])
    ([1.0, 0.5, None], ['1', 'a'])
    """
    types = {type(value) for value in values if value is not None}
    if types == {int, float}:
        return [value if value is None else float(value) for value in values]
    if len(types) > 1 or types == {str}:
        return [value if value is None else str(value).encode("utf-8", "replace").decode() for value in values]
    return values
