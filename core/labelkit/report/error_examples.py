"""Mistakes with their sentences, the gold spans above the predicted ones. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelkit.evaluation.error_analysis import (
    FrequentMistake,
    Mistake,
    analyse_errors,
    kind_name,
    label_spans,
    mistake_kinds,
)
from labelkit.records import Example, Labels
from labelkit.records.contents import shown_content
from labelkit.report.contents import SplitPredictions
from labelkit.report.formatting import truncate
from labelkit.report.score_tables import label_colours

#: mistakes shown of each kind
SHOWN = 8
#: words shown on either side of a mistake, characters of a word, and of a text
AROUND, LETTERS, CHARACTERS = 14, 80, 400
MEANING: Mapping[str, str] = {
    "missed": "a gold span without a predicted span",
    "wrong type": "the gold boundaries with another type",
    "wrong borders": "the gold type with other boundaries",
    "wrong type and borders": "another type on overlapping words",
    "spurious": "a predicted span without a gold span",
    "wrong label": "another label than the gold label",
}
#: the same, where texts have any number of labels
SET_MEANING: Mapping[str, str] = {
    "missed": "a gold label that is not predicted",
    "spurious": "a predicted label that is not gold",
}


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Some words of a sentence.

    :param label: of the span that they are; None for words between spans.
    :param colour: the number of the label.
    :param marked: the mistake is about them.
    """

    text: str
    label: str | None = None
    colour: int = 0
    marked: bool = False


@dataclass(frozen=True, slots=True)
class MistakeExample:
    """A frequent mistake, with one sentence in which it occurs.

    :param words: the words of the mistake, in lower case.
    :param gold: the sentence with its gold spans; ``predicted``: with the predicted ones.
    :param texts: of whole texts: some of them with their places, in place of a sentence.
    """

    count: int
    words: str
    gold_label: str
    predicted_label: str
    place: str = ""
    gold: Sequence[TextPiece] = ()
    predicted: Sequence[TextPiece] = ()
    texts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class MistakeGroup:
    """The mistakes of one kind.

    :param different: their number if the same mistake on the same words counts once.
    """

    kind: str
    name: str
    meaning: str
    count: int
    different: int
    examples: Sequence[MistakeExample]


@dataclass(frozen=True, slots=True)
class SplitMistakes:
    """The mistakes in a split.

    :param rows: type, its colour, and the numbers of ``columns``.
    """

    split: str
    source: str
    note: str
    examples: int
    spans: bool
    columns: Sequence[str]
    rows: Sequence[tuple[str, int | None, Sequence[int]]]
    groups: Sequence[MistakeGroup]


def split_mistakes(split: str, found: SplitPredictions) -> SplitMistakes:
    """Return the mistakes in a split by type, and the most frequent ones of each kind."""
    analysis = analyse_errors(found.examples, found.layer, found.predicted, found.schema)
    several = found.schema.multilabel
    kinds, colours = mistake_kinds(found.schema), label_colours(found.schema, analysis.by_type)
    rows: list[tuple[str, int | None, Sequence[int]]] = [
        (name, colours[name], [row[column] for column in ("gold", "right", *kinds)])
        for name, row in analysis.by_type.items()
    ]
    if rows:
        rows.append(("all", None, [sum(numbers) for numbers in zip(*(row[2] for row in rows), strict=True)]))
    groups = [
        MistakeGroup(
            kind=kind,
            name=kind_name(kind),
            meaning=SET_MEANING[kind] if several else MEANING[kind],
            count=sum(one.count for one in same),
            different=len(same),
            examples=[mistake_example(one, found, colours) for one in same[:SHOWN]],
        )
        for kind in kinds
        if (same := [one for one in analysis.frequent if one.kind == kind])
    ]
    return SplitMistakes(
        split=split,
        source=found.source,
        note=found.note,
        examples=len(found.examples),
        spans=found.schema.scheme is not None,
        columns=("support", "correct", *map(kind_name, kinds)),
        rows=rows,
        groups=groups,
    )


def mistake_example(one: FrequentMistake, found: SplitPredictions, colours: Mapping[str, int]) -> MistakeExample:
    """Return a frequent mistake with its first sentence, or with the first texts."""
    mistake = one.places[0]
    example = found.examples[mistake.example]
    if example.words is None:
        examples = [(found.examples[place.example], place) for place in one.places]
        texts = [(truncate(shown_content(each), CHARACTERS), place_of(each, place)) for each, place in examples]
        return MistakeExample(one.count, "", one.gold, one.predicted, texts=texts)
    return MistakeExample(
        count=one.count,
        words=truncate(one.text, LETTERS),
        gold_label=one.gold,
        predicted_label=one.predicted,
        place=place_of(example, mistake),
        gold=text_pieces(example.words, example.labels[found.layer], mistake, found, colours),
        predicted=text_pieces(example.words, found.predicted[mistake.example], mistake, found, colours),
    )


def text_pieces(
    words: Sequence[str], labels: Labels, mistake: Mistake, found: SplitPredictions, colours: Mapping[str, int]
) -> list[TextPiece]:
    """Return the words around a mistake in pieces: spans, and the words between them."""
    marked = mistake.words
    first, last = max(0, marked.start - AROUND), min(len(words), marked.stop + AROUND)
    # of plain labels, every word has one: only those of the mistake are shown
    spans = [one for one in label_spans(labels, found.schema) if found.schema.scheme or one.start in marked]
    starts = {one.start: one for one in spans}
    # a span that starts before is shown whole
    position = min([first, *(one.start for one in spans if one.start < first < one.stop)])
    pieces = [TextPiece("…")] if position else []
    while position < last:
        span = starts.get(position)
        stop = span.stop if span else min(n for n in (*starts, marked.start, marked.stop, last) if n > position)
        text = " ".join(truncate(word, LETTERS) for word in words[position:stop])
        label, colour = (span.label, colours.get(span.label, 0)) if span else (None, 0)
        pieces.append(TextPiece(text, label, colour, position < marked.stop and stop > marked.start))
        position = stop
    return [*pieces, TextPiece("…")] if position < len(words) else pieces


def place_of(example: Example, mistake: Mistake) -> str:
    """Return the file and line of a mistake, or else the id of its example."""
    if example.place is None:
        return f"example {example.id}"
    return str(example.place) if example.words is None else example.place.of_word(mistake.words.start)
