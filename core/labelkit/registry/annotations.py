"""Annotations that people add to runs: tags and notes."""

from __future__ import annotations

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import statements, tables
from labelkit.registry.database import Database
from labelkit.registry.liveness import now
from labelkit.registry.names import check_tag

_TAGS = tables.tags.c


class Annotations:
    """Tags and notes of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_tags(self, run: str, *tags: str) -> None:
        """Add tags to a run; those it has already are left alone.

        :raises RegistryError: the run is unknown, or a tag is invalid.
        """
        for tag in tags:
            check_tag(tag)
        with self._database.session(write=True) as connection:
            known = _lock_tags(connection, run)
            rows = [{"run": run, "tag": tag} for tag in dict.fromkeys(tags) if tag not in known]
            if rows:
                connection.execute(tables.tags.insert(), rows)

    def remove_tags(self, run: str, *tags: str) -> None:
        """Remove tags from a run: all of them, or none if the run lacks one.

        :raises RegistryError: the run is unknown, or it lacks a tag.
        """
        with self._database.session(write=True) as connection:
            known = _lock_tags(connection, run)
            if missing := [tag for tag in tags if tag not in known]:
                hint = f"it has {', '.join(sorted(known))}" if known else "it has none"
                raise RegistryError(f"the run '{run}' has no tag '{missing[0]}'", hint=hint)
            connection.execute(tables.tags.delete().where(_TAGS.run == run, _TAGS.tag.in_(tags)))

    def add_note(self, run: str, text: str) -> None:
        """Append a note to a run.

        :raises RegistryError: the run is unknown, or the note is empty.
        """
        if not text.strip():
            raise RegistryError("the note is empty", hint='labelkit runs note RUN "text"')
        with self._database.session(write=True) as connection:
            statements.lock_run(connection, run)
            connection.execute(tables.notes.insert().values(run=run, text=text, created=now()))


def _lock_tags(connection: sa.Connection, run: str) -> set[str]:
    """Return the tags of a run, which is locked until the transaction ends."""
    statements.lock_run(connection, run)
    return set(connection.scalars(sa.select(_TAGS.tag).where(_TAGS.run == run)))


def release_name(connection: sa.Connection, name: str, successor: str) -> None:
    """Take ``name`` from the run that has it, if one has, and note there which run has it now."""
    columns = tables.runs.c
    run = connection.scalar(sa.select(columns.id).where(columns.name == name).with_for_update())
    if run is None:
        return
    connection.execute(tables.runs.update().where(columns.id == run).values(name=None))
    text = f"was called {name} until run {successor} took the name"
    connection.execute(tables.notes.insert().values(run=run, text=text, created=now()))
