"""References to runs: an alias, an id or a prefix of one, a name, ``latest`` or ``TASK@best``."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import sqlalchemy as sa

from labelkit.errors import RegistryError, SeveralRunsError, UnknownRunError
from labelkit.registry import aliases, tables
from labelkit.registry.entities import RunSummary
from labelkit.registry.names import COMPLETE
from labelkit.registry.queries import summaries
from labelkit.registry.ranking import HASH, candidates, eligible, grouped

#: the number of runs that a message lists
_SHOWN = 10
#: the number of runs whose names are compared with an unknown reference
_COMPARED = 1000
_RUNS = tables.runs.c


def find(connection: sa.Connection, reference: str, *, finished: bool = False) -> RunSummary:
    """Return the run that ``reference`` refers to.

    :param finished: ``latest`` refers to the latest run that finished or was adopted.
    :raises SeveralRunsError: the reference is ambiguous.
    :raises RegistryError: no run matches; or several that cannot be compared match ``best``.
    """
    task, at, which = reference.partition("@")
    word, _, group = which.partition(":")
    if at:
        return _best(connection, task, group) if word == "best" else _aliased(connection, reference, task)
    if reference == "latest":
        if latest := summaries(connection, *([_RUNS.status.in_(COMPLETE)] if finished else []), limit=1):
            return latest[0]
        what = "finished run" if finished else "run"
        raise RegistryError(f"no {what} in the registry yet", hint="labelkit run TASK trains one")
    if aliases.current(connection, name=reference):
        return _aliased(connection, reference)
    # Not LIKE: whether that ignores case depends on the database.
    prefix = sa.func.substr(_RUNS.id, 1, len(reference)) == reference
    for condition in (_RUNS.id == reference, _RUNS.name == reference, prefix):
        found = summaries(connection, condition, limit=_SHOWN + 1) if reference else []
        if len(found) == 1:
            return found[0]
        if found:
            raise _ambiguous(reference, found)
    raise _unknown(connection, reference)


def no_best(connection: sa.Connection, task: str, group: str) -> RegistryError:
    """Return the error that no run of ``task`` and ``group`` can be ranked."""
    if found := candidates(connection, task):
        known = ", ".join(sorted({one.data for one in found}))
        return RegistryError(f"no finished {task} run on '{group}'", hint=f"there are runs on {known}")
    tasks = sorted(connection.scalars(sa.select(_RUNS.task).distinct().where(_RUNS.status == "finished")))
    hint = f"there are runs of {', '.join(tasks)}" if tasks else f"labelkit run {task or 'TASK'} trains one"
    return RegistryError(f"no finished run of '{task}' with a validation score", hint=hint)


def _best(connection: sa.Connection, task: str, group: str) -> RunSummary:
    groups = grouped(eligible(candidates(connection, task), group))
    if not groups:
        raise no_best(connection, task, group)
    if len(groups) > 1:
        listed = [
            f"{members[0].data} (validation {content_hash[:HASH]}, {metric} {key}, runs: {len(members)})"
            for (content_hash, metric, key, _), members in groups.items()
        ]
        first = next(iter(groups.values()))[0]
        raise RegistryError(
            f"{task} runs that cannot be compared: {'; '.join(listed)}",
            hint=f"choose one by its data or hash: {task}@best:{first.data} or {task}@best:{first.content_hash[:HASH]}",
        )
    (members,) = groups.values()
    return summaries(connection, _RUNS.id == members[0].run)[0]


def _aliased(connection: sa.Connection, reference: str, task: str | None = None) -> RunSummary:
    """Return the run of an alias: ``TASK@NAME``, or ``NAME`` without ``task``."""
    known = aliases.current(connection, **({"name": reference} if task is None else {"task": task}))
    named = known if task is None else [one for one in known if one.reference == reference]
    if not named:
        has = f"; {task} has {', '.join(one.name for one in known)}" if known else f", as in {task}@best"
        raise RegistryError(f"'{reference}' refers to no run", hint=f"after @ comes best or an alias{has}")
    if len(named) > 1:
        raise aliases.ambiguous_alias(reference, [one.reference for one in named])
    if found := summaries(connection, _RUNS.id == named[0].run):
        return found[0]
    raise RegistryError(
        f"{named[0].reference} refers to the run '{named[0].run}', which was deleted",
        hint=f"labelkit runs alias RUN {named[0].name} assigns it to another run",
    )


def _ambiguous(reference: str, found: Sequence[RunSummary]) -> SeveralRunsError:
    longest = max(len(one.id) for one in found)
    lines = {
        one.id: f"{one.id:<{longest}}  {one.started.astimezone():%Y-%m-%d %H:%M}  {one.shown:<11}  {one.data}"
        for one in found[:_SHOWN]
    }
    hint = "give more of the id" if any(one.name != reference for one in found) else "give the id"
    return SeveralRunsError(f"'{reference}' is ambiguous", lines, more=len(found) > _SHOWN, hint=hint)


def _unknown(connection: sa.Connection, reference: str) -> UnknownRunError:
    query = sa.select(_RUNS.id, _RUNS.name).order_by(_RUNS.started.desc()).limit(_COMPARED)
    known = [text for row in connection.execute(query) for text in row if text]
    known += [one.name for one in aliases.current(connection)]
    close = difflib.get_close_matches(reference, dict.fromkeys(known), n=3, cutoff=0.6)
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    else:
        hint = "labelkit runs list shows all runs" if known else "labelkit run TASK trains one"
    return UnknownRunError(f"no run '{reference}' in the registry", hint=hint)
