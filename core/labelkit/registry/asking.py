"""What can be asked of the registry."""

from __future__ import annotations

from pathlib import Path

from labelkit.errors import RegistryError
from labelkit.events import Status
from labelkit.registry import queries, tables, writes
from labelkit.registry.base import Base
from labelkit.registry.find import find, unknown_run
from labelkit.registry.models import RunDetails, RunSummary


class Asking(Base):
    """Questions change nothing."""

    def runs(
        self,
        *,
        task: str | None = None,
        status: Status | None = None,
        group: str | None = None,
        limit: int | None = None,
    ) -> list[RunSummary]:
        """Return runs, newest first: all of them, or those of a task, status or group."""
        columns = tables.runs.c
        asked = ((columns.task, task), (columns.status, status), (columns.group_id, group))
        conditions = [column == value for column, value in asked if value is not None]
        with self._database.session() as connection:
            return queries.summaries(connection, *conditions, limit=limit)

    def find(self, reference: str, *, finished: bool = False) -> RunSummary:
        """Return the run that ``reference`` means.

        That is an exact id, the name of a single run, the unique beginning of an id, ``latest``,
        ``TASK@best``, or ``TASK@best:GROUP`` where GROUP is a data reference or the beginning of the content
        hash of a validation split.

        :param finished: ``latest`` passes over runs that did not finish.
        :raises RegistryError: no run, or several, or for ``best`` some that cannot be compared: all listed.
        """
        with self._database.session() as connection:
            return find(connection, reference, finished=finished)

    def show(self, run: str) -> RunDetails:
        """Return everything about the run with the id ``run``.

        :raises RegistryError: there is no such run.
        """
        with self._database.session() as connection:
            found = queries.details(connection, run, self._here)
        if found is None:
            raise unknown_run(run)
        return found

    def checkpoint_folder(self, run: str) -> Path:
        """Return the folder of the run's best checkpoint.

        :raises RegistryError: there is no such run, it has none, it was deleted, or it is on another machine.
        """
        with self._database.session() as connection:
            if not writes.exists(connection, run):
                raise unknown_run(run)
            found = [one for one in queries.checkpoints(connection, run, self._here) if one.best]
        if not found or found[-1].removed:
            raise RegistryError(
                f"the run '{run}' has no checkpoint" + (" any more" if found else ""),
                hint="labelkit runs list shows how runs ended",
            )
        if found[-1].folder is None:
            raise RegistryError(
                f"the checkpoint of '{run}' is {found[-1].place}",
                hint="copy that folder here and name it by its path",
            )
        return found[-1].folder
