"""The lineage of a run as a picture: data and model, the run, its checkpoints, and what came from them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote

from labelkit.registry import RunDetails
from labelkit.report.formatting import truncate

#: of a box and the space between two, in the units of the drawing
WIDTH, HEIGHT, ACROSS, DOWN = 190, 40, 56, 12
#: characters of a line in a box
LETTERS = 27
#: boxes of a column; more are counted in a last one
MOST = 8


@dataclass(frozen=True, slots=True)
class Box:
    """A thing in the picture.

    :param kind: what it is, in small letters above its name.
    :param link: the address of its page; empty for none.
    """

    kind: str
    name: str
    link: str = ""
    x: float = 0
    y: float = 0

    @property
    def short(self) -> str:
        """The name as far as it fits."""
        return truncate(self.name, LETTERS)


@dataclass(frozen=True, slots=True)
class LineagePicture:
    """Boxes in columns from left to right, and the paths of the arrows between them."""

    columns: Sequence[Sequence[Box]]
    arrows: Sequence[str]
    width: float
    height: float


def draw_lineage(details: RunDetails, ancestors: Sequence[str], descendants: Sequence[str]) -> LineagePicture:
    """Return the picture of a run.

    :param ancestors: the runs that trained its model before it; ``descendants``: those that continued from it.
    """
    record = details.record
    parents = [_run_box("continued from", run) for run in ancestors]
    sources = [
        *(Box(f"{one.split} data", one.ref) for one in record.splits),
        *(parents or [Box("model", record.model)]),
    ]
    kept = [one for one in details.checkpoints if one.best or one.last]
    checkpoints = [
        Box(
            "checkpoint" + "".join(f", {word}" for word, marked in (("best", one.best), ("last", one.last)) if marked),
            f"step {one.step:,}" + (" (deleted)" if one.removed else ""),
        )
        for one in kept
    ]
    results = [
        *(Box(one.kind, one.path) for one in details.outputs),
        *(Box("pushed to", one.repository) for one in details.publications),
        *(_run_box("continued by", run) for run in descendants),
    ]
    return place_columns([sources, [Box("run", record.name or record.id)], checkpoints, results])


def place_columns(columns: Sequence[Sequence[Box]]) -> LineagePicture:
    """Return the boxes with their places, each column centred, and arrows from each column to the next."""
    kept = [_at_most(column) for column in columns if column]
    height = max(len(column) for column in kept) * (HEIGHT + DOWN) - DOWN
    placed = []
    for number, column in enumerate(kept):
        top = (height - (len(column) * (HEIGHT + DOWN) - DOWN)) / 2
        x = number * (WIDTH + ACROSS)
        placed.append(
            [Box(one.kind, one.name, one.link, x, top + row * (HEIGHT + DOWN)) for row, one in enumerate(column)]
        )
    arrows = [_arrow(one, other) for left, right in pairwise(placed) for one in left for other in right]
    return LineagePicture(placed, arrows, len(kept) * (WIDTH + ACROSS) - ACROSS, height)


def _run_box(kind: str, run: str) -> Box:
    return Box(kind, run, f"/runs/{quote(run, safe='')}")


def _at_most(column: Sequence[Box]) -> list[Box]:
    if len(column) <= MOST:
        return list(column)
    return [*column[: MOST - 1], Box("and", f"{len(column) - MOST + 1} more")]


def _arrow(one: Box, other: Box) -> str:
    """Return the path of a curve from the right edge of a box to the left edge of another."""
    start, stop = one.x + WIDTH, other.x - 5
    middle = (start + stop) / 2
    y, end = one.y + HEIGHT / 2, other.y + HEIGHT / 2
    return f"M{start:.1f},{y:.1f} C{middle:.1f},{y:.1f} {middle:.1f},{end:.1f} {stop:.1f},{end:.1f}"
