"""Print a corpus, and return it for JSON: random examples, label counts, lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from labelkit.cli.common import assumed_lines
from labelkit.console.spans import colours
from labelkit.console.tables import table
from labelkit.console.text import literal, shorten
from labelkit.labels.schemes import spans_of
from labelkit.labels.unknown import UNKNOWN
from labelkit.records.contents import shown_content

if TYPE_CHECKING:
    from labelkit.data.corpus import Corpus
    from labelkit.data.summary import SplitSummary
    from labelkit.records import Example

#: labels in the table of counts
MOST_LABELS = 50
#: maximum width of an id beside its example, in columns
ID_WIDTH = 24


def print_corpus(
    console: Console, data: Corpus, split: str, examples: Sequence[Example], figures: Sequence[SplitSummary]
) -> None:
    """Print examples with their labels, and the label counts and lengths of all splits."""
    palette = colours(data.schema.types or data.schema.labels)
    read = f", read as {data.scheme_read}" if data.scheme_read else ""
    kind = "synthetic, " if data.synthetic else ""
    title = f"{data.reference} ({kind}layer {data.layer}{read}): {len(examples)} examples of {split}"
    rows = [(shorten(example.id, ID_WIDTH), example_text(example, data, palette)) for example in examples]
    table(console, (">id", "example"), rows, title=title)
    console.print()
    if data.schema.numeric:
        print_numbers(console, figures)
    else:
        print_label_counts(console, figures, palette, "texts" if data.kind == "text" else "words")
    if data.schema.multilabel:
        print_set_sizes(console, figures)
    lengths = [
        (
            f.name + (" (held out)" if f.carved else ""),
            *(f"{f.examples:,}", f"{f.words:,}", f.documents or "–", f.lengths.min),
            *(f"{f.lengths.median:g}", f"{f.lengths.mean:.1f}", f.lengths.p95, f.lengths.max),
        )
        for f in figures
    ]
    columns = ("split", ">examples", ">words", ">documents", ">shortest", ">median", ">mean", ">95%", ">longest")
    table(console, columns, lengths, title="lengths in words")
    for note in (*data.notes, *assumed_lines(data.assumptions)):
        console.print(Text(literal(note), style="yellow"))


def corpus_document(data: Corpus, examples: Sequence[Example], figures: Sequence[SplitSummary]) -> dict[str, Any]:
    """Return what :func:`print_corpus` prints, ready for JSON."""
    return {
        "reference": data.reference,
        "layer": data.layer,
        "synthetic": data.synthetic,
        "scheme": data.scheme_read,
        "labels": list(data.schema.label_names),
        "notes": list(data.notes),
        "assumptions": list(data.assumptions),
        "splits": {summary.name: asdict(summary) for summary in figures},
        "examples": [
            {
                "id": one.id,
                "words": one.words,
                "text": one.text,
                **({} if one.pair is None else {"pair": one.pair}),
                "labels": one.labels[data.layer],
            }
            for one in examples
        ],
    }


def example_text(example: Example, data: Corpus, palette: Mapping[str, str]) -> Text:
    """Return an example with its spans or labels in colour."""
    labels = example.labels[data.layer]
    if example.words is None and data.schema.multilabel:
        chips = [(f"{label} ", f"bold {palette.get(label, 'white')}") for label in labels] or [("– ", "dim")]
        return Text.assemble(*chips, literal(shown_content(example), lines=False))
    if isinstance(labels, str) or example.words is None:
        return Text.assemble(
            (f"{labels} ", f"bold {palette.get(str(labels), 'white')}"),
            literal(shown_content(example), lines=False),
        )
    shown = Text(overflow="fold")
    scheme = data.schema.scheme
    spans = spans_of(labels, scheme) if scheme else [(i, i + 1, label) for i, label in enumerate(labels)]
    starts = {start: (stop, label) for start, stop, label in spans}
    position = 0
    while position < len(example.words):
        stop, label = starts.get(position, (position + 1, ""))
        words = literal(" ".join(example.words[position:stop]), lines=False)
        colour = palette.get(label, "white")
        if labels[position] == UNKNOWN:
            shown.append(literal(f"{words}/?", lines=False), style="dim")
        else:
            shown.append(f"[{words}]" if label and scheme else words, style=f"bold {colour}" if label else "")
        shown.append(literal(label if scheme else f"/{label}" if label else "", lines=False), style=f"italic {colour}")
        shown.append(" ")
        position = stop
    return shown


def print_numbers(console: Console, figures: Sequence[SplitSummary]) -> None:
    """Print the range of the numbers of each split."""
    rows = [(f.name, *(f"{value:.4g}" for value in asdict(f.numbers).values())) for f in figures if f.numbers]
    table(console, ("numbers", ">lowest", ">median", ">mean", ">highest"), rows)
    console.print()


def print_set_sizes(console: Console, figures: Sequence[SplitSummary]) -> None:
    """Print how many texts of each split have no label, one, two …"""
    sizes = sorted({size for f in figures for size in f.sets})
    rows = [(str(size), *(f"{f.sets.get(size, 0):,}" for f in figures)) for size in sizes]
    table(console, ("labels of a text", *(f">{f.name}" for f in figures)), rows)
    console.print()


def print_label_counts(
    console: Console, figures: Sequence[SplitSummary], palette: Mapping[str, str], kind: str
) -> None:
    """Print the number of spans of each type in each split, or of words or texts with each label.

    :param kind: ``words`` or ``texts``.
    """
    spans = any(f.spans for f in figures)
    counts = [f.spans if spans else f.labels for f in figures]
    names = sorted({name for each in counts for name in each}, key=lambda name: -counts[0].get(name, 0))
    rows = [
        (
            Text(literal(name, lines=False), style=palette.get(name, "")),
            *(f"{each.get(name, 0):,}" for each in counts),
        )
        for name in names[:MOST_LABELS]
    ]
    if rest := names[MOST_LABELS:]:
        left = [sum(each.get(name, 0) for name in rest) for each in counts]
        rows.append((Text(f"and {len(rest):,} more"), *(f"{count:,}" for count in left)))
    title = "spans of each type" if spans else f"{kind} with each label"
    table(console, (title, *(f">{f.name}" for f in figures)), rows)
    console.print()
