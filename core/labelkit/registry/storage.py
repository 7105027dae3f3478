"""Keeping house: what is on the disk, whether it is whole, and freeing it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from labelkit.errors import StorageError
from labelkit.registry import deletion, disk, garbage_collection, tables, verification
from labelkit.registry.database import Database
from labelkit.registry.entities import RunSummary
from labelkit.registry.home import Home, LocalStore
from labelkit.registry.lineage import Progress
from labelkit.registry.liveness import is_stale
from labelkit.registry.names import unknown_run
from labelkit.registry.queries import summaries
from labelkit.registry.reports import Collected, Leftover, Removed, Verification
from labelkit.registry.statements import exists

_RUNS = tables.runs.c


class Storage:
    """Works on the checkpoints of the home in use only."""

    def __init__(self, database: Database, store: LocalStore, home: Home) -> None:
        self._database = database
        self._store = store
        self._home = home

    def reap(self) -> list[RunSummary]:
        """Record as ``stale`` each run whose process died without a word, and return them as they are now.

        Its end is its last sign of life. A run on another machine counts as dead after five minutes of silence.
        """
        with self._database.session() as connection:
            found = [run.id for run in summaries(connection, _RUNS.status == "running") if run.stale]
        reaped = []
        for run in found:
            with self._database.session(write=True) as connection:
                if _reap(connection, run):
                    reaped += summaries(connection, _RUNS.id == run)
        return reaped

    def bytes_to_verify(self, runs: Sequence[str] | None = None) -> int:
        """Return how many bytes :meth:`verify` will read."""
        with self._database.session() as connection:
            return verification.size_here(connection, self._store, runs)

    def verify(self, runs: Sequence[str] | None = None, *, progress: Progress | None = None) -> Verification:
        """Hash the files of the checkpoints here again and compare them with what was recorded.

        :param runs: ids; None for all, which also looks for what else lies among the runs.
        :param progress: called with the number of bytes after each block that was read.
        :raises RegistryError: there is no such run.
        :raises StorageError: a file is there and cannot be read.
        """
        with self._database.session() as connection:
            for run in runs or ():
                if not exists(connection, run):
                    raise unknown_run(run)
            elsewhere = verification.count_elsewhere(connection, self._store, runs)
            known = garbage_collection.look(connection, self._store) if runs is None else None
        checked = verification.check_all(self._database, self._store, runs, progress)
        unknown = garbage_collection.survey(self._home, known, garbage_collection.Wanted()) if known else []
        # a day's patience is for deleting; here they are all told
        found = tuple(replace(one, reason=None) for one in unknown if one.category in ("leftovers", "orphans"))
        return Verification(checkpoints=tuple(checked), unknown=found, elsewhere=elsewhere)

    def delete_runs(
        self, *runs: str, checkpoints_only: bool = False, force: bool = False, dry_run: bool = False
    ) -> list[Removed]:
        """Remove runs: their records, and their folders here. Files that their labellers wrote stay.

        Nothing is removed when one of them may not be. What is removed is recorded as such before it is deleted:
        whatever happens between, the registry names nothing that is not there.

        :param runs: ids.
        :param checkpoints_only: the records stay; what resuming the runs needs goes too.
        :param force: aliased and running runs too, and records of runs whose checkpoints are elsewhere.
        :param dry_run: only say what would be removed.
        :raises RegistryError: a run is unknown, running, aliased or elsewhere.
        :raises StorageError: the disk refused; what is gone is gone, and :meth:`collect_garbage` frees the rest.
        """
        order = deletion.Order(runs=runs, checkpoints_only=checkpoints_only, force=force)
        with self._database.session(alone=not dry_run) as connection:
            removed = deletion.look(connection, self._store, self._home.runs, order)
            if not dry_run:
                deletion.record(connection, self._store, order, removed)
        refused: list[StorageError] = []
        for folder in (folder for one in removed for folder in one.folders if not dry_run):
            try:
                disk.delete(folder)
            except StorageError as error:
                refused.append(error)
        if refused:
            raise refused[0]
        return removed

    def collect_garbage(
        self,
        *,
        last: bool = False,
        unfinished: bool = False,
        orphans: bool = False,
        cache: timedelta | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> Collected:
        """Free what nobody needs: leftovers of killed writes, superseded checkpoints, resume state of finished runs.

        Nothing of a run that may still be alive is touched.

        :param last: also the last checkpoints of finished runs that have a better one.
        :param unfinished: also checkpoints and resume state of runs that ended without finishing.
        :param orphans: also folders with whole checkpoints that are not in this registry.
        :param cache: also what is in the cache and was not used for so long.
        :param force: also checkpoints of aliased runs.
        :param dry_run: only say what would be freed.
        """
        wanted = garbage_collection.Wanted(last=last, unfinished=unfinished, orphans=orphans, cache=cache, force=force)
        with self._database.session() as connection:
            known = self._with_own(garbage_collection.look(connection, self._store))
            elsewhere = verification.count_elsewhere(connection, self._store, None)
        found = garbage_collection.survey(self._home, known, wanted)
        freed = [one for one in found if one.reason is None]
        failed: list[Leftover] = []
        if not dry_run:
            freed, failed = self._free(freed, wanted)
        kept = [one for one in found if one.reason is not None]
        return Collected(
            freed=tuple(freed), kept=tuple(kept), failed=tuple(failed), elsewhere=elsewhere, dry_run=dry_run
        )

    def _free(
        self, found: Sequence[Leftover], wanted: garbage_collection.Wanted
    ) -> tuple[list[Leftover], list[Leftover]]:
        freed, failed = [], []
        # what needs no record first: on a full disk it makes the room that records take
        for one in sorted(found, key=lambda one: one.checkpoint is not None):
            try:
                done = garbage_collection.free(self._database, self._store, one, wanted)
            except StorageError as error:
                failed.append(replace(one, reason=error.message))
            else:
                freed += [done] if done else []
        return freed, failed

    def _with_own(self, known: garbage_collection.Known) -> garbage_collection.Known:
        """Add the runs of the home's own database, when another one is in use: its folders are no orphans."""
        if self._home.url is None or not self._home.database.exists():
            return known
        own = Database.open(Home(root=self._home.root), create=False)
        with closing(own), own.session() as connection:
            more = garbage_collection.look(connection, self._store)
        return replace(known, status={**more.status, **known.status}, paths=known.paths | more.paths)


def _reap(connection: sa.Connection, run: str) -> bool:
    """Record a run as stale unless it showed a sign of life meanwhile."""
    columns, attempts = tables.runs.c, tables.attempts.c
    query = sa.select(columns.status, columns.heartbeat, columns.host, columns.pid, columns.started, columns.seconds)
    row = connection.execute(query.where(columns.id == run)).one_or_none()
    if row is None or not is_stale(row.status, row.heartbeat, row.host, row.pid):
        return False
    begun: datetime | None = connection.scalar(sa.select(sa.func.max(attempts.resumed)).where(attempts.run == run))
    lived = (row.heartbeat - (begun or row.started)).total_seconds()
    same = (columns.id == run, columns.status == "running", columns.heartbeat == row.heartbeat)
    changed = connection.execute(
        tables.runs.update()
        .where(*same)
        .values(
            status="stale",
            ended=row.heartbeat,
            seconds=(row.seconds or 0.0) + max(lived, 0.0),
            error=f"its process ({row.pid} on {row.host}) died without a word",
            hint=f"labelkit run --resume {run} goes on from its last checkpoint",
        )
    )
    return changed.rowcount == 1
