"""The registry as the rest of labelkit uses it: what is recorded of runs, and what can be asked."""

from __future__ import annotations

import platform
import secrets
import string
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.events import Status
from labelkit.registry import queries, tables, writes
from labelkit.registry.database import BUSY_SECONDS, Database
from labelkit.registry.figures import figures
from labelkit.registry.find import find, unknown_run
from labelkit.registry.home import Home
from labelkit.registry.models import RunDetails, RunFacts, RunRecord, RunSummary, now


def new_run_id(task: str, started: datetime | None = None) -> str:
    """Return an id for a run of ``task``: UTC time and a random end, as ``ner-20261121-153012-a1b2c3``."""
    letters = string.ascii_lowercase + string.digits
    end = "".join(secrets.choice(letters) for _ in range(6))
    return f"{task}-{started or now():%Y%m%d-%H%M%S}-{end}"


class Registry:
    """What is known of all runs. What a method records is on the disk when it returns.

    Each raises :class:`RegistryError` or :class:`StorageError` when the database refuses, with what to do.
    """

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

    # What is recorded

    def start_run(self, record: RunRecord) -> None:
        """Record that a run began.

        :raises RegistryError: its id is taken.
        """
        given = {one.name: getattr(record, one.name) for one in fields(record)}
        rows = {name: given.pop(name) for name in writes.ROWS}
        row = {**given, "group_id": given.pop("group"), "status": "running", "heartbeat": record.started}
        with self._database.session(write=True) as connection:
            if writes.exists(connection, record.id):
                raise RegistryError(f"there is a run '{record.id}' already")
            connection.execute(tables.runs.insert(), row)
            writes.insert_rows(connection, record.id, rows)

    def update_run(self, run: str, **facts: Unpack[RunFacts]) -> None:
        """Record what was learned about a run after its start; rows given replace those of the same key.

        :raises RegistryError: there is no such run.
        """
        values: dict[str, Any] = {**facts}
        rows = {name: values.pop(name) for name in writes.ROWS if name in values}
        with self._database.session(write=True) as connection:
            writes.update_run(connection, run, values)
            writes.delete_rows(connection, run, rows)
            writes.insert_rows(connection, run, rows)

    def heartbeat(self, run: str) -> None:
        """Record that a run is alive.

        :raises RegistryError: there is no such run.
        """
        with self._database.session(write=True) as connection:
            writes.update_run(connection, run, {})

    def record_metrics(
        self,
        run: str,
        *,
        task: str,
        split: str,
        metrics: Mapping[str, Any],
        step: int,
        epoch: float,
        chosen: bool = False,
        train_loss: float | None = None,
    ) -> None:
        """Record the scores of a split after ``step`` optimizer steps, in place of any it has for that step.

        :param metrics: names to figures; ``per_type`` may map types to such a mapping.
        :param chosen: these are the scores of the checkpoint that is the run's best so far.
        :param train_loss: the mean loss since the scores before; kept as ``loss`` of the split ``train``.
        :raises RegistryError: there is no such run.
        """
        found = list(figures(metrics, task=task, split=split, step=step, epoch=epoch))
        loss = {} if train_loss is None else {"loss": train_loss}
        trained = list(figures(loss, task=task, split="train", step=step, epoch=epoch))
        with self._database.session(write=True) as connection:
            writes.update_run(connection, run, {})
            for each in (found, trained):
                writes.replace_figures(connection, tables.metrics, run, each, same_step=True)
            if chosen:
                writes.replace_figures(connection, tables.scores, run, found, same_step=False)

    def record_checkpoint(
        self,
        run: str,
        folder: Path,
        *,
        step: int,
        epoch: float,
        best: bool,
        files: Mapping[str, tuple[int, str]],
    ) -> None:
        """Record a checkpoint whose folder is complete on the disk: now the run's last, and if so its best.

        :param folder: inside the home. A checkpoint that had this folder before counts as deleted.
        :param files: name → (size in bytes, SHA-256).
        :raises RegistryError: there is no such run, or the folder is not in the home.
        """
        path = self._relative(folder)
        columns = tables.checkpoints.c
        row = {"run": run, "store": self._here.store, "path": path, "step": step, "epoch": epoch}
        with self._database.session(write=True) as connection:
            writes.update_run(connection, run, {})
            connection.execute(self._gone(path))
            others = tables.checkpoints.update().where(columns.run == run)
            connection.execute(others.values(is_last=False, **({"is_best": False} if best else {})))
            made = connection.execute(
                tables.checkpoints.insert().values(**row, is_best=best, is_last=True, created=now())
            )
            writes.insert_files(connection, made, files)

    def checkpoint_removed(self, folder: Path) -> None:
        """Record that a checkpoint's folder was deleted.

        :raises RegistryError: no checkpoint is recorded there.
        """
        with self._database.session(write=True) as connection:
            if connection.execute(self._gone(self._relative(folder))).rowcount == 0:
                raise RegistryError(f"no checkpoint is recorded at {folder}")

    def finish(
        self, run: str, status: Status, *, seconds: float, error: str | None = None, hint: str | None = None
    ) -> None:
        """Record how a running run ended; one that has ended stays as it is.

        :raises RegistryError: there is no such run, or it is not running.
        """
        ended = now()
        columns = tables.runs.c
        statement = (
            tables.runs.update()
            .where(columns.id == run, columns.status == "running")
            .values(status=status, ended=ended, heartbeat=ended, seconds=seconds, error=error, hint=hint)
        )
        with self._database.session(write=True) as connection:
            if connection.execute(statement).rowcount == 1:
                return
            before = connection.scalar(sa.select(columns.status).where(columns.id == run))
            raise (RegistryError(f"the run '{run}' has ended already: {before}") if before else unknown_run(run))

    # What can be asked

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

    # Within

    def _register(self, store: str, created: datetime) -> None:
        columns = tables.stores.c
        place = {"host": platform.node(), "root": str(self.home.root)}
        known = sa.select(columns.host, columns.root).where(columns.id == store)
        with self._database.session() as connection:
            row = connection.execute(known).one_or_none()
        if row is not None and tuple(row) == tuple(place.values()):
            return
        with self._database.session(write=True) as connection:
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

    def _gone(self, path: str) -> sa.Update:
        columns = tables.checkpoints.c
        here = tables.checkpoints.update().where(columns.store == self._here.store, columns.path == path)
        return here.where(columns.removed.is_(None)).values(removed=now(), is_last=False)
