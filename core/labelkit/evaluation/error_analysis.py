"""Error analysis: each mistake of a labeller by its kind, and the most frequent ones. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from labelkit.labels.schemes import spans_of
from labelkit.labels.unknown import UNKNOWN, keep_unknown
from labelkit.metrics.entities import NONE
from labelkit.records import Example, Labels, Schema
from labelkit.records.contents import shown_content

MistakeKind = Literal["missed", "wrong type", "wrong borders", "wrong type and borders", "spurious", "wrong label"]
#: kinds of mistakes in spans, in the order of tables
SPAN_KINDS: tuple[MistakeKind, ...] = ("missed", "wrong type", "wrong borders", "wrong type and borders", "spurious")
#: occurrences that are listed of each frequent mistake
LISTED = 3


def kind_name(kind: str) -> str:
    """Return the name of a kind of mistake for users; JSON and records have the kind itself.

    >>> kind_name("wrong type and borders")
    'wrong type and boundary'
    """
    return kind.replace("borders", "boundary")


class LabelledSpan(NamedTuple):
    """Words ``[start, stop)`` of a sentence with their label."""

    start: int
    stop: int
    label: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A difference between gold and predicted labels.

    :param example: the position of its example.
    :param gold: the gold span; None for a spurious one. ``predicted``: the predicted span; None for a missed one.
    """

    kind: MistakeKind
    example: int
    gold: LabelledSpan | None
    predicted: LabelledSpan | None

    @property
    def span(self) -> LabelledSpan:
        """The gold span, or else the predicted one."""
        found = self.gold or self.predicted
        assert found is not None
        return found

    @property
    def words(self) -> range:
        """The positions of the words of both spans."""
        both = [span for span in (self.gold, self.predicted) if span is not None]
        return range(min(span.start for span in both), max(span.stop for span in both))


@dataclass(frozen=True, kw_only=True, slots=True)
class FrequentMistake:
    """The same mistake on the same words.

    :param text: the words, in lower case.
    :param gold: the gold label, and ``predicted`` the predicted one; O for no span.
    :param places: the first occurrences.
    """

    kind: MistakeKind
    text: str
    gold: str
    predicted: str
    count: int
    places: tuple[Mistake, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorAnalysis:
    """All mistakes of a split.

    :param kinds: number of mistakes of each possible kind, 0 included.
    :param by_type: type (or label) → ``gold``, ``right`` and the number of each kind; a spurious span counts for the
        predicted type, every other mistake for the gold one.
    :param frequent: the most frequent first.
    """

    kinds: Mapping[str, int]
    by_type: Mapping[str, Mapping[str, int]]
    frequent: Sequence[FrequentMistake]
    mistakes: Sequence[Mistake] = field(default=())


def mistake_kinds(schema: Schema) -> tuple[MistakeKind, ...]:
    """Return the possible kinds of mistakes, in the order of tables."""
    if schema.multilabel:
        return ("missed", "spurious")
    return SPAN_KINDS if schema.scheme else ("wrong label",)


def analyse_errors(
    examples: Sequence[Example], layer: str, predicted: Iterable[Labels], schema: Schema
) -> ErrorAnalysis:
    """Return the mistakes in the predicted labels of gold examples."""
    found: list[Mistake] = []
    by_type: dict[str, Counter[str]] = {}
    same: dict[tuple[MistakeKind, str, str, str], list[Mistake]] = {}
    for number, (example, guess) in enumerate(zip(examples, predicted, strict=True)):
        right = example.labels[layer]
        if example.words is not None:
            guess = keep_unknown(right, guess)
        gold = label_spans(right, schema)
        mistakes = list(find_mistakes(number, gold, label_spans(guess, schema), schema))
        wrong = {mistake.gold for mistake in mistakes}
        for span in gold:
            by_type.setdefault(span.label, Counter()).update(["gold"] if span in wrong else ["gold", "right"])
        for mistake in mistakes:
            by_type.setdefault(mistake.span.label, Counter())[mistake.kind] += 1
            labels = (span.label if span else NONE for span in (mistake.gold, mistake.predicted))
            # two texts are hardly the same: mistakes are grouped by their labels alone
            text = "" if example.words is None else words_of(example, mistake.span).lower()
            same.setdefault((mistake.kind, text, *labels), []).append(mistake)  # type: ignore[arg-type]
        found += mistakes
    kinds = mistake_kinds(schema)
    total = Counter(mistake.kind for mistake in found)
    return ErrorAnalysis(
        kinds={kind: total[kind] for kind in kinds},
        by_type={name: {each: by_type[name][each] for each in ("gold", "right", *kinds)} for name in sorted(by_type)},
        frequent=[
            FrequentMistake(
                kind=kind, text=text, gold=gold, predicted=guess, count=len(places), places=tuple(places[:LISTED])
            )
            for (kind, text, gold, guess), places in sorted(same.items(), key=lambda item: -len(item[1]))
        ],
        mistakes=found,
    )


def label_spans(labels: Labels, schema: Schema) -> list[LabelledSpan]:
    """Return the spans of a sentence; of plain labels, each word (or the text, once for each label) is a span."""
    if isinstance(labels, str):
        return [LabelledSpan(0, 1, labels)]
    if schema.multilabel:
        return [LabelledSpan(0, 1, label) for label in labels]
    if schema.scheme is None:
        return [LabelledSpan(index, index + 1, label) for index, label in enumerate(labels) if label != UNKNOWN]
    return [LabelledSpan(*span) for span in spans_of(labels, schema.scheme)]


def words_of(example: Example, span: LabelledSpan) -> str:
    """Return the words of a span, or the text."""
    return shown_content(example) if example.words is None else " ".join(example.words[span.start : span.stop])


def find_mistakes(
    number: int, gold: Sequence[LabelledSpan], predicted: Sequence[LabelledSpan], schema: Schema
) -> Iterator[Mistake]:
    """Yield the mistakes in an example.

    :param number: the position of the example.
    """
    if schema.scheme is None and not schema.multilabel:
        pairs = zip(gold, predicted, strict=True)
        yield from (Mistake("wrong label", number, one, other) for one, other in pairs if one != other)
        return
    right = set(gold) & set(predicted)
    missed, spurious = ([span for span in spans if span not in right] for spans in (gold, predicted))
    for one, other in () if schema.multilabel else match_overlapping(missed, spurious):
        missed.remove(one)
        spurious.remove(other)
        kind: MistakeKind = "wrong borders" if one.label == other.label else "wrong type and borders"
        yield Mistake("wrong type" if one[:2] == other[:2] else kind, number, one, other)
    yield from (Mistake("missed", number, one, None) for one in missed)
    yield from (Mistake("spurious", number, None, one) for one in spurious)


def match_overlapping(
    gold: Sequence[LabelledSpan], predicted: Sequence[LabelledSpan]
) -> list[tuple[LabelledSpan, LabelledSpan]]:
    """Return pairs of overlapping gold and predicted spans, each span in one pair.

    The same boundaries come first, then the most common words, then the same label.
    """
    overlaps = [
        (one[:2] != other[:2], -common, one.label != other.label, one.start, other.start, one, other)
        for one in gold
        for other in predicted
        if (common := min(one.stop, other.stop) - max(one.start, other.start)) > 0
    ]
    pairs: list[tuple[LabelledSpan, LabelledSpan]] = []
    for *_, one, other in sorted(overlaps, key=lambda overlap: overlap[:5]):
        if all(one != taken and other != given for taken, given in pairs):
            pairs.append((one, other))
    return pairs
