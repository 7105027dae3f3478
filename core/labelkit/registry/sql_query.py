"""SQL queries of users, on connections that can only read."""

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

_MAX_ROWS = 1_000_000
_MAX_BYTES = 100_000_000
#: SQLite instructions between two checks of the deadline
_OPERATIONS = 10_000
_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_READ_ONLY = "only one SELECT is taken, and it changes nothing"
_VIEWS = f"views: {', '.join(VIEWS)}; docs/reference/registry.md lists their columns"
# PostgreSQL's states of a cancelled statement, and of a write in a read-only transaction.
_CANCELLED, _WRITES = "57014", "25006"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultTable:
    """Rows of plain values (text, numbers, booleans, times, None) with unique column names."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def records(self) -> list[dict[str, Any]]:
        """Return each row as a mapping from column to value."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def query(connection: sa.Connection, sql: str, *, seconds: float) -> ResultTable:
    """Return the rows of one SELECT, executed on a connection of its own that can only read.

    :param connection: a connection to the registry, whose address is used.
    :param seconds: the query is cancelled after this many seconds.
    :raises RegistryError: ``sql`` is not a SELECT, it fails, or it is cancelled.
    """
    if connection.dialect.name == "postgresql":
        return _query_postgresql(connection, sql, seconds)
    with _read_only_sqlite(connection) as own:
        return _query_sqlite(connection, own, sql, seconds)


@contextmanager
def _read_only_sqlite(connection: sa.Connection) -> Iterator[sqlite3.Connection]:
    path = connection.engine.url.database
    if path is None:  # an empty database in memory, in place of a missing registry
        memory: Any = connection.connection.dbapi_connection
        yield memory
        return
    immutable = path.startswith("file:")
    uri = f"{path}?immutable=1" if immutable else f"{Path(path).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as own:
        own.execute("PRAGMA query_only = ON")
        own.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_BYTES)
        yield own


def _query_sqlite(connection: sa.Connection, own: sqlite3.Connection, sql: str, seconds: float) -> ResultTable:
    deadline = time.monotonic() + seconds

    def authorize(action: int, first: str | None, second: str | None, *_: object) -> int:
        loads = action == sqlite3.SQLITE_FUNCTION and second == "load_extension"
        return sqlite3.SQLITE_OK if action in _READS and not loads else sqlite3.SQLITE_DENY

    own.text_factory = lambda text: text.decode("utf-8", "replace")
    own.set_authorizer(authorize)
    # A handler in Python also lets Ctrl-C interrupt the query.
    own.set_progress_handler(lambda: time.monotonic() > deadline, _OPERATIONS)
    try:
        return _fetch(own.execute(sql))
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_INTERRUPT":
            if time.monotonic() <= deadline:
                raise KeyboardInterrupt from error
            raise _timeout(seconds) from error
        denied = name == "SQLITE_AUTH" or "one statement" in str(error)
        raise _failure(connection, error, sql, denied=denied) from error
    finally:
        own.set_progress_handler(None, 0)
        own.set_authorizer(None)


def _query_postgresql(connection: sa.Connection, sql: str, seconds: float) -> ResultTable:
    from labelkit.registry.postgres_query import check_select, restrict

    if not check_select(sql):
        raise RegistryError(f"the query failed: {_READ_ONLY}", hint=_VIEWS)
    with connection.engine.connect() as own:
        restrict(own, sql, seconds)
        raw: Any = own.connection.dbapi_connection
        try:
            with raw.cursor() as cursor:
                # A prepared statement is a single one: none can end the read-only transaction first.
                return _fetch(cursor.execute(sql, None, prepare=True))
        except (raw.Error, ValueError) as error:
            state = getattr(error, "sqlstate", None)
            if state == _CANCELLED:
                raise _timeout(seconds) from error
            denied = "multiple commands" in str(error) or state == _WRITES
            raise _failure(connection, error, sql, denied=denied) from error
        finally:
            own.rollback()


def _fetch(cursor: Any) -> ResultTable:
    if cursor.description is None:
        raise RegistryError(f"the query returns no rows: {_READ_ONLY}", hint=_VIEWS)
    rows = cursor.fetchmany(_MAX_ROWS + 1)
    if len(rows) > _MAX_ROWS:
        raise RegistryError(f"more than {_MAX_ROWS:,} rows", hint="select fewer: add LIMIT or a condition")
    names: list[str] = []
    for name in (str(column[0]) for column in cursor.description):
        number, unique = 2, name
        while unique in names:
            unique, number = f"{name}_{number}", number + 1
        names.append(unique)
    return ResultTable(columns=tuple(names), rows=tuple(tuple(map(_plain, row)) for row in rows))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, str | int | float | datetime | date) else str(value)


def _timeout(seconds: float) -> RegistryError:
    return RegistryError(
        f"the query took longer than {seconds:g} s", hint="select less, or allow more time with --seconds"
    )


def _failure(connection: sa.Connection, error: Exception, sql: str, *, denied: bool) -> RegistryError:
    line = " ".join(str(error).split("\n")[0].split())
    used = [name for name in VIEWS if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]
    found = {name: connection.exec_driver_sql(f"SELECT * FROM {name} LIMIT 0").keys() for name in used}  # noqa: S608
    columns = "; ".join(f"{name} has {', '.join(names)}" for name, names in found.items())
    return RegistryError(f"the query failed: {_READ_ONLY if denied else line}", hint=columns or _VIEWS)
