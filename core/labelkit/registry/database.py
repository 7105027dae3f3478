"""The database of a registry: opening and upgrading it, and the transactions that all statements run in."""

from __future__ import annotations

import contextlib
import logging
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

from labelkit.errors import LabelkitError, RegistryError, StorageError
from labelkit.files.atomic import new_file
from labelkit.registry.database_errors import disk_full, explain, is_disconnect, is_missing_table
from labelkit.registry.disk import is_full
from labelkit.registry.engines import (
    BEGIN,
    IMMEDIATE,
    copy_without_shared_memory,
    engine_of,
    place_of,
    secrets_of,
    sqlite_path,
    url_of,
)
from labelkit.registry.home import Home
from labelkit.registry.liveness import RUNS_FOLDER
from labelkit.registry.tables import REVISIONS, VERSION_TABLE, metadata
from labelkit.registry.views import VIEWS, make_views

BUSY_SECONDS = 30.0
_SMALLEST_PAGE = 512
_LOG = logging.getLogger(__name__)
# The key of PostgreSQL's advisory lock: any number that no other program uses.
_EXCLUSIVE_LOCK = 7_810_776_116_527_433_076


class Database:
    """A database with the newest schema.

    :param place: its file or URL, for messages.
    :param timeout: seconds to wait for locks of other writers, and for a server that restarts.
    :param empty: the database does not exist; an empty one in memory is read instead.
    :param runs: the folder of runs in the home in use.
    """

    def __init__(
        self,
        engine: sa.Engine,
        place: str,
        *,
        timeout: float = BUSY_SECONDS,
        empty: bool = False,
        runs: Path | None = None,
    ) -> None:
        self._engine = engine.execution_options(**{RUNS_FOLDER: runs})
        self._timeout = timeout
        self._opened = False
        self.place = place
        self.empty = empty
        self._full = False
        self._file: os.stat_result | None = None

    @classmethod
    def open(cls, home: Home, *, create: bool, timeout: float = BUSY_SECONDS) -> Database:
        """Open the database of ``home`` and upgrade its schema.

        :param create: create a missing database; otherwise it reads as an empty one.
        :param timeout: seconds to wait for locks of other writers.
        :raises RegistryError: it is damaged, locked, of a newer labelkit, not a registry, or its URL is invalid.
        :raises StorageError: the disk is full, or permission is denied.
        """
        url = url_of(home)
        path, place = sqlite_path(url), place_of(url)
        if path and path.is_dir():
            raise RegistryError(
                f"the registry {place} is a folder, not a file",
                hint="move it away, or name another LABELKIT_HOME",
            )
        if path and not path.exists() and not create:
            return cls._in_memory(place)
        if path and create and not path.exists():
            with contextlib.suppress(OSError):  # SQLite says why it cannot be created
                # Created here, the file gets its permissions by the umask; SQLite itself lets no group write.
                path.touch()
        database = cls(engine_of(url, timeout), place, timeout=timeout, runs=home.runs)
        try:
            return database._upgraded(create=create)
        except StorageError:
            database.close()
            if create or path is None or not is_full(path):
                raise
            return cls._copied(path, place, home.runs, timeout)
        except BaseException:
            database.close()
            raise

    @classmethod
    def _in_memory(cls, place: str) -> Database:
        engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        with engine.begin() as connection:
            metadata.create_all(connection)
            make_views(connection)
        return cls(engine, place, empty=True)

    @classmethod
    def _copied(cls, path: Path, place: str, runs: Path, timeout: float) -> Database:
        """Return a copy in memory of a SQLite file, which can be read where the disk has no room for shared memory."""
        engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        with engine.connect() as connection:
            copy_without_shared_memory(path, connection.connection.dbapi_connection, place, timeout)
        database = cls(engine, place, runs=runs)
        database._full = True
        _LOG.warning("note: the disk is full: the registry is read from a copy in memory")
        return database._upgraded(create=False)

    @contextmanager
    def session(self, *, write: bool = False, alone: bool = False) -> Iterator[sa.Connection]:
        """Give a connection inside a transaction: committed at the end, rolled back on any error.

        A commit is durable when this returns. Writers take SQLite's write lock at once: a reader that turns
        writer is refused without any waiting when another wrote in between. On PostgreSQL writers are side by side:
        what concerns one run begins by changing or locking that run's row (see :mod:`labelkit.registry.statements`).

        :param alone: exclude all other sessions with ``alone``, in any process, as SQLite does for every writer; for
            transactions that read many rows and then write.
        :raises RegistryError: see :mod:`labelkit.registry.database_errors`; also when writing where there is no
            registry.
        :raises StorageError: the disk refused.
        """
        if write or alone:
            self.check_writable()
        try:
            with self._connect() as connection:
                connection.execution_options(**{BEGIN: IMMEDIATE if write or alone else "BEGIN"})
                with connection.begin():
                    if alone and connection.dialect.name == "postgresql":
                        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_EXCLUSIVE_LOCK)))
                    yield connection
        except exc.SQLAlchemyError as error:
            self.check_in_place()
            raise self._explained(error) from error

    def check_writable(self) -> None:
        """Raise if only a copy of the database is open.

        :raises RegistryError: there is no registry.
        :raises StorageError: the disk was full when it was opened.
        """
        if self._full:
            raise disk_full(self.place)
        if self.empty:
            raise RegistryError(f"there is no registry at {self.place}", hint="labelkit run TASK trains one")

    def check_in_place(self, hint: str = "bring the file back; what was recorded since is lost") -> None:
        """Raise if the file of the database is no longer the one that was opened: what is recorded would be lost.

        :param hint: of the error.
        :raises RegistryError: it was deleted, moved or replaced.
        """
        path = sqlite_path(self._engine.url)
        if path is None or self._file is None:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(path.stat(), self._file):
                return
        raise RegistryError(f"the registry {self.place} was deleted, moved or replaced while it was in use", hint=hint)

    def _explained(self, error: exc.SQLAlchemyError) -> LabelkitError:
        return explain(error, self.place, secrets_of(self._engine.url))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _connect(self) -> sa.Connection:
        """Return a connection; wait for a server that restarts, so that a training run survives it."""
        deadline = time.monotonic() + (self._timeout if self._opened else 0.0)
        while True:
            try:
                return self._engine.connect()
            except exc.OperationalError as error:
                if not is_disconnect(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(0.5)

    def _upgraded(self, *, create: bool) -> Database:
        """Return this database with the newest schema; an empty one if it has none and ``create`` is False."""
        version = self._version()
        path = sqlite_path(self._engine.url)
        # SQLite reads a missing end as zeros. Only the size: opening and closing the file would drop its locks.
        if path and path.exists() and path.stat().st_size % _SMALLEST_PAGE:
            raise RegistryError(
                f"the registry {self.place} is damaged: its end is missing",
                hint="restore it from a backup; nothing was changed",
            )
        if version is None and not create:
            self.close()
            return self._in_memory(self.place)
        if version is not None and version not in REVISIONS:
            raise RegistryError(
                f"the registry {self.place} was made by a newer labelkit "
                f"(schema {version}, known up to {REVISIONS[-1]})",
                hint="update labelkit: pip install -U labelkit",
            )
        if version != REVISIONS[-1]:
            if path and version is not None:
                self._back_up(path.with_name(f"{path.name}.backup-{version}"))
            self._upgrade()
        self._opened = True
        with contextlib.suppress(OSError):
            self._file = path.stat() if path else None
        return self

    def _version(self) -> str | None:
        """Return the revision of the schema, None for a database without a registry."""
        try:
            with self._engine.connect() as connection:
                return _read_version(connection)
        except exc.NoResultFound as error:
            raise self._foreign() from error
        except exc.SQLAlchemyError as error:
            if not is_missing_table(error):
                raise self._explained(error) from error
        with self.session() as connection:
            inspector = sa.inspect(connection)
            found = {*inspector.get_table_names(), *inspector.get_view_names()}
            server = connection.dialect.name != "sqlite"
        if VERSION_TABLE in found:  # created in between by another process
            return self._version()
        # A SQLite file belongs to one program; a server's database may hold tables of others under other names.
        if found & {*metadata.tables, *VIEWS} if server else found:
            raise self._foreign()
        return None

    def _foreign(self) -> RegistryError:
        if sqlite_path(self._engine.url):
            hint = "nothing was changed; name another file with LABELKIT_HOME or LABELKIT_REGISTRY"
        else:
            hint = "nothing was changed; create a database for labelkit: createdb labelkit"
        return RegistryError(f"the registry {self.place} is another program's database", hint=hint)

    def _back_up(self, backup: Path) -> None:
        """Copy the SQLite file to ``backup``, unless that exists."""
        if backup.exists():
            return
        with new_file(backup) as temporary, closing(sqlite3.connect(temporary)) as copy, self.session() as connection:
            source: Any = connection.connection.dbapi_connection
            try:
                source.backup(copy)
            except sqlite3.Error as error:  # the session explains errors of SQLAlchemy
                raise exc.DBAPIError("backup", None, error) from error

    def _upgrade(self) -> None:
        if self._engine.dialect.name == "sqlite":
            self._enable_wal()
        with self.session(alone=True) as connection:
            # Another process may have upgraded it while this one waited for the lock.
            if sa.inspect(connection).has_table(VERSION_TABLE) and _read_version(connection) == REVISIONS[-1]:
                return
            # Importing Alembic takes 0.12 s.
            from labelkit.registry.migrate import upgrade

            upgrade(connection)

    def _enable_wal(self) -> None:
        """Switch a SQLite file to a write-ahead log, for good.

        SQLite does not wait for this lock as it does for others, so that of several first runs some would fail.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                with self._engine.connect().execution_options(**{BEGIN: ""}) as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                return
            except exc.OperationalError as error:
                if getattr(error.orig, "sqlite_errorname", "") != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise self._explained(error) from error
                time.sleep(0.02)


def _read_version(connection: sa.Connection) -> str:
    table = sa.table(VERSION_TABLE, sa.column("version_num", sa.String))
    return str(connection.execute(sa.select(table.c.version_num)).scalar_one())
