"""Verifying checkpoints: their files are hashed again and compared with the recorded checksums."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from labelkit.files.small import unreadable
from labelkit.models.checkpoint_files import sha256_of
from labelkit.registry import tables
from labelkit.registry.database import Database
from labelkit.registry.garbage_collection import GarbageItem
from labelkit.registry.home import LocalStore

#: called with the number of bytes after each block that was read
Progress: TypeAlias = Callable[[int], object]
_COLUMNS = tables.checkpoints.c


@dataclass(frozen=True, kw_only=True, slots=True)
class FileState:
    """A file of a checkpoint folder, compared with its recorded checksum; ``unknown`` if none is recorded."""

    name: str
    state: Literal["ok", "missing", "changed", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint whose files were hashed again."""

    run: str
    step: int
    best: bool
    last: bool
    folder: Path
    files: tuple[FileState, ...]

    @property
    def ok(self) -> bool:
        """Whether the folder holds exactly the recorded files."""
        return all(one.state == "ok" for one in self.files)

    def of(self, *states: str) -> list[str]:
        """Return the names of the files in one of ``states``."""
        return [one.name for one in self.files if one.state in states]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The result of :meth:`Storage.verify`.

    :param unknown: folders under ``runs/`` that the registry does not know, and leftovers of killed writes.
    :param elsewhere: the number of checkpoints in other stores, which were not verified.
    """

    checkpoints: tuple[VerifiedCheckpoint, ...]
    unknown: tuple[GarbageItem, ...]
    elsewhere: int

    @property
    def ok(self) -> bool:
        """Whether every checkpoint of this home is intact."""
        return all(one.ok for one in self.checkpoints)


def compare_files(recorded: Mapping[str, str], hashes: Mapping[str, str]) -> tuple[FileState, ...]:
    """Return the state of each file of a folder, by name.

    :param recorded: name → recorded SHA-256.
    :param hashes: name → actual SHA-256.
    """

    def state(name: str) -> Literal["ok", "missing", "changed", "unknown"]:
        if name not in recorded:
            return "unknown"
        if name not in hashes:
            return "missing"
        return "ok" if recorded[name] == hashes[name] else "changed"

    return tuple(FileState(name=name, state=state(name)) for name in sorted(recorded.keys() | hashes.keys()))


def present(runs: Sequence[str] | None, store: LocalStore | None = None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions on checkpoints: not deleted, of ``runs`` (None for all), and in ``store``."""
    conditions: list[sa.ColumnElement[bool]] = [_COLUMNS.removed.is_(None)]
    if runs is not None:
        conditions.append(_COLUMNS.run.in_(runs))
    return conditions if store is None else [*conditions, _COLUMNS.store == store.id]


def recorded_bytes(connection: sa.Connection, store: LocalStore, runs: Sequence[str] | None) -> int:
    """Return the total size of the recorded files of the checkpoints in ``store``."""
    files = tables.checkpoint_files.c
    query = sa.select(sa.func.coalesce(sa.func.sum(files.size), 0))
    query = query.join(tables.checkpoints, _COLUMNS.id == files.checkpoint)
    return int(connection.execute(query.where(*present(runs, store))).scalar_one())


def count_elsewhere(connection: sa.Connection, store: LocalStore, runs: Sequence[str] | None) -> int:
    """Return the number of checkpoints in other stores than ``store``."""
    elsewhere = sa.true() if store.id is None else _COLUMNS.store != store.id
    query = sa.select(sa.func.count()).select_from(tables.checkpoints).where(*present(runs), elsewhere)
    return int(connection.execute(query).scalar_one())


def recorded_files(connection: sa.Connection, checkpoint: int) -> dict[str, str]:
    """Return name → recorded SHA-256 of the files of a checkpoint."""
    files = tables.checkpoint_files.c
    query = sa.select(files.name, files.sha256).where(files.checkpoint == checkpoint)
    return {row.name: row.sha256 for row in connection.execute(query)}


def verify_checkpoints(
    database: Database, store: LocalStore, runs: Sequence[str] | None, progress: Progress | None
) -> list[VerifiedCheckpoint]:
    """Hash the files of the checkpoints of ``runs``, None for all, without those deleted while they are read.

    :raises StorageError: a file exists but cannot be read.
    """
    query = sa.select(tables.checkpoints).where(*present(runs, store)).order_by(_COLUMNS.id)
    with database.session() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    found = (_verify(database, store, row, progress) for row in rows)
    return [one for one in found if one is not None]


def _verify(
    database: Database, store: LocalStore, row: Mapping[str, Any], progress: Progress | None
) -> VerifiedCheckpoint | None:
    """Verify one checkpoint; None if it was deleted meanwhile."""
    folder = store.root / row["path"]
    outputs = tables.outputs.c
    with database.session() as connection:
        recorded = recorded_files(connection, row["id"])
        # Files that labelkit wrote into the folder later, such as an ONNX model.
        added = set(connection.scalars(sa.select(outputs.sha256).where(outputs.run == row["run"])))
    recorded |= _kept_files(folder, recorded)
    hashes = _hashes(folder, progress)
    known = {name: sha256 for name, sha256 in hashes.items() if name in recorded or sha256 not in added}
    files = compare_files(recorded, known)
    if any(one.state != "ok" for one in files):
        with database.session() as connection:
            same = sa.select(_COLUMNS.id).where(_COLUMNS.id == row["id"], _COLUMNS.removed.is_(None))
            if connection.scalar(same) is None:
                return None
    return VerifiedCheckpoint(
        run=row["run"], step=row["step"], best=row["is_best"], last=row["is_last"], folder=folder, files=files
    )


def _kept_files(folder: Path, recorded: Mapping[str, str]) -> dict[str, str]:
    """Return name → SHA-256 of the files of the ONNX model beside a checkpoint, as its meta file declares them.

    The registry does not record them. A meta file of other weights than the recorded ones counts as changed.
    """
    from labelkit.inference.onnx.kept import FOLDER, read_kept_model  # numpy would slow down the other commands

    kept = read_kept_model(folder)
    if kept is None:
        return {}
    fits = all(recorded.get(name) == digest for name, digest in kept.sources.items())
    found = kept.all_files if fits else dict.fromkeys(kept.all_files, "of another checkpoint")
    return {f"{FOLDER}/{name}": digest for name, digest in found.items()}


def _hashes(folder: Path, progress: Progress | None) -> dict[str, str]:
    """Return relative path → SHA-256 of the files below ``folder``, without those that vanish meanwhile."""
    hashes = {}
    # Path.rglob fails where a folder vanishes meanwhile.
    walk = os.walk(folder, onerror=_raise_unless_missing)
    for file in sorted(Path(parent, name) for parent, _, names in walk for name in names):
        try:
            if file.is_file():
                hashes[file.relative_to(folder).as_posix()] = sha256_of(file, progress=progress)
        except OSError as error:
            error.filename = file
            _raise_unless_missing(error)
    return hashes


def _raise_unless_missing(error: OSError) -> None:
    """Raise StorageError unless the file is missing: then it is reported as such."""
    if not isinstance(error, FileNotFoundError):
        raise unreadable(error.filename, error) from error
