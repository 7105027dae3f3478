"""The registry of runs as the rest of labelkit uses it."""

from __future__ import annotations

import platform
import secrets
import string
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa

from labelkit.registry import tables
from labelkit.registry.aliases import Aliases
from labelkit.registry.annotations import Annotations
from labelkit.registry.database import BUSY_SECONDS, Database
from labelkit.registry.home import Home, LocalStore
from labelkit.registry.lineage import Lineage
from labelkit.registry.liveness import now
from labelkit.registry.recorder import Recorder
from labelkit.registry.runs import Runs
from labelkit.registry.searches import Searches
from labelkit.registry.storage import Storage

if TYPE_CHECKING:
    from labelkit.registry.sql_query import ResultTable


def new_run_id(task: str, started: datetime | None = None) -> str:
    """Return a unique id for a run of ``task``: UTC time and a random suffix, as ``ner-20261121-153012-a1b2c3``."""
    letters = string.ascii_lowercase + string.digits
    suffix = "".join(secrets.choice(letters) for _ in range(6))
    return f"{task}-{started or now():%Y%m%d-%H%M%S}-{suffix}"


class Registry:
    """An open registry of runs, on SQLite or PostgreSQL, with one component for each kind of work.

    Methods that write return once the transaction is durable. All raise :class:`RegistryError` or
    :class:`StorageError`, with a hint, when the database refuses.

    :ivar recorder: records a run while it trains, and what is done with its checkpoints later.
    :ivar runs: searches, ranks, compares and exports runs.
    :ivar aliases: names that refer to runs, such as ``ner@prod``, with their history.
    :ivar annotations: tags and notes of runs.
    :ivar lineage: the provenance of files and checkpoint folders.
    :ivar searches: searches over hyperparameters, whose trials are runs.
    :ivar storage: checkpoints on disk: verification, deletion and garbage collection.
    """

    def __init__(self, database: Database, home: Home, store: LocalStore) -> None:
        self._database = database
        self.home = home
        self.recorder = Recorder(database, store)
        self.runs = Runs(database, store)
        self.aliases = Aliases(database)
        self.annotations = Annotations(database)
        self.lineage = Lineage(database, store)
        self.searches = Searches(database)
        self.storage = Storage(database, store, home)

    @classmethod
    def open(cls, home: Home, *, create: bool, timeout: float = BUSY_SECONDS) -> Self:
        """Open the registry of ``home``; use it as a context manager, or call :meth:`close`.

        :param create: create the home and the database if they are missing. Otherwise nothing is created, and a
            missing registry reads as an empty one.
        :param timeout: seconds to wait for locks that other processes hold.
        :raises RegistryError: the database is damaged, locked, of a newer labelkit, or another program's.
        :raises StorageError: the disk is full, or permission is denied.
        """
        marker = home.create() if create else home.store()
        database = Database.open(home, create=create, timeout=timeout)
        registry = cls(database, home, LocalStore(id=marker.id if marker else None, root=home.root))
        if create and marker:
            try:
                _register_store(database, marker.id, marker.created, str(home.root))
            except BaseException:
                registry.close()
                raise
        return registry

    def query(self, sql: str, *, seconds: float = 60.0) -> ResultTable:
        """Return the rows of one SELECT on the views of ``docs/reference/registry.md``, on a read-only connection.

        :param seconds: the query is cancelled after this many seconds.
        :raises RegistryError: ``sql`` is not a SELECT, it fails, or it is cancelled.
        """
        from labelkit.registry.sql_query import query

        with self._database.session() as connection:
            return query(connection, sql, seconds=seconds)

    def check_in_place(self, checkpoint: Path) -> None:
        """Raise if the database is no longer where it was opened, at the end of a run.

        :param checkpoint: of the run, named in the error.
        :raises RegistryError: its file was deleted, moved or replaced.
        """
        self._database.check_in_place(f"the run is not recorded; its checkpoint is {checkpoint}")

    def close(self) -> None:
        """Close all database connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _register_store(database: Database, store: str, created: datetime, root: str) -> None:
    """Insert the row of a checkpoint store, or update its host and root when they changed."""
    columns = tables.stores.c
    place = {"host": platform.node(), "root": root}
    registered = sa.select(columns.host, columns.root).where(columns.id == store)
    with database.session() as connection:
        row = connection.execute(registered).one_or_none()
    if row is not None and tuple(row) == tuple(place.values()):
        return
    with database.session(alone=True) as connection:
        # Read again under the lock: another process may have inserted it in between.
        if connection.execute(registered).one_or_none() is None:
            connection.execute(tables.stores.insert().values(id=store, created=created, **place))
        else:
            connection.execute(tables.stores.update().where(columns.id == store).values(**place))
