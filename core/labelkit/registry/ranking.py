"""Ranking runs: finished runs of a task, in groups that can be compared, by validation and never by test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import sqlalchemy as sa

from labelkit.registry import tables
from labelkit.registry.entities import RunSummary
from labelkit.registry.names import COMPLETE
from labelkit.registry.queries import summaries

_RUNS = tables.runs.c
#: the length of the abbreviated hashes in references and messages
HASH = 12
#: content hash of validation, metric, key, higher is better: runs that are equal in these can be compared
GroupKey: TypeAlias = tuple[str, str, str, bool]


class RankingCandidate(NamedTuple):
    """A finished run and the deciding metric it reached on validation."""

    run: str
    data: str
    content_hash: str
    metric: str
    key: str
    higher_is_better: bool
    synthetic: bool
    value: float

    @property
    def group(self) -> GroupKey:
        """The key of the runs that it can be compared with."""
        return self.content_hash, self.metric, self.key, self.higher_is_better

    def matches(self, group: str) -> bool:
        """Return whether ``group`` is empty, its data reference or a prefix of its validation hash."""
        return not group or self.data == group or self.content_hash.startswith(group)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """Runs that can be compared: same task, validation content and metric.

    :param reference: a reference to the best of them, such as ``ner@best:wnut17``.
    :param data: the data reference of the best run; the others have the same validation examples.
    :param count: the number of runs in the group, of which ``runs`` may hold fewer.
    :param runs: the runs, best first; of equal ones the newer first.
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


def candidates(connection: sa.Connection, task: str) -> list[RankingCandidate]:
    """Return the finished runs of ``task`` that have their deciding metric on validation, newest first."""
    scores, splits = tables.scores.c, tables.splits.c
    finished = (_RUNS.task == task, _RUNS.status.in_(COMPLETE))
    # Naming the few keys lets the database find their scores by index, among all those of ten thousand runs.
    keys = connection.scalars(sa.select(_RUNS.metric_key).distinct().where(*finished)).all()
    run = (_RUNS.metric, _RUNS.metric_key, _RUNS.higher_is_better, _RUNS.synthetic)
    deciding = (scores.task == _RUNS.task) & (scores.name == _RUNS.metric_key) & (scores.type == "")
    # an adopted model has no data of its own: only what it was evaluated on
    data = sa.case((_RUNS.status == "adopted", splits.ref), else_=_RUNS.data).label("data")
    query = (
        sa.select(_RUNS.id, data, splits.content_hash, *run, scores.value)
        .join(tables.splits, (splits.run == _RUNS.id) & (splits.split == "validation"))
        .join(tables.scores, (scores.run == _RUNS.id) & (scores.split == "validation") & deciding)
        .where(*finished, scores.name.in_(keys), scores.task == task, scores.value.is_not(None))
        .order_by(_RUNS.started.desc(), _RUNS.id.desc())
    )
    return [RankingCandidate(*row) for row in connection.execute(query)]


def eligible(found: Sequence[RankingCandidate], group: str) -> list[RankingCandidate]:
    """Return the candidates for ``TASK@best`` or ``TASK@best:GROUP``; one is best only if all are of one group.

    :param group: a data reference or a prefix of a validation hash; may be empty.
    """
    matching = [one for one in found if one.matches(group)]
    # A sample corpus says nothing about real text: only where nothing else exists. Who adopts a model may evaluate it
    # on one, so that its hash decides.
    synthetic = {one.content_hash for one in found if one.synthetic}
    return [one for one in matching if one.content_hash not in synthetic] or matching


def grouped(found: Iterable[RankingCandidate]) -> dict[GroupKey, list[RankingCandidate]]:
    """Return the candidates of each group, best first; equal ones stay in their order."""
    groups: dict[GroupKey, list[RankingCandidate]] = {}
    for one in found:
        groups.setdefault(one.group, []).append(one)
    for members in groups.values():
        members.sort(key=lambda one: -one.value if one.higher_is_better else one.value)
    return groups


def rankings(connection: sa.Connection, task: str, *, group: str = "", limit: int | None = None) -> list[Ranking]:
    """Return a ranking for each group of ``task``, that of the newest run first, those on sample corpora last.

    :param group: a data reference or a prefix of a validation hash; may be empty.
    :param limit: the number of runs to return of each group.
    """
    everyone = candidates(connection, task)
    found = []
    for members in grouped(one for one in everyone if one.matches(group)).values():
        best, shown = members[0], [one.run for one in members[:limit]]
        runs = {one.id: one for one in summaries(connection, _RUNS.id.in_(shown))}
        ranking = Ranking(
            task=task,
            reference=_reference(task, best, everyone),
            data=best.data,
            content_hash=best.content_hash,
            metric=best.metric,
            metric_key=best.key,
            higher_is_better=best.higher_is_better,
            synthetic=all(one.synthetic for one in members),
            count=len(members),
            runs=tuple(runs[run] for run in shown),
        )
        found.append(ranking)
    return sorted(found, key=lambda one: one.synthetic)


def _reference(task: str, best: RankingCandidate, everyone: Sequence[RankingCandidate]) -> str:
    """Return the shortest reference to ``best``; its id where data and hash are ambiguous."""
    for group in ("", best.data, best.content_hash[:HASH]):
        groups = list(grouped(eligible(everyone, group)).values())
        if len(groups) == 1 and groups[0][0] == best:
            return f"{task}@best:{group}" if group else f"{task}@best"
    return best.run
