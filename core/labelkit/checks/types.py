"""Checks of the types of spans, or of plain labels and classes: how often each split has which."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum

from labelkit.checks.common import INVISIBLE, Splits, labelled, show_invisible
from labelkit.checks.findings import Case, CaseCollector, Finding, Severity
from labelkit.checks.tags import valid_spans
from labelkit.data.layer_schema import check_classes
from labelkit.data.scheme_conversion import place_of
from labelkit.errors import DataError
from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example, Kind, Schema, Scheme

#: types with fewer spans, words or texts in train are hardly learned
RARE = 10
#: a class of texts is rare where the most frequent one is more than this many times as frequent
IMBALANCE = 10
#: the share of spans or labels that would have to change for two splits to have the same distribution
SHIFTED = 0.2
#: a spelling at most this many times as frequent as another one, and one edit away, is probably a typo
_TYPO_SHARE = 0.02
_TYPO_LENGTH = 3
_TYPO_LENGTH_PLAIN = 4  # tags of parts of speech are short, and near each other on purpose
_TYPO_LONGEST = 40  # longer strings are hardly types
#: train is sorted where labels change this much more seldom than in random order, or where each label is one block
_SORTED, _SORTED_BLOCKS = 0.1, 0.2
_SORTED_SIZE = 20
_SEPARATORS = re.compile(rf"[_./-]|{INVISIBLE.pattern}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeCounts:
    """The types of one layer by split: those of spans, or plain labels.

    :param counts: split → type → how often.
    :param places: split → type → the place of the first one.
    :param noun: what is counted: ``spans``, ``words`` or ``texts``.
    :param without: split → how many texts have none of the labels; where texts have any number of them.
    """

    layer: str
    counts: Mapping[str, Counter[str]]
    places: Mapping[str, Mapping[str, str]]
    noun: str
    without: Mapping[str, int] = field(default_factory=dict)

    def findings(
        self,
        check: str,
        severity: Severity,
        split: str,
        types: Sequence[str],
        message: str,
        advice: str,
        limit: int,
        against: str | None = None,
    ) -> Iterator[Finding]:
        """Yield a finding about some types of a split; nothing without types."""
        cases, counts = CaseCollector(limit), self.counts[split]
        for type_ in types:
            cases.add(self.places[split].get(type_, ""), f"{show_invisible(type_)} ({counts[type_]:,})")
        yield from cases.findings(
            check, severity, split, message, advice, total=len(counts), layer=self.layer, against=against
        )


def count_types(splits: Splits, layer: str, scheme: Scheme | None, kind: Kind) -> TypeCounts:
    """Count the types of a layer in each split."""
    counts: dict[str, Counter[str]] = {}
    places: dict[str, dict[str, str]] = {}
    for split, examples in splits.items():
        counts[split], places[split] = Counter(), {}
        for example, labels in labelled(examples, layer):
            for word, type_ in _types_of(labels, scheme):
                counts[split][type_] += 1
                if type_ not in places[split]:
                    places[split][type_] = place_of(example, None if example.words is None else word)
    noun = "spans" if scheme else "texts" if kind == "text" else "words"
    # they are sets: a text without labels differs from one with a label
    without = {
        split: sum(example.labels.get(layer) == () for example in examples) for split, examples in splits.items()
    }
    return TypeCounts(layer=layer, counts=counts, places=places, noun=noun, without=without if kind == "text" else {})


def types(
    counted: TypeCounts, schema: Schema | None, kind: Kind, texts: int, max_labels: int, limit: int
) -> Iterator[Finding]:
    """Yield too many classes, types that train lacks, and types that only train has.

    :param schema: the one that the source names; None where the types of train are all there are.
    :param texts: the number of texts in train.
    :param max_labels: how many different classes of texts there may be.
    """
    if "train" not in counted.counts:
        return
    train = counted.counts["train"]
    if kind == "text" and train:
        names = tuple(sorted(train))
        try:
            check_classes(Schema(name=counted.layer, kind=kind, labels=names), texts, most=max_labels)
        except DataError as error:
            message, advice = "too many to be classes", str(error.hint)
            yield from counted.findings("types", "error", "train", names, message, advice, limit)
    known = set(train) if schema is None else {*train, *(schema.types or schema.labels)}
    for split, counts in counted.counts.items():
        if split == "train":
            continue
        new = [type_ for type_ in counts if type_ not in train]
        severity: Severity = "error" if set(new) - known else "warning"
        message = "train has none of these"
        advice = (
            "correct them, move some examples to train, or accept them with --allow-new-labels: they can only be missed"
        )
        yield from counted.findings("types", severity, split, new, message, advice, limit, "train")
        absent = [type_ for type_ in train if type_ not in counts]
        message, advice = f"{split} has none of these", f"scores on {split} say nothing about them"
        yield from counted.findings("types", "note", "train", absent, message, advice, limit, split)


def spelling(counted: TypeCounts, limit: int) -> Iterator[Finding]:
    """Yield types that differ from another one only in case and separators, or by a probable typo."""
    total = sum(counted.counts.values(), Counter[str]())
    variants = spelling_variants(total, _TYPO_LENGTH_PLAIN if counted.noun == "words" else _TYPO_LENGTH)
    message = f"{counted.noun} of types that differ from another only by spelling"
    advice = "write each type in one way; otherwise they are learned as different types"
    for split, counts in counted.counts.items():
        cases = CaseCollector(limit)
        for variant, usual in variants.items():
            if counts[variant]:
                names = [f"'{show_invisible(name)}' ({total[name]:,})" for name in (variant, usual)]
                cases.add(counted.places[split][variant], " and ".join(names), times=counts[variant])
        yield from cases.findings("spelling", "error", split, message, advice, layer=counted.layer)


def balance(counted: TypeCounts, kind: Kind, limit: int) -> Iterator[Finding]:
    """Yield a train split with a single label, types that are rare in train, and splits with another distribution."""
    train = counted.counts.get("train")
    if not train:
        return
    if len(train) == 1 and counted.noun != "spans" and not counted.without.get("train"):
        message = "label is the only one that train has: there is nothing to learn"
        advice = "choose the column of the labels with --columns, or find examples with other labels"
        yield from counted.findings("balance", "error", "train", list(train), message, advice, limit)
        return
    top = max(train.values())
    rare = [type_ for type_, times in train.items() if times < RARE or (kind == "text" and times * IMBALANCE < top)]
    rare.sort(key=lambda type_: (train[type_], type_))
    message = f"types with fewer than {RARE} {counted.noun}"
    if kind == "text":
        message = f"classes with fewer than {RARE} texts, or not a tenth of the most frequent one ({top:,})"
    advice = "they are hardly learned: find more examples, join types, and look at the scores of each type"
    yield from counted.findings("balance", "note", "train", rare, message, advice, limit)
    for split, counts in counted.counts.items():
        if split != "train" and counts:
            yield from distribution_shift(counted, train, split, limit)


def distribution_shift(counted: TypeCounts, train: Counter[str], split: str, limit: int) -> Iterator[Finding]:
    """Yield a finding where the distribution of types of a split differs from that of train."""
    counts = counted.counts[split]
    shares = {name: (train[name] / train.total(), counts[name] / counts.total()) for name in {*train, *counts}}
    # the total variation distance: the share that would have to change
    distance = fsum(abs(there - here) for there, here in shares.values()) / 2
    if distance <= SHIFTED:
        return
    moved = sorted(shares.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0]))[:limit]
    yield Finding(
        check="balance",
        severity="note",
        split=split,
        layer=counted.layer,
        against="train",
        count=round(distance * counts.total()),
        total=counts.total(),
        examples=tuple(
            Case(place="", text=f"{name}: {there:.1%} of train, {here:.1%} of {split}") for name, (there, here) in moved
        ),
        message=f"{counted.noun} would need another type for {split} to be distributed as train",
        advice=f"split at random, or mind that scores on {split} are on other data than was learned",
    )


def order(examples: Sequence[Example], layer: str, scheme: Scheme | None, limit: int) -> Iterator[Finding]:
    """Yield a train split that is sorted by label: neighbours have other labels much more seldom than by chance."""
    label_sets: list[tuple[str, ...]] = []
    changes = CaseCollector(limit)
    for example, labels in labelled(examples, layer):
        label_sets.append(tuple(sorted({type_ for _, type_ in _types_of(labels, scheme)})))
        if len(label_sets) > 1 and label_sets[-1] != label_sets[-2]:
            names = ", ".join(label_sets[-1]) or "none"
            changes.add(place_of(example), f"from here on {names}" if changes.has_room else "")
    count = len(label_sets)
    if count < _SORTED_SIZE:
        return
    by_chance = (count - 1) * (1 - sum((times / count) ** 2 for times in Counter(label_sets).values()))
    in_blocks = changes.count == len(set(label_sets)) - 1
    if changes.count < (_SORTED_BLOCKS if in_blocks else _SORTED) * by_chance:
        message = f"changes of label between neighbours, some {by_chance:,.0f} in random order: it is sorted"
        advice = "labelkit shuffles train itself; shuffle the file before taking its first examples"
        yield from changes.findings("order", "note", "train", message, advice, total=count - 1, layer=layer)


def spelling_variants(total: Counter[str], shortest: int) -> dict[str, str]:
    """Return rare spelling → the most frequent type that differs from it only in case, separators or one edit.

    :param total: type → how often.
    :param shortest: the fewest characters of a type that can be a typo.
    """
    variants: dict[str, str] = {}
    same: dict[str, str] = {}
    near: defaultdict[str, list[str]] = defaultdict(list)
    for type_ in sorted(total, key=lambda type_: (-total[type_], type_)):
        plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", type_).casefold())
        usual = same.setdefault(plain or type_, type_)
        if usual != type_:
            variants[type_] = usual
            continue
        if not shortest <= len(plain) <= _TYPO_LONGEST:
            continue
        # two strings one edit apart share one of these keys
        keys = {plain, *(plain[:at] + plain[at + 1 :] for at in range(len(plain)))}
        others = {other for key in keys for other in near[key] if is_one_edit(*sorted((plain, other), key=len))}
        frequent = [same[other] for other in others if total[type_] <= _TYPO_SHARE * total[same[other]]]
        if frequent:
            variants[type_] = min(frequent, key=lambda type_: (-total[type_], type_))
        elif total[type_] * _TYPO_SHARE >= 1:
            for key in keys:
                near[key].append(plain)
    return variants


def is_one_edit(short: str, long: str) -> bool:
    """Return whether one character was added, exchanged, or swapped with its neighbour.

    >>> is_one_edit("PERSON", "PRESON")
    True
    """
    start = next((index for index, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]), len(short))
    left, right = short[start:], long[start:]
    if len(long) - len(short) == 1:
        return left == right[1:]
    swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return len(long) == len(short) and (swapped or left[1:] == right[1:])


def _types_of(labels: Sequence[str], scheme: Scheme | None) -> Iterator[tuple[int, str]]:
    """Yield the position and the type of each span, or of each label."""
    if scheme is None:
        yield from ((index, label) for index, label in enumerate(labels) if label != UNKNOWN)
    else:
        yield from ((start, type_) for start, _, type_ in valid_spans(labels, scheme))
