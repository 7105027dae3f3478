"""Garbage collection: files in a home that no run needs, deleted while other processes may train."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from labelkit.models.checkpoint_files import CHECKPOINT_INFO
from labelkit.registry import aliases, disk, tables
from labelkit.registry.database import Database
from labelkit.registry.home import CHECKPOINTS, MARKER, RESUME, Home, LocalStore
from labelkit.registry.liveness import Liveness, now
from labelkit.registry.names import COMPLETE
from labelkit.registry.run_lock import LockState, probe_lock

#: no process writes a file or folder for longer without touching it
UNTOUCHED = timedelta(days=1)
_RUNS = tables.runs.c
#: the names of files and folders while they are written, by ``files.atomic``
_UNFINISHED = re.compile(r"\..+-[a-z0-9_]{8}")
_MARKER = re.compile(rf"{re.escape(MARKER)}\.[0-9a-f]{{32}}")
_RUN_ID = re.compile(r".+-\d{8}-\d{6}-[a-z0-9]{6}")


@dataclass(frozen=True, kw_only=True, slots=True)
class GarbageItem:
    """A file or folder that no run needs.

    :param category: ``"leftovers"`` of killed writes and superseded checkpoints, ``"orphans"`` of unknown runs,
        ``"resume"`` state, ``"last"`` checkpoints, checkpoints of ``"unfinished"`` runs, or ``"cache"``.
    :param size: the disk usage, in bytes.
    :param run: the id of its run, where it has one.
    :param checkpoint: the id of the recorded checkpoint, for categories ``"last"`` and ``"unfinished"``.
    :param reason: why it is not deleted.
    :param restarts: resuming the run without it starts from the beginning.
    """

    category: str
    path: Path
    size: int = 0
    run: str | None = None
    checkpoint: int | None = None
    reason: str | None = None
    restarts: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectedGarbage:
    """What :meth:`Storage.collect_garbage` deleted, or would delete.

    :param kept: items left alone, each with its reason.
    :param failed: items that could not be deleted, each with its reason.
    :param elsewhere: the number of checkpoints in other stores, which were not considered.
    """

    freed: tuple[GarbageItem, ...]
    kept: tuple[GarbageItem, ...]
    failed: tuple[GarbageItem, ...]
    elsewhere: int
    dry_run: bool

    @property
    def size(self) -> int:
        """The disk usage of the deleted items, in bytes."""
        return sum(one.size for one in self.freed)


@dataclass(frozen=True, kw_only=True, slots=True)
class GarbageOptions:
    """What to collect besides leftovers and the resume state of finished runs.

    :param last: last checkpoints of finished runs that have a better one.
    :param unfinished: checkpoints and resume state of runs that ended without finishing.
    :param orphans: folders with complete checkpoints of runs that this registry does not know.
    :param cache: cache entries not used for this long; None for none.
    :param force: checkpoints of aliased runs, too.
    """

    last: bool = False
    unfinished: bool = False
    orphans: bool = False
    cache: timedelta | None = None
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedState:
    """The runs and checkpoints that the registry records.

    :param status: run → status; ``"running"`` if it may still write, ``"stale"`` if it is dead.
    :param paths: the paths of checkpoints that are not deleted, in any store.
    :param deleted: the paths of deleted checkpoints in the local store.
    :param checkpoints: the rows of the checkpoints in the local store.
    :param aliases: run → one of its aliases.
    """

    status: Mapping[str, str]
    paths: frozenset[str]
    deleted: frozenset[str]
    checkpoints: tuple[Mapping[str, Any], ...]
    aliases: Mapping[str, str]


def read_state(connection: sa.Connection, store: LocalStore, run: str | None = None) -> RecordedState:
    """Return the recorded state of one run, or of all."""
    runs = sa.select(_RUNS.id, _RUNS.status, _RUNS.heartbeat)
    checkpoints = sa.select(tables.checkpoints)
    if run is not None:
        runs = runs.where(_RUNS.id == run)
        checkpoints = checkpoints.where(tables.checkpoints.c.run == run)
    liveness = Liveness.of(connection)
    status = {}
    for id_, recorded, heartbeat in connection.execute(runs):
        alive = liveness.may_write(id_, recorded, heartbeat)
        status[id_] = "running" if alive else "stale" if recorded == "running" else recorded
    rows = [dict(row) for row in connection.execute(checkpoints).mappings()]
    local = [row for row in rows if row["store"] == store.id]
    return RecordedState(
        status=status,
        paths=frozenset(row["path"] for row in rows if row["removed"] is None),
        deleted=frozenset(row["path"] for row in local if row["removed"] is not None),
        checkpoints=tuple(row for row in local if row["removed"] is None),
        aliases={one.run: one.reference for one in aliases.current(connection) if one.run is not None},
    )


@dataclass(frozen=True, slots=True)
class GarbageSearch:
    """The search for garbage in a home."""

    home: Home
    state: RecordedState
    options: GarbageOptions

    def items(self) -> list[GarbageItem]:
        """Return all garbage; items with a ``reason`` are not to be deleted."""
        found = [*self.leftovers(), *self.orphans(), *self.resume_state(), *self.checkpoints(), *self.cache()]
        return [replace(item, size=disk.usage(item.path)) for item in found]

    def leftovers(self) -> Iterator[GarbageItem]:
        """Yield what killed writes and superseded checkpoints left behind."""
        home, state = self.home, self.state
        superseded: dict[Path, list[Path]] = {}
        for path in (home.root / relative for relative in sorted(state.deleted - state.paths)):
            superseded.setdefault(path.parent, []).append(path)
        for folder in disk.children(home.runs):
            if folder.name.startswith(disk.TRASH_PREFIX):
                yield GarbageItem(category="leftovers", path=folder)
            elif state.status.get(folder.name, "running") != "running" and folder.is_dir():
                paths = [*self._leftovers_of_run(folder), *filter(Path.exists, superseded.get(folder, ()))]
                yield from (GarbageItem(category="leftovers", path=path, run=folder.name) for path in paths)
        # Outside the folders of runs, processes may be writing that are in no registry.
        backup = f".{home.database.name}.backup-"
        temporary = [
            path for path in disk.children(home.root) if _MARKER.fullmatch(path.name) or path.name.startswith(backup)
        ]
        temporary += [path for path in disk.cache_entries(home.cache) if _UNFINISHED.fullmatch(path.name)]
        for path in temporary:
            if disk.is_older(path, UNTOUCHED):
                yield GarbageItem(category="leftovers", path=path)

    def _leftovers_of_run(self, folder: Path) -> Iterator[Path]:
        """Yield the leftovers in the folder of a run that has ended."""
        for path in disk.children(folder):
            # Another process may be exporting the run's checkpoint.
            unfinished = _UNFINISHED.fullmatch(path.name) and disk.is_older(path, UNTOUCHED)
            if path.name.startswith(disk.TRASH_PREFIX) or unfinished:
                yield path
        for path in disk.children(folder / CHECKPOINTS):
            if path.relative_to(self.home.root).as_posix() not in self.state.paths:
                yield path

    def orphans(self) -> Iterator[GarbageItem]:
        """Yield the folders of runs that the registry does not know."""
        for folder in disk.children(self.home.runs):
            if folder.name in self.state.status or folder.name.startswith("."):
                continue
            names = {path.name for path in disk.children(folder)}
            if not (_RUN_ID.fullmatch(folder.name) or names & {CHECKPOINTS, RESUME}):
                reason = "it does not look like a run's; delete it by hand"
            elif probe_lock(folder) is LockState.HELD:
                reason = "a process is training this run"
            elif self.options.orphans:
                reason = None
            elif any(folder.glob(f"{CHECKPOINTS}/*/{CHECKPOINT_INFO}")):
                reason = "it holds checkpoints that another registry may know; --orphans frees it"
            else:
                old = disk.is_older(folder, UNTOUCHED)
                reason = None if old else "it was written less than a day ago; --orphans frees it"
            yield GarbageItem(category="orphans", path=folder, reason=reason)

    def resume_state(self) -> Iterator[GarbageItem]:
        """Yield the training states of runs that need not be resumed."""
        for run, status in self.state.status.items():
            folder = self.home.runs / run / RESUME
            if status == "running" or folder.parent.parent != self.home.runs or not folder.is_dir():
                continue
            if status in COMPLETE or self.options.unfinished:
                yield GarbageItem(category="resume", path=folder, run=run, restarts=status not in COMPLETE)

    def checkpoints(self) -> Iterator[GarbageItem]:
        """Yield last checkpoints of finished runs, and checkpoints of unfinished ones, as the options say."""
        for row in self.state.checkpoints:
            run, path = row["run"], self.home.root / row["path"]
            status = self.state.status[run]
            if status == "running" or not path.exists() or not disk.is_inside(path, self.home.runs):
                continue
            item = GarbageItem(category="last", path=path, run=run, checkpoint=row["id"])
            if status in COMPLETE:
                if self.options.last and not row["is_best"]:
                    yield item
            elif self.options.unfinished:
                alias = None if self.options.force else self.state.aliases.get(run)
                reason = f"the run is {alias}; --force frees it" if alias else None
                yield replace(item, category="unfinished", reason=reason)

    def cache(self) -> Iterator[GarbageItem]:
        """Yield cache entries that were not used for long."""
        if self.options.cache is None:
            return
        running = next((run for run, status in self.state.status.items() if status == "running"), None)
        reason = f"the run {running} may be using it" if running else None
        for path in disk.cache_entries(self.home.cache):
            if disk.is_older(path, self.options.cache, accessed=True):
                yield GarbageItem(category="cache", path=path, reason=reason)


def delete_item(database: Database, store: LocalStore, item: GarbageItem, options: GarbageOptions) -> bool:
    """Delete a garbage item, unless it came into use meanwhile, and return whether it was deleted.

    :raises StorageError: the file or the registry cannot be written.
    """
    path = item.path
    if item.run is not None:
        with database.session(write=True) as connection:
            # With its row locked the run cannot be resumed until the transaction ends.
            connection.execute(sa.select(_RUNS.id).where(_RUNS.id == item.run).with_for_update())
            state = read_state(connection, store, item.run)
            if state.status.get(item.run) == "running":
                return False
            if item.category == "leftovers" and path.relative_to(store.root).as_posix() in state.paths:
                return False
            if item.category == "unfinished" and item.run in state.aliases and not options.force:
                return False
            if item.checkpoint is None:
                path = disk.move_to_trash(path)
            else:
                columns = tables.checkpoints.c
                present = tables.checkpoints.update().where(columns.id == item.checkpoint, columns.removed.is_(None))
                if connection.execute(present.values(removed=now(), is_last=False)).rowcount != 1:
                    return False
    disk.delete(path)  # of a checkpoint only after its deletion is committed
    return True
