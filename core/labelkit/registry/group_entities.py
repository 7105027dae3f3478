"""What is recorded of the runs of one ``--seeds``, and the spread of their metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelkit.registry.metric_rows import PER_TYPE


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The values of a metric in several runs.

    :param std: the sample standard deviation, None of a single run.
    """

    mean: float
    std: float | None
    min: float
    max: float
    runs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The runs of one ``--seeds``.

    :param metric_key: the deciding metric.
    :param seeds: the seeds of the finished runs, in order.
    :param runs: the ids of the finished runs, in the order of the seeds.
    :param others: the ids of the runs that did not finish.
    :param metrics: split → task → nested metrics of :class:`Spread` over the finished runs.
    """

    id: str
    metric_key: str
    seeds: tuple[int, ...]
    runs: tuple[str, ...]
    others: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @property
    def split_metrics(self) -> list[tuple[str, str, Spread]]:
        """Split, name and spread of each metric of a whole split."""
        return [
            (split, name, value)
            for split, tasks in self.metrics.items()
            for metrics in tasks.values()
            for name, value in metrics.items()
            if name != PER_TYPE
        ]
