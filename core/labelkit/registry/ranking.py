"""Which run is best: finished runs of a task, in groups that may be compared, ranked by validation, never by test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from labelkit.registry import tables
from labelkit.registry.entities import RunSummary
from labelkit.registry.queries import summaries

_RUNS = tables.runs.c
HASH = 12


class Candidate(NamedTuple):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """Runs that may be compared: same task, validation content and metric.

    :param reference: what means the best of them, such as ``ner@best:wnut17``.
    :param data: the data reference of the best run; the others read the same validation examples.
    :param count: how many runs are in the group; ``runs`` may hold fewer.
    :param runs: the best first; of equal ones the newer.
    """

    task: str
    reference: str
    data: str
    content_hash: str
    metric: str
    metric_key: str
    higher_is_better: bool
    synthetic: bool
    count: int
    runs: tuple[RunSummary, ...]


def candidates(connection: sa.Connection, task: str) -> list[Candidate]:
    """Return the finished runs of ``task`` that have a key figure on validation, newest first."""
    scores, splits = tables.scores.c, tables.splits.c
    finished = (_RUNS.task == task, _RUNS.status == "finished")
    # Naming the few keys lets the database go straight to their scores, among all those of ten thousand runs.
    keys = connection.scalars(sa.select(_RUNS.metric_key).distinct().where(*finished)).all()
    query = (
        sa.select(
            _RUNS.id,
            _RUNS.data,
            splits.content_hash,
            _RUNS.metric,
            _RUNS.metric_key,
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
    rows: Iterable[Sequence[Any]] = connection.execute(query)
    return [Candidate._make(row) for row in rows]


def chosen(found: Iterable[Candidate], group: str) -> list[Candidate]:
    """Return what ``TASK@best`` or ``TASK@best:GROUP`` chooses from; only if they are of one group, one can be best.

    :param group: a data reference or the beginning of a validation hash; may be empty.
    """
    left = [one for one in found if not group or one.data == group or one.content_hash.startswith(group)]
    # A sample corpus says nothing about real text: only where nothing else exists.
    return [one for one in left if not one.synthetic] or left


def ranked(found: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates of one group, the best first; equal ones stay in their order."""
    return sorted(found, key=lambda one: -one.value if one.higher_is_better else one.value)


def rankings(connection: sa.Connection, task: str, *, group: str = "", limit: int | None = None) -> list[Ranking]:
    """Return the groups of ``task``, the one with the newest run first; those on sample corpora last.

    :param group: as for :func:`chosen`.
    :param limit: how many runs of each group, at most.
    """
    everyone = candidates(connection, task)
    groups: dict[tuple[str, str, str, bool], list[Candidate]] = {}
    for one in everyone:
        if not group or one.data == group or one.content_hash.startswith(group):
            groups.setdefault(one.group, []).append(one)
    found = [_ranking(connection, task, ranked(members), everyone, limit) for members in groups.values()]
    return sorted(found, key=lambda one: one.synthetic)


def _ranking(
    connection: sa.Connection,
    task: str,
    members: Sequence[Candidate],
    everyone: Sequence[Candidate],
    limit: int | None,
) -> Ranking:
    best, shown = members[0], [one.run for one in members[:limit]]
    records = {one.id: one for one in summaries(connection, _RUNS.id.in_(shown))}
    return Ranking(
        task=task,
        reference=_reference(task, best, everyone),
        data=best.data,
        content_hash=best.content_hash,
        metric=best.metric,
        metric_key=best.key,
        higher_is_better=best.higher_is_better,
        synthetic=all(one.synthetic for one in members),
        count=len(members),
        runs=tuple(records[run] for run in shown),
    )


def _reference(task: str, best: Candidate, everyone: Sequence[Candidate]) -> str:
    """Return the shortest reference that means ``best``; its id where data and hash do not tell groups apart."""
    for group in ("", best.data, best.content_hash[:HASH]):
        among = chosen(everyone, group)
        if len({one.group for one in among}) == 1 and ranked(among)[0] == best:
            return f"{task}@best:{group}" if group else f"{task}@best"
    return best.run
