"""Coordinates of the curves and axes of a chart, which the page draws as SVG. Pure functions."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labelkit.metrics import CURVES
from labelkit.metrics.threshold_curves import SplitCurves
from labelkit.registry.entities import RunDetails
from labelkit.registry.metric_rows import Figure, most_frequent_types, nested
from labelkit.report.formatting import figure

#: of a drawing, in its own units, and its margins
WIDTH, HEIGHT = 460, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
#: points of a longer curve are not marked
MARKED = 40
#: a tick for each value up to this many
FEW = 6
#: types whose precision is drawn by their recall, beside that of all labels
TYPES = 9
#: larger values cannot be drawn, nor subtracted
MOST = 1e300
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick on an axis, with its label."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric over the steps, or the precision of a type by its recall.

    :param number: of its colour and dashes.
    :param points: coordinates in the drawing, with a tooltip.
    """

    name: str
    number: int
    points: Sequence[tuple[float, float, str]]

    @property
    def path(self) -> str:
        """The ``points`` of an SVG polyline."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in self.points)

    @property
    def marked(self) -> bool:
        """Whether its points are marked."""
        return len(self.points) <= MARKED


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    :param description: in a sentence, for screen readers.
    :param selected: where the selected checkpoint is; None if unknown.
    :param unit: what the horizontal axis counts.
    """

    title: str
    description: str
    lines: Sequence[Curve]
    across: Sequence[Tick]
    up: Sequence[Tick]
    selected: float | None = None
    unit: str = "step"


def charts(run: RunDetails) -> list[Chart]:
    """Return charts of the loss and the main validation scores over the steps, and of precision by recall."""
    key = run.record.metric_key
    names = list(dict.fromkeys((key, *(name for name in ("precision", "recall", "f1", "accuracy") if name != key))))
    loss = {
        "training": metric_points(run.metrics, "train", "loss"),
        "validation": metric_points(run.metrics, "validation", "loss"),
    }
    selected = run.scores[0].step if run.scores else None
    drawn = [
        chart("Loss", loss, selected),
        chart("Validation", {name: metric_points(run.metrics, "validation", name) for name in names}, selected),
    ]
    return [one for one in (*drawn, precision_recall_chart(validation_curves(run))) if one is not None]


def validation_curves(run: RunDetails) -> SplitCurves | None:
    """Return the precision-recall curves of validation: of the selected checkpoint, else of its last evaluation.

    None if neither has any, or another version of labelkit wrote them.
    """
    hashes = {one.content_hash for one in run.record.splits if one.split == "validation"}
    later = [one.metrics for one in reversed(run.evaluations) if one.content_hash in hashes]
    own = nested(run.scores).get("validation", {}).get(run.record.task, {})
    with contextlib.suppress(ValueError):
        return next((SplitCurves.from_json(one[CURVES]) for one in (own, *later) if CURVES in one), None)
    return None


def precision_recall_chart(curves: SplitCurves | None) -> Chart | None:
    """Return a chart of the precision by the recall of all labels and of the most frequent types; None without any."""
    if curves is None or not curves.micro.thresholds or not curves.micro.support:
        return None
    types, _ = most_frequent_types({name: {"support": one.support} for name, one in curves.per_type.items()}, TYPES)
    named = {"all labels": curves.micro, **{name: curves.per_type[name] for name in types}}
    x_axis, y_axis = _Axis.over((0.0, 1.0), LEFT, WIDTH - RIGHT), _Axis.over((0.0, 1.0), HEIGHT - BOTTOM, TOP)
    lines = []
    for number, (name, curve) in enumerate(named.items()):
        points = [
            (
                x_axis.at(one.recall),
                y_axis.at(one.precision),
                f"{name} from {one.threshold:.4f}: precision {one.precision:.4f}, recall {one.recall:.4f}",
            )
            for one in curve.points
        ]
        if curve.support and points:
            lines.append(Curve(name, number, points))
    low = list(curves.micro.points)[-1]
    return Chart(
        title="Precision by recall, validation",
        description=(
            "Precision by recall of labels above each threshold of their score; of all labels "
            f"{figure(low.precision)} at recall {figure(low.recall)}"
        ),
        lines=lines,
        across=x_axis.ticks,
        up=y_axis.ticks,
        unit="recall",
    )


def metric_points(figures: Iterable[Figure], split: str, name: str) -> Points:
    """Return the finite values of a metric of a whole split, by step."""
    found = [one for one in figures if (one.split, one.name, one.type) == (split, name, None)]
    return sorted((float(one.step), one.value) for one in found if one.value is not None and math.isfinite(one.value))


def chart(title: str, lines: Mapping[str, Points], selected: float | None = None) -> Chart | None:
    """Return a chart of curves over the steps; None without values.

    :param selected: the step of the selected checkpoint.
    """
    given = {name: found for name, found in lines.items() if found}
    steps = [x for found in given.values() for x, _ in found]
    values = [y for found in given.values() for _, y in found]
    if not values or max(map(abs, values)) > MOST:
        return None
    x_axis, y_axis = _Axis.over(steps, LEFT, WIDTH - RIGHT, exact=True), _Axis.over(values, HEIGHT - BOTTOM, TOP)
    ends = ", ".join(f"{name} from {figure(found[0][1])} to {figure(found[-1][1])}" for name, found in given.items())
    return Chart(
        title=title,
        description=f"{title} from step {min(steps):g} to {max(steps):g}: {ends}",
        lines=[
            Curve(name, number, [(x_axis.at(x), y_axis.at(y), f"{name}, step {x:g}: {figure(y)}") for x, y in found])
            for number, (name, found) in enumerate(given.items())
        ],
        across=x_axis.ticks,
        up=y_axis.ticks,
        selected=x_axis.at(selected) if selected is not None and min(steps) <= selected <= max(steps) else None,
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """A linear scale from values to coordinates.

    :param low: the value at the coordinate ``start``; ``high``: the value at ``stop``.
    """

    low: float
    high: float
    start: float
    stop: float
    ticks: Sequence[Tick]

    @classmethod
    def over(cls, values: Sequence[float], start: float, stop: float, *, exact: bool = False) -> _Axis:
        """Return an axis for ``values``.

        :param exact: from their minimum to their maximum; else between round numbers.
        """
        low, high = min(values), max(values)
        each = sorted(set(values))
        marks = each if exact and len(each) <= FEW else round_numbers(low, high)
        if not exact:
            low, high = min(low, marks[0]), max(high, marks[-1])
        bare = cls(low, high, start, stop, ())
        return cls(low, high, start, stop, [Tick(bare.at(mark), f"{mark:g}") for mark in marks if low <= mark <= high])

    def at(self, value: float) -> float:
        """Return the coordinate of a value."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.stop - self.start)


def round_numbers(low: float, high: float, most: int = 5) -> list[float]:
    """Return about ``most`` round numbers that enclose ``low`` and ``high``.

    >>> round_numbers(0.1057, 0.354)
    [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4]
    >>> round_numbers(3, 3)
    [3]
    """
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((power * one for one in _STEPS if power * one >= raw), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if not step or last - first > 4 * most:  # huge numbers that hardly differ
        return [low, high]
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]
