"""What can be asked of the registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.errors import RegistryError
from labelkit.events import Status
from labelkit.registry import queries, writes
from labelkit.registry.base import Base
from labelkit.registry.find import find, no_best, unknown_run
from labelkit.registry.models import Group, RunDetails, RunSummary
from labelkit.registry.ranking import Ranking, rankings

if TYPE_CHECKING:
    from labelkit.registry.compare import Comparison
    from labelkit.registry.query import ResultTable

# What only some questions need is imported when they are asked: 0.03 s of each command that opens the registry.


class Asking(Base):
    """Questions change nothing."""

    def runs(
        self,
        *,
        task: str | None = None,
        status: Status | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        data: str | None = None,
        model: str | None = None,
        since: str | None = None,
        until: str | None = None,
        where: str | None = None,
        columns: Sequence[str] = (),
        sort: str | None = None,
        limit: int | None = None,
    ) -> list[RunSummary]:
        """Return the runs that meet everything that is given, newest first.

        :param status: as it is shown: a run that died without a word is ``stale``.
        :param tags: it has all of them.
        :param since: when it started, at the earliest; a day (``2026-11-21``) or an age (``3d``); so is ``until``.
        :param where: a condition, such as ``"validation.f1 > 0.4 and lr < 1e-4"``.
        :param columns: columns, settings and figures to tell besides, named as in ``where``.
        :param sort: one of those to sort by, with a minus before it the greatest first; runs without it come last.
        :raises RegistryError: ``where``, ``columns`` or ``sort`` name what there is not, or cannot be read.
        """
        equal = {"task": task, "status": status, "group": group, "data": data, "model": model}
        asked = [(name, "=", value) for name, value in equal.items() if value is not None]
        asked += [("tag", "=", tag) for tag in tags]
        asked += [("started", sign, time) for sign, time in ((">=", since), ("<=", until)) if time is not None]
        with self._database.session() as connection:
            if not (asked or where or columns or sort):
                return queries.summaries(connection, limit=limit)
            from labelkit.registry.fields import Fields

            fields = Fields(connection)
            conditions = [fields.compare(*one) for one in asked]
            conditions += [fields.condition(where)] if where is not None else []
            shown = {name: fields.named(name) for name in columns}
            order = fields.order(sort) if sort else ()
            return queries.summaries(connection, *conditions, limit=limit, order=order, columns=shown)

    def best(self, task: str | None = None, *, group: str = "", limit: int | None = None) -> list[Ranking]:
        """Return the finished runs of a task, or of every task, ranked by validation in groups that may be compared.

        :param group: only the runs of a data reference, or of the beginning of a validation hash.
        :param limit: of each group so many runs.
        :raises RegistryError: there is no such run.
        """
        with self._database.session() as connection:
            tasks = [task] if task is not None else queries.tasks(connection)
            found = [one for each in tasks for one in rankings(connection, each, group=group, limit=limit)]
            if not found and task is None:
                raise RegistryError("no finished run with a validation score", hint="labelkit run TASK makes one")
            if not found:
                raise no_best(connection, str(task), group)
        return found

    def compare(self, *runs: str) -> Comparison:
        """Return how the runs with these ids differ.

        :raises RegistryError: there is no such run, or they are fewer than two.
        """
        from labelkit.registry.compare import compare

        return compare([self.show(run) for run in runs])

    def query(self, sql: str, *, seconds: float = 60.0) -> ResultTable:
        """Return what a SELECT finds in the views of ``docs/registry.md``; nothing can be changed.

        :param seconds: after this long the question is given up.
        :raises RegistryError: it is no SELECT, it fails, or it takes too long.
        """
        from labelkit.registry.query import query

        with self._database.session() as connection:
            return query(connection, sql, seconds=seconds)

    def export_rows(self, *, where: str | None = None, long: bool = False) -> ResultTable:
        """Return a row for each run with its settings and scores, oldest first; or a row for each score.

        :param where: a condition as in :meth:`runs`.
        :param long: a row for each figure of the chosen checkpoints.
        :raises RegistryError: ``where`` cannot be read.
        """
        from labelkit.registry import export
        from labelkit.registry.fields import Fields

        with self._database.session() as connection:
            conditions = [] if where is None else [Fields(connection).condition(where)]
            return (export.long if long else export.wide)(connection, conditions)

    def find(self, reference: str, *, finished: bool = False) -> RunSummary:
        """Return the run that ``reference`` means.

        That is an alias (``TASK@ALIAS``, or ``ALIAS`` where only one task has it), an exact id, the name of a single
        run, the unique beginning of an id, ``latest``, ``TASK@best``, or ``TASK@best:GROUP`` where GROUP is a data
        reference or the beginning of the content hash of a validation split.

        :param finished: ``latest`` passes over runs that did not finish.
        :raises SeveralRunsError: several answer to it.
        :raises RegistryError: none does; or for ``best`` some that cannot be compared: all listed.
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

    def group(self, name: str) -> Group:
        """Return what the runs of a group scored.

        :raises RegistryError: no run is of it.
        """
        from labelkit.registry.groups import group

        with self._database.session() as connection:
            found = group(connection, name)
        if found is None:
            raise RegistryError(f"no group '{name}' in the registry", hint="labelkit runs list shows groups")
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
