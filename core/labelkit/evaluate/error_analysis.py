"""What a labeller did wrong: each mistake by its kind, and which are the most frequent ones. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from labelkit.labels.schemes import spans_of
from labelkit.metrics.entities import NONE
from labelkit.records import Example, Labels, Schema

MistakeKind = Literal["missed", "wrong type", "wrong borders", "wrong type and borders", "spurious", "wrong label"]
#: of spans, in the order in which they are shown
SPAN_KINDS: tuple[MistakeKind, ...] = ("missed", "wrong type", "wrong borders", "wrong type and borders", "spurious")
#: examples that are kept of each frequent mistake
KEPT = 3


class LabelledSpan(NamedTuple):
    """Words ``[start, stop)`` of a sentence with their label."""

    start: int
    stop: int
    label: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake.

    :param example: its position in the split.
    :param gold: what should be there; None for a spurious span. ``predicted`` is what was found; None for a missed one.
    """

    kind: MistakeKind
    example: int
    gold: LabelledSpan | None
    predicted: LabelledSpan | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FrequentMistake:
    """The same mistake on the same words.

    :param text: the words, in small letters.
    :param gold: the right label, and ``predicted`` the one given; O for no span.
    :param places: the first few of them.
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

    :param kinds: how many mistakes there are of each kind that there can be, 0 included.
    :param by_type: type (or label) → ``gold``, ``right`` and the number of each of these kinds; a spurious span counts
        for the type that was predicted, every other mistake for the right one.
    :param frequent: the most frequent first.
    """

    kinds: Mapping[str, int]
    by_type: Mapping[str, Mapping[str, int]]
    frequent: Sequence[FrequentMistake]
    mistakes: Sequence[Mistake] = field(default=())


def mistake_kinds(schema: Schema) -> tuple[MistakeKind, ...]:
    """Return the kinds of mistakes that there can be, in the order in which they are shown."""
    return SPAN_KINDS if schema.scheme else ("wrong label",)


def analyse_errors(
    examples: Sequence[Example], layer: str, predicted: Iterable[Labels], schema: Schema
) -> ErrorAnalysis:
    """Return the mistakes in the predicted labels of gold examples."""
    found: list[Mistake] = []
    counts: dict[str, Counter[str]] = {}
    same: dict[tuple[MistakeKind, str, str, str], list[Mistake]] = {}
    for number, (example, guess) in enumerate(zip(examples, predicted, strict=True)):
        wanted = label_spans(example.labels[layer], schema)
        for stretch in wanted:
            counts.setdefault(stretch.label, Counter())["gold"] += 1
        here = list(_compare(number, wanted, label_spans(guess, schema), schema))
        wrong = {mistake.gold for mistake in here}
        for stretch in wanted:
            counts[stretch.label]["right"] += stretch not in wrong
        for mistake in here:
            counts.setdefault(_type_of(mistake), Counter())[mistake.kind] += 1
            same.setdefault(_key(mistake, example), []).append(mistake)
        found += here
    # of equally frequent ones that which came first
    order = sorted(same.items(), key=lambda item: -len(item[1]))
    kinds = mistake_kinds(schema)
    all_of = Counter(mistake.kind for mistake in found)
    return ErrorAnalysis(
        kinds={kind: all_of[kind] for kind in kinds},
        by_type={name: {each: counts[name][each] for each in ("gold", "right", *kinds)} for name in sorted(counts)},
        frequent=[_frequent(key, mistakes) for key, mistakes in order],
        mistakes=found,
    )


def label_spans(labels: Labels, schema: Schema) -> list[LabelledSpan]:
    """Return the spans of a sentence; with plain labels each word, or the text, is one."""
    if isinstance(labels, str):
        return [LabelledSpan(0, 1, labels)]
    if schema.scheme is None:
        return [LabelledSpan(index, index + 1, label) for index, label in enumerate(labels)]
    return [LabelledSpan(*span) for span in spans_of(labels, schema.scheme)]


def words_of(example: Example, stretch: LabelledSpan) -> str:
    """Return the words of a stretch, or the text."""
    return example.text or "" if example.words is None else " ".join(example.words[stretch.start : stretch.stop])


def _compare(number: int, gold: list[LabelledSpan], guess: list[LabelledSpan], schema: Schema) -> Iterator[Mistake]:
    if schema.scheme is None:
        for one, other in zip(gold, guess, strict=True):
            if one != other:
                yield Mistake("wrong label", number, one, other)
        return
    right = set(gold) & set(guess)
    left, rest = [one for one in gold if one not in right], [one for one in guess if one not in right]
    for one, other in _pairs(left, rest):
        left.remove(one)
        rest.remove(other)
        yield Mistake(_kind(one, other), number, one, other)
    yield from (Mistake("missed", number, one, None) for one in left)
    yield from (Mistake("spurious", number, None, one) for one in rest)


def _pairs(gold: Sequence[LabelledSpan], guess: Sequence[LabelledSpan]) -> list[tuple[LabelledSpan, LabelledSpan]]:
    """Return gold and predicted spans that share words, each once: those first that share the most."""
    shared = [
        (min(one.stop, other.stop) - max(one.start, other.start), one[:2] == other[:2], one.label == other.label, one,
         other)
        for one in gold for other in guess
        if min(one.stop, other.stop) > max(one.start, other.start)
    ]  # fmt: skip
    shared.sort(key=lambda pair: (not pair[1], -pair[0], not pair[2], pair[3].start, pair[4].start))
    pairs: list[tuple[LabelledSpan, LabelledSpan]] = []
    for *_, one, other in shared:
        if all(one != taken and other != given for taken, given in pairs):
            pairs.append((one, other))
    return pairs


def _kind(gold: LabelledSpan, guess: LabelledSpan) -> MistakeKind:
    if gold[:2] == guess[:2]:
        return "wrong type"
    return "wrong borders" if gold.label == guess.label else "wrong type and borders"


def _type_of(mistake: Mistake) -> str:
    stretch = mistake.gold or mistake.predicted
    assert stretch is not None
    return stretch.label


def _key(mistake: Mistake, example: Example) -> tuple[MistakeKind, str, str, str]:
    stretch = mistake.gold or mistake.predicted
    assert stretch is not None
    labels = (one.label if one else NONE for one in (mistake.gold, mistake.predicted))
    # a whole text is a mistake of its own: what counts is which label was taken for which
    text = words_of(example, stretch).lower() if example.words is not None else ""
    return (mistake.kind, text, *labels)  # type: ignore[return-value]


def _frequent(key: tuple[MistakeKind, str, str, str], mistakes: Sequence[Mistake]) -> FrequentMistake:
    kind, text, gold, predicted = key
    return FrequentMistake(
        kind=kind, text=text, gold=gold, predicted=predicted, count=len(mistakes), places=tuple(mistakes[:KEPT])
    )
