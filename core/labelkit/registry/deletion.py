"""Deleting runs, or only their checkpoints: first the record, then the folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import aliases, disk, tables
from labelkit.registry.home import RESUME, LocalStore
from labelkit.registry.liveness import Liveness, now
from labelkit.registry.names import COMPLETE, unknown_run

_RUNS = tables.runs.c
_CHECKPOINTS = tables.checkpoints.c


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletedRun:
    """A run, or its checkpoints, that :meth:`Storage.delete_runs` deleted.

    :param size: the disk usage of its folders in this home, in bytes.
    :param elsewhere: its folders that remain in other stores, as ``host:folder``.
    :param aliases: its aliases that were removed, as ``TASK@NAME``.
    :param restarts: its record stays, and resuming it would start from the beginning.
    """

    run: str
    size: int
    folders: tuple[Path, ...] = ()
    elsewhere: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    restarts: bool = False


def plan_deletion(
    connection: sa.Connection,
    store: LocalStore,
    runs_folder: Path,
    runs: Sequence[str],
    *,
    checkpoints_only: bool,
    force: bool,
) -> list[DeletedRun]:
    """Return what deleting ``runs`` would delete. Their rows are locked until the transaction ends.

    :param checkpoints_only: the records of the runs are kept, but not their state for resuming.
    :param force: delete aliased and running runs too, and the records of runs with checkpoints elsewhere.
    :raises RegistryError: a run is unknown; or it is running, aliased or elsewhere, without ``force``.
    :raises StorageError: a folder cannot be deleted.
    """
    plan = []
    for run in dict.fromkeys(runs):
        status = _lock(connection, run, force=force)
        references = tuple(one.reference for one in aliases.current(connection, run=run))
        if references and not force:
            raise RegistryError(
                f"the run '{run}' is {', '.join(references)}",
                hint=f"remove the alias first: labelkit runs alias --remove {references[0]}; or add --force",
            )
        own, elsewhere = _checkpoint_places(connection, store, run)
        if elsewhere and not force and not checkpoints_only:
            raise RegistryError(
                f"checkpoints of the run '{run}' are elsewhere ({', '.join(elsewhere)}) and would stay there",
                hint="delete the run there, or add --force to delete its record all the same",
            )
        folders = _folders(runs_folder, run, own, checkpoints_only=checkpoints_only)
        for folder in folders:
            disk.check_deletable(folder)
        plan.append(
            DeletedRun(
                run=run,
                size=sum(disk.usage(folder) for folder in folders),
                folders=folders,
                elsewhere=elsewhere,
                aliases=() if checkpoints_only else references,
                restarts=checkpoints_only and status not in COMPLETE,
            )
        )
    return plan


def record_deletion(
    connection: sa.Connection, store: LocalStore, plan: Sequence[DeletedRun], *, checkpoints_only: bool
) -> None:
    """Record that the runs of ``plan``, or only their checkpoints, are deleted."""
    for one in plan:
        if checkpoints_only:
            present = (_CHECKPOINTS.run == one.run, _CHECKPOINTS.removed.is_(None), _CHECKPOINTS.store == store.id)
            connection.execute(tables.checkpoints.update().where(*present).values(removed=now(), is_last=False))
            continue
        for reference in one.aliases:
            task, _, name = reference.rpartition("@")
            aliases.append_entry(connection, task, name, None)
        connection.execute(tables.runs.delete().where(_RUNS.id == one.run))


def _lock(connection: sa.Connection, run: str, *, force: bool) -> str:
    """Lock the row of a run and return its status.

    :raises RegistryError: the run is unknown, or it is running without ``force``.
    """
    query = sa.select(_RUNS.status, _RUNS.heartbeat, _RUNS.host, _RUNS.pid).where(_RUNS.id == run)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise unknown_run(run)
    if not force and Liveness.of(connection).may_write(run, row.status, row.heartbeat):
        raise RegistryError(
            f"the run '{run}' is running (process {row.pid} on {row.host})", hint="stop it first, or add --force"
        )
    return str(row.status)


def _checkpoint_places(connection: sa.Connection, store: LocalStore, run: str) -> tuple[list[Path], tuple[str, ...]]:
    """Return the folders of a run's checkpoints in this store, and those in others as ``host:folder``."""
    stores = tables.stores.c
    query = (
        sa.select(_CHECKPOINTS.store, _CHECKPOINTS.path, stores.host, stores.root)
        .join(tables.stores, stores.id == _CHECKPOINTS.store)
        .where(_CHECKPOINTS.run == run, _CHECKPOINTS.removed.is_(None))
        .order_by(_CHECKPOINTS.id)
    )
    rows = connection.execute(query).all()
    return (
        [store.root / row.path for row in rows if row.store == store.id],
        tuple(f"{row.host}:{row.root}/{row.path}" for row in rows if row.store != store.id),
    )


def _folders(runs_folder: Path, run: str, recorded: Sequence[Path], *, checkpoints_only: bool) -> tuple[Path, ...]:
    """Return the existing folders of a run: its own, and recorded ones outside of it."""
    own = runs_folder / run
    # Ids are input: never follow one out of the folder of runs.
    safe = own.parent == runs_folder and run not in (".", "..")
    found = [own / RESUME if checkpoints_only else own] if safe else []
    for folder in recorded:
        if disk.is_inside(folder, runs_folder) and not any(folder.is_relative_to(other) for other in found):
            found.append(folder)
    return tuple(folder for folder in found if folder.exists() or folder.is_symlink())
