"""Runs that differ in their seed alone: the mean and the spread of what they scored."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from labelkit.registry import tables
from labelkit.registry.entities import Group, Spread
from labelkit.registry.metric_rows import PER_TYPE

_RUNS, _SCORES = tables.runs.c, tables.scores.c


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of one figure, of the runs that have it."""

    key: tuple[str, str, str, str]
    values: list[float] = field(default_factory=list)


def group(connection: sa.Connection, name: str) -> Group | None:
    """Return the group called ``name``, None where no run is of it."""
    query = sa.select(_RUNS.id, _RUNS.seed, _RUNS.status, _RUNS.metric_key).where(_RUNS.group_id == name)
    rows = connection.execute(query.order_by(_RUNS.seed, _RUNS.started, _RUNS.id)).all()
    if not rows:
        return None
    finished = [row for row in rows if row.status == "finished"]
    return Group(
        id=name,
        metric_key=rows[0].metric_key,
        seeds=tuple(row.seed for row in finished),
        runs=tuple(row.id for row in finished),
        others=tuple(row.id for row in rows if row.status != "finished"),
        metrics=_nested(_figures(connection, [row.id for row in finished])),
    )


def spread(values: Sequence[float]) -> Spread:
    """Return mean, sample standard deviation (None of a single value), least and greatest.

    >>> spread([1.0, 2.0, 3.0])
    Spread(mean=2.0, std=1.0, min=1.0, max=3.0, runs=3)
    """
    return Spread(
        mean=statistics.fmean(values),
        std=statistics.stdev(values) if len(values) > 1 else None,
        min=min(values),
        max=max(values),
        runs=len(values),
    )


def _figures(connection: sa.Connection, runs: Sequence[str]) -> Iterable[_Values]:
    """Return the figures of the chosen checkpoints, those of whole splits first."""
    query = (
        sa.select(_SCORES.split, _SCORES.task, _SCORES.type, _SCORES.name, _SCORES.value)
        .where(_SCORES.run.in_(runs), _SCORES.value.is_not(None))
        .order_by(_SCORES.split.desc(), _SCORES.task, _SCORES.type, _SCORES.name)
    )
    found: dict[tuple[str, str, str, str], _Values] = {}
    for split, task, type_, name, value in connection.execute(query):
        key = (split, task, type_, name)
        assert value is not None
        found.setdefault(key, _Values(key)).values.append(value)
    return found.values()


def _nested(figures: Iterable[_Values]) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for one in figures:
        split, task, type_, name = one.key
        scores = result.setdefault(split, {}).setdefault(task, {})
        if type_:
            scores = scores.setdefault(PER_TYPE, {}).setdefault(type_, {})
        scores[name] = spread(one.values)
    return result
