"""Which run a reference means: an id, the beginning of one, a name, ``latest`` or ``TASK@best``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry import tables
from labelkit.registry.models import RunSummary
from labelkit.registry.queries import summaries

_SHOWN = 5
_NEAR = 1000
_HASH = 12
_RUNS = tables.runs.c


def find(connection: sa.Connection, reference: str, *, finished: bool = False) -> RunSummary:
    """Return the one run that ``reference`` means.

    :param finished: ``latest`` passes over runs that did not finish.
    :raises RegistryError: none or several do; the message or hint names the candidates.
    """
    if reference == "latest":
        return _latest(connection, finished)
    if "@" in reference:
        return _at(connection, reference)
    for condition in (_RUNS.id == reference, _RUNS.name == reference, _starts_with(_RUNS.id, reference)):
        found = summaries(connection, condition, limit=_SHOWN + 1) if reference else []
        if len(found) == 1:
            return found[0]
        if found:
            raise RegistryError(
                f"'{reference}' means several runs: {_listed([one.id for one in found])}",
                hint="give more of the id",
            )
    raise _unknown(connection, reference)


def unknown_run(run: str) -> RegistryError:
    """Return the error that no run has the id ``run``."""
    return RegistryError(f"no run '{run}' in the registry", hint="labelkit runs list shows what there is")


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
    close = difflib.get_close_matches(reference, dict.fromkeys(known), n=3, cutoff=0.6)
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    else:
        hint = "labelkit runs list shows what there is" if known else "labelkit run TASK makes one"
    return RegistryError(f"no run '{reference}' in the registry", hint=hint)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    """A finished run with a figure to rank by."""

    run: str
    data: str
    content_hash: str
    metric: str
    key: str
    higher_is_better: bool
    synthetic: bool
    value: float

    @property
    def group(self) -> tuple[str, str, str, bool]:
        """Only runs that are equal in this may be compared."""
        return self.content_hash, self.metric, self.key, self.higher_is_better


def _at(connection: sa.Connection, reference: str) -> RunSummary:
    task, _, which = reference.partition("@")
    word, _, group = which.partition(":")
    if word != "best":
        raise RegistryError(f"'{reference}' means no run", hint=f"after @ comes best, as in {task}@best")
    candidates = _of_group(_candidates(connection, task), group)
    if not candidates:
        raise _no_best(connection, task, group)
    # A sample corpus says nothing about real text: only where nothing else exists.
    candidates = [one for one in candidates if not one.synthetic] or candidates
    if len({one.group for one in candidates}) > 1:
        raise _several(task, candidates)
    return summaries(connection, _RUNS.id == _top(candidates).run)[0]


def _top(candidates: Sequence[_Candidate]) -> _Candidate:
    """Return the best candidate; of equal ones the first, which is the newest."""
    sign = 1 if candidates[0].higher_is_better else -1
    return max(candidates, key=lambda one: sign * one.value)


def _candidates(connection: sa.Connection, task: str) -> list[_Candidate]:
    scores, splits = tables.scores.c, tables.splits.c
    finished = (_RUNS.task == task, _RUNS.status == "finished")
    # Naming the few keys lets the database go straight to their scores, among all those of ten thousand runs.
    keys = connection.scalars(sa.select(_RUNS.metric_key).distinct().where(*finished)).all()
    query = (
        sa.select(
            _RUNS.id.label("run"),
            _RUNS.data,
            splits.content_hash,
            _RUNS.metric,
            _RUNS.metric_key.label("key"),
            _RUNS.higher_is_better,
            _RUNS.synthetic,
            scores.value,
        )
        .join(tables.splits, (splits.run == _RUNS.id) & (splits.split == "validation"))
        .join(
            tables.scores,
            (scores.run == _RUNS.id)
            & (scores.task == _RUNS.task)
            & (scores.split == "validation")
            & (scores.name == _RUNS.metric_key)
            & (scores.type == ""),
        )
        .where(*finished, scores.name.in_(keys), scores.task == task, scores.value.is_not(None))
        .order_by(_RUNS.started.desc(), _RUNS.id.desc())
    )
    return [_Candidate(**row) for row in connection.execute(query).mappings()]


def _of_group(candidates: Iterable[_Candidate], group: str) -> list[_Candidate]:
    """Keep the candidates of a data reference or of the beginning of a validation hash."""
    return [one for one in candidates if not group or one.data == group or one.content_hash.startswith(group)]


def _several(task: str, candidates: Sequence[_Candidate]) -> RegistryError:
    groups: dict[tuple[str, str, str, bool], list[_Candidate]] = {}
    for one in candidates:
        groups.setdefault(one.group, []).append(one)
    named = [
        f"{members[0].data} (validation {group[0][:_HASH]}, {group[1]} {group[2]}, runs: {len(members)})"
        for group, members in groups.items()
    ]
    by_data, by_hash = candidates[0].data, candidates[0].content_hash[:_HASH]
    return RegistryError(
        f"{task} runs that cannot be compared: {'; '.join(named)}",
        hint=f"choose one by its data or hash: {task}@best:{by_data} or {task}@best:{by_hash}",
    )


def _no_best(connection: sa.Connection, task: str, group: str) -> RegistryError:
    candidates = _candidates(connection, task)
    if candidates:
        known = sorted({one.data for one in candidates})
        return RegistryError(f"no finished {task} run on '{group}'", hint=f"there are runs on {', '.join(known)}")
    tasks = sorted(connection.scalars(sa.select(_RUNS.task).distinct().where(_RUNS.status == "finished")))
    hint = f"there are runs of {', '.join(tasks)}" if tasks else f"labelkit run {task or 'TASK'} makes one"
    return RegistryError(f"no finished run of '{task}' with a validation score", hint=hint)


def _listed(names: Sequence[str]) -> str:
    more = " …" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
