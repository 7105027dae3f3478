"""SQL by hand, which can read everything and change nothing."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry.views import VIEWS

_MOST_ROWS = 1_000_000
_MOST_BYTES = 100_000_000
_OPERATIONS = 10_000
_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_READ_ONLY = "only one SELECT is taken, and it changes nothing"
_VIEWS = f"views: {', '.join(VIEWS)}; docs/reference/registry.md tells their columns"
# PostgreSQL's states of a statement that was cancelled, and of one that would write
_CANCELLED, _WRITES = "57014", "25006"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultTable:
    """Rows of plain values (text, numbers, booleans, times, None) under names that differ."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def records(self) -> list[dict[str, Any]]:
        """Return each row as a mapping from column to value."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def query(connection: sa.Connection, sql: str, *, seconds: float) -> ResultTable:
    """Return what one SELECT finds, on a connection of its own that can only read.

    :param connection: of the registry: it tells where that is.
    :param seconds: after this long the question is given up.
    :raises RegistryError: it is no SELECT, it fails, or it takes too long.
    """
    if connection.dialect.name == "postgresql":
        return _ask_postgresql(connection, sql, seconds)
    with _sqlite(connection) as own:
        return _ask_sqlite(connection, own, sql, seconds)


@contextmanager
def _sqlite(connection: sa.Connection) -> Iterator[sqlite3.Connection]:
    path = connection.engine.url.database
    if path is None:  # the stand-in for a registry that is not there, in the memory of this process
        memory: Any = connection.connection.dbapi_connection
        yield memory
        return
    immutable = path.startswith("file:")
    uri = f"{path}?immutable=1" if immutable else f"{Path(path).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as own:
        own.execute("PRAGMA query_only = ON")
        own.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
        yield own


def _ask_sqlite(connection: sa.Connection, own: sqlite3.Connection, sql: str, seconds: float) -> ResultTable:
    deadline = time.monotonic() + seconds
    own.text_factory = lambda text: text.decode("utf-8", "replace")
    own.set_authorizer(_allow)
    # called now and then, so that Ctrl-C and the deadline are heard
    own.set_progress_handler(lambda: time.monotonic() > deadline, _OPERATIONS)
    try:
        return _fetched(own.execute(sql))
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            if time.monotonic() <= deadline:
                raise KeyboardInterrupt from error
            raise _too_long(seconds) from error
        denied = getattr(error, "sqlite_errorname", "") == "SQLITE_AUTH" or "one statement" in str(error)
        raise _failed(connection, str(error), sql, denied=denied) from error
    finally:
        own.set_progress_handler(None, 0)
        own.set_authorizer(None)


def _allow(action: int, first: str | None, second: str | None, *_: object) -> int:
    loads = action == sqlite3.SQLITE_FUNCTION and second == "load_extension"
    return sqlite3.SQLITE_OK if action in _READS and not loads else sqlite3.SQLITE_DENY


def _ask_postgresql(connection: sa.Connection, sql: str, seconds: float) -> ResultTable:
    with connection.engine.connect() as own:
        own.exec_driver_sql("SET TRANSACTION READ ONLY")
        own.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
        raw: Any = own.connection.dbapi_connection
        try:
            with raw.cursor() as cursor:
                # Prepared, because the server then takes a single statement: none can end the transaction first.
                return _fetched(cursor.execute(sql, None, prepare=True))
        except (raw.Error, ValueError) as error:
            state = getattr(error, "sqlstate", None)
            if state == _CANCELLED:
                raise _too_long(seconds) from error
            denied = "multiple commands" in str(error) or state == _WRITES
            raise _failed(connection, str(error), sql, denied=denied) from error
        finally:
            own.rollback()


def _fetched(cursor: Any) -> ResultTable:
    if cursor.description is None:
        raise RegistryError(f"that asks nothing: {_READ_ONLY}", hint=_VIEWS)
    rows = cursor.fetchmany(_MOST_ROWS + 1)
    if len(rows) > _MOST_ROWS:
        raise RegistryError(f"more than {_MOST_ROWS:,} rows", hint="ask for fewer: add LIMIT or a condition")
    return ResultTable(
        columns=_different([str(column[0]) for column in cursor.description]),
        rows=tuple(tuple(_plain(value) for value in row) for row in rows),
    )


def _different(names: list[str]) -> tuple[str, ...]:
    """Return names with a number after those that come again."""
    found: list[str] = []
    for name in names:
        number, unique = 2, name
        while unique in found:
            unique, number = f"{name}_{number}", number + 1
        found.append(unique)
    return tuple(found)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, str | int | float | datetime | date) else str(value)


def _too_long(seconds: float) -> RegistryError:
    return RegistryError(f"the query took longer than {seconds:g} s", hint="ask for less, or give it more --seconds")


def _failed(connection: sa.Connection, problem: str, sql: str, *, denied: bool) -> RegistryError:
    line = " ".join(problem.split("\n")[0].split())
    used = [name for name in VIEWS if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]
    found = {name: connection.exec_driver_sql(f"SELECT * FROM {name} LIMIT 0").keys() for name in used}  # noqa: S608
    columns = "; ".join(f"{name} has {', '.join(names)}" for name, names in found.items())
    return RegistryError(f"the query failed: {_READ_ONLY if denied else line}", hint=columns or _VIEWS)
