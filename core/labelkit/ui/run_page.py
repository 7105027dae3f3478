"""A run: what its report shows, as it is now."""

from __future__ import annotations

from labelkit.registry import Registry, RunDetails
from labelkit.registry.liveness import now
from labelkit.report import overview
from labelkit.report.contents import ReportContents, recorded_schema
from labelkit.report.page import Page, make_page
from labelkit.ui.lineage_picture import LineagePicture, draw_lineage
from labelkit.ui.site import PageAnswer, PageRequest, Site

#: why the page of a run shows no labels of a split
_ELSEWHERE = "the page Data reads the splits"


def show_run(site: Site, request: PageRequest) -> PageAnswer:
    """Return the page of a run."""
    with site.registry() as registry:
        details = find_run(registry, request)
        progress = registry.runs.progress([details.record.id])
        picture = lineage_of(registry, details)
    return site.page(
        "run.html", request, page=run_contents(details), synthetic=overview.SYNTHETIC, picture=picture,
        progress=progress.get(details.record.id),
    )  # fmt: skip


def show_live(site: Site, request: PageRequest) -> PageAnswer:
    """Return the part of the page that changes while a run trains."""
    with site.registry() as registry:
        details = find_run(registry, request)
        progress = registry.runs.progress([details.record.id])
    return site.page(
        "run_live.html", request, page=run_contents(details), synthetic=overview.SYNTHETIC,
        progress=progress.get(details.record.id),
    )  # fmt: skip


def find_run(registry: Registry, request: PageRequest) -> RunDetails:
    """Return the run that the path of a request names: an id, or anything else that refers to a run.

    :raises RegistryError: nothing does.
    """
    return registry.runs.get(registry.runs.find(request.path["run"]).id)


def run_contents(details: RunDetails) -> Page:
    """Return the sections of a run's page, from its record alone."""
    import labelkit

    unread = {one.split: _ELSEWHERE for one in details.record.splits}
    contents = ReportContents(details=details, schema=recorded_schema(details.record.schema), unread=unread)
    return make_page(contents, labelkit=labelkit.__version__, written=now())


def lineage_of(registry: Registry, details: RunDetails) -> LineagePicture:
    """Return the picture of where a run comes from, and what came from it."""
    run = details.record.id
    return draw_lineage(details, registry.lineage.ancestors(run), registry.lineage.descendants(run))
