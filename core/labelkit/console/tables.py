"""Tables and cells as every command prints them; text of users is shown literally."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from labelkit.console.text import literal


def cell(value: object) -> Text:
    """Return a value as one line of literal text; None is empty."""
    return Text(literal("" if value is None else str(value), lines=False), overflow="fold")


def table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a table; columns whose name begins with ``>`` are aligned to the right."""
    if title is not None:  # rich would wrap a title of the table to the width of the table
        console.print(Text(literal(title, lines=False), style="bold"))
    grid = Table(box=None, pad_edge=False)
    for name in columns:
        grid.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left")
    for row in rows:
        grid.add_row(*(value if isinstance(value, Text) else cell(value) for value in row))
    console.print(grid)


def figure(value: object) -> str:
    """Return a score with four decimals, any other value as text, and None as a dash."""
    return "–" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
