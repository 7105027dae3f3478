"""Mistakes with their sentences: what should be there above what was found. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelkit.evaluate.error_analysis import (
    ErrorAnalysis,
    FrequentMistake,
    LabelledSpan,
    Mistake,
    MistakeKind,
    analyse_errors,
    label_spans,
    mistake_kinds,
)
from labelkit.records import Example, Labels
from labelkit.report.contents import SplitPredictions
from labelkit.report.formatting import cut
from labelkit.report.score_tables import colours_of

#: mistakes shown of each kind; words around a mistake, characters of a word, of a text
SHOWN, AROUND, LETTERS, CHARACTERS = 8, 14, 80, 400
MEANING: Mapping[str, str] = {
    "missed": "a gold span where nothing was found",
    "wrong type": "the right words, another type",
    "wrong borders": "the right type, other words",
    "wrong type and borders": "another type on words that overlap",
    "spurious": "a span where there is none in the gold labels",
    "wrong label": "another label than the gold one",
}


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Words that belong together.

    :param label: of the span that they are; None for words between spans.
    :param colour: the number of the label.
    :param marked: they are what the mistake is about.
    """

    text: str
    label: str | None = None
    colour: int = 0
    marked: bool = False


@dataclass(frozen=True, slots=True)
class MistakeExample:
    """A mistake, with one place where it was made.

    :param words: what it is about, as it stands there.
    :param gold: the sentence with its gold spans; ``found`` with those predicted.
    :param texts: of whole texts: some of them with their places, and nothing else.
    """

    count: int
    words: str
    gold_label: str
    found_label: str
    place: str = ""
    gold: Sequence[TextPiece] = ()
    found: Sequence[TextPiece] = ()
    texts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class MistakeGroup:
    """Mistakes of one kind.

    :param different: how many there are when the same one on the same words counts once.
    """

    kind: str
    meaning: str
    count: int
    different: int
    cases: Sequence[MistakeExample]


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


def errors(split: str, judged: SplitPredictions) -> SplitMistakes:
    """Return the mistakes in a split, by type, and the most frequent ones of each kind."""
    analysis = analyse_errors(judged.examples, judged.layer, judged.predicted, judged.schema)
    kinds = mistake_kinds(judged.schema)
    columns = ("gold", "right", *kinds)
    colours = colours_of(judged.schema, analysis.by_type)
    rows: list[tuple[str, int | None, Sequence[int]]] = [
        (name, colours[name], [row[column] for column in columns]) for name, row in analysis.by_type.items()
    ]
    total = [sum(numbers) for numbers in zip(*(row[2] for row in rows), strict=True)]
    return SplitMistakes(
        split=split,
        source=judged.source,
        note=judged.note,
        examples=len(judged.examples),
        spans=judged.schema.scheme is not None,
        columns=columns,
        rows=[*rows, ("all", None, total)] if rows else [],
        groups=[found for kind in kinds if (found := _group(kind, analysis, judged, colours))],
    )


def _group(
    kind: MistakeKind, analysis: ErrorAnalysis, judged: SplitPredictions, colours: Mapping[str, int]
) -> MistakeGroup | None:
    here = [one for one in analysis.frequent if one.kind == kind]
    if not here:
        return None
    return MistakeGroup(
        kind=kind,
        meaning=MEANING[kind],
        count=sum(one.count for one in here),
        different=len(here),
        cases=[_case(one, judged, colours) for one in here[:SHOWN]],
    )


def _case(one: FrequentMistake, judged: SplitPredictions, colours: Mapping[str, int]) -> MistakeExample:
    mistake = one.places[0]
    example, guess = judged.examples[mistake.example], judged.predicted[mistake.example]
    if example.words is None:
        places = [(judged.examples[place.example], place) for place in one.places]
        texts = [(cut(each.text or "", CHARACTERS), _place(each, place)) for each, place in places]
        return MistakeExample(count=one.count, words="", gold_label=one.gold, found_label=one.predicted, texts=texts)
    return MistakeExample(
        count=one.count,
        words=cut(one.text, LETTERS),
        gold_label=one.gold,
        found_label=one.predicted,
        place=_place(example, mistake),
        gold=sentence(example.words, example.labels[judged.layer], mistake, judged, colours),
        found=sentence(example.words, guess, mistake, judged, colours),
    )


def sentence(
    words: Sequence[str], labels: Labels, mistake: Mistake, judged: SplitPredictions, colours: Mapping[str, int]
) -> list[TextPiece]:
    """Return the words around a mistake in pieces: spans, and what stands between them."""
    marked = _marked(mistake)
    first, last = max(0, marked.start - AROUND), min(len(words), marked.stop + AROUND)
    starts = {one.start: one for one in label_spans(labels, judged.schema) if _is_shown(one, judged, marked)}
    # a span that begins before is shown whole
    position = min([first, *(one.start for one in starts.values() if one.start < first < one.stop)])
    pieces = [TextPiece("…")] if position else []
    while position < last:
        here = starts.get(position)
        stop = here.stop if here else _next(position, last, starts, marked)
        text = " ".join(cut(word, LETTERS) for word in words[position:stop])
        hit = position < marked.stop and stop > marked.start
        pieces.append(
            TextPiece(text, here.label, colours.get(here.label, 0), hit) if here else TextPiece(text, marked=hit)
        )
        position = stop
    return [*pieces, TextPiece("…")] if position < len(words) else pieces


def _is_shown(stretch: LabelledSpan, judged: SplitPredictions, marked: range) -> bool:
    """Return whether a label is shown: each span is, but of plain labels only the mistaken one."""
    return judged.schema.scheme is not None or stretch.start in marked


def _next(position: int, last: int, starts: Mapping[int, LabelledSpan], marked: range) -> int:
    """Return where a piece without a label ends: at a span, or at the borders of the mistake."""
    ends = (*starts, marked.start, marked.stop, last)
    return min(one for one in ends if one > position)


def _marked(mistake: Mistake) -> range:
    both = [stretch for stretch in (mistake.gold, mistake.predicted) if stretch is not None]
    return range(min(one.start for one in both), max(one.stop for one in both))


def _place(example: Example, mistake: Mistake) -> str:
    if example.place is None:
        return f"example {example.id}"
    return str(example.place) if example.words is None else example.place.of_word(_marked(mistake).start)
