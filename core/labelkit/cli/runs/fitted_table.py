"""Tables fitted to the terminal: long cells are shortened in the middle; in a pipe every row is one full line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from labelkit.console.text import literal, shorten

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    :param right: align its cells to the right.
    :param least: cells may be shortened to this width; 0: never.
    :param keep: a suffix that is never cut off.
    :param leave: columns with a lower number are dropped first in a narrow terminal; 0: never.
    """

    title: str
    right: bool = False
    least: int = 0
    leave: int = 0
    keep: str = ""


def table(console: Console, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> tuple[str, ...]:
    """Print a table and return the titles of the columns that were dropped."""
    cells = [[literal("" if value is None else str(value), lines=False) for value in row] for row in rows]
    natural = [
        max(cell_len(text) for text in (column.title, *(row[index] for row in cells)))
        for index, column in enumerate(columns)
    ]
    columns = [
        replace(one, least=one.least + cell_len(one.keep))
        if one.keep and any(row[index].endswith(one.keep) for row in cells)
        else one
        for index, one in enumerate(columns)
    ]
    widths = fit(columns, natural, console.width) if console.is_terminal else list(natural)
    _line(console, columns, [column.title for column in columns], widths, "bold")
    for row in cells:
        _line(console, columns, row, widths)
    return tuple(column.title for column, width in zip(columns, widths, strict=True) if not width)


def fit(columns: Sequence[Column], natural: Sequence[int], total: int) -> list[int]:
    """Return the width of each column in a line of ``total`` cells, 0 for one that is dropped.

    First the widest shrinkable columns are shortened, then columns are dropped; then the line is too long.
    """
    widths = list(natural)
    while True:
        over = sum(widths) + _GAP * (sum(map(bool, widths)) - 1) - total
        if over <= 0:
            return widths
        long = [i for i, column in enumerate(columns) if column.least and widths[i] > column.least]
        if sum(widths[i] - columns[i].least for i in long) >= over:
            widest = max(long, key=lambda i: widths[i])
            widths[widest] -= 1
            continue
        extra = [i for i, column in enumerate(columns) if column.leave and widths[i]]
        if not extra:
            return [columns[i].least if i in long else width for i, width in enumerate(widths)]
        widths[min(extra, key=lambda i: columns[i].leave)] = 0


def _line(
    console: Console, columns: Sequence[Column], row: Sequence[str], widths: Sequence[int], style: str = ""
) -> None:
    parts = []
    for column, text, width in zip(columns, row, widths, strict=True):
        if width:
            keep = column.keep if column.keep and text.endswith(column.keep) else ""
            shown = shorten(text.removesuffix(keep), width - cell_len(keep)) + keep
            space = " " * (width - cell_len(shown))
            parts.append(space + shown if column.right else shown + space)
    console.print(Text((" " * _GAP).join(parts).rstrip(), style=style), soft_wrap=True)
