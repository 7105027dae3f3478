"""Compare a reviewed export with the gold data that it came from: which examples have other labels now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelkit.errors import DataError
from labelkit.evaluation.label_review import FIELD
from labelkit.labels.schemes import lenient_spans, tags_of
from labelkit.labels.spans import TextSpan, joined_offsets, words_of_spans
from labelkit.records import Example, Labels, Schema
from labelkit.records.examples import Offsets

#: words of an example that a message shows
_SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """An example whose labels were corrected.

    :param example: its position in the gold data.
    :param labels: the corrected labels, in the scheme of the gold data.
    """

    example: int
    labels: Labels


def find_corrections(
    reviewed: Iterable[Example], gold: Sequence[Example], layer: str, schema: Schema
) -> list[Correction]:
    """Return the examples of ``gold`` that have other labels in ``reviewed``, in the order of ``gold``.

    A reviewed example belongs to the one whose file and line its field :data:`FIELD` names, else to the one with the
    same text. Its words may be separated in another way: spans count by their characters.

    :raises DataError: an example is not in the gold data, or its text was changed, or nothing says which of several
        equal ones it is, or two corrections of one differ; names file and line.
    """
    finder = _ExampleFinder(gold)
    found: dict[int, Labels] = {}
    for example in reviewed:
        number = finder.find(example, layer)
        if number is None:
            continue
        labels = _labels_for(gold[number], example, layer, schema)
        if found.setdefault(number, labels) != labels:
            raise DataError(
                f"{_place(example)}: another record has other labels for the same example {_place(gold[number])}",
                hint="leave one of them out",
            )
    return [
        Correction(example=number, labels=labels)
        for number, labels in sorted(found.items())
        if labels != gold[number].labels[layer]
    ]


class _ExampleFinder:
    """Finds the gold example of a reviewed one."""

    def __init__(self, gold: Sequence[Example]) -> None:
        self._gold = gold
        self._by_text: dict[str, list[int]] = {}
        self._by_place: dict[tuple[str, int], int] = {}
        for number, example in enumerate(gold):
            self._by_text.setdefault(_text_of(example), []).append(number)
            if example.place is not None:
                for line in example.place.word_lines or (example.place.line,):
                    self._by_place[example.place.file, line] = number

    def find(self, example: Example, layer: str) -> int | None:
        """Return the position of the gold example; None where all of several equal ones have these labels already.

        :raises DataError: there is none, or nothing says which one it is.
        """
        text = _text_of(example)
        named = self._by_place.get(_place_of_suspect(example.extra) or ("", 0))
        if named is not None:
            if _text_of(self._gold[named]) == text:
                return named
            raise DataError(
                f"{_place(example)}: its text is not that of {_place(self._gold[named])}: {text[:_SHOWN]!r}",
                hint="corrections change labels only; a text that is wrong is corrected in the data itself",
            )
        numbers = self._by_text.get(text, [])
        if not numbers:
            raise DataError(
                f"{_place(example)}: no example of the gold data has this text: {text[:_SHOWN]!r}",
                hint="apply the file to the data that it was exported from: --data, --split or --train as for that",
            )
        with_id = [number for number in numbers if self._gold[number].id == example.id]
        if len(numbers) == 1 or len(with_id) == 1:
            return (with_id or numbers)[0]
        if all(self._gold[number].labels[layer] == example.labels[layer] for number in numbers):
            return None
        places = " and ".join(_place(self._gold[number]) for number in numbers[:3])
        raise DataError(
            f"{_place(example)}: {len(numbers)} examples have this text, and nothing says which one is meant: {places}",
            hint=f"export in a format with the field '{FIELD}', such as jsonl, which names file and line",
        )


def _place_of_suspect(extra: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return file and line that an exported example came from; None where it does not say so."""
    suspects = extra.get(FIELD)
    first = suspects[0] if isinstance(suspects, list) and suspects else None
    if not isinstance(first, Mapping):
        return None
    file, line = first.get("file"), first.get("line")
    return (file, line) if isinstance(file, str) and isinstance(line, int) else None


def _labels_for(gold: Example, reviewed: Example, layer: str, schema: Schema) -> Labels:
    """Return the labels of a reviewed example for the words of the gold one.

    :raises DataError: a span cuts a word of the gold example.
    """
    labels = reviewed.labels[layer]
    if isinstance(labels, str) or gold.words is None or gold.words == reviewed.words:
        return labels
    if schema.scheme is None:
        raise DataError(
            f"{_place(reviewed)}: it has {len(labels):,} words, {_place(gold)} has {len(gold.words):,}",
            hint="export in a format that keeps words, such as jsonl",
        )
    text, offsets = _text_of(gold), _offsets_of(reviewed)
    spans = [TextSpan(offsets[first][0], offsets[stop - 1][1], type_) for first, stop, type_ in lenient_spans(labels)]
    found, faults = words_of_spans(spans, text, _offsets_of(gold))
    if faults:
        raise DataError(f"{_place(reviewed)}: {faults[0]}", hint="a span begins and ends with a word of the data")
    return tags_of(found, len(gold.words), schema.scheme)


def _text_of(example: Example) -> str:
    return " ".join(example.words or ()) if example.text is None else example.text


def _offsets_of(example: Example) -> Offsets:
    return example.offsets or joined_offsets(example.words or ())


def _place(example: Example) -> str:
    return str(example.place or f"example '{example.id}'")
