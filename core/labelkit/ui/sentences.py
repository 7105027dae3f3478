"""Sentences with their labels as pieces that templates draw. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from labelkit.evaluation.error_analysis import label_spans
from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example, Labels, Schema
from labelkit.records.contents import shown_content
from labelkit.report.error_examples import TextPiece
from labelkit.report.formatting import truncate

#: characters shown of a word, and of a text
LETTERS, CHARACTERS = 80, 4000
#: words shown of a sentence
WORDS = 400


@dataclass(frozen=True, slots=True)
class WordRow:
    """A word with its gold label, its predicted label and the confidence of that; empty where there is none."""

    word: str
    gold: str
    predicted: str
    confidence: str


def sentence_pieces(
    example: Example,
    labels: Labels,
    schema: Schema,
    colours: Mapping[str, int],
    marked: Collection[int] = (),
    confidence: Sequence[float] | None = None,
) -> list[TextPiece]:
    """Return a sentence in pieces: its labelled spans, and the words between them; or a text and its labels.

    :param marked: positions of words that a mistake is about.
    :param confidence: of each word; a span shows the lowest one of its words.
    """

    def named(label: str, numbers: Sequence[float]) -> str:
        return f"{label} {min(numbers):.2f}" if numbers else label

    if example.words is None:
        spans = label_spans(labels, schema)
        found = [TextPiece(truncate(shown_content(example), CHARACTERS))]
        return found + [
            TextPiece("", named(one.label, confidence or ()), colours.get(one.label, 0), bool(marked)) for one in spans
        ]
    words = [truncate(word, LETTERS) for word in example.words[:WORDS]]
    pieces: list[TextPiece] = []
    position = 0
    for span in label_spans(labels, schema):
        if span.start >= len(words):
            break
        pieces += _plain(words, position, span.start, marked)
        hit = any(number in marked for number in range(span.start, span.stop))
        numbers = confidence[span.start : span.stop] if confidence is not None else ()
        text = " ".join(words[span.start : span.stop])
        pieces.append(TextPiece(text, named(span.label, numbers), colours.get(span.label, 0), hit))
        position = span.stop
    pieces += _plain(words, position, len(words), marked)
    return [*pieces, TextPiece("…")] if len(example.words) > WORDS else pieces


def _plain(words: Sequence[str], start: int, stop: int, marked: Collection[int]) -> list[TextPiece]:
    """Return the words between two spans, those of a mistake apart from the others."""
    pieces: list[TextPiece] = []
    for number in range(start, min(stop, len(words))):
        hit = number in marked
        if pieces and pieces[-1].marked == hit:
            pieces[-1] = TextPiece(f"{pieces[-1].text} {words[number]}", marked=hit)
        else:
            pieces.append(TextPiece(words[number], marked=hit))
    return pieces


def word_rows(
    example: Example, gold: Labels, predicted: Labels, confidence: Sequence[float] | None = None
) -> list[WordRow]:
    """Return the words of a sentence with their labels; nothing for texts."""
    if example.words is None or isinstance(gold, str) or isinstance(predicted, str):
        return []
    numbers = [""] * len(example.words) if confidence is None else [f"{one:.3f}" for one in confidence]
    rows = zip(example.words[:WORDS], gold, predicted, numbers, strict=False)
    return [
        WordRow(truncate(word, LETTERS), "" if one == UNKNOWN else one, two, number) for word, one, two, number in rows
    ]
