"""What people add to runs: aliases, tags and notes."""

from __future__ import annotations

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import aliases, tables
from labelkit.registry.base import Base
from labelkit.registry.find import unknown_run
from labelkit.registry.life import now
from labelkit.registry.names import check_name, check_tag
from labelkit.registry.reports import AliasRecord

_RUNS = tables.runs.c


class Curating(Base):
    """Names and words for runs."""

    def tag(self, run: str, *tags: str) -> None:
        """Give a run tags; those that it has already stay.

        :raises RegistryError: there is no such run, or a tag is malformed.
        """
        for tag in tags:
            check_tag(tag)
        columns = tables.tags.c
        with self._database.session(write=True) as connection:
            _hold(connection, run)
            known = set(connection.scalars(sa.select(columns.tag).where(columns.run == run)))
            fresh = [{"run": run, "tag": tag} for tag in dict.fromkeys(tags) if tag not in known]
            if fresh:
                connection.execute(tables.tags.insert(), fresh)

    def untag(self, run: str, *tags: str) -> None:
        """Take tags from a run.

        :raises RegistryError: there is no such run, or it has no such tag: then it keeps all.
        """
        columns = tables.tags.c
        with self._database.session(write=True) as connection:
            _hold(connection, run)
            known = set(connection.scalars(sa.select(columns.tag).where(columns.run == run)))
            if missing := [tag for tag in tags if tag not in known]:
                has = f"it has {', '.join(sorted(known))}" if known else "it has none"
                raise RegistryError(f"the run '{run}' has no tag '{missing[0]}'", hint=has)
            connection.execute(tables.tags.delete().where(columns.run == run, columns.tag.in_(tags)))

    def note(self, run: str, text: str) -> None:
        """Write something about a run, beside what was written before.

        :raises RegistryError: there is no such run, or nothing is written.
        """
        if not text.strip():
            raise RegistryError("an empty note says nothing", hint='labelkit runs note RUN "text"')
        with self._database.session(write=True) as connection:
            _hold(connection, run)
            connection.execute(tables.notes.insert().values(run=run, text=text, created=now()))

    def alias(self, run: str, name: str) -> AliasRecord:
        """Have ``TASK@NAME`` mean a run, of whose task it then is; what it meant before stays in its history.

        :raises LabelkitError: the name is malformed or reserved.
        :raises RegistryError: there is no such run, or a run has this name or id.
        """
        check_name(name, "an alias")
        with self._database.session(alone=True) as connection:
            task = _hold(connection, run)
            aliases.refuse_called(connection, name)
            aliases.add(connection, task, name, run)
            return aliases.history(connection, task, name)[-1]

    def remove_alias(self, reference: str) -> AliasRecord:
        """Take an alias away and return what it meant; its history stays, and :meth:`undo_alias` brings it back.

        :param reference: ``TASK@NAME``, or ``NAME`` where only one task has it.
        :raises RegistryError: there is no such alias, or several.
        """
        with self._database.session(alone=True) as connection:
            task, name = aliases.split(connection, reference)
            found = aliases.current(connection, tables.aliases.c.task == task, tables.aliases.c.name == name)
            if not found:
                raise RegistryError(f"'{task}@{name}' means no run now", hint="it was taken away already")
            aliases.add(connection, task, name, None)
            return found[0]

    def undo_alias(self, reference: str) -> AliasRecord:
        """Have an alias mean again what it meant before it was last set or taken away, and return that.

        :param reference: ``TASK@NAME``, or ``NAME`` where only one task has it.
        :returns: its ``run`` is None where the alias means nothing now.
        :raises RegistryError: there is nothing to undo, what it meant was removed, or a run has its name by now.
        """
        with self._database.session(alone=True) as connection:
            task, name = aliases.split(connection, reference)
            found = aliases.undo(connection, task, name)
            if found.run is None:
                return found
            if connection.scalar(sa.select(_RUNS.id).where(_RUNS.id == found.run).with_for_update()) is None:
                raise RegistryError(
                    f"'{task}@{name}' meant the run '{found.run}', which was removed",
                    hint=f"labelkit runs alias RUN {name} gives it another run",
                )
            aliases.refuse_called(connection, name)
            return found

    def aliases(self, task: str | None = None) -> list[AliasRecord]:
        """Return what each alias means now: all of them, or those of a task."""
        conditions = [] if task is None else [tables.aliases.c.task == task]
        with self._database.session() as connection:
            return aliases.current(connection, *conditions)

    def alias_history(self, reference: str) -> list[AliasRecord]:
        """Return all that an alias ever meant, oldest first.

        :param reference: ``TASK@NAME``, or ``NAME`` where only one task has it.
        :raises RegistryError: nobody ever set it, or several tasks have it.
        """
        with self._database.session() as connection:
            return aliases.history(connection, *aliases.split(connection, reference))

    def check_free(self, name: str) -> None:
        """Check that a run may be called ``name``.

        :raises LabelkitError: it is malformed or reserved.
        :raises RegistryError: a run has that name or id, or it is an alias.
        """
        check_name(name, "a run")
        with self._database.session() as connection:
            aliases.refuse_called(connection, name)
            aliases.refuse_alias(connection, name)


def _hold(connection: sa.Connection, run: str) -> str:
    """Return the task of a run, which nobody can remove until the transaction ends.

    :raises RegistryError: there is no such run.
    """
    task = connection.scalar(sa.select(_RUNS.task).where(_RUNS.id == run).with_for_update())
    if task is None:
        raise unknown_run(run)
    return task
