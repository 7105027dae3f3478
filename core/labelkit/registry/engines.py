"""SQLAlchemy engines for SQLite and PostgreSQL, and the URL of a home's database."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from labelkit.errors import RegistryError
from labelkit.registry.database_errors import explain
from labelkit.registry.home import Home

# An execution option: the statement that begins a transaction on SQLite; empty for none.
BEGIN = "labelkit_begin"
IMMEDIATE = "BEGIN IMMEDIATE"
# Seconds between two attempts to take SQLite's write lock: about as long as a commit takes.
_RETRY_INTERVAL = (0.001, 0.005)
# Shorter texts are part of ordinary words.
_SHORTEST_SECRET = 3
_EXAMPLES = "for example postgresql://user@host/database, or sqlite:////folder/registry.db"
# Seconds until a server that does not answer counts as down; the minimum of libpq.
_CONNECT_SECONDS = 2
# Milliseconds until a connection without answers counts as lost; the default is a quarter of an hour.
_TCP_TIMEOUT = 30_000


def url_of(home: Home) -> sa.URL:
    """Return the URL of the registry of ``home``.

    :raises RegistryError: ``LABELKIT_REGISTRY`` is not a URL, or of an unsupported database.
    """
    if home.url is None:
        return sa.URL.create("sqlite", database=str(home.database))
    try:
        url = sa.make_url(home.url)
        known = url.get_backend_name() in ("sqlite", "postgresql")
        if known and "+" not in url.drivername and url.drivername != "sqlite":
            url = url.set(drivername="postgresql+psycopg")
        url.get_dialect()().create_connect_args(url)
    except (exc.ArgumentError, ValueError) as error:
        raise RegistryError("LABELKIT_REGISTRY is not a database URL", hint=_EXAMPLES) from error
    if url.get_driver_name() not in ("pysqlite", "psycopg"):
        raise RegistryError(f"LABELKIT_REGISTRY names {url.drivername}, which labelkit does not know", hint=_EXAMPLES)
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise RegistryError(
            "LABELKIT_REGISTRY names a database in memory, which would forget every run", hint=_EXAMPLES
        )
    return url


def place_of(url: sa.URL) -> str:
    """Return the file of a database, or its URL without secrets, for messages."""
    path = sqlite_path(url)
    # Without parameters: a password may be among them.
    return str(path) if path else url.set(query={}).render_as_string(hide_password=True)


def secrets_of(url: sa.URL) -> set[str]:
    """Return the password of a URL and the values of its query string, any of which may be a secret."""
    values = [one for value in url.query.values() for one in ([value] if isinstance(value, str) else value)]
    return {str(one) for one in (url.password, *values) if one and len(str(one)) >= _SHORTEST_SECRET}


def sqlite_path(url: sa.URL) -> Path | None:
    """Return the file of a SQLite database, None for other databases."""
    plain = url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:")
    return Path(str(url.database)) if plain else None


def engine_of(url: sa.URL, timeout: float) -> sa.Engine:
    """Return an engine for ``url``; it does not connect yet.

    :param timeout: seconds to wait for locks of other writers.
    :raises RegistryError: the driver of the database is not installed.
    """
    engine = _sqlite(url, timeout) if url.get_backend_name() == "sqlite" else _postgresql(url, timeout)

    def make_portable(_1: object, _2: object, statement: str, parameters: Any, _3: object, _4: bool) -> tuple[str, Any]:
        return statement, _portable(parameters)

    sa.event.listen(engine, "before_cursor_execute", make_portable, retval=True)
    return engine


def _sqlite(url: sa.URL, timeout: float) -> sa.Engine:
    path = sqlite_path(url)
    # In a read-only folder SQLite cannot create the log beside the file; an existing log must not be skipped.
    log = path.with_name(f"{path.name}-wal") if path else None
    if path and log and path.exists() and not log.exists() and not os.access(path.parent, os.W_OK):
        url = sa.URL.create("sqlite", database=path.absolute().as_uri(), query={"immutable": "1", "uri": "true"})
    engine = sa.create_engine(url, connect_args={"timeout": timeout})

    def on_connect(connection: Any, _record: object) -> None:
        # sqlite3 begins transactions by itself, and never with a lock; on_begin does instead.
        connection.isolation_level = None
        for setting in ("foreign_keys = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {setting}").close()

    sa.event.listen(engine, "connect", on_connect)
    begin_transactions(engine, timeout)
    return engine


def begin_transactions(engine: sa.Engine, timeout: float) -> None:
    """Let an engine for SQLite begin each transaction as its execution option :data:`BEGIN` says.

    :param timeout: seconds to wait for the write lock.
    """

    def on_begin(connection: sa.Connection) -> None:
        begin = connection.get_execution_options().get(BEGIN, "BEGIN")
        if begin == IMMEDIATE:
            _take_write_lock(connection, timeout)
        elif begin:
            connection.exec_driver_sql(begin)

    sa.event.listen(engine, "begin", on_begin)


def copy_without_shared_memory(path: Path, copy: Any, place: str, timeout: float) -> None:
    """Copy a SQLite file, with its log, to the connection ``copy``, without creating a file.

    A connection that has the file for itself needs no shared memory beside it. No other process can have the file
    open: the shared memory would then exist.

    :raises StorageError: it cannot be read.
    """
    try:
        with closing(sqlite3.connect(path, timeout=timeout)) as source:
            source.execute("PRAGMA locking_mode = EXCLUSIVE")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(copy)
    except sqlite3.Error as error:
        raise explain(exc.DBAPIError("backup", None, error), place) from error


def _take_write_lock(connection: sa.Connection, timeout: float) -> None:
    """Begin a write transaction as soon as no other process is in one.

    SQLite's own waiting sleeps longer and longer: of eight busy writers one may wait for seconds while newcomers
    overtake it. Here all retry equally often.
    """
    raw: Any = connection.connection.dbapi_connection
    deadline = time.monotonic() + timeout
    raw.execute("PRAGMA busy_timeout = 0").close()
    try:
        while not raw.in_transaction and time.monotonic() < deadline:
            try:
                raw.execute(IMMEDIATE).close()
            except sqlite3.OperationalError as error:
                # The low byte is the primary code. Errors other than busy are raised again below.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
                time.sleep(random.uniform(*_RETRY_INTERVAL))  # noqa: S311
        if not raw.in_transaction:
            connection.exec_driver_sql(IMMEDIATE)
    finally:
        raw.execute(f"PRAGMA busy_timeout = {round(timeout * 1000)}").close()


def _postgresql(url: sa.URL, timeout: float) -> sa.Engine:
    settings: dict[str, Any] = {
        "application_name": "labelkit",
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": _TCP_TIMEOUT,
        "client_encoding": "utf8",
    }
    settings = {name: value for name, value in settings.items() if name not in url.query}
    options = f"-c lock_timeout={max(1, round(timeout * 1000))} {url.query.get('options', '')}".strip()
    try:
        return sa.create_engine(
            url,
            # Test connections before each transaction: the server may have been restarted.
            pool_pre_ping=True,
            # Not the server's default: stricter levels fail where another process wrote in between.
            isolation_level="READ COMMITTED",
            connect_args={**settings, "options": options},
        )
    except ImportError as error:
        raise RegistryError(
            f"LABELKIT_REGISTRY needs the package {error.name}", hint="pip install 'labelkit[postgres]'"
        ) from error


def _portable(value: Any) -> Any:
    """Return a parameter, or several, such that all databases store the same values."""
    if isinstance(value, str):
        # PostgreSQL takes no NUL, and no database half a surrogate pair (a file name that is not UTF-8).
        if "\0" not in value and value.isascii():
            return value
        return value.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, tuple):
        return tuple([_portable(one) for one in value])
    if isinstance(value, dict):
        return {name: _portable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_portable(one) for one in value]
    # SQLite stores NaN as NULL.
    return None if isinstance(value, float) and value != value else value
