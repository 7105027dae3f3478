"""The statements about aliases: each works inside the transaction of the connection it is given.

An alias means what its newest entry says that was not undone. Entries are never deleted.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from labelkit.errors import RegistryError, nearest
from labelkit.registry import tables
from labelkit.registry.life import now
from labelkit.registry.reports import AliasRecord

_LIST = "labelkit runs alias --list shows what there is"
_COLUMNS = tables.aliases.c
_RUNS = tables.runs.c


def current(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[AliasRecord]:
    """Return what aliases mean now, by task and name; ``conditions`` are about columns of the table."""
    later = tables.aliases.alias()
    same = (later.c.task == _COLUMNS.task, later.c.name == _COLUMNS.name, later.c.undone.is_(None))
    newest = sa.select(sa.func.max(later.c.id)).where(*same).correlate(tables.aliases).scalar_subquery()
    counts = (_COLUMNS.run.is_not(None), _COLUMNS.id == newest)
    return _records(connection, *counts, *conditions, order=(_COLUMNS.task, _COLUMNS.name))


def history(connection: sa.Connection, task: str, name: str) -> list[AliasRecord]:
    """Return every entry of an alias, oldest first."""
    return _records(connection, _COLUMNS.task == task, _COLUMNS.name == name, order=(_COLUMNS.id,))


def split(connection: sa.Connection, reference: str) -> tuple[str, str]:
    """Return task and name of ``TASK@NAME``, or of ``NAME`` where only one task ever had it.

    :raises RegistryError: nobody ever set it, or several tasks have it.
    """
    query = sa.select(_COLUMNS.task, _COLUMNS.name).distinct().order_by(_COLUMNS.task, _COLUMNS.name)
    known = [(task, name) for task, name in connection.execute(query)]
    found = [(task, name) for task, name in known if reference in (f"{task}@{name}", name)]
    if not found:
        raise unknown_alias(reference, [f"{task}@{name}" for task, name in known])
    if len(found) > 1:
        raise ambiguous(reference, [f"{task}@{name}" for task, name in found])
    return found[0]


def unknown_alias(reference: str, known: list[str]) -> RegistryError:
    """Return the error that there is no such alias."""
    close = nearest(reference, known)
    return RegistryError(f"no alias '{reference}'", hint=close if close.startswith("did") else _LIST)


def ambiguous(name: str, references: list[str]) -> RegistryError:
    """Return the error that several tasks have an alias of this name."""
    return RegistryError(f"'{name}' means several runs: {', '.join(references)}", hint=f"write {references[0]}")


def refuse_called(connection: sa.Connection, name: str) -> None:
    """Check that no run is called ``name``.

    :raises RegistryError: one has that name or id.
    """
    taken = connection.scalar(sa.select(_RUNS.id).where(sa.or_(_RUNS.name == name, _RUNS.id == name)).limit(1))
    if taken is not None:
        raise RegistryError(f"there is a run called '{name}' already: {taken}", hint="choose another name")


def refuse_alias(connection: sa.Connection, name: str) -> None:
    """Check that ``name`` is no alias now.

    :raises RegistryError: it is.
    """
    found = current(connection, _COLUMNS.name == name)
    if found:
        raise RegistryError(
            f"'{name}' is an alias already: {found[0].reference} means {found[0].run}",
            hint="choose another name, or take the alias away: labelkit runs alias --remove",
        )


def add(connection: sa.Connection, task: str, name: str, run: str | None) -> None:
    """Write a new entry."""
    connection.execute(tables.aliases.insert().values(task=task, name=name, run=run, created=now()))


def undo(connection: sa.Connection, task: str, name: str) -> AliasRecord:
    """Mark the newest entry as undone and return what counts now: without a run where nothing is left.

    :raises RegistryError: there is nothing left to undo, or another process was faster.
    """
    mine = (_COLUMNS.task == task, _COLUMNS.name == name, _COLUMNS.undone.is_(None))
    query = sa.select(_COLUMNS.id, _COLUMNS.run, _COLUMNS.created).where(*mine).order_by(_COLUMNS.id.desc()).limit(2)
    rows = connection.execute(query).all()
    if not rows:
        raise RegistryError(f"nothing to undo: '{task}@{name}' is as it was before it was ever set", hint=_LIST)
    statement = tables.aliases.update().where(_COLUMNS.id == rows[0].id, _COLUMNS.undone.is_(None))
    if connection.execute(statement.values(undone=now())).rowcount != 1:
        raise RegistryError(f"'{task}@{name}' is being changed by another process", hint="look, and try again")
    return AliasRecord(task=task, name=name, run=rows[1].run if len(rows) > 1 else None, created=rows[-1].created)


def _records(
    connection: sa.Connection, *conditions: sa.ColumnElement[bool], order: tuple[sa.ColumnElement[Any], ...]
) -> list[AliasRecord]:
    wanted = [_COLUMNS[name] for name in AliasRecord.__dataclass_fields__]
    query = sa.select(*wanted).where(*conditions).order_by(*order)
    return [AliasRecord(**row) for row in connection.execute(query).mappings()]
