"""Checks of the types of spans, or of plain labels and classes: how often which split has which."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from labelkit.checks.common import INVISIBLE, Splits, labelled, spelled
from labelkit.checks.findings import Case, Cases, Finding, Severity
from labelkit.checks.tags import spans_of
from labelkit.data.layer_schema import check_classes
from labelkit.data.scheme_conversion import place_of
from labelkit.errors import DataError
from labelkit.records import Example, Kind, Schema, Scheme

#: fewer than this in train are hardly learned
RARE = 10
#: a class of texts is rare where the most frequent one is more than this many times as frequent
LOPSIDED = 10
#: the share of spans or labels that would have to change for two splits to have them equally often
SHIFTED = 0.2
#: a spelling that is at most this share of another one, and one edit away, looks like a slip
_SLIP = 0.02
_SLIP_LENGTH = 3
_SLIP_LENGTH_PLAIN = 4  # tags of parts of speech are short, and near each other on purpose
_SLIP_LONGEST = 40  # what is longer is hardly a type
#: train is sorted where labels change this much more seldom than in random order, or where each label comes in one go
_SORTED, _SORTED_WHOLE = 0.1, 0.2
_SORTED_SIZE = 20
_SEPARATORS = re.compile(rf"[_./-]|{INVISIBLE.pattern}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Types:
    """The types of one layer by split: those of spans, or plain labels.

    :param counts: split → type → how often.
    :param places: split → type → where it is first seen.
    :param noun: what is counted, in the plural.
    """

    layer: str
    counts: Mapping[str, Counter[str]]
    places: Mapping[str, Mapping[str, str]]
    noun: str

    def case(self, split: str, type_: str) -> Case:
        """Return where a type is first seen in a split, and how often it is there."""
        return Case(place=self.places[split].get(type_, ""), text=f"{spelled(type_)} ({self.counts[split][type_]:,})")


def types_of(splits: Splits, layer: str, scheme: Scheme | None, kind: Kind) -> Types:
    """Count the types of a layer."""
    counts: dict[str, Counter[str]] = {}
    places: dict[str, dict[str, str]] = {}
    for split, examples in splits.items():
        counts[split], places[split] = Counter(), {}
        for example, labels in labelled(examples, layer):
            for word, type_ in _types(labels, scheme):
                counts[split][type_] += 1
                if type_ not in places[split]:
                    places[split][type_] = place_of(example, None if example.words is None else word)
    noun = "spans" if scheme else "texts" if kind == "text" else "words"
    return Types(layer=layer, counts=counts, places=places, noun=noun)


def types(found: Types, schema: Schema | None, kind: Kind, texts: int, most: int, limit: int) -> Iterator[Finding]:
    """Yield types that a schema does not know, that train lacks, or that only train has.

    :param schema: the one that the source names; None where the types of train are all there are.
    :param texts: how many texts train has.
    :param most: how many different classes of texts there may be.
    """
    if "train" not in found.counts:
        return
    yield from _too_many(found, kind, texts, most, limit)
    train = found.counts["train"]
    known = set(train) if schema is None else {*train, *(schema.types or schema.labels)}
    for split, counts in found.counts.items():
        if split == "train":
            continue
        new = [type_ for type_ in counts if type_ not in train]
        severity: Severity = "error" if set(new) - known else "warning"
        advice = (
            "correct them, move some examples to train, or accept them with --allow-new-labels: they can only be missed"
        )
        yield from _listed("types", severity, found, split, new, "train has none of these", advice, limit, "train")
        absent = [type_ for type_ in train if type_ not in counts]
        advice = f"no score of {split} says anything about them"
        yield from _listed("types", "note", found, "train", absent, f"{split} has none of these", advice, limit, split)


def spelling(found: Types, limit: int) -> Iterator[Finding]:
    """Yield types that are the same but for case and separators, or that look like a slip of the pen."""
    total = sum(found.counts.values(), Counter[str]())
    usual = _usual_spellings(total, _SLIP_LENGTH_PLAIN if found.noun == "words" else _SLIP_LENGTH)
    for split, counts in found.counts.items():
        cases = Cases(limit)
        for rare, other in usual.items():
            if counts[rare]:
                text = f"'{spelled(rare)}' ({total[rare]:,}) and '{spelled(other)}' ({total[other]:,})"
                cases.add(found.places[split][rare], text, times=counts[rare])
        if cases.count:
            yield Finding(
                check="spelling",
                severity="error",
                split=split,
                layer=found.layer,
                count=cases.count,
                examples=cases.kept,
                message=f"{found.noun} of types that differ from another only by spelling",
                advice="write each type in one way; otherwise they are learned as different types",
            )


def balance(found: Types, kind: Kind, limit: int) -> Iterator[Finding]:
    """Yield types that train hardly has, classes of texts that are rare, and splits that are made up otherwise.

    A train split with one label only comes first: there, nothing else matters.
    """
    train = found.counts.get("train")
    if not train:
        return
    if len(train) == 1 and found.noun != "spans":
        what = "label is the only one that train has: there is nothing to learn"
        advice = "choose the column of the labels with --columns, or find examples with other labels"
        yield from _listed("balance", "error", found, "train", list(train), what, advice, limit)
        return
    top = max(train.values())
    rare = [type_ for type_, times in train.items() if times < RARE or (kind == "text" and times * LOPSIDED < top)]
    rare.sort(key=lambda type_: (train[type_], type_))
    what = f"types with fewer than {RARE} {found.noun}"
    if kind == "text":
        what = f"classes with fewer than {RARE} texts, or not a tenth of the most frequent one ({top:,})"
    advice = "they are hardly learned: find more examples, join types, and look at the scores of each type"
    yield from _listed("balance", "note", found, "train", rare, what, advice, limit)
    for split, counts in found.counts.items():
        shifts = _shifts(train, counts)
        # the total variation distance: the share that would have to change
        distance = fsum(map(abs, shifts.values())) / 2
        if split != "train" and counts and distance > SHIFTED:
            moved = sorted(shifts, key=lambda type_: (-abs(shifts[type_]), type_))
            shares = [Case(place="", text=_shares(type_, split, train, counts)) for type_ in moved[:limit]]
            yield Finding(
                check="balance",
                severity="note",
                split=split,
                layer=found.layer,
                against="train",
                count=round(distance * counts.total()),
                total=counts.total(),
                examples=tuple(shares),
                message=f"{found.noun} would have to be of another type for {split} to be made up as train is",
                advice=f"split at random, or mind that scores of {split} tell of other data than was learned",
            )


def order(examples: Sequence[Example], layer: str, scheme: Scheme | None, kind: Kind, limit: int) -> Iterator[Finding]:
    """Yield train where it is sorted by label: neighbours carry other labels much more seldom than by chance."""
    keys: list[tuple[str, ...]] = []
    changes = Cases(limit)
    for example, labels in labelled(examples, layer):
        keys.append(tuple(sorted({type_ for _, type_ in _types(labels, scheme)})))
        if len(keys) > 1 and keys[-1] != keys[-2]:
            changes.add(place_of(example), f"from here on {', '.join(keys[-1]) or 'none'}" if changes.wanted else "")
    if len(keys) < _SORTED_SIZE or not changes.count:
        return
    by_chance = (len(keys) - 1) * (1 - sum((times / len(keys)) ** 2 for times in Counter(keys).values()))
    whole = changes.count == len(set(keys)) - 1
    if changes.count < (_SORTED_WHOLE if whole else _SORTED) * by_chance:
        yield Finding(
            check="order",
            severity="note",
            split="train",
            layer=layer,
            count=changes.count,
            total=len(keys) - 1,
            examples=changes.kept,
            message=f"changes of label between neighbours, some {by_chance:,.0f} in random order: it is sorted",
            advice="labelkit shuffles train itself; shuffle the file before taking its first examples",
        )


def _types(labels: Sequence[str], scheme: Scheme | None) -> Iterator[tuple[int, str]]:
    """Yield the position and the type of each span, or of each label."""
    if scheme is None:
        yield from enumerate(labels)
    else:
        yield from ((start, type_) for start, _, type_ in spans_of(labels, scheme))


def _listed(
    check: str,
    severity: Severity,
    found: Types,
    split: str,
    names: Sequence[str],
    message: str,
    advice: str,
    limit: int,
    against: str | None = None,
) -> Iterator[Finding]:
    """Yield a finding about some types of a split, where there are any."""
    if names:
        yield Finding(
            check=check,
            severity=severity,
            split=split,
            layer=found.layer,
            against=against,
            count=len(names),
            total=len(found.counts[split]),
            examples=tuple(found.case(split, name) for name in names[:limit]),
            message=message,
            advice=advice,
        )


def _too_many(found: Types, kind: Kind, texts: int, most: int, limit: int) -> Iterator[Finding]:
    names = tuple(sorted(found.counts["train"]))
    if kind != "text" or not names:
        return
    try:
        check_classes(Schema(name=found.layer, kind=kind, labels=names), texts, most=most)
    except DataError as error:
        yield from _listed("types", "error", found, "train", names, "too many to be classes", str(error.hint), limit)


def _usual_spellings(total: Counter[str], shortest: int) -> dict[str, str]:
    """Return for each type that is another one in another spelling the most frequent such type.

    :param shortest: the fewest characters of a type that can be a slip of the pen.
    """
    found: dict[str, str] = {}
    same: dict[str, str] = {}
    near: defaultdict[str, list[str]] = defaultdict(list)
    for type_ in sorted(total, key=lambda type_: (-total[type_], type_)):
        plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", type_).casefold())
        usual = same.setdefault(plain or type_, type_)
        if usual != type_:
            found[type_] = usual
            continue
        if not shortest <= len(plain) <= _SLIP_LONGEST:
            continue
        keys = {plain, *(plain[:at] + plain[at + 1 :] for at in range(len(plain)))}
        others = {other for key in keys for other in near[key] if _one_edit(*sorted((plain, other), key=len))}
        frequent = [same[other] for other in others if total[type_] <= _SLIP * total[same[other]]]
        if frequent:
            found[type_] = min(frequent, key=lambda type_: (-total[type_], type_))
        elif total[type_] * _SLIP >= 1:
            for key in keys:
                near[key].append(plain)
    return found


def _one_edit(short: str, long: str) -> bool:
    """Return whether one character was added, exchanged, or swapped with its neighbour."""
    start = next((index for index, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]), len(short))
    left, right = short[start:], long[start:]
    if len(long) - len(short) == 1:
        return left == right[1:]
    swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return len(long) == len(short) and (swapped or left[1:] == right[1:])


def _shifts(first: Counter[str], second: Counter[str]) -> dict[str, float]:
    """Return by how much the share of each type differs; nothing where one has no types."""
    if not first or not second:
        return {}
    all_first, all_second = first.total(), second.total()
    return {type_: second[type_] / all_second - first[type_] / all_first for type_ in {*first, *second}}


def _shares(type_: str, split: str, train: Counter[str], counts: Counter[str]) -> str:
    return f"{type_}: {train[type_] / train.total():.1%} of train, {counts[type_] / counts.total():.1%} of {split}"
