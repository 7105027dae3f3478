"""Which run a reference means: an alias, an id, the beginning of one, a name, ``latest`` or ``TASK@best``."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import sqlalchemy as sa

from labelkit.errors import RegistryError, SeveralRunsError
from labelkit.registry import aliases, tables
from labelkit.registry.aliases import AliasRecord
from labelkit.registry.entities import RunSummary
from labelkit.registry.queries import summaries
from labelkit.registry.ranking import HASH, Candidate, candidates, chosen, ranked

_SHOWN = 10
_NEAR = 1000
_RUNS = tables.runs.c


def find(connection: sa.Connection, reference: str, *, finished: bool = False) -> RunSummary:
    """Return the one run that ``reference`` means.

    :param finished: ``latest`` passes over runs that did not finish.
    :raises SeveralRunsError: several do.
    :raises RegistryError: none does; or for ``best`` some that cannot be compared, all listed.
    """
    if reference == "latest":
        return _latest(connection, finished)
    if "@" in reference:
        return _at(connection, reference)
    if named := aliases.current(connection, name=reference):
        return _aliased(connection, reference, named)
    for condition in (_RUNS.id == reference, _RUNS.name == reference, _starts_with(_RUNS.id, reference)):
        found = summaries(connection, condition, limit=_SHOWN + 1) if reference else []
        if len(found) == 1:
            return found[0]
        if found:
            raise _ambiguous(reference, found)
    raise _unknown(connection, reference)


def _ambiguous(reference: str, found: Sequence[RunSummary]) -> SeveralRunsError:
    longest = max(len(one.id) for one in found)
    lines = {
        one.id: f"{one.id:<{longest}}  {one.started.astimezone():%Y-%m-%d %H:%M}  {one.shown:<11}  {one.data}"
        for one in found[:_SHOWN]
    }
    hint = "give more of the id" if any(one.name != reference for one in found) else "give the id"
    return SeveralRunsError(f"'{reference}' is ambiguous", lines, more=len(found) > _SHOWN, hint=hint)


def _aliased(connection: sa.Connection, reference: str, named: Sequence[AliasRecord]) -> RunSummary:
    if len(named) > 1:
        raise aliases.ambiguous_alias(reference, [one.reference for one in named])
    found = summaries(connection, _RUNS.id == named[0].run)
    if not found:
        raise RegistryError(
            f"{named[0].reference} refers to the run '{named[0].run}', which was deleted",
            hint=f"labelkit runs alias RUN {named[0].name} assigns it to another run",
        )
    return found[0]


def _latest(connection: sa.Connection, finished: bool) -> RunSummary:
    conditions = [_RUNS.status == "finished"] if finished else []
    found = summaries(connection, *conditions, limit=1)
    if not found:
        what = "finished run" if finished else "run"
        raise RegistryError(f"no {what} in the registry yet", hint="labelkit run TASK makes one")
    return found[0]


def _starts_with(column: sa.ColumnElement[str], prefix: str) -> sa.ColumnElement[bool]:
    # Not LIKE: whether that minds upper and lower case depends on the database.
    return sa.func.substr(column, 1, len(prefix)) == prefix


def _unknown(connection: sa.Connection, reference: str) -> RegistryError:
    query = sa.select(_RUNS.id, _RUNS.name).order_by(_RUNS.started.desc()).limit(_NEAR)
    known = [text for row in connection.execute(query) for text in row if text]
    known += [one.name for one in aliases.current(connection)]
    close = difflib.get_close_matches(reference, dict.fromkeys(known), n=3, cutoff=0.6)
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    else:
        hint = "labelkit runs list shows all runs" if known else "labelkit run TASK makes one"
    return RegistryError(f"no run '{reference}' in the registry", hint=hint)


def _at(connection: sa.Connection, reference: str) -> RunSummary:
    task, _, which = reference.partition("@")
    word, _, group = which.partition(":")
    if word != "best":
        return _at_alias(connection, reference, task)
    found = chosen(candidates(connection, task), group)
    if not found:
        raise no_best(connection, task, group)
    if len({one.group for one in found}) > 1:
        raise _several(task, found)
    return summaries(connection, _RUNS.id == ranked(found)[0].run)[0]


def _at_alias(connection: sa.Connection, reference: str, task: str) -> RunSummary:
    known = aliases.current(connection, task=task)
    named = [one for one in known if one.reference == reference]
    if not named:
        has = f"; {task} has {', '.join(one.name for one in known)}" if known else f", as in {task}@best"
        raise RegistryError(f"'{reference}' means no run", hint=f"after @ comes best or an alias{has}")
    return _aliased(connection, reference, named)


def _several(task: str, found: Sequence[Candidate]) -> RegistryError:
    groups: dict[tuple[str, str, str, bool], list[Candidate]] = {}
    for one in found:
        groups.setdefault(one.group, []).append(one)
    named = [
        f"{members[0].data} (validation {group[0][:HASH]}, {group[1]} {group[2]}, runs: {len(members)})"
        for group, members in groups.items()
    ]
    by_data, by_hash = found[0].data, found[0].content_hash[:HASH]
    return RegistryError(
        f"{task} runs that cannot be compared: {'; '.join(named)}",
        hint=f"choose one by its data or hash: {task}@best:{by_data} or {task}@best:{by_hash}",
    )


def no_best(connection: sa.Connection, task: str, group: str) -> RegistryError:
    """Return the error that no run of ``task`` and ``group`` can be ranked."""
    found = candidates(connection, task)
    if found:
        known = sorted({one.data for one in found})
        return RegistryError(f"no finished {task} run on '{group}'", hint=f"there are runs on {', '.join(known)}")
    tasks = sorted(connection.scalars(sa.select(_RUNS.task).distinct().where(_RUNS.status == "finished")))
    hint = f"there are runs of {', '.join(tasks)}" if tasks else f"labelkit run {task or 'TASK'} makes one"
    return RegistryError(f"no finished run of '{task}' with a validation score", hint=hint)
