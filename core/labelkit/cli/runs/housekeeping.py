"""``labelkit runs verify``, ``rm``, ``gc`` and ``reap``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import click

from labelkit.cli.common import Shell, command_options
from labelkit.errors import RegistryError, StorageError

if TYPE_CHECKING:
    from labelkit.registry import Registry

Result = TypeVar("Result")
_MONTH = timedelta(days=30)


class Age(click.ParamType[timedelta]):
    """A duration in days or hours, such as ``30d`` or ``12h``."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,5})([dh])", str(value))
        if not found:
            self.fail("give days or hours, as 30d or 12h", param, ctx)
        return timedelta(**{"days" if found[2] == "d" else "hours": int(found[1])})


@click.command("verify")
@click.argument("runs", nargs=-1, metavar="[RUN...]")
@command_options
def verify(shell: Shell, runs: tuple[str, ...]) -> None:
    """Verify the checkpoints of each RUN, or of all runs, against their recorded checksums."""
    from labelkit.cli.runs import housekeeping_display as display
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        ids = [registry.runs.find(run).id for run in runs] or None
        with display.hashing(shell.err, registry.storage.bytes_to_verify(ids)) as progress:
            found = registry.storage.verify(ids, progress=progress)
        stored = registry.storage.verify_store(ids)
    everywhere = [*(one.ok for one in found.checkpoints), *(one.ok for one in stored)]
    wrong = everywhere.count(False)
    if shell.as_json:
        shell.json({**asdict(found), "ok": not wrong, "store": [asdict(one) for one in stored]})
    else:
        display.verification(shell.out, found, stored)
    if wrong:
        raise RegistryError(
            f"{wrong} of {len(everywhere)} checkpoints do not match their recorded checksums",
            hint="restore them from a copy, or delete their runs: labelkit runs rm",
        )
    if not shell.as_json:
        display.line(shell.out, f"whole: {display.several(len(everywhere), 'checkpoint')}")


@click.command("rm")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--checkpoints-only", is_flag=True, help="Keep the records; delete checkpoints and resume state.")
@click.option("--force", is_flag=True, help="Also aliased and running runs, and records of checkpoints elsewhere.")
@click.option("--dry-run", is_flag=True, help="List what would be deleted.")
@command_options
def remove(shell: Shell, runs: tuple[str, ...], checkpoints_only: bool, force: bool, dry_run: bool) -> None:
    """Delete each RUN: its record, and its checkpoints on this machine. Files that it labelled stay.

    The name of a search stands for its trials and its record; the runs of its winner stay.
    """

    def work(registry: Registry) -> None:
        searches = [name for name in dict.fromkeys(runs) if registry.searches.find(name)]
        if searches:
            from labelkit.search.deletion import delete_searches, trials_of
            from labelkit.search.storage import require_optuna

            require_optuna()
        ids = [
            one
            for name in runs
            for one in (trials_of(registry, name) if name in searches else [registry.runs.find(name).id])
        ]
        found = registry.storage.delete_runs(*ids, checkpoints_only=checkpoints_only, force=force, dry_run=dry_run)
        searches = [] if checkpoints_only else searches
        if searches and not dry_run:
            delete_searches(searches, shell.home, registry)
        if shell.as_json:
            size = sum(one.size for one in found)
            runs_found = [asdict(one) for one in found]
            shell.json({"dry_run": dry_run, "freed": size, "runs": runs_found, "searches": searches})
            return
        from labelkit.cli.runs import housekeeping_display as display

        display.removed(shell.out, found, searches, dry_run=dry_run)

    with_free_space(shell, work, dry_run=dry_run)


@click.command("gc")
@click.option("--last", is_flag=True, help="Also the last checkpoints of finished runs that have a better one.")
@click.option("--unfinished", is_flag=True, help="Also checkpoints and resume state of runs that did not finish.")
@click.option("--orphans", is_flag=True, help="Also checkpoints of runs that are not in this registry.")
@click.option("--cache", is_flag=True, help="Also cache entries that were not used lately.")
@click.option("--older-than", type=Age(), metavar="AGE", help="With --cache: the age of stale entries  [default: 30d]")
@click.option("--force", is_flag=True, help="Also checkpoints of aliased runs.")
@click.option("--dry-run", is_flag=True, help="List what would be deleted.")
@command_options
def collect(shell: Shell, cache: bool, older_than: timedelta | None, dry_run: bool, **flags: bool) -> None:
    """Delete unreferenced files: leftovers of killed writes, superseded checkpoints, resume state of finished runs.

    Running runs are not touched.
    """
    if older_than is not None and not cache:
        raise click.UsageError("--older-than needs --cache")
    age = (_MONTH if older_than is None else older_than) if cache else None

    def work(registry: Registry) -> None:
        found = registry.storage.collect_garbage(cache=age, dry_run=dry_run, **flags)
        stored = registry.storage.collect_store(dry_run=dry_run)
        if shell.as_json:
            shell.json({"freed_bytes": found.size, **asdict(found), "store": [asdict(one) for one in stored]})
        else:
            from labelkit.cli.runs import housekeeping_display as display

            display.collected(shell.out, found, stored)
        if found.failed:
            raise StorageError(
                f"not everything could be deleted ({len(found.failed)} left): {found.failed[0].reason}",
                hint="check permissions and the disk, then try again",
            )

    with_free_space(shell, work, dry_run=dry_run)


@click.command("reap")
@command_options
def reap(shell: Shell) -> None:
    """Mark runs whose process has died as stale, and show how to resume them."""
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = registry.storage.reap()
    if shell.as_json:
        shell.json([asdict(run) for run in found])
    elif not found:
        shell.say("no stale runs")
    else:
        from labelkit.cli.runs import housekeeping_display as display

        display.reaped(shell.out, found)


def with_free_space(shell: Shell, work: Callable[[Registry], Result], *, dry_run: bool) -> Result:
    """Open the registry for ``work``; where a full disk prevents even that, free some of the cache first."""
    from labelkit.registry import Registry, disk

    def once() -> Result:
        with Registry.open(shell.home, create=False) as registry:
            return work(registry)

    try:
        return once()
    except StorageError:
        freed = 0 if dry_run else disk.make_room(shell.home.cache)
        if not freed:
            raise
    from labelkit.cli.runs import housekeeping_display as display

    shell.say(f"note: the disk is full; {display.size(freed)} of the cache freed to record the deletions")
    return once()
