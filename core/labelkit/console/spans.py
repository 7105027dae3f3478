"""Labelled text in colour: spans with their labels, or the scores or the number of a whole text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import cycle
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from labelkit.console.tables import table
from labelkit.console.text import literal
from labelkit.labels.label_sets import shown
from labelkit.records.contents import shown_texts

if TYPE_CHECKING:
    from labelkit.records import Labelled, Schema

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red", "bright_cyan", "bright_magenta", "bright_green")


def colours(labels: Iterable[str]) -> dict[str, str]:
    """Return a colour for each label, the same one each time for the same set of labels."""
    return dict(zip(sorted(set(labels)), cycle(COLOURS), strict=False))


def console_into(stream: TextIO, *, colour: bool) -> Console:
    """Return a console that prints into ``stream``."""
    return Console(
        file=stream,
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        highlight=False,
        emoji=False,
        width=160,
        legacy_windows=False,
    )


def print_layers(console: Console, record: Labelled, schemas: Mapping[str, Schema], *, several: bool = False) -> None:
    """Print a labelled text, once for each task that labelled it.

    :param schemas: task → its labels.
    :param several: several texts are printed.
    """
    layers = record.layers or dict.fromkeys(schemas, record)
    for task, layer in layers.items():
        if record.layers:
            console.print(Text(f"{task}:", style="bold"))
        palette = colours(schemas[task].types or schemas[task].labels)
        print_labelled(console, layer, palette, texts=several)


def print_labelled(console: Console, record: Labelled, palette: Mapping[str, str], *, texts: bool = False) -> None:
    """Print a text with its spans in colour, each followed by its label; or the scores of a whole text.

    :param palette: label → colour.
    :param texts: print a text above its scores.
    """
    texts_shown = shown_texts(record.text, record.pair)
    if record.number is not None:
        console.print(Text.assemble((f"{record.number:g} ", "bold"), literal(texts_shown)), soft_wrap=True)
        return
    if record.scores is not None:
        if texts:
            console.print(Text(literal(texts_shown)), soft_wrap=True)
        if record.labels is not None:
            console.print(Text(literal(f"labels: {shown(record.labels)}", lines=False), style="bold"))
        rows = sorted(record.scores.items(), key=lambda item: -item[1])
        table(
            console,
            ("label", ">score"),
            [(Text(name, style=palette.get(name, "")), f"{score:.4f}") for name, score in rows],
        )
        return
    marked, end = Text(), 0
    for span in record.spans or ():
        marked.append(literal(record.text[end : span.start]))
        colour = palette.get(span.label, "white")
        marked.append(f"[{literal(span.text)}]", style=f"bold {colour}")
        marked.append(f"{literal(span.label, lines=False)}", style=f"italic {colour}")
        end = span.end
    marked.append(literal(record.text[end:]))
    console.print(marked, soft_wrap=True)
    if record.coverage.fallback:
        note = f"{record.coverage.fallback} of {record.coverage.words} words have no subword token, or too many"
        console.print(Text(f"{note} and got the fallback label", style="yellow"))
