"""Mistakes and likely label errors as tables, sentences and JSON. Text of users is printed literally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from labelkit.console.spans import colours
from labelkit.console.tables import cell, table
from labelkit.console.text import literal, shorten
from labelkit.evaluation.error_analysis import FrequentMistake, LabelledSpan, Mistake, kind_name, label_spans
from labelkit.records.contents import shown_content

if TYPE_CHECKING:
    from labelkit.evaluation.inspection import Inspection
    from labelkit.evaluation.label_review import LabelError
    from labelkit.records import Example, Schema

#: words shown on either side of a mistake, and characters of a text
AROUND, CHARACTERS = 20, 160


def document(found: Inspection, limit: int) -> dict[str, Any]:
    """Return an inspection ready for JSON.

    :param limit: number of frequent mistakes, and of label errors.
    """
    gold, analysis = found.gold, found.analysis

    def occurrence(mistake: Mistake) -> dict[str, Any]:
        example, spans = gold.examples[mistake.example], {"gold": mistake.gold, "predicted": mistake.predicted}
        return {
            **_place(example, mistake.span.start),
            "words": list(example.words) if example.words is not None else None,
            **{name: None if span is None else span._asdict() for name, span in spans.items()},
        }

    return {
        "data": gold.ref,
        "split": gold.split,
        "content_hash": gold.content_hash,
        "examples": len(gold.examples),
        "assumptions": list(gold.assumptions),
        "mistakes": {
            "kinds": analysis.kinds,
            "by_type": analysis.by_type,
            "frequent": [
                {
                    "kind": one.kind,
                    "text": one.text,
                    "gold": one.gold,
                    "predicted": one.predicted,
                    "count": one.count,
                    "places": [occurrence(place) for place in one.places],
                }
                for one in analysis.frequent[:limit]
            ],
        },
        "suspects": {
            "words": len(found.quality.order),
            "flagged": len(found.label_errors),
            "list": [
                {**error.to_json(), **_place(gold.examples[error.example], error.word)}
                for error in found.label_errors[:limit]
            ],
        },
    }


def _place(example: Example, word: int | None) -> dict[str, Any]:
    """Return the id and the place of an example, with the line of a word where it has words."""
    if example.place is None:
        return {"id": example.id, "place": None}
    whole = word is None or example.words is None
    return {"id": example.id, "place": str(example.place) if whole or word is None else example.place.of_word(word)}


def show(console: Console, found: Inspection, limit: int) -> None:
    """Print mistakes by type, the most frequent mistakes, and the likeliest label errors, with their sentences.

    :param limit: number of frequent mistakes, and of label errors.
    """
    gold, analysis, schema = found.gold, found.analysis, found.schema
    palette = colours(schema.types or schema.labels)
    columns = ("gold", "right", *analysis.kinds)
    rows = [(name, *(f"{row[column]:,}" for column in columns)) for name, row in analysis.by_type.items()]
    totals = (sum(row[column] for row in analysis.by_type.values()) for column in columns)
    rows.append(("all", *(f"{number:,}" for number in totals)))
    title = f"{gold.ref} ({gold.split}, {len(gold.examples):,} examples)"
    table(console, ("type", ">support", ">correct", *(f">{kind_name(kind)}" for kind in analysis.kinds)), rows, title)
    if frequent := analysis.frequent[:limit]:
        console.print()
        title = f"most frequent mistakes ({len(frequent):,} of {len(analysis.frequent):,})"
        console.print(Text(title, style="bold"))
    for one in frequent:
        console.print(mistake_line(one, palette), soft_wrap=True)
        example = gold.examples[one.places[0].example]
        console.print(_sentence(example, found.layer, schema, palette, one.places[0].words), soft_wrap=True)
    if errors := found.label_errors[:limit]:
        console.print()
        title = f"likely label errors ({len(errors):,} of {len(found.label_errors):,}, the likeliest first)"
        console.print(Text(title, style="bold"))
    for error in errors:
        example, word = gold.examples[error.example], error.word or 0
        console.print(label_error_line(error, example, palette), soft_wrap=True)
        console.print(_sentence(example, found.layer, schema, palette, range(word, word + 1)), soft_wrap=True)


def mistake_line(one: FrequentMistake, palette: dict[str, str]) -> Text:
    """Return a frequent mistake as one line: count, kind, words and labels."""
    line = Text(f"{one.count:>5} × ", style="bold")
    line.append(f"{kind_name(one.kind)}: ")
    line.append(literal(f"{one.text} ", lines=False) if one.text else "", style="bold")
    return line.append_text(_change(one.gold, one.predicted, palette))


def label_error_line(error: LabelError, example: Example, palette: dict[str, str]) -> Text:
    """Return a label error as one line: rank, word, classes with their probabilities, and place."""
    line = Text(f"{error.rank:>5}   ", style="bold")
    if error.word is not None:
        line.append(literal(f"{error.text} ", lines=False), style="bold")
    line.append_text(_change(error.given, error.suggested, palette))
    line.append(f"  {error.chance:.3f} against {error.quality:.3f}  ")
    return line.append_text(cell(_place(example, error.word)["place"] or f"example {example.id}"))


def _change(before: str, after: str, palette: dict[str, str]) -> Text:
    text = Text()
    text.append(literal(before, lines=False), style=palette.get(before, ""))
    text.append(" → ")
    return text.append(literal(after, lines=False), style=palette.get(after, ""))


def _sentence(example: Example, layer: str, schema: Schema, palette: dict[str, str], marked: range) -> Text:
    """Return a sentence with its gold labels in colour, and the words of a mistake highlighted.

    :param marked: positions of these words.
    """
    shown = Text("        ")
    if example.words is None:
        return shown.append(literal(shorten(shown_content(example), CHARACTERS), lines=False))
    first, last = max(0, marked.start - AROUND), min(len(example.words), marked.stop + AROUND)
    spans = label_spans(example.labels[layer], schema)
    span_of: dict[int, LabelledSpan] = {word: span for span in spans for word in range(span.start, span.stop)}
    shown.append("… " if first else "")
    for word in range(first, last):
        # of plain labels, every word has one: only those of the mistake are coloured
        span = span_of.get(word) if schema.scheme or word in marked else None
        colour = palette.get(span.label, "") if span else ""
        if schema.scheme and span and span.start == word:
            shown.append("[", style=colour)
        style = f"{colour} bold reverse".strip() if word in marked else colour
        shown.append(literal(example.words[word], lines=False), style=style)
        if schema.scheme and span and span.stop == word + 1:
            shown.append("]", style=colour)
            shown.append(literal(span.label, lines=False), style=f"italic {colour}")
        shown.append(" ")
    return shown.append("…" if last < len(example.words) else "")
