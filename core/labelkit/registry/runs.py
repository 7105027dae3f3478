"""Searching, ranking, comparing and exporting runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.events import Status
from labelkit.registry import queries, ranking, references, statements, tables
from labelkit.registry.database import Database
from labelkit.registry.entities import RunDetails, RunSummary
from labelkit.registry.group_entities import Group
from labelkit.registry.home import LocalStore
from labelkit.registry.names import unknown_run

if TYPE_CHECKING:
    from labelkit.registry.comparison import Comparison
    from labelkit.registry.filter_parser import Operator
    from labelkit.registry.sql_query import ResultTable

#: the settings that say when a training ends; the first one counts where it is given
_PLANNED = ("train.max_steps", "train.num_train_epochs")

# Modules that only some methods need are imported there: it spares each command 0.03 s.


class Runs:
    """Reads runs; nothing here writes."""

    def __init__(self, database: Database, store: LocalStore) -> None:
        self._database = database
        self._store = store

    def search(
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
        offset: int = 0,
    ) -> list[RunSummary]:
        """Return the runs that meet all conditions, newest first.

        :param status: the status as shown: a running run whose process died is ``stale``.
        :param tags: the run has all of them.
        :param since: the earliest start: a day (``2026-11-21``) or an age (``3d``).
        :param until: the latest start, likewise.
        :param where: a filter expression, such as ``"validation.f1 > 0.4 and lr < 1e-4"``.
        :param columns: further columns, settings and metrics to return, named as in ``where``.
        :param sort: the column, setting or metric to sort by, descending with a minus before it; runs without a
            value come last.
        :param limit: the number of runs to return, after the first ``offset`` ones.
        :raises RegistryError: a name in ``where``, ``columns`` or ``sort`` is unknown, or a syntax error.
        """
        equal = {"task": task, "status": status, "group": group, "data": data, "model": model}
        tests: list[tuple[str, Operator, str]] = [
            (name, "=", value) for name, value in equal.items() if value is not None
        ]
        tests += [("tag", "=", tag) for tag in tags]
        tests += [("started", ">=", since)] if since is not None else []
        tests += [("started", "<=", until)] if until is not None else []
        with self._database.session() as connection:
            if not (tests or where or columns or sort):
                return queries.summaries(connection, limit=limit, offset=offset)
            from labelkit.registry.filters import Fields

            fields = Fields(connection)
            conditions = [fields.compare(*test) for test in tests]
            conditions += [fields.condition(where)] if where is not None else []
            shown = {name: fields.named(name) for name in columns}
            order = fields.order(sort) if sort else ()
            return queries.summaries(connection, *conditions, limit=limit, offset=offset, order=order, columns=shown)

    def count(self, *, where: str | None = None) -> int:
        """Return the number of runs that meet a filter expression, or of all runs.

        :raises RegistryError: a name in ``where`` is unknown, or a syntax error.
        """
        query = sa.select(sa.func.count()).select_from(tables.runs)
        with self._database.session() as connection:
            if where is not None:
                from labelkit.registry.filters import Fields

                query = query.where(Fields(connection).condition(where))
            return connection.execute(query).scalar_one()

    def progress(self, runs: Sequence[str]) -> dict[str, float]:
        """Return run → the share of its planned steps or epochs at its last recorded metric, for ``runs`` with one."""
        metrics, plan = tables.metrics.c, tables.plan_values.c
        query = sa.select(metrics.run, sa.func.max(metrics.step), sa.func.max(metrics.epoch))
        planned = sa.select(plan.run, plan.key, plan.number).where(plan.run.in_(runs), plan.key.in_(_PLANNED))
        with self._database.session() as connection:
            done = connection.execute(query.where(metrics.run.in_(runs)).group_by(metrics.run)).all()
            wanted = {(run, key): number or 0 for run, key, number in connection.execute(planned)}
        shares = {}
        for run, step, epoch in done:
            steps, epochs = (wanted.get((run, key), 0) for key in _PLANNED)
            if steps > 0 or epochs > 0:
                shares[run] = min(1.0, step / steps if steps > 0 else epoch / epochs)
        return shares

    def find(self, reference: str, *, finished: bool = False) -> RunSummary:
        """Return the run that ``reference`` refers to.

        A reference is an alias (``TASK@ALIAS``, or ``ALIAS`` where only one task has it), an id or a unique prefix
        of one, the name of a single run, ``latest``, ``TASK@best``, or ``TASK@best:GROUP`` where GROUP is a data
        reference or a prefix of the content hash of a validation split.

        :param finished: ``latest`` refers to the latest run that finished or was adopted.
        :raises SeveralRunsError: the reference is ambiguous.
        :raises RegistryError: no run matches; or several that cannot be compared match ``best``.
        """
        with self._database.session() as connection:
            return references.find(connection, reference, finished=finished)

    def get(self, run: str) -> RunDetails:
        """Return everything recorded about the run with the id ``run``.

        :raises RegistryError: the run is unknown.
        """
        with self._database.session() as connection:
            found = queries.details(connection, run, self._store)
        if found is None:
            raise unknown_run(run)
        return found

    def named(self, name: str) -> RunDetails | None:
        """Return everything recorded about the run that was given ``name``; None where no run has it."""
        with self._database.session() as connection:
            run = connection.scalar(sa.select(tables.runs.c.id).where(tables.runs.c.name == name))
            return None if run is None else queries.details(connection, run, self._store)

    def group(self, name: str) -> Group:
        """Return the metrics of a group of runs that differ in their seed only.

        :raises RegistryError: the group is unknown.
        """
        from labelkit.registry.seed_groups import group

        with self._database.session() as connection:
            found = group(connection, name)
        if found is None:
            raise RegistryError(f"no group '{name}' in the registry", hint="labelkit runs list shows groups")
        return found

    def rankings(self, task: str | None = None, *, group: str = "", limit: int | None = None) -> list[ranking.Ranking]:
        """Return the finished runs of a task, or of all, ranked by validation within groups that can be compared.

        :param group: only runs on a data reference, or with a prefix of a validation hash.
        :param limit: the number of runs to return of each group.
        :raises RegistryError: no such run finished.
        """
        with self._database.session() as connection:
            tasks = [task] if task is not None else queries.tasks(connection)
            found = [one for each in tasks for one in ranking.rankings(connection, each, group=group, limit=limit)]
            if not found and task is None:
                raise RegistryError("no finished run with a validation score", hint="labelkit run TASK trains one")
            if not found:
                raise references.no_best(connection, str(task), group)
        return found

    def compare(self, *runs: str) -> Comparison:
        """Return how the runs with these ids differ.

        :raises RegistryError: a run is unknown, or fewer than two are given.
        """
        from labelkit.registry.comparison import compare

        return compare([self.get(run) for run in runs])

    def export(self, *, where: str | None = None, long: bool = False) -> ResultTable:
        """Return a table with a row for each run, oldest first, with its settings and scores.

        :param where: a filter expression as in :meth:`search`.
        :param long: return a row for each score of the best checkpoints instead.
        :raises RegistryError: ``where`` is invalid.
        """
        from labelkit.registry import export
        from labelkit.registry.filters import Fields

        with self._database.session() as connection:
            conditions = [] if where is None else [Fields(connection).condition(where)]
            return (export.long if long else export.wide)(connection, conditions)

    def checkpoint_folder(self, run: str) -> Path:
        """Return the folder of the run's best checkpoint.

        :raises RegistryError: the run is unknown, or its checkpoint is missing, deleted or on another machine.
        """
        with self._database.session() as connection:
            if not statements.exists(connection, run):
                raise unknown_run(run)
            found = [one for one in queries.checkpoints(connection, run, self._store) if one.best]
        if not found or found[-1].removed:
            raise RegistryError(
                f"the run '{run}' has no checkpoint" + (" any more" if found else ""),
                hint="labelkit runs list shows how runs ended",
            )
        if found[-1].folder is None:
            raise RegistryError(
                f"the checkpoint of '{run}' is {found[-1].place}",
                hint="copy that folder here and pass its path",
            )
        return found[-1].folder
