"""Groups of runs that differ in their seed only: mean, standard deviation and range of their metrics."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import sqlalchemy as sa

from labelkit.registry import tables
from labelkit.registry.group_entities import Group, Spread
from labelkit.registry.metric_rows import nest

_RUNS, _SCORES = tables.runs.c, tables.scores.c


def group(connection: sa.Connection, name: str) -> Group | None:
    """Return the group called ``name``, None if no run belongs to it."""
    query = sa.select(_RUNS.id, _RUNS.seed, _RUNS.status, _RUNS.metric_key).where(_RUNS.group_id == name)
    rows = connection.execute(query.order_by(_RUNS.seed, _RUNS.started, _RUNS.id)).all()
    if not rows:
        return None
    finished = [row for row in rows if row.status == "finished"]
    values = _values(connection, [row.id for row in finished])
    return Group(
        id=name,
        metric_key=rows[0].metric_key,
        seeds=tuple(row.seed for row in finished),
        runs=tuple(row.id for row in finished),
        others=tuple(row.id for row in rows if row.status != "finished"),
        metrics=nest((*key, spread(numbers)) for key, numbers in values.items()),
    )


def spread(values: Sequence[float]) -> Spread:
    """Return mean, sample standard deviation (None of a single value), minimum and maximum.

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


def _values(connection: sa.Connection, runs: Sequence[str]) -> dict[tuple[str, str, str, str], list[float]]:
    """Return the values of each score, by split, task, type and name; those of whole splits first."""
    query = (
        sa.select(_SCORES.split, _SCORES.task, _SCORES.type, _SCORES.name, _SCORES.value)
        .where(_SCORES.run.in_(runs), _SCORES.value.is_not(None))
        .order_by(_SCORES.split.desc(), _SCORES.task, _SCORES.type, _SCORES.name)
    )
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for split, task, type_, name, value in connection.execute(query):
        assert value is not None
        found.setdefault((split, task, type_, name), []).append(value)
    return found
