"""The table of runs, filtered, sorted and paged by the database, and groups of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labelkit.errors import RegistryError
from labelkit.registry import Registry, RunSummary
from labelkit.registry.filter_parser import split_names
from labelkit.report import formatting, overview
from labelkit.ui.search_page import show_search
from labelkit.ui.site import PageAnswer, PageRequest, Site

#: runs of a page
PAGE = 50
#: characters shown of a value
CELL = 60
#: heading → the name to sort by, and whether narrow screens show it
HEADINGS: Mapping[str, tuple[str, bool]] = {
    "status": ("status", True),
    "task": ("task", False),
    "data": ("data", False),
    "model": ("model", False),
    "validation": ("validation", True),
    "test": ("test", True),
    "started": ("started", False),
    "time": ("seconds", False),
}
#: of these a first click sorts the largest first
_DESCENDING = frozenset(("validation", "test", "started", "seconds"))


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a row of the table.

    :param progress: the share of its epochs that a live run has done; None if unknown.
    :param more: the values of the columns that were asked for.
    """

    run: RunSummary
    progress: float | None
    more: Sequence[str]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a visitor asked to see of the runs."""

    where: str = ""
    columns: str = ""
    sort: str = ""
    page: int = 1

    @classmethod
    def of(cls, request: PageRequest) -> Listing:
        """Return what a request asks for."""
        return cls(request.word("where"), request.word("columns"), request.word("sort"), request.page)

    def fields(self, **changes: Any) -> dict[str, Any]:
        """Return the fields of the address of this listing with some changes; the first page is left out."""
        found = {"where": self.where, "columns": self.columns, "sort": self.sort, "page": self.page, **changes}
        return {name: value for name, value in found.items() if not (name == "page" and value == 1)}

    def sorted_by(self, name: str) -> dict[str, Any]:
        """Return the fields of the address that sorts by ``name``, or the other way round where that is so already."""
        first, other = (f"-{name}", name) if name in _DESCENDING else (name, f"-{name}")
        return self.fields(sort=other if self.sort == first else first, page=1)

    def direction(self, name: str) -> str:
        """Return how the table is sorted by ``name``, as the attribute ``aria-sort`` writes it."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort, "none")


def show_runs(site: Site, request: PageRequest) -> PageAnswer:
    """Return the page of runs."""
    asked = Listing.of(request)
    names, rows, total, problem = split_names(asked.columns), list[RunRow](), 0, None
    with site.registry() as registry:
        try:
            total = registry.runs.count(where=asked.where or None)
            found = registry.runs.search(
                where=asked.where or None, columns=names, sort=asked.sort or None, limit=PAGE,
                offset=PAGE * (asked.page - 1),
            )  # fmt: skip
            rows = run_rows(registry, found, names)
        except RegistryError as error:
            problem = error
    return site.page(
        "runs.html", request, 400 if problem else 200, asked=asked, names=names, rows=rows, total=total,
        problem=problem, headings=HEADINGS, first=PAGE * (asked.page - 1) + 1, pages=-(-total // PAGE), cell=CELL,
    )  # fmt: skip


def run_rows(registry: Registry, found: Sequence[RunSummary], names: Sequence[str] = ()) -> list[RunRow]:
    """Return runs as rows, live ones with their progress."""
    live = [run.id for run in found if run.shown == "running"]
    done = registry.runs.progress(live) if live else {}
    return [RunRow(run, done.get(run.id), [cell_text(run.columns.get(name), name) for name in names]) for run in found]


def show_progress(site: Site, request: PageRequest) -> PageAnswer:
    """Return the status of a run, which asks for itself again while the run is live."""
    with site.registry() as registry:
        found = registry.runs.find(request.path["run"])
        (row,) = run_rows(registry, [found])
    return site.page("progress.html", request, row=row)


def cell_text(value: object, name: str = "") -> str:
    """Return a value of any column as text."""
    if isinstance(value, datetime):
        return formatting.timestamp(value)
    return formatting.figure(value, name)


def show_group(site: Site, request: PageRequest) -> PageAnswer:
    """Return the page of a group: runs that differ in their seed only, or the trials of a search."""
    name = request.path["group"]
    quoted = name.replace('"', '""')
    with site.registry() as registry:
        search = registry.searches.find(name)
        if search is not None:
            return show_search(site, request, search)
        group = registry.runs.group(name)
        found = registry.runs.search(group=name, sort="seed", columns=["seed"])
        rows = run_rows(registry, found, ["seed"])
    return site.page(
        "group.html", request, group=group, rows=rows, spreads=overview.spreads(group), where=f'group = "{quoted}"',
        headings=HEADINGS, asked=Listing(where=f'group = "{quoted}"'), names=["seed"], cell=CELL,
    )  # fmt: skip
