"""Removing runs, or only their checkpoints: the record first, then the folders."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import aliases, disk, tables
from labelkit.registry.home import LocalStore
from labelkit.registry.liveness import is_stale, now
from labelkit.registry.names import unknown_run
from labelkit.registry.reports import Removed

#: the folder of a run that holds what resuming it needs
RESUME = "resume"
_RUNS = tables.runs.c
_CHECKPOINTS = tables.checkpoints.c


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What shall be removed, and how.

    :param checkpoints_only: the records of the runs stay; what resuming them needs goes too.
    :param force: aliased and running runs too, and records of what lies elsewhere.
    """

    runs: tuple[str, ...]
    checkpoints_only: bool
    force: bool


def may_live(row: sa.RowMapping) -> bool:
    """Say whether a run may still write: more careful than what is shown as stale, since files depend on it.

    :param row: with ``status``, ``heartbeat``, ``host`` and ``pid`` of a run.
    """
    if row["status"] != "running":
        return False
    # silent for long, but its process is there: it may be at something that takes long
    here = row["host"] == platform.node()
    at = row["heartbeat"] if here else now()
    return not is_stale(row["status"], row["heartbeat"], row["host"], row["pid"], at=at)


def look(connection: sa.Connection, store: LocalStore, runs_folder: Path, order: Order) -> list[Removed]:
    """Check that everything may be removed and return what that comes to.

    :raises RegistryError: a run is unknown, running, aliased, or elsewhere, and there is no force.
    :raises StorageError: a folder cannot be deleted.
    """
    return [_look(connection, store, runs_folder, order, run) for run in dict.fromkeys(order.runs)]


def _look(connection: sa.Connection, store: LocalStore, runs_folder: Path, order: Order, run: str) -> Removed:
    query = sa.select(_RUNS.status, _RUNS.heartbeat, _RUNS.host, _RUNS.pid).where(_RUNS.id == run)
    row = connection.execute(query.with_for_update()).mappings().one_or_none()
    if row is None:
        raise unknown_run(run)
    if may_live(row) and not order.force:
        raise RegistryError(
            f"the run '{run}' is running (process {row['pid']} on {row['host']})", hint="stop it first, or add --force"
        )
    named = tuple(one.reference for one in aliases.current(connection, run=run))
    if named and not order.force:
        raise RegistryError(
            f"the run '{run}' is {', '.join(named)}",
            hint=f"labelkit runs alias --remove {named[0]} takes the alias away; --force removes the run all the same",
        )
    elsewhere = _elsewhere(connection, store, run)
    if elsewhere and not order.force and not order.checkpoints_only:
        raise RegistryError(
            f"checkpoints of the run '{run}' are elsewhere ({', '.join(elsewhere)}) and would stay there",
            hint="remove the run there, or add --force to remove its record all the same",
        )
    folders = _folders(connection, store, runs_folder, order, run)
    for folder in folders:
        disk.check_deletable(folder)
    size = sum(disk.usage(folder) for folder in folders)
    taken = () if order.checkpoints_only else named
    restarts = order.checkpoints_only and row["status"] != "finished"
    return Removed(run=run, size=size, folders=folders, elsewhere=elsewhere, aliases=taken, restarts=restarts)


def record(connection: sa.Connection, store: LocalStore, order: Order, removed: list[Removed]) -> None:
    """Record that ``removed`` is gone."""
    for one in removed:
        if order.checkpoints_only:
            gone = tables.checkpoints.update().where(_CHECKPOINTS.run == one.run, _CHECKPOINTS.removed.is_(None))
            gone = gone.where(_CHECKPOINTS.store == store.id)
            connection.execute(gone.values(removed=now(), is_last=False))
            continue
        for reference in one.aliases:
            task, _, name = reference.rpartition("@")
            aliases.append_entry(connection, task, name, None)
        connection.execute(tables.runs.delete().where(_RUNS.id == one.run))


def _elsewhere(connection: sa.Connection, store: LocalStore, run: str) -> tuple[str, ...]:
    stores = tables.stores.c
    query = (
        sa.select(_CHECKPOINTS.store, _CHECKPOINTS.path, stores.host, stores.root)
        .join(tables.stores, stores.id == _CHECKPOINTS.store)
        .where(_CHECKPOINTS.run == run, _CHECKPOINTS.removed.is_(None))
        .order_by(_CHECKPOINTS.id)
    )
    rows = connection.execute(query).all()
    return tuple(f"{row.host}:{row.root}/{row.path}" for row in rows if row.store != store.id)


def _folders(
    connection: sa.Connection, store: LocalStore, runs_folder: Path, order: Order, run: str
) -> tuple[Path, ...]:
    """Return the folders of a run here: its own and, should there be any, recorded ones that lie outside of it."""
    query = sa.select(_CHECKPOINTS.path).where(_CHECKPOINTS.run == run, _CHECKPOINTS.removed.is_(None))
    query = query.where(_CHECKPOINTS.store == store.id).order_by(_CHECKPOINTS.id)
    own = runs_folder / run
    # an id comes from outside: never follow one out of the folder of runs
    safe = own.parent == runs_folder and run not in (".", "..")
    found = [own / RESUME if order.checkpoints_only else own] if safe else []
    recorded = [store.root / path for path in connection.scalars(query)]
    for folder in recorded:
        if is_inside(folder, runs_folder) and not any(folder.is_relative_to(other) for other in found):
            found.append(folder)
    return tuple(folder for folder in found if folder.exists() or folder.is_symlink())


def is_inside(path: Path, folder: Path) -> bool:
    """Say whether ``path`` is something in ``folder``, however it is written."""
    inner, outer = path.resolve(), folder.resolve()
    return inner != outer and inner.is_relative_to(outer)
