"""Lineage: which run and which of its checkpoints a file came from."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from labelkit.errors import RegistryError, StorageError
from labelkit.files.small import read_json, unreadable
from labelkit.models.checkpoint_files import CHECKPOINT_INFO, sha256_of
from labelkit.registry import tables
from labelkit.registry.database import Database
from labelkit.registry.entities import Publication, RunSummary
from labelkit.registry.home import LocalStore
from labelkit.registry.queries import publications, summaries
from labelkit.registry.verification import FileState, Progress, compare_files, recorded_files

_WEIGHTS = ".safetensors"
_ELSEWHERE = "it may have changed since, or belong to another LABELKIT_HOME or LABELKIT_REGISTRY"
_CHECKPOINTS, _FILES, _OUTPUTS = tables.checkpoints.c, tables.checkpoint_files.c, tables.outputs.c


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The provenance of a labelled file, a checkpoint folder or a file of one.

    :param kind: ``"checkpoint"``, ``"checkpoint file"``, or the recorded kind of an output: ``"labelled"`` …
    :param tied_by: what ties it to the run: its content; only its path, if the content has changed since; or only the
        ``labelkit.json`` in the folder.
    :param sha256: the checksum of a file, as it is now.
    :param run: the id of the run; ``summary`` is None if the run was deleted.
    :param step: the step of the checkpoint, with its ``epoch``.
    :param created: when it was written.
    :param written_as: where it was written, as ``host:path``.
    :param command: the command of the run.
    :param validation: the run's deciding metric on validation at that step.
    :param files: the states of the files of a folder; empty if none are recorded.
    :param others: further runs that wrote the same content, newest first.
    :param publications: the repositories that the checkpoint was pushed to, in order.
    :param continues: the runs whose trained model the run continued from, the nearest first.
    """

    path: Path
    kind: str
    tied_by: Literal["content", "path", "labelkit.json"]
    run: str
    task: str | None = None
    summary: RunSummary | None = None
    step: int | None
    epoch: float | None = None
    created: datetime | None = None
    written_as: str | None = None
    command: str | None = None
    validation: float | None = None
    sha256: str | None = None
    records: int | None = None
    files: tuple[FileState, ...] = ()
    others: tuple[str, ...] = ()
    continues: tuple[str, ...] = ()
    publications: tuple[Publication, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the content has changed since it was written."""
        return self.tied_by == "path" or any(one.state != "ok" for one in self.files)


class Lineage:
    """The provenance of files and checkpoint folders."""

    def __init__(self, database: Database, store: LocalStore) -> None:
        self._database = database
        self._store = store

    def origin(self, path: Path, *, progress: Progress | None = None) -> Origin:
        """Return which run and checkpoint a labelled file, a checkpoint folder or a file of one came from.

        Files are identified by content, so copies and renamed files are found too. Where the content has changed,
        the path, or the ``labelkit.json`` in a folder, identifies them.

        :param progress: called with the number of bytes after each block that was read.
        :raises RegistryError: no run in this registry wrote it.
        :raises StorageError: it cannot be read.
        """
        try:
            if path.is_dir():
                return self._origin_of_folder(path, progress)
            if path.is_file():
                return self._origin_of_file(path, progress)
        except OSError as error:
            raise unreadable(path, error) from error
        raise RegistryError(f"{path} does not exist", hint="give a labelled file or a checkpoint folder")

    def origin_of_publication(self, repository: str, revision: str | None = None) -> Origin:
        """Return which run and checkpoint was pushed to a repository last.

        :param revision: a commit, the beginning of one, a branch or a tag.
        :raises RegistryError: no run in this registry was pushed there.
        """
        rows = tables.publications.c
        condition = rows.repository == repository
        if revision:
            same = rows.commit_id.startswith(revision, autoescape=True)
            condition &= same | (rows.revision == revision) | (rows.tag == revision)
        place = f"hub:{repository}" + (f"@{revision}" if revision else "")
        with self._database.session() as connection:
            found = publications(connection, condition)
            if not found:
                hint = "it may have been pushed from another LABELKIT_HOME or LABELKIT_REGISTRY"
                raise RegistryError(f"no run in this registry was pushed to {place}", hint=hint)
            last = found[-1]
            origin = Origin(
                path=Path(place),
                kind="published checkpoint",
                tied_by="content",
                run=last.run,
                step=last.step,
                created=last.created,
                written_as=f"{last.place} on {last.endpoint}",
            )
            return _with_run(connection, origin)

    def origin_of_stored(self, path: Path) -> Origin:
        """Return which run and checkpoint a file of the shared store belongs to, whose name is its checksum.

        :raises RegistryError: no checkpoint in this registry has it.
        """
        holding = sa.select(_FILES.checkpoint).where(_FILES.sha256 == path.name)
        with self._database.session() as connection:
            if rows := _checkpoint_rows(connection, _CHECKPOINTS.id.in_(holding), {}):
                found = self._of_checkpoint(connection, path, rows, kind="checkpoint file")
                return replace(found, sha256=path.name)
        raise RegistryError(
            f"no checkpoint in this registry has the file {path.name}", hint="give the URL of a file under files/"
        )

    def ancestors(self, run: str) -> tuple[str, ...]:
        """Return the ids of the runs that trained the model of ``run`` before it, the nearest first."""
        with self._database.session() as connection:
            return _ancestors(connection, run)

    def descendants(self, run: str) -> tuple[str, ...]:
        """Return the ids of the runs whose training began with a checkpoint of ``run``, the oldest first."""
        runs = tables.runs.c
        made = sa.select(_FILES.sha256).join(tables.checkpoints, _FILES.checkpoint == _CHECKPOINTS.id)
        made = made.where(_CHECKPOINTS.run == run, _FILES.name.endswith(_WEIGHTS))
        continued = (runs.id != run, sa.or_(runs.model == run, runs.model_sha256.in_(made)))
        with self._database.session() as connection:
            found = connection.scalars(sa.select(runs.id).where(*continued).order_by(runs.started, runs.id)).all()
            return tuple(one for one in found if run in _ancestors(connection, one)[:1])

    def _origin_of_file(self, path: Path, progress: Progress | None) -> Origin:
        sha256 = sha256_of(path, progress=progress)
        holding = sa.select(_FILES.checkpoint).where(_FILES.sha256 == sha256)
        with self._database.session() as connection:
            if outputs := _outputs(connection, path, sha256):
                return _of_output(connection, path, outputs[0], "content", sha256, _other_runs(outputs))
            if rows := _checkpoint_rows(connection, _CHECKPOINTS.id.in_(holding), _read_info(path.parent)):
                found = self._of_checkpoint(connection, path, rows, kind="checkpoint file")
                return replace(found, sha256=sha256)
            # The newest output written to this path, whose content has changed since.
            places = {str(path.absolute()), os.path.realpath(path)}
            query = sa.select(tables.outputs).where(_OUTPUTS.host == platform.node(), _OUTPUTS.path.in_(places))
            if row := connection.execute(query.order_by(_OUTPUTS.id.desc()).limit(1)).mappings().one_or_none():
                return _of_output(connection, path, dict(row), "path", sha256, ())
        raise RegistryError(f"no run in this registry wrote {path}", hint=_ELSEWHERE)

    def _origin_of_folder(self, path: Path, progress: Progress | None) -> Origin:
        info = _read_info(path)
        files = sorted(file for file in path.rglob("*") if file.is_file())
        if not info and not any(file.suffix == _WEIGHTS for file in files if file.parent == path):
            raise RegistryError(
                f"{path} is not a checkpoint folder: it has neither {CHECKPOINT_INFO} nor weights",
                hint="give a labelled file or a checkpoint folder",
            )
        hashes = {file.relative_to(path).as_posix(): sha256_of(file, progress=progress) for file in files}
        weights = [sha256 for name, sha256 in hashes.items() if name.endswith(_WEIGHTS)]
        holding = sa.select(_FILES.checkpoint).where(_FILES.sha256.in_(weights))
        named = (_CHECKPOINTS.run == info.get("run")) & (_CHECKPOINTS.step == info.get("step"))
        with self._database.session() as connection:
            rows = _checkpoint_rows(connection, _CHECKPOINTS.id.in_(holding), info)
            if not rows and info:
                rows = _checkpoint_rows(connection, named, info)
            if rows:
                states = compare_files(recorded_files(connection, rows[0]["id"]), hashes)
                return replace(self._of_checkpoint(connection, path, rows), files=states)
            if info:
                facts = {"run": info["run"], "step": info["step"], "task": str(info.get("task"))}
                epoch = float(info["epoch"]) if isinstance(info.get("epoch"), int | float) else None
                origin = Origin(path=path, kind="checkpoint", tied_by="labelkit.json", epoch=epoch, **facts)
                return _with_run(connection, origin)
        raise RegistryError(f"no run in this registry made {path}", hint=_ELSEWHERE)

    def _of_checkpoint(
        self, connection: sa.Connection, path: Path, rows: Sequence[Mapping[str, Any]], kind: str = "checkpoint"
    ) -> Origin:
        """Return the origin of a path that came from the first of ``rows``."""
        row, stores = rows[0], tables.stores.c
        store = connection.execute(sa.select(stores.host, stores.root).where(stores.id == row["store"])).one()
        root = self._store.root if row["store"] == self._store.id else store.root
        origin = Origin(
            path=path,
            kind=kind,
            tied_by="content",
            run=row["run"],
            step=row["step"],
            epoch=row["epoch"],
            created=row["created"],
            written_as=f"{store.host}:{root}/{row['path']}",
            others=_other_runs(rows),
        )
        return _with_run(connection, origin)


def _outputs(connection: sa.Connection, path: Path, sha256: str) -> list[dict[str, Any]]:
    """Return the recorded outputs of this content, one written to ``path`` first, then the newest."""
    query = sa.select(tables.outputs).where(_OUTPUTS.sha256 == sha256).order_by(_OUTPUTS.id.desc())
    rows = [dict(row) for row in connection.execute(query).mappings()]
    here = {str(path.absolute()), os.path.realpath(path)}
    rows.sort(key=lambda row: row["host"] != platform.node() or row["path"] not in here)
    if rows and rows[0]["size"] == 0:  # all empty files are equal
        rows = [row for row in rows if row["host"] == platform.node() and row["path"] in here]
    return rows


def _of_output(
    connection: sa.Connection,
    path: Path,
    row: Mapping[str, Any],
    tied_by: Literal["content", "path"],
    sha256: str,
    others: tuple[str, ...],
) -> Origin:
    origin = Origin(
        path=path,
        kind=row["kind"],
        tied_by=tied_by,
        run=row["run"],
        step=row["step"],
        created=row["created"],
        written_as=f"{row['host']}:{row['path']}",
        sha256=sha256,
        records=row["records"],
        others=others,
    )
    return _with_run(connection, origin)


def _with_run(connection: sa.Connection, origin: Origin) -> Origin:
    """Return ``origin`` with its publications, and the facts of its run unless the run was deleted."""
    rows = tables.publications.c
    same = (rows.run == origin.run) & (rows.step == origin.step)
    origin = replace(origin, publications=tuple(publications(connection, same)))
    found = summaries(connection, tables.runs.c.id == origin.run)
    if not found:
        return origin
    summary = found[0]
    columns = tables.metrics.c
    query = sa.select(columns.value, columns.epoch).where(
        columns.run == summary.id,
        columns.task == summary.task,
        columns.split == "validation",
        columns.name == summary.metric_key,
        columns.type == "",
        columns.step == origin.step,
    )
    row = connection.execute(query).one_or_none()
    return replace(
        origin,
        summary=summary,
        task=summary.task,
        continues=_ancestors(connection, summary.id),
        command=connection.scalar(sa.select(tables.runs.c.command).where(tables.runs.c.id == summary.id)),
        validation=row.value if row else None,
        epoch=row.epoch if row and origin.epoch is None else origin.epoch,
    )


def _ancestors(connection: sa.Connection, run: str) -> tuple[str, ...]:
    """Return the runs that trained the model of ``run`` before it, the nearest first."""
    found = [run]
    while (parent := _parent(connection, found[-1])) and parent not in found:  # training may have changed nothing
        found.append(parent)
    return tuple(found[1:])


def _parent(connection: sa.Connection, run: str) -> str | None:
    """Return the run that made the model of ``run``: the one that it names, or the first one with its weights."""
    runs = tables.runs.c
    row = connection.execute(sa.select(runs.model, runs.model_sha256).where(runs.id == run)).one_or_none()
    if row is None:
        return None
    named = connection.scalar(sa.select(runs.id).where(runs.id == row.model))
    made = sa.select(_CHECKPOINTS.run).join(tables.checkpoint_files, _FILES.checkpoint == _CHECKPOINTS.id)
    made = made.where(_FILES.sha256 == row.model_sha256, _FILES.name.endswith(_WEIGHTS))
    return named or connection.scalar(made.order_by(_CHECKPOINTS.id).limit(1))


def _read_info(folder: Path) -> dict[str, Any]:
    """Return the content of the ``labelkit.json`` in a folder, empty if there is no valid one."""
    try:
        content = read_json(folder / CHECKPOINT_INFO)
    except (OSError, StorageError, ValueError):
        return {}
    valid = isinstance(content, dict) and isinstance(content.get("run"), str) and isinstance(content.get("step"), int)
    return content if valid else {}


def _checkpoint_rows(
    connection: sa.Connection, condition: sa.ColumnElement[bool], info: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the checkpoints that meet ``condition``, the one that ``labelkit.json`` names first, then the newest."""
    query = sa.select(tables.checkpoints).where(condition).order_by(_CHECKPOINTS.id.desc())
    rows = [dict(row) for row in connection.execute(query).mappings()]
    rows.sort(key=lambda row: (row["run"], row["step"]) != (info.get("run"), info.get("step")))
    return rows


def _other_runs(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the runs of all rows but the first, each once."""
    return tuple(dict.fromkeys(row["run"] for row in rows[1:] if row["run"] != rows[0]["run"]))
