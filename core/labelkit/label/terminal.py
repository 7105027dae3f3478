"""The format ``terminal``: labelled text in colour."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence

from labelkit.records import Format, Labelled, Output


def terminal_writer(
    types: Sequence[str] = (), *, colour: bool = True, texts: bool = True
) -> Callable[[Iterable[Labelled], Output], None]:
    """Return a function that writes records as :func:`labelkit.console.spans.print_labelled` shows them.

    :param types: labels or span types, in the order of their colours; unknown ones get the next colour.
    :param texts: print a text above its scores.
    """

    def write(records: Iterable[Labelled], output: Output) -> None:
        """Write each text with its spans in colour, or the scores of its labels."""
        from labelkit.console.spans import COLOURS, colours, console_into, print_labelled

        buffer = io.StringIO()
        console = console_into(buffer, colour=colour)
        palette = colours(types)
        for record in records:
            for label in (*(span.label for span in record.spans or ()), *(record.scores or ())):
                palette.setdefault(label, COLOURS[len(palette) % len(COLOURS)])
            print_labelled(console, record, palette, texts=texts)
            output.stream.write(buffer.getvalue().encode())
            buffer.seek(0)
            buffer.truncate()

    return write


FORMAT = Format(
    name="terminal",
    kinds=("token", "text"),
    numbers=True,
    multilabel=True,
    pairs=True,
    suffixes=(),
    write=terminal_writer(),
    summary="text with its spans in colour",
)
