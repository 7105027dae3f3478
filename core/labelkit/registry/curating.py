"""What people add to runs: aliases, tags and notes; and where a file came from."""

from __future__ import annotations

from labelkit.registry import tables, writes
from labelkit.registry.base import Base
from labelkit.registry.find import unknown_run
from labelkit.registry.life import now


class Curating(Base):
    """Names and words for runs."""

    def tag(self, run: str, *tags: str) -> None:
        """Give a run tags; those that it has already stay.

        :raises RegistryError: there is no such run.
        """
        columns = tables.tags.c
        with self._database.session(write=True) as connection:
            if not writes.exists(connection, run):
                raise unknown_run(run)
            connection.execute(tables.tags.delete().where(columns.run == run, columns.tag.in_(tags)))
            connection.execute(tables.tags.insert(), [{"run": run, "tag": tag} for tag in dict.fromkeys(tags)])

    def note(self, run: str, text: str) -> None:
        """Write something about a run, beside what was written before.

        :raises RegistryError: there is no such run.
        """
        with self._database.session(write=True) as connection:
            if not writes.exists(connection, run):
                raise unknown_run(run)
            connection.execute(tables.notes.insert().values(run=run, text=text, created=now()))
