"""One database: opening it, its version, and the one session that every statement runs in."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.pool import StaticPool

from labelkit.errors import RegistryError
from labelkit.registry.faults import explain
from labelkit.registry.home import Home
from labelkit.registry.tables import REVISIONS, VERSION_TABLE, metadata
from labelkit.registry.views import make_views
from labelkit.storage import new_file

BUSY_SECONDS = 30.0
_SMALLEST_PAGE = 512
# An execution option: how the transaction of a connection begins on SQLite; not at all when empty.
_BEGIN = "labelkit_begin"


class Database:
    """A database of the newest schema.

    :param place: what messages call it.
    :param empty: there is none; this one stands in, in memory, for questions.
    """

    def __init__(self, engine: sa.Engine, place: str, *, empty: bool = False) -> None:
        self._engine = engine
        self.place = place
        self.empty = empty

    @classmethod
    def open(cls, home: Home, *, create: bool, timeout: float = BUSY_SECONDS) -> Database:
        """Open the registry of ``home``, bringing its schema up to date.

        :param create: make it where it is missing; else nothing is created and there is nothing in it.
        :param timeout: seconds to wait for other writers.
        :raises RegistryError: damaged, not a registry, of a newer labelkit, locked, or its URL is no use.
        :raises StorageError: the disk refused.
        """
        url = _url(home)
        path = _sqlite_path(url)
        place = place_of(url)
        if path and path.is_dir():
            raise RegistryError(
                f"the registry {place} is a folder, not a file",
                hint="move it away, or name another LABELKIT_HOME",
            )
        if path and not path.exists() and not create:
            return cls._nothing(place)
        database = cls(_engine(url, timeout), place)
        try:
            return database._prepare(create)
        except BaseException:
            database.close()
            raise

    @classmethod
    def _nothing(cls, place: str) -> Database:
        engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        with engine.begin() as connection:
            metadata.create_all(connection)
            make_views(connection)
        return cls(engine, place, empty=True)

    @contextmanager
    def session(self, *, write: bool = False) -> Iterator[sa.Connection]:
        """Give a connection inside a transaction: committed at the end, rolled back on any error.

        A commit is durable when this returns. Writers take SQLite's write lock at once: a reader that turns
        writer is refused without any waiting when another wrote in between.

        :raises RegistryError: see ``faults``; also when writing where there is no registry.
        :raises StorageError: the disk refused.
        """
        if write and self.empty:
            raise RegistryError(f"there is no registry at {self.place}", hint="labelkit run TASK makes one")
        try:
            with self._engine.connect() as connection:
                connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE" if write else "BEGIN"})
                with connection.begin():
                    yield connection
        except exc.SQLAlchemyError as error:
            raise explain(error, self.place) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _prepare(self, create: bool) -> Database:
        version = self._version()
        self._refuse_cut_off()
        if version == REVISIONS[-1]:
            return self
        if version is None and not create:
            self.close()
            return self._nothing(self.place)
        self._refuse_newer(version)
        self._back_up(version)
        self._upgrade()
        return self

    def _version(self) -> str | None:
        """Return the revision of the schema, None for a database without any tables."""
        table = sa.table(VERSION_TABLE, sa.column("version_num", sa.String))
        try:
            with self._engine.connect() as connection:
                return str(connection.execute(sa.select(table.c.version_num)).scalar_one())
        except exc.NoResultFound as error:
            raise self._foreign() from error
        except exc.SQLAlchemyError as error:
            with self.session() as connection:
                tables = sa.inspect(connection).get_table_names()
            if not tables:
                return None
            raise explain(error, self.place) if VERSION_TABLE in tables else self._foreign() from error

    def _foreign(self) -> RegistryError:
        return RegistryError(
            f"the registry {self.place} is another program's database",
            hint="nothing was changed; name another file with LABELKIT_HOME or LABELKIT_REGISTRY",
        )

    def _refuse_cut_off(self) -> None:
        """Refuse a file that does not end with a page: SQLite reads zeros for what is missing."""
        path = _sqlite_path(self._engine.url)
        # Only its size is asked for: to open and close it here would drop the locks that this process holds.
        if path and path.exists() and path.stat().st_size % _SMALLEST_PAGE:
            raise RegistryError(
                f"the registry {self.place} is damaged: its end is missing",
                hint="restore it from a backup; nothing was changed",
            )

    def _refuse_newer(self, version: str | None) -> None:
        if version is not None and version not in REVISIONS:
            schemas = f"schema {version}, known up to {REVISIONS[-1]}"
            raise RegistryError(
                f"the registry {self.place} was made by a newer labelkit ({schemas})",
                hint="update labelkit: pip install -U labelkit",
            )

    def _back_up(self, version: str | None) -> None:
        """Copy a SQLite file of an older schema beside itself, as it is; a backup of that schema is never replaced."""
        path = _sqlite_path(self._engine.url)
        if version is None or path is None:
            return
        backup = path.with_name(f"{path.name}.backup-{version}")
        if backup.exists():
            return
        with new_file(backup) as beside, closing(sqlite3.connect(beside)) as copy, self.session() as connection:
            source: Any = connection.connection.dbapi_connection
            source.backup(copy)

    def _upgrade(self) -> None:
        self._use_wal()
        with self.session(write=True) as connection:
            # Alembic takes 0.12 s to import: only now, when it has work to do.
            from labelkit.registry.migrate import upgrade

            upgrade(connection)

    def _use_wal(self) -> None:
        """Switch a SQLite file to a write-ahead log, which stays on.

        SQLite does not wait for this lock as it does for others, so of several first runs some would fail.
        """
        if self._engine.dialect.name != "sqlite":
            return
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                with self._engine.connect().execution_options(**{_BEGIN: ""}) as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                return
            except exc.OperationalError as error:
                if getattr(error.orig, "sqlite_errorname", "") != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise explain(error, self.place) from error
                time.sleep(0.02)


def place_of(url: sa.URL) -> str:
    """Return what messages call the database at ``url``: its file, or the URL without the password."""
    path = _sqlite_path(url)
    return str(path) if path else url.render_as_string(hide_password=True)


def _url(home: Home) -> sa.URL:
    if home.url is None:
        return sa.URL.create("sqlite", database=str(home.database))
    try:
        url = sa.make_url(home.url)
        url.get_dialect()().create_connect_args(url)
    except exc.ArgumentError as error:
        raise RegistryError(
            "LABELKIT_REGISTRY is not a database URL", hint="for example sqlite:////folder/registry.db"
        ) from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise RegistryError(
            "LABELKIT_REGISTRY names a database in memory, which would forget every run",
            hint="for example sqlite:////folder/registry.db",
        )
    return url


def _sqlite_path(url: sa.URL) -> Path | None:
    plain = url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:")
    return Path(str(url.database)) if plain else None


def _engine(url: sa.URL, timeout: float) -> sa.Engine:
    try:
        return _sqlite_engine(url, timeout) if url.get_backend_name() == "sqlite" else sa.create_engine(url)
    except ImportError as error:
        raise RegistryError(
            f"LABELKIT_REGISTRY needs the package {error.name}",
            hint="for PostgreSQL: pip install 'psycopg[binary]'",
        ) from error


def _sqlite_engine(url: sa.URL, timeout: float) -> sa.Engine:
    path = _sqlite_path(url)
    if path and _only_readable(path):
        url = sa.URL.create("sqlite", database=path.absolute().as_uri(), query={"immutable": "1", "uri": "true"})
    engine = sa.create_engine(url, connect_args={"timeout": timeout})
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
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


def _on_begin(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get(_BEGIN, "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)
