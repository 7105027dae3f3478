"""Aliases: names such as ``ner@prod`` that refer to runs, with their history.

Entries are only appended. An alias refers to the run of its newest entry that was not undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from labelkit.errors import RegistryError, nearest
from labelkit.registry import statements, tables
from labelkit.registry.database import Database
from labelkit.registry.liveness import now
from labelkit.registry.names import check_name

_HINT = "labelkit runs alias --list shows all aliases"
_COLUMNS = tables.aliases.c
_RUNS = tables.runs.c


@dataclass(frozen=True, kw_only=True, slots=True)
class AliasRecord:
    """One entry in the history of an alias.

    :param run: the run it refers to from then on; None if the alias was removed.
    :param undone: when the entry was undone, None if it was not.
    """

    task: str
    name: str
    run: str | None
    created: datetime
    undone: datetime | None = None

    @property
    def reference(self) -> str:
        """The alias as users write it: ``TASK@NAME``."""
        return f"{self.task}@{self.name}"


class Aliases:
    """Aliases of runs. A ``reference`` is ``TASK@NAME``, or ``NAME`` where only one task has that alias."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def assign(self, run: str, name: str) -> AliasRecord:
        """Assign the alias ``TASK@NAME`` to a run, where TASK is the task of the run; it is reassigned if it exists.

        :raises LabelkitError: the name is invalid or reserved.
        :raises RegistryError: the run is unknown, or some run has this name or id.
        """
        check_name(name, "an alias")
        with self._database.session(alone=True) as connection:
            task = statements.lock_run(connection, run)
            check_no_run(connection, name)
            append_entry(connection, task, name, run)
            return _records(connection, task, name)[-1]

    def remove(self, reference: str) -> AliasRecord:
        """Remove an alias and return its last entry; the history stays, and :meth:`undo` restores it.

        :raises RegistryError: the alias is unknown, ambiguous, or removed already.
        """
        with self._database.session(alone=True) as connection:
            task, name = _parse(connection, reference)
            found = current(connection, task=task, name=name)
            if not found:
                raise RegistryError(f"'{task}@{name}' refers to no run", hint="it was removed already")
            append_entry(connection, task, name, None)
            return found[0]

    def undo(self, reference: str) -> AliasRecord:
        """Undo the newest change of an alias and return the entry that counts now.

        :returns: an entry whose ``run`` is None if the alias refers to no run now.
        :raises RegistryError: nothing is left to undo, the run was deleted since, or some run has the name by now.
        """
        with self._database.session(alone=True) as connection:
            task, name = _parse(connection, reference)
            found = _undo(connection, task, name)
            if found.run is None:
                return found
            if connection.scalar(sa.select(_RUNS.id).where(_RUNS.id == found.run).with_for_update()) is None:
                raise RegistryError(
                    f"'{task}@{name}' referred to the run '{found.run}', which was deleted",
                    hint=f"labelkit runs alias RUN {name} assigns it to another run",
                )
            check_no_run(connection, name)
            return found

    def current(self, task: str | None = None) -> list[AliasRecord]:
        """Return the entry that counts for each alias, of all tasks or of one, by task and name."""
        with self._database.session() as connection:
            return current(connection) if task is None else current(connection, task=task)

    def history(self, reference: str) -> list[AliasRecord]:
        """Return all entries of an alias, oldest first.

        :raises RegistryError: the alias is unknown or ambiguous.
        """
        with self._database.session() as connection:
            return _records(connection, *_parse(connection, reference))

    def check_available(self, name: str) -> None:
        """Check that a new run may be named ``name``.

        :raises LabelkitError: the name is invalid or reserved.
        :raises RegistryError: a run has that name or id, or it is an alias.
        """
        check_name(name, "a run")
        with self._database.session() as connection:
            check_unused(connection, name)


def current(connection: sa.Connection, **equal: str) -> list[AliasRecord]:
    """Return the entry that counts for each alias, by task and name.

    :param equal: column and value of the entries to return: ``task``, ``name``, ``run``.
    """
    later = tables.aliases.alias()
    same = (later.c.task == _COLUMNS.task, later.c.name == _COLUMNS.name, later.c.undone.is_(None))
    newest = sa.select(sa.func.max(later.c.id)).where(*same).correlate(tables.aliases).scalar_subquery()
    conditions = [_COLUMNS[name] == value for name, value in equal.items()]
    query = sa.select(*_columns()).where(_COLUMNS.run.is_not(None), _COLUMNS.id == newest, *conditions)
    rows = connection.execute(query.order_by(_COLUMNS.task, _COLUMNS.name)).mappings()
    return [AliasRecord(**row) for row in rows]


def append_entry(connection: sa.Connection, task: str, name: str, run: str | None) -> None:
    """Append an entry to the history of an alias; without a run the alias is removed."""
    connection.execute(tables.aliases.insert().values(task=task, name=name, run=run, created=now()))


def check_no_run(connection: sa.Connection, name: str) -> None:
    """Raise RegistryError if a run has ``name`` as its name or id."""
    taken = connection.scalar(sa.select(_RUNS.id).where(sa.or_(_RUNS.name == name, _RUNS.id == name)).limit(1))
    if taken is not None:
        raise RegistryError(f"there is a run called '{name}' already: {taken}", hint="choose another name")


def check_unused(connection: sa.Connection, name: str) -> None:
    """Raise RegistryError if ``name`` is the name or id of a run, or an alias."""
    check_no_run(connection, name)
    if found := current(connection, name=name):
        raise RegistryError(
            f"'{name}' is an alias already: {found[0].reference} refers to {found[0].run}",
            hint="choose another name, or remove the alias: labelkit runs alias --remove",
        )


def ambiguous_alias(name: str, references: Sequence[str]) -> RegistryError:
    """Return the error that several tasks have an alias ``name``."""
    return RegistryError(f"'{name}' is ambiguous: {', '.join(references)}", hint=f"write {references[0]}")


def _columns() -> list[sa.ColumnElement[object]]:
    return [_COLUMNS[name] for name in AliasRecord.__dataclass_fields__]


def _records(connection: sa.Connection, task: str, name: str) -> list[AliasRecord]:
    query = sa.select(*_columns()).where(_COLUMNS.task == task, _COLUMNS.name == name).order_by(_COLUMNS.id)
    return [AliasRecord(**row) for row in connection.execute(query).mappings()]


def _parse(connection: sa.Connection, reference: str) -> tuple[str, str]:
    """Return task and name of an alias that exists or existed.

    :raises RegistryError: the alias is unknown, or several tasks have it.
    """
    query = sa.select(_COLUMNS.task, _COLUMNS.name).distinct().order_by(_COLUMNS.task, _COLUMNS.name)
    known = {f"{task}@{name}": (task, name) for task, name in connection.execute(query)}
    found = [written for written, (_, name) in known.items() if reference in (written, name)]
    if not found:
        close = nearest(reference, list(known))
        raise RegistryError(f"no alias '{reference}'", hint=close if close.startswith("did") else _HINT)
    if len(found) > 1:
        raise ambiguous_alias(reference, found)
    return known[found[0]]


def _undo(connection: sa.Connection, task: str, name: str) -> AliasRecord:
    """Mark the newest entry as undone and return the entry that counts now.

    :raises RegistryError: nothing is left to undo, or another process was faster.
    """
    live = (_COLUMNS.task == task, _COLUMNS.name == name, _COLUMNS.undone.is_(None))
    query = sa.select(_COLUMNS.id, _COLUMNS.run, _COLUMNS.created).where(*live).order_by(_COLUMNS.id.desc()).limit(2)
    rows = connection.execute(query).all()
    if not rows:
        raise RegistryError(f"nothing to undo: '{task}@{name}' has no entry left", hint=_HINT)
    statement = tables.aliases.update().where(_COLUMNS.id == rows[0].id, _COLUMNS.undone.is_(None))
    if connection.execute(statement.values(undone=now())).rowcount != 1:
        raise RegistryError(f"'{task}@{name}' is being changed by another process", hint="check it and try again")
    return AliasRecord(task=task, name=name, run=rows[1].run if len(rows) > 1 else None, created=rows[-1].created)
