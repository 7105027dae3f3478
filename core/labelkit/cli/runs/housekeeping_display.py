"""How aliases, lineage and the results of housekeeping look in a terminal. Text of users is shown literally."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from labelkit.console.tables import cell, figure, table

if TYPE_CHECKING:
    from rich.console import Console

    from labelkit.registry import CollectedGarbage, DeletedRun, Origin, Publication, Verification
    from labelkit.registry.aliases import AliasRecord
    from labelkit.registry.entities import RunSummary
    from labelkit.registry.remote_store import StoredFile
    from labelkit.registry.storage import StoredCheckpoint

#: fewer bytes are read in about a second, which needs no progress bar
_BAR = 256 << 20

RESTARTS = "labelkit run --resume restarts it from the beginning"

CATEGORIES = {
    "leftovers": "leftovers of killed writes, superseded checkpoints",
    "orphans": "folders of runs unknown to this registry",
    "resume": "resume state of finished runs",
    "last": "last checkpoints of finished runs that have a better one",
    "unfinished": "checkpoints of runs that did not finish",
    "cache": "cache",
}


def size(count: int) -> str:
    """Return a number of bytes for people.

    >>> size(0), size(1536), size(5 << 30)
    ('0 B', '1.5 KiB', '5.0 GiB')
    """
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{count} B" if unit == "B" else f"{amount:,.1f} {unit}"


def several(count: int, what: str) -> str:
    """Return a count with its noun.

    >>> several(1, "checkpoint"), several(2, "checkpoint")
    ('1 checkpoint', '2 checkpoints')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def moment(time: datetime | None) -> str:
    """Return a time in the local time zone."""
    return "–" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def line(console: Console, text: str) -> None:
    """Print one line of literal text, however narrow the terminal is."""
    console.print(cell(text), soft_wrap=True)


@contextmanager
def hashing(console: Console, total: int) -> Iterator[Callable[[int], object] | None]:
    """Show a progress bar for reading ``total`` bytes in a terminal, where that takes more than a second."""
    if total < _BAR or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("hashing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("hashing", total=total)
        yield lambda count: bars.advance(task, count)


def aliases(console: Console, found: Sequence[AliasRecord]) -> None:
    """Print which run each alias refers to."""
    table(console, ("alias", "run", "since"), [(one.reference, one.run, moment(one.created)) for one in found])


def alias_history(console: Console, found: Sequence[AliasRecord]) -> None:
    """Print every run an alias has referred to, oldest first."""
    counting = [one for one in found if one.undone is None]
    rows = [
        (
            moment(one.created),
            one.run or "(removed)",
            f"undone {moment(one.undone)}" if one.undone else "now" if one is counting[-1] else "",
        )
        for one in found
    ]
    table(console, (found[0].reference, "run", ""), rows)


def origin(console: Console, found: Origin) -> None:
    """Print the lineage of a file or folder."""
    line(console, f"{found.path}: {lineage_summary(found)}")
    summary = found.summary
    facts: dict[str, object] = {
        "run": found.run + ("" if summary else " (no longer in the registry)"),
        "checkpoint": f"step {found.step}" + ("" if found.epoch is None else f", epoch {found.epoch:g}"),
        "written": moment(found.created),
        "as": found.written_as,
        "records": found.records,
        "task": found.task,
        "data": summary and summary.data + (" (synthetic)" if summary.synthetic else ""),
        "model": summary and summary.model,
        "pushed to": "; ".join(published(one) for one in found.publications) or None,
        "continues from": ", ".join(found.continues) or None,
        "validation": summary and f"{summary.metric_key} {figure(found.validation)}",
        "started": summary and moment(summary.started),
        "status": summary and ("stale" if summary.stale else summary.status),
        "command": found.command,
        "written too by": ", ".join(found.others) or None,
    }
    table(console, ("", ""), [(name, value) for name, value in facts.items() if value is not None])
    for one in found.files:
        if one.state != "ok":
            line(console, f"{one.state}: {one.name}")


def published(one: Publication) -> str:
    """Return where a checkpoint was pushed to, on one line."""
    names = (one.revision, one.tag and f"tag {one.tag}", one.pull_request)
    return f"{one.repository}@{one.commit_id[:12]} ({', '.join(name for name in names if name)})"


def lineage_summary(found: Origin) -> str:
    """Return what a file is, and whether it has changed since it was written."""
    if found.tied_by == "path":
        return "it has changed since it was written; this wrote other content here:"
    if found.tied_by == "labelkit.json":
        return f"a checkpoint, as its {found.tied_by} says; nothing is recorded to compare it with"
    if found.changed:
        return f"a {found.kind}, changed since it was written"
    return f"a {found.kind}" if found.kind.startswith("checkpoint") else f"written as {found.kind}"


def verification(console: Console, found: Verification, stored: Sequence[StoredCheckpoint]) -> None:
    """Print the result of verifying checkpoints, those in the shared store last."""
    rows = []
    for one in found.checkpoints:
        wrong = [f"{state}: {', '.join(one.of(state))}" for state in ("missing", "changed", "unknown") if one.of(state)]
        which = " ".join(word for word, holds in (("best", one.best), ("last", one.last)) if holds)
        rows.append((one.run, one.step, which, "; ".join(wrong) or "ok"))
    if rows:
        table(console, ("run", ">step", "", "files"), rows)
    for each in stored:
        bad = [f"{one.name} {one.state}" for one in each.files if one.state != "ok"]
        line(console, f"{each.run} in {each.store}: {', '.join(bad) or 'ok'}")
    if found.elsewhere:
        line(console, f"on other machines, not verified: {several(found.elsewhere, 'checkpoint')}")
    for left in found.unknown:
        line(console, f"unknown: {left.path} ({size(left.size)}); see labelkit runs gc --dry-run")


def removed(console: Console, found: Sequence[DeletedRun], searches: Sequence[str], *, dry_run: bool) -> None:
    """Print what was deleted, and what remains elsewhere."""
    for one in found:
        line(console, f"{'would delete' if dry_run else 'deleted'} {one.run}, {size(one.size)}")
        if one.aliases:
            line(console, f"  {'would remove' if dry_run else 'removed'} the alias {', '.join(one.aliases)}")
        if one.restarts:
            line(console, f"  {RESTARTS}")
        for place in one.elsewhere:
            line(console, f"  remains elsewhere: {place}")
    for name in searches:
        line(console, f"{'would delete' if dry_run else 'deleted'} the search {name}")
    line(console, f"{'would free' if dry_run else 'freed'} {size(sum(one.size for one in found))}")


def collected(console: Console, found: CollectedGarbage, stored: Sequence[StoredFile]) -> None:
    """Print what was deleted, by category, and what was kept and why; a dry run lists every path."""
    rows = []
    for category, text in CATEGORIES.items():
        if entries := [one for one in found.freed if one.category == category]:
            rows.append((text, len(entries), size(sum(one.size for one in entries))))
    if rows:
        table(console, ("what", ">entries", ">size"), rows)
    if found.dry_run:
        for one in found.freed:
            line(console, f"would delete {one.path} ({size(one.size)})")
    for run in dict.fromkeys(one.run for one in found.freed if one.restarts):
        line(console, f"{run}: {RESTARTS}")
    for one in found.kept:
        line(console, f"kept: {one.path} ({size(one.size)}): {one.reason}")
    if found.elsewhere:
        line(console, f"on other machines, not verified: {several(found.elsewhere, 'checkpoint')}")
    if stored:
        would = "would free" if found.dry_run else "freed"
        line(console, f"shared store: {would} {several(len(stored), 'file')}, {size(sum(one.size for one in stored))}")
    line(console, f"{'would free' if found.dry_run else 'freed'} {size(found.size)}")


def reaped(console: Console, found: Sequence[RunSummary]) -> None:
    """Print the runs that were marked stale, and how to resume them."""
    rows = [(run.id, moment(run.heartbeat), run.host, run.pid, f"labelkit run --resume {run.id}") for run in found]
    table(console, ("stale", "last heartbeat", "host", ">process", "resume with"), rows)
