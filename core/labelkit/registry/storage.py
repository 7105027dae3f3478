"""Checkpoints on disk: verification, deletion and garbage collection; and stale runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta

import sqlalchemy as sa

from labelkit.errors import LabelkitError, RegistryError, StorageError
from labelkit.registry import attempts, deletion, disk, garbage_collection, statements, tables, verification
from labelkit.registry.database import Database
from labelkit.registry.entities import CheckpointRecord, RunSummary
from labelkit.registry.garbage_collection import CollectedGarbage, GarbageItem, GarbageOptions, GarbageSearch
from labelkit.registry.home import Home, LocalStore
from labelkit.registry.names import COMPLETE, unknown_run
from labelkit.registry.queries import checkpoints, summaries
from labelkit.registry.remote_store import RemoteStore, StoredFile, is_old

_RUNS = tables.runs.c


def _is_trial() -> sa.ColumnElement[bool]:
    """Return the condition that a run is a trial of a search."""
    return sa.exists().where(tables.searches.c.name == _RUNS.group_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCheckpoint:
    """An uploaded checkpoint whose files were hashed again.

    :param store: the URL of its store.
    """

    run: str
    step: int
    store: str
    files: tuple[verification.FileState, ...]

    @property
    def ok(self) -> bool:
        """Whether the store holds exactly the recorded files."""
        return all(one.state == "ok" for one in self.files)


class Storage:
    """Housekeeping of the checkpoints in the home in use, and of stale runs."""

    def __init__(self, database: Database, store: LocalStore, home: Home) -> None:
        self._database = database
        self._store = store
        self._home = home

    def reap(self) -> list[RunSummary]:
        """Record each stale run as ``stale``, ended at its last heartbeat, and return these runs.

        A run on another machine is stale after five minutes without a heartbeat.
        """
        with self._database.session() as connection:
            stale = [run.id for run in summaries(connection, _RUNS.status == "running") if run.stale]
        reaped = []
        for run in stale:
            with self._database.session(write=True) as connection:
                if attempts.mark_stale(connection, run):
                    reaped += summaries(connection, _RUNS.id == run)
        return reaped

    def bytes_to_verify(self, runs: Sequence[str] | None = None) -> int:
        """Return how many bytes :meth:`verify` will read."""
        with self._database.session() as connection:
            return verification.recorded_bytes(connection, self._store, runs)

    def verify(
        self, runs: Sequence[str] | None = None, *, progress: verification.Progress | None = None
    ) -> verification.Verification:
        """Hash the files of the checkpoints in this home again and compare them with the recorded checksums.

        :param runs: ids; None for all, which also reports unknown folders.
        :param progress: called with the number of bytes after each block that was read.
        :raises RegistryError: a run is unknown.
        :raises StorageError: a file exists but cannot be read.
        """
        with self._database.session() as connection:
            for run in runs or ():
                if not statements.exists(connection, run):
                    raise unknown_run(run)
            elsewhere = verification.count_elsewhere(connection, self._store, runs)
            state = garbage_collection.read_state(connection, self._store) if runs is None else None
        checkpoints = verification.verify_checkpoints(self._database, self._store, runs, progress)
        garbage = GarbageSearch(self._home, state, GarbageOptions()).items() if state else []
        # The reasons are those not to delete them: here all are reported.
        unknown = tuple(replace(one, reason=None) for one in garbage if one.category in ("leftovers", "orphans"))
        return verification.Verification(checkpoints=tuple(checkpoints), unknown=unknown, elsewhere=elsewhere)

    def delete_runs(
        self, *runs: str, checkpoints_only: bool = False, force: bool = False, dry_run: bool = False
    ) -> list[deletion.DeletedRun]:
        """Delete runs, all or none: their records, and their folders in this home. Files they labelled stay.

        Deletions are recorded first: the registry never names a folder that is gone.

        :param runs: ids.
        :param checkpoints_only: keep the records; delete checkpoints and the state for resuming.
        :param force: delete aliased and running runs too, and the records of runs with checkpoints elsewhere.
        :param dry_run: only return what would be deleted.
        :raises RegistryError: a run is unknown, running, aliased or elsewhere.
        :raises StorageError: a folder cannot be deleted; :meth:`collect_garbage` deletes what is left.
        """
        store = RemoteStore.of(self._home)
        if store is not None and not dry_run:  # first: once the records are gone, nothing says what else to remove
            for one in self.delete_runs(*runs, checkpoints_only=checkpoints_only, force=force, dry_run=True):
                if not (checkpoints_only and one.elsewhere):  # else the record still promises a checkpoint
                    store.remove(one.run)
        with self._database.session(alone=not dry_run) as connection:
            plan = deletion.plan_deletion(
                connection, self._store, self._home.runs, runs, checkpoints_only=checkpoints_only, force=force
            )
            if not dry_run:
                deletion.record_deletion(connection, self._store, plan, checkpoints_only=checkpoints_only)
        errors: list[StorageError] = []
        for folder in (folder for one in plan for folder in one.folders if not dry_run):
            try:
                disk.delete(folder)
            except StorageError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return plan

    def upload(self, run: str, *, again: bool = False) -> int | None:
        """Upload the best checkpoint of a run to the shared store, and return the bytes that it did not have yet.

        :param again: also files that it has, which may be damaged.
        :return: None where there is no store.
        :raises RegistryError: the run is unknown, has no checkpoint, or ``LABELKIT_STORE`` is invalid.
        :raises StorageError: the checkpoint is not here, or the store refuses.
        """
        store = RemoteStore.of(self._home)
        if store is None:
            return None
        return store.upload(self._best(run), again=again)

    def share(self, run: str, warn: Callable[[str], object]) -> None:
        """Upload the best checkpoint of a run to the shared store, if there is one; that of a trial of a search stays.

        :param warn: called where it cannot be uploaded: the run is complete all the same.
        """
        if self._home.remote is None:
            return
        try:
            with self._database.session() as connection:
                trial = connection.scalar(sa.select(_RUNS.id).where(_RUNS.id == run, _is_trial())) is not None
            if not trial:
                self.upload(run)
        except LabelkitError as error:
            warn(f"the checkpoint was not uploaded: {error.message}; labelkit runs upload {run} does it again")

    def complete_runs(self) -> list[str]:
        """Return the complete runs whose best checkpoint is in this home, oldest first; no trials of searches."""
        columns = tables.checkpoints.c
        query = sa.select(_RUNS.id).join(tables.checkpoints, columns.run == _RUNS.id).order_by(_RUNS.started, _RUNS.id)
        query = query.where(
            *verification.present(None, self._store), columns.is_best, _RUNS.status.in_(COMPLETE), ~_is_trial()
        )
        with self._database.session() as connection:
            return list(connection.scalars(query))

    def _best(self, run: str) -> CheckpointRecord:
        with self._database.session() as connection:
            if not statements.exists(connection, run):
                raise unknown_run(run)
            found = [one for one in checkpoints(connection, run, self._store) if one.best and not one.removed]
        if not found:
            raise RegistryError(f"the run '{run}' has no checkpoint", hint="labelkit runs list shows how runs ended")
        return found[-1]

    def verify_store(self, runs: Sequence[str] | None = None) -> list[StoredCheckpoint]:
        """Hash the uploaded files of the best checkpoints again and compare them with the recorded checksums.

        :param runs: ids; None for all runs with a checkpoint.
        :return: nothing where there is no shared store.
        :raises StorageError: the store refuses.
        """
        store = RemoteStore.of(self._home)
        if store is None:
            return []
        columns = tables.checkpoints.c
        with self._database.session() as connection:
            query = sa.select(columns.run).where(*verification.present(runs), columns.is_best).order_by(columns.id)
            ids = list(connection.scalars(query))
        uploaded = [one for one in map(self._best, dict.fromkeys(ids)) if store.holds(one)]
        return [
            StoredCheckpoint(
                run=one.run,
                step=one.step,
                store=store.url,
                files=verification.compare_files(
                    {name: sha256 for name, (_, sha256) in one.files.items()}, store.file_states(one)
                ),
            )
            for one in uploaded
        ]

    def collect_store(self, *, dry_run: bool = False) -> list[StoredFile]:
        """Delete the files of the shared store that no checkpoint needs and that are older than a day; return them.

        :param dry_run: only return them.
        :raises StorageError: the store refuses.
        """
        store = RemoteStore.of(self._home)
        if store is None:
            return []
        age = garbage_collection.UNTOUCHED.total_seconds()
        found = [one for one in store.unreferenced() if is_old(one, age)]
        return found if dry_run else store.remove_files(found, age)

    def collect_garbage(
        self,
        *,
        last: bool = False,
        unfinished: bool = False,
        orphans: bool = False,
        cache: timedelta | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> CollectedGarbage:
        """Delete leftovers of killed writes, superseded checkpoints and the resume state of finished runs.

        Nothing of a run that may be alive is touched.

        :param last: also last checkpoints of finished runs that have a better one.
        :param unfinished: also checkpoints and resume state of runs that ended without finishing.
        :param orphans: also folders with complete checkpoints of runs that this registry does not know.
        :param cache: also cache entries not used for this long.
        :param force: also checkpoints of aliased runs.
        :param dry_run: only return what would be deleted.
        """
        if not dry_run:
            self._database.check_writable()
        options = GarbageOptions(last=last, unfinished=unfinished, orphans=orphans, cache=cache, force=force)
        with self._database.session() as connection:
            state = self._with_default_registry(garbage_collection.read_state(connection, self._store))
            elsewhere = verification.count_elsewhere(connection, self._store, None)
        found = GarbageSearch(self._home, state, options).items()
        freed, failed = [one for one in found if one.reason is None], list[GarbageItem]()
        if not dry_run:
            freed, failed = self._delete(freed, options)
        return CollectedGarbage(
            freed=tuple(freed),
            kept=tuple(one for one in found if one.reason is not None),
            failed=tuple(failed),
            elsewhere=elsewhere,
            dry_run=dry_run,
        )

    def _delete(
        self, items: Sequence[GarbageItem], options: GarbageOptions
    ) -> tuple[list[GarbageItem], list[GarbageItem]]:
        """Delete items and return those deleted, and those that could not be."""
        deleted, failed = [], []
        # Items without a record first: on a full disk they make the room that records need.
        for item in sorted(items, key=lambda item: item.checkpoint is not None):
            try:
                if garbage_collection.delete_item(self._database, self._store, item, options):
                    deleted.append(item)
            except StorageError as error:
                failed.append(replace(item, reason=error.message))
        return deleted, failed

    def _with_default_registry(self, state: garbage_collection.RecordedState) -> garbage_collection.RecordedState:
        """Add the runs of the home's own database if another one is in use: their folders are not orphans."""
        if self._home.url is None or not self._home.database.exists():
            return state
        with (
            closing(Database.open(Home(root=self._home.root), create=False)) as database,
            database.session() as connection,
        ):
            more = garbage_collection.read_state(connection, self._store)
        return replace(state, status={**more.status, **state.status}, paths=state.paths | more.paths)
