"""Line charts in a terminal, drawn with braille characters (two dots across, four down)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800


def curve(points: Sequence[tuple[float, float | None]], *, width: int, height: int) -> list[str]:
    """Return a line chart of ``points`` (x, y) as lines of text, with the maximum and minimum y as labels.

    :param width: characters of the chart without its labels; ``height`` in lines.

    >>> curve([(1, 0.0), (2, 1.0)], width=4, height=2)
    ['1.0000 ⠀⠀⡠⠊', '0.0000 ⡠⠊⠀⠀']
    """
    known = sorted((x, y) for x, y in points if y is not None and math.isfinite(y) and math.isfinite(x))
    if not known:
        return []
    low, high = min(y for _, y in known), max(y for _, y in known)
    dots = [[False] * (2 * width) for _ in range(4 * height)]
    for column in range(2 * width):
        x = known[0][0] + (known[-1][0] - known[0][0]) * column / (2 * width - 1)
        # halves, because the difference of two huge numbers is not finite
        share = 0.5 if high == low else (interpolate(known, x) / 2 - low / 2) / (high / 2 - low / 2)
        dots[round((1 - share) * (4 * height - 1))][column] = True
    labels = [_figure(high), *[""] * (height - 2), *([_figure(low)] if height > 1 else [])]
    space = max(map(len, labels))
    lines = []
    for row, label in enumerate(labels):
        cells = "".join(
            chr(_BLANK + sum(_DOTS[y][x] for y in range(4) for x in range(2) if dots[4 * row + y][2 * cell + x]))
            for cell in range(width)
        )
        lines.append(f"{label:>{space}} {cells}")
    return lines


def _figure(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10_000 else f"{value:.3e}"


def interpolate(known: Sequence[tuple[float, float]], x: float) -> float:
    """Return y at ``x`` by linear interpolation."""
    for (x0, y0), (x1, y1) in pairwise(known):
        if x0 <= x <= x1:
            part = (x - x0) / (x1 - x0) if x1 > x0 else 1.0
            return y0 * (1 - part) + y1 * part
    return known[-1][1]
