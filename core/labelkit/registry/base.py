"""What every part of the registry stands on: the database, and the home whose checkpoints are here."""

from __future__ import annotations

import platform
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import queries, tables
from labelkit.registry.database import BUSY_SECONDS, Database
from labelkit.registry.home import Home


class Base:
    """An open registry."""

    def __init__(self, database: Database, home: Home, store: str | None) -> None:
        self._database = database
        self._here = queries.Here(store=store, root=home.root)
        self.home = home

    @classmethod
    def open(cls, home: Home, *, create: bool, timeout: float = BUSY_SECONDS) -> Self:
        """Open the registry of ``home``; use as a context manager, or call :meth:`close`.

        :param create: make the home and the database where they are missing. Without it nothing is made, and
            a missing registry is one without runs.
        :param timeout: seconds to wait for other writers.
        :raises RegistryError: damaged, of a newer labelkit, another program's database, locked.
        :raises StorageError: the disk refused.
        """
        marker = home.create() if create else home.store()
        database = Database.open(home, create=create, timeout=timeout)
        registry = cls(database, home, marker.id if marker else None)
        if create and marker:
            try:
                registry._register(marker.id, marker.created)
            except BaseException:
                registry.close()
                raise
        return registry

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _register(self, store: str, created: datetime) -> None:
        columns = tables.stores.c
        place = {"host": platform.node(), "root": str(self.home.root)}
        known = sa.select(columns.host, columns.root).where(columns.id == store)
        with self._database.session() as connection:
            row = connection.execute(known).one_or_none()
        if row is not None and tuple(row) == tuple(place.values()):
            return
        with self._database.session(alone=True) as connection:
            # Asked again: another process may have come first.
            if connection.execute(known).one_or_none() is None:
                connection.execute(tables.stores.insert().values(id=store, created=created, **place))
            else:
                connection.execute(tables.stores.update().where(columns.id == store).values(**place))

    def _relative(self, folder: Path) -> str:
        root = self._here.root.resolve()
        try:
            return folder.resolve().relative_to(root).as_posix()
        except ValueError as error:
            raise RegistryError(f"{folder} is not inside {root}") from error
