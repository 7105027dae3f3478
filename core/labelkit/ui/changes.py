"""What visitors may change where pages are started with ``--write``: aliases, tags, notes, and deletion."""

from __future__ import annotations

from labelkit.errors import LabelkitError
from labelkit.registry import Registry
from labelkit.ui.run_page import find_run
from labelkit.ui.site import PageAnswer, PageRequest, Site, part


def change_run(site: Site, request: PageRequest) -> PageAnswer:
    """Change a run as the field ``action`` of the form says.

    :raises LabelkitError: pages are read-only, or the registry refuses the change.
    """
    if not site.write:
        raise LabelkitError("the pages are read-only", hint="labelkit ui --write allows changes")
    with site.registry() as registry:
        run = find_run(registry, request).record.id
        action = request.word("action")
        if action == "delete":
            return _delete(registry, run, request)
        _annotate(registry, run, action, request)
    return PageAnswer(location=f"/runs/{part(run)}#run")


def _annotate(registry: Registry, run: str, action: str, request: PageRequest) -> None:
    word = request.word("value")
    if action == "alias":
        registry.aliases.assign(run, word)
    elif action == "tag":
        registry.annotations.add_tags(run, *word.split())
    elif action == "untag":
        registry.annotations.remove_tags(run, word)
    elif action == "note":
        registry.annotations.add_note(run, request.text("value"))
    else:
        raise LabelkitError(f"unknown change '{action[:40]}'")


def _delete(registry: Registry, run: str, request: PageRequest) -> PageAnswer:
    """Delete a run whose id was written out as a confirmation."""
    if request.word("value") != run:
        raise LabelkitError("the id that was written is not that of the run", hint=f"write {run} to delete it")
    registry.storage.delete_runs(run)
    return PageAnswer(location="/")
