"""How mistakes and likely annotation mistakes look in a terminal. Text of users is shown literally."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from labelkit.console.spans import colours
from labelkit.console.tables import cell, table
from labelkit.console.text import literal, shorten
from labelkit.evaluate.error_analysis import (
    ErrorAnalysis,
    FrequentMistake,
    LabelledSpan,
    Mistake,
    label_spans,
    mistake_kinds,
)

if TYPE_CHECKING:
    from labelkit.data.gold import Gold
    from labelkit.evaluate.label_review import LabelError
    from labelkit.records import Example, Schema

#: words shown on either side of a mistake, and characters of a text
AROUND, CHARACTERS = 20, 160


def show(
    console: Console,
    gold: Gold,
    layer: str,
    schema: Schema,
    analysis: ErrorAnalysis,
    suspects: Sequence[LabelError],
    limit: int,
) -> None:
    """Print mistakes by type, the most frequent ones, and the likeliest annotation mistakes, with their sentences."""
    palette = colours(schema.types or schema.labels)
    _by_type(console, gold, schema, analysis)
    if shown := analysis.frequent[:limit]:
        console.print()
        console.print(Text(f"the most frequent mistakes ({len(shown):,} of {len(analysis.frequent):,})", style="bold"))
        for one in shown:
            _frequent(console, one, gold.examples, layer, schema, palette)
    if listed := suspects[:limit]:
        console.print()
        title = f"likely annotation mistakes ({len(listed):,} of {len(suspects):,}, the likeliest first)"
        console.print(Text(title, style="bold"))
        for suspect in listed:
            _suspect(console, suspect, gold.examples[suspect.example], layer, schema, palette)


def _by_type(console: Console, gold: Gold, schema: Schema, analysis: ErrorAnalysis) -> None:
    kinds = mistake_kinds(schema)
    rows = [(name, *(f"{number:,}" for number in row.values())) for name, row in analysis.by_type.items()]
    total = [sum(row[column] for row in analysis.by_type.values()) for column in ("gold", "right", *kinds)]
    rows.append(("all", *(f"{number:,}" for number in total)))
    title = f"{gold.ref} ({gold.split}, {len(gold.examples):,} examples)"
    table(console, ("type", ">gold", ">right", *(f">{kind}" for kind in kinds)), rows, title=title)


def _frequent(
    console: Console,
    one: FrequentMistake,
    examples: Sequence[Example],
    layer: str,
    schema: Schema,
    palette: dict[str, str],
) -> None:
    head = Text(f"{one.count:>5} × ", style="bold")
    head.append(f"{one.kind}: ")
    if one.text:
        head.append(literal(one.text, lines=False), style="bold")
        head.append(" ")
    head.append_text(_change(one.gold, one.predicted, palette))
    console.print(head, soft_wrap=True)
    mistake = one.places[0]
    console.print(_sentence(examples[mistake.example], layer, schema, palette, mistake), soft_wrap=True)


def _suspect(
    console: Console, suspect: LabelError, example: Example, layer: str, schema: Schema, palette: dict[str, str]
) -> None:
    head = Text(f"{suspect.rank:>5}   ", style="bold")
    if suspect.word is not None:
        head.append(literal(suspect.text, lines=False), style="bold")
        head.append(" ")
    head.append_text(_change(suspect.given, suspect.suggested, palette))
    place = example.place.of_word(suspect.word) if example.place and suspect.word is not None else example.place
    head.append(f"  {suspect.chance:.3f} against {suspect.quality:.3f}  ")
    head.append_text(cell(place or f"example {example.id}"))
    console.print(head, soft_wrap=True)
    word = suspect.word or 0
    here = Mistake("wrong label", suspect.example, LabelledSpan(word, word + 1, suspect.given), None)
    console.print(_sentence(example, layer, schema, palette, here), soft_wrap=True)


def _change(gold: str, predicted: str, palette: dict[str, str]) -> Text:
    text = Text()
    text.append(literal(gold, lines=False), style=palette.get(gold, ""))
    text.append(" → ")
    text.append(literal(predicted, lines=False), style=palette.get(predicted, ""))
    return text


def _sentence(example: Example, layer: str, schema: Schema, palette: dict[str, str], mistake: Mistake) -> Text:
    """Return a sentence with its gold labels in colour, and the words of the mistake marked."""
    shown = Text("        ")
    if example.words is None:
        shown.append(literal(shorten(example.text or "", CHARACTERS), lines=False))
        return shown
    marked = _marked(mistake)
    first, last = max(0, marked.start - AROUND), min(len(example.words), marked.stop + AROUND)
    starts = {stretch.start: stretch for stretch in label_spans(example.labels[layer], schema)}
    inside = {word: stretch for stretch in starts.values() for word in range(stretch.start, stretch.stop)}
    shown.append("… " if first else "")
    for word in range(first, last):
        stretch = inside.get(word)
        colour = palette.get(stretch.label, "") if stretch and (schema.scheme or word in marked) else ""
        style = f"{colour} {'bold reverse' if word in marked else ''}".strip()
        opens = schema.scheme and stretch is not None and stretch.start == word
        shown.append("[" if opens else "", style=colour)
        shown.append(literal(example.words[word], lines=False), style=style)
        if schema.scheme and stretch is not None and stretch.stop == word + 1:
            shown.append("]", style=colour)
            shown.append(literal(stretch.label, lines=False), style=f"italic {colour}")
        shown.append(" ")
    shown.append("…" if last < len(example.words) else "")
    return shown


def _marked(mistake: Mistake) -> range:
    both = [stretch for stretch in (mistake.gold, mistake.predicted) if stretch is not None]
    return range(min(one.start for one in both), max(one.stop for one in both))
