"""What on the disk nobody needs any more, and freeing it while other processes train."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from labelkit.registry import aliases, disk, tables
from labelkit.registry.database import Database
from labelkit.registry.deletion import RESUME, is_inside, may_live
from labelkit.registry.home import MARKER, Home, LocalStore
from labelkit.registry.lineage import INFO
from labelkit.registry.liveness import now
from labelkit.registry.reports import Leftover

#: nobody writes one file or folder for longer without touching it
UNTOUCHED = timedelta(days=1)
_CHECKPOINTS = "checkpoints"
_RUNS = tables.runs.c
#: the names that ``storage`` gives to what it is writing, and ``disk`` to what it is deleting
_UNFINISHED = re.compile(r"\..+-[a-z0-9_]{8}")
_MARKER = re.compile(rf"{re.escape(MARKER)}\.[0-9a-f]{{32}}")
_RUN_ID = re.compile(r".+-\d{8}-\d{6}-[a-z0-9]{6}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What shall be freed beside leftovers.

    :param last: last checkpoints of finished runs that have a better one.
    :param unfinished: checkpoints and resume state of runs that ended without finishing.
    :param orphans: folders with whole checkpoints that this registry does not know, too.
    :param cache: what was not used for so long; None for nothing.
    :param force: aliased runs are no exception.
    """

    last: bool = False
    unfinished: bool = False
    orphans: bool = False
    cache: timedelta | None = None
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the registry knows of a home.

    :param status: by run; runs that may still write count as ``"running"``, dead ones as ``"stale"``.
    :param paths: of all checkpoints that are recorded as being there, whatever store they are in.
    :param gone: those of checkpoints here that are recorded as deleted.
    :param rows: the checkpoints here.
    :param aliased: run → what it is called.
    """

    status: Mapping[str, str]
    paths: frozenset[str]
    gone: frozenset[str]
    rows: tuple[Mapping[str, Any], ...]
    aliased: Mapping[str, str]


def look(connection: sa.Connection, store: LocalStore, run: str | None = None) -> Known:
    """Return what the registry knows, of all runs or of one."""
    query = sa.select(_RUNS.id, _RUNS.status, _RUNS.heartbeat, _RUNS.host, _RUNS.pid)
    checkpoints = sa.select(tables.checkpoints)
    if run is not None:
        query = query.where(_RUNS.id == run)
        checkpoints = checkpoints.where(tables.checkpoints.c.run == run)
    found = connection.execute(query).mappings()
    rows = [dict(row) for row in connection.execute(checkpoints).mappings()]
    mine = [row for row in rows if row["store"] == store.id]
    return Known(
        status={row["id"]: _status(row) for row in found},
        paths=frozenset(row["path"] for row in rows if row["removed"] is None),
        gone=frozenset(row["path"] for row in mine if row["removed"] is not None),
        rows=tuple(row for row in mine if row["removed"] is None),
        aliased={one.run: one.reference for one in aliases.current(connection) if one.run is not None},
    )


def _status(row: sa.RowMapping) -> str:
    return "stale" if row["status"] == "running" and not may_live(row) else str(row["status"])


def survey(home: Home, known: Known, wanted: Wanted) -> list[Leftover]:
    """Return what may be freed, and with a ``reason`` what is left alone though nobody seems to need it."""
    found = [*_leftovers(home, known), *_orphans(home, known, wanted), *_resume(home, known, wanted)]
    found += _checkpoints(home, known, wanted)
    found += _cache(home, known, wanted)
    return [replace(one, size=disk.usage(one.path)) for one in found]


def free(database: Database, store: LocalStore, one: Leftover, wanted: Wanted) -> Leftover | None:
    """Free one thing; None where it came into use again meanwhile.

    :raises StorageError: the disk, or the registry, refused.
    """
    path = one.path
    if one.run is not None:
        with database.session(write=True) as connection:
            # from here on the run cannot be resumed
            connection.execute(sa.select(_RUNS.id).where(_RUNS.id == one.run).with_for_update())
            known = look(connection, store, one.run)
            if known.status.get(one.run) == "running":
                return None
            if one.checkpoint is not None and not _let_go(connection, one, known, wanted):
                return None
            if one.category == "leftovers" and _relative(store.root, one.path) in known.paths:
                return None
            if one.checkpoint is None:  # a checkpoint leaves its place only once that is recorded
                path = disk.condemn(path)
    disk.delete(path)
    return one


def _let_go(connection: sa.Connection, one: Leftover, known: Known, wanted: Wanted) -> bool:
    """Record that a checkpoint is deleted, unless somebody needs it by now."""
    if one.category == "unfinished" and one.run in known.aliased and not wanted.force:
        return False
    columns = tables.checkpoints.c
    gone = tables.checkpoints.update().where(columns.id == one.checkpoint, columns.removed.is_(None))
    return connection.execute(gone.values(removed=now(), is_last=False)).rowcount == 1


# -- what there is ----------------------------------------------------------------------------------------------------


def _leftovers(home: Home, known: Known) -> Iterator[Leftover]:
    """Give what killed writes and superseded checkpoints left."""
    superseded: dict[Path, list[Path]] = {}
    for path in (home.root / relative for relative in sorted(known.gone - known.paths)):
        superseded.setdefault(path.parent, []).append(path)
    for folder in disk.children(home.runs):
        if folder.name.startswith(disk.CONDEMNED):
            yield _leftover(folder)
        elif known.status.get(folder.name, "running") != "running" and folder.is_dir():
            yield from (_leftover(path, folder.name) for path in _inside(home, folder, known))
            # those in the usual place are among the former
            yield from (_leftover(path, folder.name) for path in superseded.get(folder, ()) if path.exists())
    # here others may be at work just now, who are in no registry
    backup = f".{home.database.name}.backup-"
    for path in disk.children(home.root):
        if (_MARKER.fullmatch(path.name) or path.name.startswith(backup)) and _is_old(path):
            yield _leftover(path)
    for path in disk.cache_entries(home.cache):
        if _is_unfinished(path) and _is_old(path):
            yield _leftover(path)


def _inside(home: Home, folder: Path, known: Known) -> Iterator[Path]:
    """Give what is left over in the folder of a run that has ended."""
    for path in disk.children(folder):
        # somebody may be making something of the run's checkpoint just now
        if path.name.startswith(disk.CONDEMNED) or (_is_unfinished(path) and _is_old(path)):
            yield path
    for path in disk.children(folder / _CHECKPOINTS):
        if _relative(home.root, path) not in known.paths:
            yield path


def _orphans(home: Home, known: Known, wanted: Wanted) -> Iterator[Leftover]:
    for folder in disk.children(home.runs):
        if folder.name in known.status or folder.name.startswith("."):
            continue
        reason = _why_not(folder, wanted)
        yield Leftover(category="orphans", path=folder, size=0, reason=reason)


def _why_not(folder: Path, wanted: Wanted) -> str | None:
    """Return why a folder that the registry does not know is not freed."""
    names = {path.name for path in disk.children(folder)}
    if not (_RUN_ID.fullmatch(folder.name) or names & {_CHECKPOINTS, RESUME}):
        return "it does not look like a run's; delete it by hand"
    if wanted.orphans:
        return None
    if any(folder.glob(f"{_CHECKPOINTS}/*/{INFO}")):
        return "it holds checkpoints that another registry may know; --orphans frees it"
    return None if _is_old(folder) else "it was written less than a day ago; --orphans frees it"


def _resume(home: Home, known: Known, wanted: Wanted) -> Iterator[Leftover]:
    for run, status in known.status.items():
        folder = home.runs / run / RESUME
        if status == "running" or folder.parent.parent != home.runs or not folder.is_dir():
            continue
        if status == "finished" or wanted.unfinished:
            yield Leftover(category="resume", path=folder, size=0, run=run, restarts=status != "finished")


def _checkpoints(home: Home, known: Known, wanted: Wanted) -> Iterator[Leftover]:
    for row in known.rows:
        run, path = row["run"], home.root / row["path"]
        status = known.status[run]
        leftover = Leftover(category="last", path=path, size=0, run=run, checkpoint=row["id"])
        if status == "running" or not path.exists() or not is_inside(path, home.runs):
            continue
        if status == "finished":
            if wanted.last and not row["is_best"]:
                yield leftover
        elif wanted.unfinished:
            called = None if wanted.force else known.aliased.get(run)
            reason = f"the run is {called}; --force frees it" if called else None
            yield replace(leftover, category="unfinished", reason=reason)


def _cache(home: Home, known: Known, wanted: Wanted) -> Iterator[Leftover]:
    if wanted.cache is None:
        return
    busy = next((run for run, status in known.status.items() if status == "running"), None)
    reason = f"the run {busy} may be using it" if busy else None
    for path in disk.cache_entries(home.cache):
        if disk.is_older(path, wanted.cache, time.time(), read=True):
            yield Leftover(category="cache", path=path, size=0, reason=reason)


def _leftover(path: Path, run: str | None = None) -> Leftover:
    return Leftover(category="leftovers", path=path, size=0, run=run)


def _is_unfinished(path: Path) -> bool:
    return _UNFINISHED.fullmatch(path.name) is not None


def _is_old(path: Path) -> bool:
    return disk.is_older(path, UNTOUCHED, time.time())


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
