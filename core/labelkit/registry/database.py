"""One database: opening it, its version, and the one session that every statement runs in."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.pool import StaticPool

from labelkit.errors import RegistryError
from labelkit.files.atomic import new_file
from labelkit.registry.database_errors import explain, is_gone, is_missing_table
from labelkit.registry.engines import BEGIN, IMMEDIATE, engine_of, place_of, sqlite_path, url_of
from labelkit.registry.home import Home
from labelkit.registry.tables import REVISIONS, VERSION_TABLE, metadata
from labelkit.registry.views import VIEWS, make_views

BUSY_SECONDS = 30.0
_SMALLEST_PAGE = 512
# PostgreSQL's name for the lock of whoever must be alone: any number that no other program uses.
_ALONE = 7_810_776_116_527_433_076


class Database:
    """A database of the newest schema.

    :param place: what messages call it.
    :param timeout: seconds to wait for other writers, and for a server that is restarting.
    :param empty: there is none; this one stands in, in memory, for questions.
    """

    def __init__(self, engine: sa.Engine, place: str, *, timeout: float = BUSY_SECONDS, empty: bool = False) -> None:
        self._engine = engine
        self._timeout = timeout
        self._opened = False
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
        url = url_of(home)
        path = sqlite_path(url)
        place = place_of(url)
        if path and path.is_dir():
            raise RegistryError(
                f"the registry {place} is a folder, not a file",
                hint="move it away, or name another LABELKIT_HOME",
            )
        if path and not path.exists() and not create:
            return cls._nothing(place)
        database = cls(engine_of(url, timeout), place, timeout=timeout)
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
    def session(self, *, write: bool = False, alone: bool = False) -> Iterator[sa.Connection]:
        """Give a connection inside a transaction: committed at the end, rolled back on any error.

        A commit is durable when this returns. Writers take SQLite's write lock at once: a reader that turns
        writer is refused without any waiting when another wrote in between. On PostgreSQL writers are side by side:
        what concerns one run begins by changing or locking that run's row (see ``writes``).

        :param alone: no other session with this set goes on at the same time, in any process, as on SQLite for every
            writer: for what reads many rows and then statements.
        :raises RegistryError: see ``faults``; also when writing where there is no registry.
        :raises StorageError: the disk refused.
        """
        if (write or alone) and self.empty:
            raise RegistryError(f"there is no registry at {self.place}", hint="labelkit run TASK makes one")
        try:
            with self._connect() as connection:
                connection.execution_options(**{BEGIN: IMMEDIATE if write or alone else "BEGIN"})
                with connection.begin():
                    if alone and connection.dialect.name == "postgresql":
                        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ALONE)))
                    yield connection
        except exc.SQLAlchemyError as error:
            raise explain(error, self.place) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _connect(self) -> sa.Connection:
        """Return a connection, waiting for a server that was there and is gone: a training run should outlive that."""
        deadline = time.monotonic() + (self._timeout if self._opened else 0.0)
        while True:
            try:
                return self._engine.connect()
            except exc.OperationalError as error:
                if not is_gone(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(0.5)

    def _prepare(self, create: bool) -> Database:
        version = self._version()
        self._refuse_cut_off()
        if version is None and not create:
            self.close()
            return self._nothing(self.place)
        if version != REVISIONS[-1]:
            self._refuse_newer(version)
            self._back_up(version)
            self._upgrade()
        self._opened = True
        return self

    def _version(self) -> str | None:
        """Return the revision of the schema, None for a database without a registry in it."""
        try:
            with self._engine.connect() as connection:
                return _version_in(connection)
        except exc.NoResultFound as error:
            raise self._foreign() from error
        except exc.SQLAlchemyError as error:
            if not is_missing_table(error):
                raise explain(error, self.place) from error
        with self.session() as connection:
            inspector = sa.inspect(connection)
            found = {*inspector.get_table_names(), *inspector.get_view_names()}
            server = connection.dialect.name != "sqlite"
        if VERSION_TABLE in found:  # made in between, by another first process
            return self._version()
        # A file belongs to one program. A server's database may hold tables of others, if they are called otherwise.
        if found & {*metadata.tables, *VIEWS} if server else found:
            raise self._foreign()
        return None

    def _foreign(self) -> RegistryError:
        if sqlite_path(self._engine.url):
            hint = "nothing was changed; name another file with LABELKIT_HOME or LABELKIT_REGISTRY"
        else:
            hint = "nothing was changed; make labelkit a database of its own: createdb labelkit"
        return RegistryError(f"the registry {self.place} is another program's database", hint=hint)

    def _refuse_cut_off(self) -> None:
        """Refuse a file that does not end with a page: SQLite reads zeros for what is missing."""
        path = sqlite_path(self._engine.url)
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
        path = sqlite_path(self._engine.url)
        if version is None or path is None:
            return
        backup = path.with_name(f"{path.name}.backup-{version}")
        if backup.exists():
            return
        with new_file(backup) as beside, closing(sqlite3.connect(beside)) as copy, self.session() as connection:
            source: Any = connection.connection.dbapi_connection
            try:
                source.backup(copy)
            except sqlite3.Error as error:  # the session says it in plain words
                raise exc.DBAPIError("backup", None, error) from error

    def _upgrade(self) -> None:
        self._use_wal()
        with self.session(alone=True) as connection:
            # Another first process may have done it while this one waited.
            made = sa.inspect(connection).has_table(VERSION_TABLE)
            if made and _version_in(connection) == REVISIONS[-1]:
                return
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
                with self._engine.connect().execution_options(**{BEGIN: ""}) as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                return
            except exc.OperationalError as error:
                if getattr(error.orig, "sqlite_errorname", "") != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise explain(error, self.place) from error
                time.sleep(0.02)


def _version_in(connection: sa.Connection) -> str:
    table = sa.table(VERSION_TABLE, sa.column("version_num", sa.String))
    return str(connection.execute(sa.select(table.c.version_num)).scalar_one())
