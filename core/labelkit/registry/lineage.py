"""Where a file came from: which run, and which of its checkpoints."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from labelkit.errors import RegistryError, StorageError
from labelkit.models.checkpoint_files import sha256_of
from labelkit.registry import tables
from labelkit.registry.database import Database
from labelkit.registry.home import LocalStore
from labelkit.registry.queries import summaries
from labelkit.registry.reports import FileState, Origin

#: what labelkit adds to a checkpoint folder
INFO = "labelkit.json"
_WEIGHTS = ".safetensors"

Progress = Callable[[int], object]


class Lineage:
    """The provenance of files and checkpoint folders."""

    def __init__(self, database: Database, store: LocalStore) -> None:
        self._database = database
        self._store = store

    def origin(self, path: Path, *, progress: Progress | None = None) -> Origin:
        """Return which run and checkpoint made a labelled file, a checkpoint folder or a file of one.

        Content decides, so that copies and renamed files are known too. Where it has changed, the path, or the
        ``labelkit.json`` in a folder, says what it was.

        :param progress: called with the number of bytes after each block that was read.
        :raises RegistryError: no run in this registry made it.
        :raises StorageError: it cannot be read.
        """
        try:
            if path.is_dir():
                return self._why_folder(path, progress)
            if path.is_file():
                return self._why_file(path, progress)
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror or error}", hint="look at it") from error
        raise RegistryError(f"{path} does not exist", hint="give a labelled file or a checkpoint folder")

    def run_with_weights(self, sha256: str) -> str | None:
        """Return the id of the first run with a checkpoint of these weights; None where no run here made them."""
        files, columns = tables.checkpoint_files.c, tables.checkpoints.c
        query = sa.select(columns.run).join(tables.checkpoint_files, files.checkpoint == columns.id)
        query = query.where(files.sha256 == sha256, files.name.endswith(_WEIGHTS)).order_by(columns.id).limit(1)
        with self._database.session() as connection:
            return connection.scalars(query).one_or_none()

    # -- files ------------------------------------------------------------------------------------------------------

    def _why_file(self, path: Path, progress: Progress | None) -> Origin:
        sha256 = sha256_of(path, progress=progress)
        with self._database.session() as connection:
            found = (
                _output(connection, path, sha256)
                or self._checkpoint_file(connection, path, sha256)
                or _changed_output(connection, path, sha256)
            )
        if found is None:
            raise RegistryError(
                f"no run in this registry wrote {path}",
                hint="it may have changed since, or belong to another LABELKIT_HOME or LABELKIT_REGISTRY",
            )
        return found

    def _checkpoint_file(self, connection: sa.Connection, path: Path, sha256: str) -> Origin | None:
        """Return the checkpoint that has a file of this content; where several do, the one that lies beside it."""
        files, columns = tables.checkpoint_files.c, tables.checkpoints.c
        query = sa.select(tables.checkpoints).join(tables.checkpoint_files, files.checkpoint == columns.id)
        query = query.where(files.sha256 == sha256).order_by(columns.id.desc())
        rows = [dict(row) for row in connection.execute(query).mappings()]
        claimed = _claim(path.parent)
        rows.sort(key=lambda row: (row["run"], row["step"]) != (claimed.get("run"), claimed.get("step")))
        if not rows:
            return None
        others = _others(rows)
        origin = self._checkpoint(connection, path, rows[0], kind="checkpoint file", others=others)
        return replace(origin, sha256=sha256)

    # -- folders ----------------------------------------------------------------------------------------------------

    def _why_folder(self, path: Path, progress: Progress | None) -> Origin:
        claimed = _claim(path)
        found = sorted(file for file in path.rglob("*") if file.is_file())
        if not claimed and not any(file.suffix == _WEIGHTS for file in found if file.parent == path):
            raise RegistryError(
                f"{path} is no checkpoint folder: it has neither {INFO} nor weights",
                hint="give a labelled file or a checkpoint folder",
            )
        hashes = {file.relative_to(path).as_posix(): sha256_of(file, progress=progress) for file in found}
        with self._database.session() as connection:
            rows = _candidates(connection, hashes, claimed)
            if rows:
                states = compare(_recorded(connection, rows[0]["id"]), hashes)
                return self._checkpoint(connection, path, rows[0], files=states, others=_others(rows))
            if claimed:
                return _claimed(connection, path, claimed)
        raise RegistryError(
            f"no run in this registry made {path}",
            hint="it may have changed since, or belong to another LABELKIT_HOME or LABELKIT_REGISTRY",
        )

    def _checkpoint(
        self, connection: sa.Connection, path: Path, row: Mapping[str, Any], *, kind: str = "checkpoint", **more: Any
    ) -> Origin:
        stores = tables.stores.c
        query = sa.select(stores.host, stores.root).where(stores.id == row["store"])
        store = connection.execute(query).one()
        root = self._store.root if row["store"] == self._store.id else store.root
        return _with_run(
            connection,
            Origin(
                path=path,
                kind=kind,
                tied_by="content",
                run=row["run"],
                task=None,
                summary=None,
                step=row["step"],
                epoch=row["epoch"],
                created=row["created"],
                written_as=f"{store.host}:{root}/{row['path']}",
                **more,
            ),
        )


def compare(recorded: Mapping[str, str], hashes: Mapping[str, str]) -> tuple[FileState, ...]:
    """Return the state of each file of a folder, by name.

    :param recorded: name → SHA-256, as it should be.
    :param hashes: the same, as it is.
    """
    found = []
    for name in sorted(recorded.keys() | hashes.keys()):
        if name not in recorded:
            found.append(FileState(name=name, state="unknown"))
        elif name not in hashes:
            found.append(FileState(name=name, state="missing"))
        else:
            found.append(FileState(name=name, state="ok" if recorded[name] == hashes[name] else "changed"))
    return tuple(found)


def _output(connection: sa.Connection, path: Path, sha256: str) -> Origin | None:
    """Return the newest file of this content that a labeller wrote; of equals the one that was written here."""
    columns = tables.outputs.c
    query = sa.select(tables.outputs).where(columns.sha256 == sha256).order_by(columns.id.desc())
    rows = [dict(row) for row in connection.execute(query).mappings()]
    rows.sort(key=lambda row: not _is_at(row, path))
    if rows and rows[0]["size"] == 0:
        # all empty files are alike
        rows = [row for row in rows if _is_at(row, path)]
    return _from_output(connection, path, rows[0], "content", sha256, _others(rows)) if rows else None


def _changed_output(connection: sa.Connection, path: Path, sha256: str) -> Origin | None:
    """Return what a labeller last wrote to this path, which is no longer what is there."""
    columns = tables.outputs.c
    places = {str(path.absolute()), str(path.resolve())}
    query = sa.select(tables.outputs).where(columns.host == platform.node(), columns.path.in_(places))
    row = connection.execute(query.order_by(columns.id.desc()).limit(1)).mappings().one_or_none()
    return _from_output(connection, path, dict(row), "path", sha256, ()) if row else None


def _is_at(row: Mapping[str, Any], path: Path) -> bool:
    return row["host"] == platform.node() and row["path"] in (str(path.absolute()), str(path.resolve()))


def _from_output(
    connection: sa.Connection, path: Path, row: Mapping[str, Any], tied_by: Any, sha256: str, others: tuple[str, ...]
) -> Origin:
    origin = Origin(
        path=path,
        kind=row["kind"],
        tied_by=tied_by,
        run=row["run"],
        task=None,
        summary=None,
        step=row["step"],
        created=row["created"],
        written_as=f"{row['host']}:{row['path']}",
        sha256=sha256,
        records=row["records"],
        others=others,
    )
    return _with_run(connection, origin)


def _with_run(connection: sa.Connection, origin: Origin) -> Origin:
    """Return ``origin`` with what the registry knows of its run, if it still does."""
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
        command=connection.scalar(sa.select(tables.runs.c.command).where(tables.runs.c.id == summary.id)),
        validation=row.value if row else None,
        epoch=row.epoch if row and origin.epoch is None else origin.epoch,
    )


def _claim(folder: Path) -> dict[str, Any]:
    """Return what the ``labelkit.json`` in a folder says; nothing where there is none that can be read."""
    try:
        content = json.loads((folder / INFO).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = isinstance(content, dict) and isinstance(content.get("run"), str) and isinstance(content.get("step"), int)
    return content if known else {}


def _claimed(connection: sa.Connection, path: Path, claimed: Mapping[str, Any]) -> Origin:
    epoch = claimed.get("epoch")
    origin = Origin(
        path=path,
        kind="checkpoint",
        tied_by="labelkit.json",
        run=claimed["run"],
        task=str(claimed.get("task")),
        summary=None,
        step=claimed["step"],
        epoch=float(epoch) if isinstance(epoch, int | float) else None,
    )
    return _with_run(connection, origin)


def _candidates(
    connection: sa.Connection, hashes: Mapping[str, str], claimed: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the checkpoints with the same weights or, where none has, the one that ``labelkit.json`` names."""
    files, columns = tables.checkpoint_files.c, tables.checkpoints.c
    weights = [sha256 for name, sha256 in hashes.items() if name.endswith(_WEIGHTS)]
    same = sa.select(files.checkpoint).where(files.sha256.in_(weights))
    query = sa.select(tables.checkpoints).order_by(columns.id.desc())
    rows = [dict(row) for row in connection.execute(query.where(columns.id.in_(same))).mappings()]
    own = (columns.run == claimed.get("run"), columns.step == claimed.get("step"))
    if not rows and claimed:
        rows = [dict(row) for row in connection.execute(query.where(*own)).mappings()]
    rows.sort(key=lambda row: (row["run"], row["step"]) != (claimed.get("run"), claimed.get("step")))
    return rows


def _recorded(connection: sa.Connection, checkpoint: int) -> dict[str, str]:
    columns = tables.checkpoint_files.c
    query = sa.select(columns.name, columns.sha256).where(columns.checkpoint == checkpoint)
    return {row.name: row.sha256 for row in connection.execute(query)}


def _others(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the runs of all rows but the first, each once."""
    return tuple(dict.fromkeys(row["run"] for row in rows[1:] if row["run"] != rows[0]["run"]))
