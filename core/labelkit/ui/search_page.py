"""A search over hyperparameters: its trials, the importances of its settings, and its result."""

from __future__ import annotations

from labelkit.registry import SearchRecord
from labelkit.search.overview import overview, result_lines, setting_text
from labelkit.ui.site import PageAnswer, PageRequest, Site


def show_search(site: Site, request: PageRequest, record: SearchRecord) -> PageAnswer:
    """Return the page of the group that is a search.

    :raises LabelkitError: Optuna is not installed, or the database refuses.
    """
    found = overview(site.home, record)
    space, metric = found.settings.space, found.settings.metric
    quoted = record.name.replace('"', '""')
    retrained = (record.result or {}).get("retrained") or {}
    return site.page(
        "search.html", request, found=found, metric=metric, where=f'group = "{quoted}"',
        names=[key.removeprefix("train.") for key in space],
        rows=[(one, [setting_text(one.values.get(key)) for key in space]) for one in found.trials],
        importances=sorted(found.importances.items(), key=lambda item: -item[1]),
        lines=result_lines(record.result, metric) if record.result else [],
        groups=retrained.get("groups", {}),
    )  # fmt: skip
