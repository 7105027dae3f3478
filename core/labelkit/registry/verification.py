"""Whether the checkpoints here are what was recorded: their files are hashed again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from labelkit.errors import StorageError
from labelkit.models.checkpoint_files import sha256_of
from labelkit.registry import tables
from labelkit.registry.database import Database
from labelkit.registry.home import LocalStore
from labelkit.registry.lineage import Progress, compare
from labelkit.registry.reports import CheckedCheckpoint, FileState

_COLUMNS = tables.checkpoints.c


def size_here(connection: sa.Connection, store: LocalStore, runs: Sequence[str] | None) -> int:
    """Return how many bytes the recorded files of the checkpoints here have."""
    files = tables.checkpoint_files.c
    query = sa.select(sa.func.coalesce(sa.func.sum(files.size), 0))
    query = query.join(tables.checkpoints, _COLUMNS.id == files.checkpoint)
    return int(connection.execute(query.where(*_here(store, runs))).scalar_one())


def count_elsewhere(connection: sa.Connection, store: LocalStore, runs: Sequence[str] | None) -> int:
    """Return how many checkpoints are in other stores."""
    query = sa.select(sa.func.count()).select_from(tables.checkpoints)
    return int(connection.execute(query.where(*_of(runs), is_elsewhere(store))).scalar_one())


def is_elsewhere(store: LocalStore) -> sa.ColumnElement[bool]:
    """Return the condition that a checkpoint is in a store that is not here; all are where there is no store."""
    return sa.true() if store.id is None else _COLUMNS.store != store.id


def check_all(
    database: Database, store: LocalStore, runs: Sequence[str] | None, progress: Progress | None
) -> list[CheckedCheckpoint]:
    """Hash the files of the checkpoints of some runs, or of all, again."""
    query = sa.select(tables.checkpoints).where(*_here(store, runs)).order_by(_COLUMNS.id)
    with database.session() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    found = (_check(database, store, row, progress) for row in rows)
    return [one for one in found if one is not None]


def _of(runs: Sequence[str] | None) -> list[sa.ColumnElement[bool]]:
    return [_COLUMNS.removed.is_(None), *([] if runs is None else [_COLUMNS.run.in_(runs)])]


def _here(store: LocalStore, runs: Sequence[str] | None) -> list[sa.ColumnElement[bool]]:
    return [*_of(runs), _COLUMNS.store == store.id]


def _check(
    database: Database, store: LocalStore, row: Mapping[str, Any], progress: Progress | None
) -> CheckedCheckpoint | None:
    """Check one checkpoint; None where it was superseded or removed while its files were read."""
    folder = store.root / row["path"]
    files, outputs = tables.checkpoint_files.c, tables.outputs.c
    with database.session() as connection:
        query = sa.select(files.name, files.sha256).where(files.checkpoint == row["id"])
        recorded = {one.name: one.sha256 for one in connection.execute(query)}
        # what labelkit wrote beside the checkpoint later
        added = set(connection.scalars(sa.select(outputs.sha256).where(outputs.run == row["run"])))
    states = _states(folder, recorded, added, progress)
    if any(one.state != "ok" for one in states) and _is_gone(database, row["id"]):
        return None
    return CheckedCheckpoint(
        run=row["run"], step=row["step"], best=row["is_best"], last=row["is_last"], folder=folder, files=states
    )


def _states(
    folder: Path, recorded: Mapping[str, str], added: set[str], progress: Progress | None
) -> tuple[FileState, ...]:
    hashes = {}
    for file in sorted(_files(folder)):
        try:
            if file.is_file():
                hashes[file.relative_to(folder).as_posix()] = sha256_of(file, progress=progress)
        except OSError as error:
            error.filename = file
            _unless_vanished(error)
    known = {name: sha256 for name, sha256 in hashes.items() if name in recorded or sha256 not in added}
    return compare(recorded, known)


def _files(folder: Path) -> Iterator[Path]:
    """Yield what a folder holds at any depth, also while it vanishes: :meth:`pathlib.Path.rglob` would fail."""
    for parent, _, names in os.walk(folder, onerror=_unless_vanished):
        yield from (Path(parent, name) for name in names)


def _unless_vanished(error: OSError) -> None:
    """Let what vanished while it was read count as missing.

    :raises StorageError: something else is wrong.
    """
    if not isinstance(error, FileNotFoundError):
        what = error.strerror or error
        raise StorageError(f"{error.filename} cannot be read: {what}", hint="look at the disk") from error


def _is_gone(database: Database, checkpoint: int) -> bool:
    with database.session() as connection:
        query = sa.select(_COLUMNS.id).where(_COLUMNS.id == checkpoint, _COLUMNS.removed.is_(None))
        return connection.scalar(query) is None
