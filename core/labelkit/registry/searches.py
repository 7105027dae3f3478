"""Searches over hyperparameters: their settings and results; their trials are the runs of a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import tables
from labelkit.registry.database import Database
from labelkit.registry.liveness import now

_SEARCHES, _RUNS = tables.searches.c, tables.runs.c


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchRecord:
    """A search over hyperparameters.

    :param name: that of the group of its trials, too.
    :param settings: what every process that works on it needs, as JSON.
    :param result: the winner and its gain, as JSON; None until it is known.
    """

    name: str
    task: str
    settings: Mapping[str, Any]
    result: Mapping[str, Any] | None = None
    created: datetime = field(default_factory=now)


class Searches:
    """Records searches, and returns them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, record: SearchRecord) -> None:
        """Record a new search.

        :raises RegistryError: there is a search, a group or a run of this name.
        """
        name = record.name
        taken = sa.select(_RUNS.id).where(sa.or_(_RUNS.group_id == name, _RUNS.id == name, _RUNS.name == name)).limit(1)
        with self._database.session(alone=True) as connection:
            if connection.scalar(sa.select(_SEARCHES.name).where(_SEARCHES.name == name)) is not None:
                hint = f"labelkit search --resume {name} works on it; or choose another --name"
                raise RegistryError(f"there is a search '{name}' already", hint=hint)
            if connection.scalar(taken) is not None:
                raise RegistryError(f"there is a group or a run '{name}' already", hint="choose another --name")
            values = {one: getattr(record, one) for one in record.__dataclass_fields__}
            connection.execute(tables.searches.insert().values(**values))

    def find(self, name: str) -> SearchRecord | None:
        """Return the search called ``name``, None if there is none."""
        with self._database.session() as connection:
            row = connection.execute(sa.select(tables.searches).where(_SEARCHES.name == name)).mappings().one_or_none()
        return None if row is None else SearchRecord(**row)

    def get(self, name: str) -> SearchRecord:
        """Return the search called ``name``.

        :raises RegistryError: there is none.
        """
        found = self.find(name)
        if found is None:
            with self._database.session() as connection:
                names = connection.scalars(sa.select(_SEARCHES.name).order_by(_SEARCHES.created.desc()).limit(5)).all()
            hint = f"there are {', '.join(names)}" if names else "labelkit search TASK starts one"
            raise RegistryError(f"no search '{name}' in the registry", hint=hint)
        return found

    def settle(self, name: str, result: Mapping[str, Any], *, trials: int) -> Mapping[str, Any] | None:
        """Record the result of a search that has none yet, and return the one that is recorded then.

        :param trials: of which it is the result.
        :return: None, and nothing is recorded, where the search has another number of trials by now.
        :raises RegistryError: there is no such search.
        """
        with self._database.session(alone=True) as connection:
            record = _read(connection, name)
            if record.result is not None:
                return record.result
            if record.settings["trials"] != trials:
                return None
            _update(connection, name, result=result)
        return result

    def complete(self, name: str, result: Mapping[str, Any]) -> None:
        """Add to the result of a search, unless it has another winner by now, or is continued with more trials.

        :param result: with the same ``winner``.
        :raises RegistryError: there is no such search.
        """
        with self._database.session(alone=True) as connection:
            known = _read(connection, name).result
            if known is not None and known["winner"] == result["winner"]:
                _update(connection, name, result=result)

    def update(self, name: str, **values: Mapping[str, Any] | None) -> None:
        """Record other ``settings`` of a search, or another ``result``.

        :raises RegistryError: there is no such search.
        """
        with self._database.session(write=True) as connection:
            _update(connection, name, **values)

    def remove(self, name: str) -> None:
        """Delete the record of a search; its trials are runs, and stay.

        :raises RegistryError: there is no such search.
        """
        with self._database.session(write=True) as connection:
            if connection.execute(tables.searches.delete().where(_SEARCHES.name == name)).rowcount == 0:
                raise RegistryError(f"no search '{name}' in the registry")


def _read(connection: sa.Connection, name: str) -> SearchRecord:
    row = connection.execute(sa.select(tables.searches).where(_SEARCHES.name == name)).mappings().one_or_none()
    if row is None:
        raise RegistryError(f"no search '{name}' in the registry")
    return SearchRecord(**row)


def _update(connection: sa.Connection, name: str, **values: Mapping[str, Any] | None) -> None:
    changed = tables.searches.update().where(_SEARCHES.name == name).values(**values)
    if connection.execute(changed).rowcount == 0:
        raise RegistryError(f"no search '{name}' in the registry")
