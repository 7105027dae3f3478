"""Engines: which database a home means, and how labelkit talks to SQLite and to PostgreSQL."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from labelkit.errors import RegistryError
from labelkit.registry.home import Home

# An execution option: how the transaction of a connection begins on SQLite; not at all when empty.
BEGIN = "labelkit_begin"
IMMEDIATE = "BEGIN IMMEDIATE"
# Seconds between two tries to become SQLite's one writer: about as long as a commit takes.
_ASK_AGAIN = (0.001, 0.005)
_EXAMPLES = "for example postgresql://user@host/database, or sqlite:////folder/registry.db"
# Seconds until a server that does not answer counts as down; libpq takes no less.
_CONNECT_SECONDS = 2
# Milliseconds until a server that stopped answering in the middle counts as gone; else it is a quarter of an hour.
_SILENCE = 30_000


def url_of(home: Home) -> sa.URL:
    """Return the URL of the registry of ``home``.

    :raises RegistryError: ``LABELKIT_REGISTRY`` is none, or of a database that labelkit does not know.
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
    """Return what messages call the database at ``url``: its file, or the URL without secrets."""
    path = sqlite_path(url)
    # Parameters are left out too: a password may be among them.
    return str(path) if path else url.set(query={}).render_as_string(hide_password=True)


def sqlite_path(url: sa.URL) -> Path | None:
    """Return the file of a SQLite database, None for any other."""
    plain = url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:")
    return Path(str(url.database)) if plain else None


def engine_of(url: sa.URL, timeout: float) -> sa.Engine:
    """Return an engine for ``url``; it connects to nothing yet.

    :param timeout: seconds to wait for other writers.
    :raises RegistryError: the package that speaks to this database is missing.
    """
    engine = _sqlite(url, timeout) if url.get_backend_name() == "sqlite" else _postgresql(url, timeout)
    sa.event.listen(engine, "before_cursor_execute", _storable, retval=True)
    return engine


def _sqlite(url: sa.URL, timeout: float) -> sa.Engine:
    path = sqlite_path(url)
    if path and _only_readable(path):
        url = sa.URL.create("sqlite", database=path.absolute().as_uri(), query={"immutable": "1", "uri": "true"})
    engine = sa.create_engine(url, connect_args={"timeout": timeout})
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", partial(_on_begin, timeout))
    return engine


def _only_readable(path: Path) -> bool:
    """Say whether SQLite must read without a log beside ``path``: a log there is could not be skipped."""
    log = path.with_name(f"{path.name}-wal")
    return path.exists() and not os.access(path.parent, os.W_OK) and not log.exists()


def _on_connect(connection: Any, _record: object) -> None:
    # sqlite3 begins transactions on its own, and never at once; _on_begin does instead.
    connection.isolation_level = None
    for setting in ("foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {setting}").close()


def _on_begin(timeout: float, connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get(BEGIN, "BEGIN")
    if begin == IMMEDIATE:
        _wait_for_turn(connection, timeout)
    elif begin:
        connection.exec_driver_sql(begin)


def _wait_for_turn(connection: sa.Connection, timeout: float) -> None:
    """Begin to write as soon as nobody else does.

    SQLite's own waiting sleeps longer and longer, so that of eight busy writers one may wait for seconds while the
    newcomers pass it; here all ask equally often.
    """
    plain: Any = connection.connection.dbapi_connection
    deadline = time.monotonic() + timeout
    plain.execute("PRAGMA busy_timeout = 0").close()
    try:
        while not _begun(plain) and time.monotonic() < deadline:
            time.sleep(random.uniform(*_ASK_AGAIN))  # noqa: S311
        if not plain.in_transaction:
            connection.exec_driver_sql(IMMEDIATE)
    finally:
        plain.execute(f"PRAGMA busy_timeout = {round(timeout * 1000)}").close()


def _begun(plain: Any) -> bool:
    try:
        plain.execute(IMMEDIATE).close()
    except sqlite3.OperationalError as error:
        # The low byte is the primary code. Anything but busy will not pass: it is left for the caller to meet again.
        return error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY
    return True


def _postgresql(url: sa.URL, timeout: float) -> sa.Engine:
    given = url.query.get("options", "")
    waiting = f"-c lock_timeout={max(1, round(timeout * 1000))}"
    settings: dict[str, Any] = {
        "application_name": "labelkit",
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": _SILENCE,
        "client_encoding": "utf8",
    }
    settings = {name: value for name, value in settings.items() if name not in url.query}
    try:
        return sa.create_engine(
            url,
            # A server may have been restarted since the last record: asked before each transaction.
            pool_pre_ping=True,
            # Stated, not left to the server's default: a stricter level fails where another wrote in between.
            isolation_level="READ COMMITTED",
            connect_args={**settings, "options": f"{waiting} {given}".strip()},
        )
    except ImportError as error:
        raise RegistryError(
            f"LABELKIT_REGISTRY needs the package {error.name}", hint="pip install 'labelkit[postgres]'"
        ) from error


def _storable(
    _connection: object, _cursor: object, statement: str, parameters: Any, _context: object, _many: bool
) -> tuple[str, Any]:
    """Make the parameters of a statement such that every database keeps the same of them."""
    return statement, _all_storable(parameters)


def _all_storable(parameters: Any) -> Any:
    if isinstance(parameters, tuple):
        return tuple([_one_storable(value) for value in parameters])
    if isinstance(parameters, dict):
        return {name: _one_storable(value) for name, value in parameters.items()}
    return [_all_storable(one) for one in parameters]


def _one_storable(value: Any) -> Any:
    if isinstance(value, str):
        # PostgreSQL takes no NUL, and neither takes half a surrogate pair (a file name that is not UTF-8).
        plain = "\0" not in value and value.isascii()
        return value if plain else value.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode("utf-8")
    # SQLite keeps NULL for what is not a number.
    return None if isinstance(value, float) and value != value else value
