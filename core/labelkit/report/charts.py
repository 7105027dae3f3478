"""Where the lines, points and ticks of a chart go. Pure; the page draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labelkit.registry.entities import RunDetails
from labelkit.registry.metric_rows import Figure
from labelkit.report.formatting import figure

#: of a drawing, in its own units, and what is left free for the writing around it
WIDTH, HEIGHT = 460, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
#: more points than these are not marked one by one
MARKED = 40
#: so many steps are all written down
FEW = 6
#: larger values cannot be told apart in a drawing, nor subtracted
MOST = 1e300
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where it is, and what stands there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A figure over the steps.

    :param number: its colour and dashes.
    :param points: places in the drawing, with what they show.
    """

    name: str
    number: int
    points: Sequence[tuple[float, float, str]]

    @property
    def path(self) -> str:
        """The points as an SVG polyline has them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in self.points)

    @property
    def marked(self) -> bool:
        """Whether each point is marked."""
        return len(self.points) <= MARKED


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing.

    :param told: what it shows, in a sentence.
    :param chosen: where the chosen checkpoint stands; None where it is not known.
    """

    title: str
    told: str
    lines: Sequence[Line]
    across: Sequence[Tick]
    up: Sequence[Tick]
    chosen: float | None = None


def charts(run: RunDetails) -> list[Chart]:
    """Return the loss, and the figures of validation that choose the checkpoint or stand beside it, over the steps."""
    key = run.record.metric_key
    names = list(dict.fromkeys((key, *(name for name in ("precision", "recall", "f1", "accuracy") if name != key))))
    loss = {"training": points(run.metrics, "train", "loss"), "validation": points(run.metrics, "validation", "loss")}
    chosen = run.scores[0].step if run.scores else None
    drawn = [
        chart("Loss", loss, chosen),
        chart("Validation", {name: points(run.metrics, "validation", name) for name in names}, chosen),
    ]
    return [one for one in drawn if one is not None]


def points(figures: Iterable[Figure], split: str, name: str) -> Points:
    """Return a figure of a whole split by step; what is no number is left out."""
    found = [one for one in figures if (one.split, one.name, one.type) == (split, name, None)]
    return sorted((float(one.step), one.value) for one in found if one.value is not None and math.isfinite(one.value))


def chart(title: str, lines: Mapping[str, Points], chosen: float | None = None) -> Chart | None:
    """Return a drawing of lines over the steps; None where there is nothing to draw."""
    given = {name: found for name, found in lines.items() if found}
    steps = [x for found in given.values() for x, _ in found]
    values = [y for found in given.values() for _, y in found]
    if not values or max(map(abs, values)) > MOST:
        return None
    x_axis, y_axis = _Axis.over(steps, LEFT, WIDTH - RIGHT, exact=True), _Axis.over(values, HEIGHT - BOTTOM, TOP)
    ends = ", ".join(f"{name} from {figure(found[0][1])} to {figure(found[-1][1])}" for name, found in given.items())
    return Chart(
        title=title,
        told=f"{title} from step {min(steps):g} to {max(steps):g}: {ends}",
        lines=[
            Line(name, number, [(x_axis.at(x), y_axis.at(y), f"{name}, step {x:g}: {figure(y)}") for x, y in found])
            for number, (name, found) in enumerate(given.items())
        ],
        across=x_axis.ticks,
        up=y_axis.ticks,
        chosen=x_axis.at(chosen) if chosen is not None and min(steps) <= chosen <= max(steps) else None,
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """From values to places.

    :param low: the value at ``start``, and ``high`` the one at ``stop``.
    """

    low: float
    high: float
    start: float
    stop: float
    ticks: Sequence[Tick]

    @classmethod
    def over(cls, values: Sequence[float], start: float, stop: float, *, exact: bool = False) -> _Axis:
        """Return an axis for ``values``.

        :param exact: it ends with them; else with round numbers around them.
        """
        low, high = min(values), max(values)
        each = sorted(set(values))
        marks = each if exact and len(each) <= FEW else round_numbers(low, high)
        if not exact:
            low, high = min(low, marks[0]), max(high, marks[-1])
        bare = cls(low, high, start, stop, ())
        return cls(low, high, start, stop, [Tick(bare.at(mark), f"{mark:g}") for mark in marks if low <= mark <= high])

    def at(self, value: float) -> float:
        """Return the place of a value."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.stop - self.start)


def round_numbers(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers from ``low`` or just below to ``high`` or just above, about ``most`` of them.

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
    if not step or last - first > 4 * most:  # of huge numbers that hardly differ
        return [low, high]
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]
