"""Labelled text in colour, for people: the format ``terminal``."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence

from labelkit.records import Format, Labelled, Output


def writer(
    types: Sequence[str] = (), *, colour: bool = True, texts: bool = True
) -> Callable[[Iterable[Labelled], Output], None]:
    """Return a function that writes records as :func:`labelkit.console.render.labelled` shows them.

    :param types: the labels or span types that there are, so that each has its colour; others get one as they come.
    :param texts: show a text over its scores.
    """

    def write(records: Iterable[Labelled], output: Output) -> None:
        """Write each text with its spans in colour, or the scores of a whole text."""
        from labelkit.console import render

        buffer = io.StringIO()
        console = render.console_into(buffer, colour=colour)
        palette = render.colours(types)
        for record in records:
            for label in (*(span.label for span in record.spans or ()), *(record.scores or ())):
                palette.setdefault(label, render.COLOURS[len(palette) % len(render.COLOURS)])
            render.labelled(console, record, palette, texts=texts)
            output.stream.write(buffer.getvalue().encode())
            buffer.seek(0)
            buffer.truncate()

    return write


FORMAT = Format(
    name="terminal",
    kinds=("token", "text"),
    suffixes=(),
    write=writer(),
    summary="text with its spans in colour, for people",
)
