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
    """So many days or hours, as ``30d`` or ``12h``."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return it as a time."""
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
    """Hash the checkpoints of each RUN again, or all, and compare them with what was recorded."""
    from labelkit.cli.runs import keeping_drawing as drawing
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        ids = [registry.runs.find(run).id for run in runs] or None
        with drawing.hashing(shell.err, registry.storage.bytes_to_verify(ids)) as progress:
            found = registry.storage.verify(ids, progress=progress)
    if shell.as_json:
        shell.json({"ok": found.ok, **asdict(found)})
    else:
        drawing.verification(shell.out, found)
    wrong = [one for one in found.checkpoints if not one.ok]
    if wrong:
        raise RegistryError(
            f"{len(wrong)} of {len(found.checkpoints)} checkpoints are not what was recorded",
            hint="restore them from a copy, or remove their runs: labelkit runs rm",
        )
    if not shell.as_json:
        drawing.line(shell.out, f"whole: {drawing.several(len(found.checkpoints), 'checkpoint')}")


@click.command("rm")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--checkpoints-only", is_flag=True, help="Keep the records; what resuming the runs needs goes too.")
@click.option("--force", is_flag=True, help="Aliased and running runs too, and records of what lies elsewhere.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@command_options
def remove(shell: Shell, runs: tuple[str, ...], checkpoints_only: bool, force: bool, dry_run: bool) -> None:
    """Remove each RUN: its record, and its checkpoints here. Files that it labelled stay."""

    def work(registry: Registry) -> None:
        ids = [registry.runs.find(run).id for run in runs]
        found = registry.storage.delete_runs(*ids, checkpoints_only=checkpoints_only, force=force, dry_run=dry_run)
        if shell.as_json:
            size = sum(one.size for one in found)
            shell.json({"dry_run": dry_run, "freed": size, "runs": [asdict(one) for one in found]})
            return
        from labelkit.cli.runs import keeping_drawing as drawing

        drawing.removed(shell.out, found, dry_run=dry_run)

    _with_room(shell, work, dry_run=dry_run)


@click.command("gc")
@click.option("--last", is_flag=True, help="Also the last checkpoints of finished runs that have a better one.")
@click.option("--unfinished", is_flag=True, help="Also checkpoints and resume state of runs that did not finish.")
@click.option("--orphans", is_flag=True, help="Also checkpoints of runs that are not in this registry.")
@click.option("--cache", is_flag=True, help="Also what is in the cache and was not used lately.")
@click.option("--older-than", type=Age(), metavar="AGE", help="With --cache: not used for so long  [default: 30d]")
@click.option("--force", is_flag=True, help="Checkpoints of aliased runs are no exception.")
@click.option("--dry-run", is_flag=True, help="Only say what would be freed.")
@command_options
def collect(shell: Shell, cache: bool, older_than: timedelta | None, dry_run: bool, **flags: bool) -> None:
    """Free what nobody needs: leftovers of killed writes, superseded checkpoints, resume state of finished runs.

    Runs that train meanwhile are left alone.
    """
    if older_than is not None and not cache:
        raise click.UsageError("--older-than says what of the --cache to free")
    age = (_MONTH if older_than is None else older_than) if cache else None

    def work(registry: Registry) -> None:
        found = registry.storage.collect_garbage(cache=age, dry_run=dry_run, **flags)
        if shell.as_json:
            shell.json({"freed_bytes": found.size, **asdict(found)})
        else:
            from labelkit.cli.runs import keeping_drawing as drawing

            drawing.collected(shell.out, found)
        if found.failed:
            raise StorageError(
                f"not everything could be freed ({len(found.failed)} left): {found.failed[0].reason}",
                hint="check permissions and the disk, then try again",
            )

    _with_room(shell, work, dry_run=dry_run)


@click.command("reap")
@command_options
def reap(shell: Shell) -> None:
    """Record runs whose process died without a word as stale, and say how to go on with them."""
    from labelkit.registry import Registry

    with Registry.open(shell.home, create=False) as registry:
        found = registry.storage.reap()
    if shell.as_json:
        shell.json([asdict(run) for run in found])
    elif not found:
        shell.say("no run died without a word")
    else:
        from labelkit.cli.runs import keeping_drawing as drawing

        drawing.reaped(shell.out, found)


def _with_room(shell: Shell, work: Callable[[Registry], Result], *, dry_run: bool) -> Result:
    """Open the registry for ``work``; on a full disk, where even that fails, some of the cache is freed first."""
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
    from labelkit.cli.runs import keeping_drawing as drawing

    shell.say(f"note: the disk is full; {drawing.size(freed)} of the cache made room to record what goes")
    return once()
