"""What a run writes into the registry as it goes."""

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
from labelkit.registry import aliases, tables, writes
from labelkit.registry.base import Base
from labelkit.registry.figures import figures
from labelkit.registry.find import unknown_run
from labelkit.registry.life import now
from labelkit.registry.models import RunFacts, RunRecord


class Recording(Base):
    """Each method returns once what it recorded is on the disk."""

    def start_run(self, record: RunRecord) -> None:
        """Record that a run began.

        :raises RegistryError: its id is taken, or its name: by a run or an alias.
        """
        given = {one.name: getattr(record, one.name) for one in fields(record)}
        rows = {name: given.pop(name) for name in writes.ROWS}
        row = {**given, "group_id": given.pop("group"), "status": "running", "heartbeat": record.started}
        # a name is to mean one thing, and whoever takes it at the same time has no row yet that could be locked
        with self._database.session(write=True, alone=record.name is not None) as connection:
            if writes.exists(connection, record.id):
                raise RegistryError(f"there is a run '{record.id}' already")
            if record.name is not None:
                aliases.refuse_called(connection, record.name)
                aliases.refuse_alias(connection, record.name)
            connection.execute(tables.runs.insert(), row)
            writes.insert_rows(connection, record.id, rows)

    def resume_run(self, run: str) -> None:
        """Record that this process goes on with a run that ended without finishing.

        What is known of the attempt before is kept as an :class:`Attempt`; the run counts as running again.

        :raises RegistryError: there is no such run, it finished, or it is alive.
        """
        attempt = {"host": platform.node(), "pid": os.getpid(), "command": shlex.join(sys.argv)}
        with self._database.session(write=True) as connection:
            writes.resume_run(connection, run, attempt)

    def rewind(self, run: str, *, step: int, best: Path | None, last: Path | None) -> None:
        """Forget what a run recorded after ``step``, from where it goes on: its figures, and all other checkpoints.

        :param best: the folder of the best checkpoint of that time, and ``last`` of the last one.
        :raises RegistryError: there is no such run.
        """
        columns = tables.checkpoints.c
        live = tables.checkpoints.update().where(columns.run == run, columns.removed.is_(None))
        places = {role: self._relative(folder) if folder else None for role, folder in (("best", best), ("last", last))}
        with self._database.session(write=True) as connection:
            writes.update_run(connection, run, {})
            connection.execute(live.where(columns.path.not_in(set(places.values()) - {None})).values(removed=now()))
            for role, path in places.items():
                connection.execute(live.values({f"is_{role}": columns.path == path if path else False}))
            writes.rewind_figures(connection, run, step, self._step_of(connection, run))

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
            known = writes.touch_run(connection, run, task, split, step)
            writes.replace_figures(connection, tables.metrics, run, found, same_step=True, known=known)
            writes.replace_figures(connection, tables.metrics, run, trained, same_step=True)
            if chosen:
                writes.replace_figures(connection, tables.scores, run, found, same_step=False)
            if chosen and split != "validation":
                writes.insert_own_test(connection, run, task, split)

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

        :param seconds: that this attempt took; those of earlier ones are added.
        :raises RegistryError: there is no such run, or it is not running.
        """
        ended = now()
        facts = {"status": status, "ended": ended, "heartbeat": ended, "error": error, "hint": hint}
        with self._database.session(write=True) as connection:
            writes.finish_run(connection, run, {**facts, "more_seconds": seconds})

    def record_evaluation(
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
        """Record that the chosen checkpoint of ``run`` was scored on gold data after training, or looked at there.

        :param source: who asked; ``"onnx"``: an ONNX model of it was scored; ``"errors"`` and ``"compare"``: its labels
            were looked at, which has no figures of its own.
        :param metrics: names to figures; ``per_type`` may map types to such a mapping.
        :raises RegistryError: there is no such run.
        """
        row = {"task": task, "ref": ref, "split": split, "content_hash": content_hash, "examples": examples}
        found = figures(metrics, task=task, split=split, step=0, epoch=0.0)
        with self._database.session(write=True) as connection:
            if not writes.exists(connection, run):
                raise unknown_run(run)
            writes.insert_evaluation(connection, {"run": run, "source": source, **row}, found)

    def record_output(
        self, run: str, path: Path, *, step: int | None, kind: str, size: int, sha256: str, records: int | None = None
    ) -> None:
        """Record a file that the labeller of ``run`` wrote, so that it can be asked later where it came from.

        :param step: of the checkpoint that made it.
        :param kind: ``"labelled"``, ``"predictions"``, ``"report"`` …
        :param size: in bytes.
        :param sha256: of its content, in hex.
        """
        place = {"host": platform.node(), "path": str(path.absolute())}
        row = {"run": run, "step": step, "kind": kind, "size": size, "sha256": sha256, "records": records}
        with self._database.session(write=True) as connection:
            connection.execute(tables.outputs.insert().values(**row, **place, created=now()))

    @staticmethod
    def _step_of(connection: sa.Connection, run: str) -> int | None:
        """Return the step of the best checkpoint that is left."""
        columns = tables.checkpoints.c
        query = sa.select(columns.step).where(columns.run == run, columns.is_best, columns.removed.is_(None))
        return connection.scalar(query)

    def _gone(self, path: str) -> sa.Update:
        columns = tables.checkpoints.c
        here = tables.checkpoints.update().where(columns.store == self._here.store, columns.path == path)
        return here.where(columns.removed.is_(None)).values(removed=now(), is_last=False)
