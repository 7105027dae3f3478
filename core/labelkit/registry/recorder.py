"""Recording runs while they train, and what is done with their checkpoints later."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Unpack

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.events import Status
from labelkit.registry import aliases, attempts, statements, tables
from labelkit.registry.annotations import release_name
from labelkit.registry.database import Database
from labelkit.registry.entities import Publication, RunFacts, RunRecord
from labelkit.registry.home import LocalStore
from labelkit.registry.liveness import now
from labelkit.registry.metric_rows import figures
from labelkit.registry.names import unknown_run
from labelkit.registry.run_lock import LockState

_CHECKPOINTS = tables.checkpoints.c


class Recorder:
    """Writes to the registry what runs do. What a method records is durable when it returns.

    It writes for the attempts that it started or resumed as long as these are the newest of their runs.
    """

    def __init__(self, database: Database, store: LocalStore) -> None:
        self._database = database
        self._store = store
        #: run → the number of the attempt that this process makes
        self._attempts: dict[str, int] = {}

    def start(self, record: RunRecord, *, takes_name: bool = False) -> None:
        """Record that a run started.

        :param takes_name: a run that has its name loses it, which is noted with that run.
        :raises RegistryError: its id is in use, or its name is: by a run or an alias.
        """
        # A name must stay unique, and a process that takes it concurrently has no row yet that could be locked.
        with self._database.session(write=True, alone=record.name is not None) as connection:
            if record.name is not None and takes_name:
                release_name(connection, record.name, record.id)
            self._insert_run(connection, record, status="running")
        self._attempts[record.id] = 1

    def _insert_run(self, connection: sa.Connection, record: RunRecord, *, status: Status, **more: Any) -> None:
        values = {one.name: getattr(record, one.name) for one in fields(record)}
        rows = {name: values.pop(name) for name in statements.ROWS}
        row = {**values, "group_id": values.pop("group"), "status": status, "heartbeat": record.started, **more}
        if statements.exists(connection, record.id):
            raise RegistryError(f"there is a run '{record.id}' already")
        if record.name is not None:
            aliases.check_unused(connection, record.name)
        connection.execute(tables.runs.insert(), row)
        statements.insert_rows(connection, record.id, rows)

    def adopt(self, record: RunRecord, folder: Path, *, files: Mapping[str, tuple[int, str]]) -> None:
        """Record a checkpoint that labelkit did not train as a run of status ``adopted``.

        :param folder: of the checkpoint, inside the home.
        :param files: name → (size in bytes, SHA-256 in hex).
        :raises RegistryError: its id is in use, or its name is: by a run or an alias.
        """
        path = self._store.relative_path(folder)
        row = {"run": record.id, "store": self._store.id, "path": path, "step": 0, "epoch": 0.0}
        with self._database.session(write=True, alone=record.name is not None) as connection:
            self._insert_run(connection, record, status="adopted", ended=record.started, seconds=0.0)
            inserted = connection.execute(
                tables.checkpoints.insert().values(**row, is_best=True, is_last=True, created=now())
            )
            statements.insert_files(connection, inserted, files)

    def resume(self, run: str, *, lock: LockState | None = None) -> None:
        """Record that this process resumes a run that ended without finishing; its status is ``running`` again.

        The attempt before is recorded as an :class:`Attempt`.

        :param lock: the state of the run's lock before this process took it; None if it took none.
        :raises RegistryError: the run is unknown, it finished, or it is alive.
        """
        attempt = {"host": platform.node(), "pid": os.getpid(), "command": shlex.join(sys.argv)}
        with self._database.session(write=True) as connection:
            number = attempts.resume_run(connection, run, attempt, lock)
        self._attempts[run] = number

    def check_attempt(self, run: str) -> None:
        """Raise if this process may not write for a run any more: to be called before files are written.

        :raises RegistryError: the run was deleted, or a newer attempt has started.
        """
        with self._database.session(write=True) as connection:
            attempts.lock_attempt(connection, run, self._attempts.get(run))

    def rewind(self, run: str, *, step: int, best: Path | None, last: Path | None) -> None:
        """Delete the metrics that a run recorded after ``step``, where it resumes, and mark its other checkpoints gone.

        :param best: the folder of the best checkpoint at that step.
        :param last: the folder of the last checkpoint at that step.
        :raises RegistryError: the run is unknown.
        """
        present = tables.checkpoints.update().where(_CHECKPOINTS.run == run, _CHECKPOINTS.removed.is_(None))
        paths = {
            role: self._store.relative_path(folder) if folder else None
            for role, folder in (("best", best), ("last", last))
        }
        others = present.where(_CHECKPOINTS.path.not_in(set(paths.values()) - {None}))
        chosen = sa.select(_CHECKPOINTS.step).where(
            _CHECKPOINTS.run == run, _CHECKPOINTS.is_best, _CHECKPOINTS.removed.is_(None)
        )
        with self._database.session(write=True) as connection:
            statements.update_run(connection, run, {}, self._attempts.get(run))
            connection.execute(others.values(removed=now()))
            for role, path in paths.items():
                connection.execute(present.values({f"is_{role}": _CHECKPOINTS.path == path if path else False}))
            statements.rewind_figures(connection, run, step, connection.scalar(chosen))

    def update(self, run: str, **facts: Unpack[RunFacts]) -> None:
        """Record facts learned about a run after its start; rows given replace those of the same key.

        :raises RegistryError: the run is unknown.
        """
        values: dict[str, Any] = {**facts}
        rows = {name: values.pop(name) for name in statements.ROWS if name in values}
        with self._database.session(write=True) as connection:
            statements.update_run(connection, run, values, self._attempts.get(run))
            statements.delete_rows(connection, run, rows)
            statements.insert_rows(connection, run, rows)

    def heartbeat(self, run: str) -> None:
        """Record that a run is alive.

        :raises RegistryError: the run is unknown.
        """
        with self._database.session(write=True) as connection:
            statements.update_run(connection, run, {}, self._attempts.get(run))

    def log_metrics(
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
        """Record the metrics of a split after ``step`` optimizer steps; they replace those of the same step.

        :param metrics: name → figure; ``per_type`` may map label types to such a mapping.
        :param chosen: the metrics are those of the best checkpoint so far.
        :param train_loss: the mean loss since the last evaluation; recorded as ``loss`` of the split ``train``.
        :raises RegistryError: the run is unknown.
        """
        found = list(figures(metrics, task=task, split=split, step=step, epoch=epoch))
        loss = {} if train_loss is None else {"loss": train_loss}
        trained = list(figures(loss, task=task, split="train", step=step, epoch=epoch))
        with self._database.session(write=True) as connection:
            known = statements.touch_run(connection, run, (task, split, step), self._attempts.get(run))
            statements.replace_figures(connection, tables.metrics, run, found, same_step=True, known=known)
            statements.replace_figures(connection, tables.metrics, run, trained, same_step=True)
            if chosen:
                statements.replace_figures(connection, tables.scores, run, found, same_step=False)
            if chosen and split != "validation":
                statements.insert_own_test(connection, run, task, split)

    def log_checkpoint(
        self,
        run: str,
        folder: Path,
        *,
        step: int,
        epoch: float,
        best: bool,
        files: Mapping[str, tuple[int, str]],
    ) -> None:
        """Record a checkpoint whose folder is complete on disk as the last of its run, and as its best if ``best``.

        :param folder: a folder inside the home. An earlier checkpoint with this folder is marked deleted.
        :param files: name → (size in bytes, SHA-256 in hex).
        :raises RegistryError: the run is unknown, or the folder is not inside the home.
        """
        path = self._store.relative_path(folder)
        row = {"run": run, "store": self._store.id, "path": path, "step": step, "epoch": epoch}
        with self._database.session(write=True) as connection:
            statements.update_run(connection, run, {}, self._attempts.get(run))
            connection.execute(self._mark_deleted(path))
            others = tables.checkpoints.update().where(_CHECKPOINTS.run == run)
            connection.execute(others.values(is_last=False, **({"is_best": False} if best else {})))
            inserted = connection.execute(
                tables.checkpoints.insert().values(**row, is_best=best, is_last=True, created=now())
            )
            statements.insert_files(connection, inserted, files)

    def log_checkpoint_deletion(self, folder: Path) -> None:
        """Record that the folder of a checkpoint was deleted; it may be recorded already.

        :raises RegistryError: no checkpoint was ever recorded there.
        """
        path = self._store.relative_path(folder)
        with self._database.session(write=True) as connection:
            known = sa.exists().where(_CHECKPOINTS.store == self._store.id, _CHECKPOINTS.path == path)
            # an interrupt may come between the record and the deletion, which is then done again
            if connection.execute(self._mark_deleted(path)).rowcount == 0 and not connection.scalar(sa.select(known)):
                raise RegistryError(f"no checkpoint is recorded at {folder}")

    def finish(
        self, run: str, status: Status, *, seconds: float, error: str | None = None, hint: str | None = None
    ) -> None:
        """Record how a running run ended; a run that has ended already is left alone.

        :param seconds: the duration of this attempt; it is added to those of earlier ones.
        :raises RegistryError: the run is unknown, or it is not running.
        """
        facts = {"status": status, "error": error, "hint": hint, "more_seconds": seconds}
        with self._database.session(write=True) as connection:
            statements.finish_run(connection, run, facts, self._attempts.get(run))

    def log_evaluation(
        self,
        run: str,
        *,
        task: str,
        ref: str,
        split: str,
        content_hash: str,
        examples: int,
        metrics: Mapping[str, Any],
        source: Literal["evaluate", "onnx", "errors", "compare"] = "evaluate",
    ) -> None:
        """Record that the best checkpoint of a run was evaluated after training, or that its errors were inspected.

        :param source: the command: ``"onnx"`` evaluated an ONNX model of the checkpoint; ``"errors"`` and
            ``"compare"`` inspected its labels, without metrics.
        :param metrics: name → figure; ``per_type`` may map label types to such a mapping.
        :raises RegistryError: the run is unknown.
        """
        row = {"task": task, "ref": ref, "split": split, "content_hash": content_hash, "examples": examples}
        found = list(figures(metrics, task=task, split=split, step=0, epoch=0.0))
        with self._database.session(write=True) as connection:
            if not statements.exists(connection, run):
                raise unknown_run(run)
            statements.insert_evaluation(connection, {"run": run, "source": source, **row}, found)
            if split == "validation" and source == "evaluate":
                statements.adopt_validation(connection, run, row, found)

    def log_output(
        self, run: str, path: Path, *, step: int | None, kind: str, size: int, sha256: str, records: int | None = None
    ) -> None:
        """Record a file that was labelled with a checkpoint of ``run``, for its lineage.

        :param step: the step of the checkpoint.
        :param kind: ``"labelled"``, ``"predictions"``, ``"report"`` …
        :param size: in bytes.
        :param sha256: of the content, in hex.
        :param records: the number of records in the file.
        """
        place = {"host": platform.node(), "path": str(path.absolute())}
        row = {"run": run, "step": step, "kind": kind, "size": size, "sha256": sha256, "records": records}
        with self._database.session(write=True) as connection:
            connection.execute(tables.outputs.insert().values(**row, **place, created=now()))

    def log_publication(self, publication: Publication) -> None:
        """Record that a checkpoint was pushed to a repository; the same push is recorded once."""
        columns = tables.publications.c
        row = {name: getattr(publication, name) for name in publication.__dataclass_fields__}
        same = [columns[name] == value for name, value in row.items() if name != "created"]
        with self._database.session(write=True) as connection:
            if not connection.execute(sa.select(columns.id).where(*same)).first():
                connection.execute(tables.publications.insert().values(**row))

    def _mark_deleted(self, path: str) -> sa.Update:
        same = (_CHECKPOINTS.store == self._store.id, _CHECKPOINTS.path == path, _CHECKPOINTS.removed.is_(None))
        return tables.checkpoints.update().where(*same).values(removed=now(), is_last=False)
