"""Checks of duplicates: the same, or nearly the same, content within a split and across splits."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from labelkit.checks.common import Splits, words_of
from labelkit.checks.findings import CaseCollector, Finding, excerpt
from labelkit.checks.similar import similar_pairs
from labelkit.data.scheme_conversion import place_of
from labelkit.labels.unknown import keep_unknown
from labelkit.records import Example, Labels
from labelkit.records.contents import shown_content

SplitPair = tuple[int, int]
"""The number of the split of an earlier example, and of the split of its duplicate."""


@dataclass(frozen=True, slots=True)
class DuplicateIndex:
    """The examples of all splits, numbered one split after the other, and which have the same content.

    :param names: of the splits.
    :param starts: the position of the first example of each split, and at last the number of all examples.
    :param earlier: position → split → the first earlier example of that split with the same content.
    """

    splits: Splits
    names: tuple[str, ...]
    starts: tuple[int, ...]
    earlier: dict[int, dict[int, int]]

    def at(self, position: int) -> Example:
        """Return the example at a position."""
        split = self.split_of(position)
        return self.splits[self.names[split]][position - self.starts[split]]

    def split_of(self, position: int) -> int:
        """Return the number of the split of a position."""
        return next(number for number, start in enumerate(self.starts[1:]) if position < start)


def index_duplicates(splits: Splits) -> DuplicateIndex:
    """Find the examples with the same words, or the same text; blank ones have no duplicates."""
    names = tuple(splits)
    starts = (0, *accumulate(len(splits[name]) for name in names))
    first_by_content: defaultdict[bytes, dict[int, int]] = defaultdict(dict)
    earlier: dict[int, dict[int, int]] = {}
    position = 0
    for number, name in enumerate(names):
        for example in splits[name]:
            if (content := shown_content(example)).strip():
                key = content if example.words is None else json.dumps(example.words, allow_nan=False)
                digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
                if before := first_by_content[digest]:
                    earlier[position] = dict(before)
                before.setdefault(number, position)
            position += 1
    return DuplicateIndex(splits, names, starts, earlier)


def duplicates(index: DuplicateIndex, limit: int) -> Iterator[Finding]:
    """Yield the examples with the same content as an earlier one of their split, or of a split before it."""
    found: defaultdict[SplitPair, CaseCollector] = defaultdict(lambda: CaseCollector(limit))
    for position, before in index.earlier.items():
        for split, earlier in before.items():
            _add_duplicate(found[split, index.split_of(position)], index, position, earlier)
    yield from _duplicate_findings("duplicates", index, found, "the same")


def near_duplicates(index: DuplicateIndex, limit: int) -> Iterator[Finding]:
    """Yield the examples with nearly, but not exactly, the same content as an earlier one."""
    found: defaultdict[SplitPair, CaseCollector] = defaultdict(lambda: CaseCollector(limit))
    words = (words_of(example) for name in index.names for example in index.splits[name])
    for pair in similar_pairs(words, index.starts):
        if pair.split not in index.earlier.get(pair.text, {}):
            cases = found[pair.split, index.split_of(pair.text)]
            _add_duplicate(cases, index, pair.text, pair.earlier, f", {pair.similarity:.0%} alike")
    yield from _duplicate_findings("near-duplicates", index, found, "nearly the same")


def conflicts(index: DuplicateIndex, layer: str, limit: int) -> Iterator[Finding]:
    """Yield the examples whose labels differ from those of the first example with the same content."""
    found = [CaseCollector(limit) for _ in index.names]
    for position, before in index.earlier.items():
        example, other = index.at(position), index.at(min(before.values()))
        labels, others = _both_known(example.labels.get(layer), other.labels.get(layer))
        if labels is not None and others is not None and labels != others:
            cases = found[index.split_of(position)]
            difference = first_difference(example, labels, others, place_of(other)) if cases.has_room else ""
            cases.add(place_of(example), difference)
    message = "examples have other labels than an earlier one with the same content"
    advice = "see which is right: at least one of each is likely to be a mistake"
    for split, cases in zip(index.names, found, strict=True):
        total = len(index.splits[split])
        yield from cases.findings("conflicts", "warning", split, message, advice, total=total, layer=layer)


def _both_known(labels: Labels | None, others: Labels | None) -> tuple[Labels | None, Labels | None]:
    """Return the labels of two examples; what is unknown in one of them is so in both."""
    if not isinstance(labels, tuple) or not isinstance(others, tuple) or len(labels) != len(others):
        return labels, others
    return keep_unknown(others, labels), keep_unknown(labels, others)


def first_difference(example: Example, labels: Labels, others: Labels, place: str) -> str:
    """Describe the first label of an example that differs from those of an example with the same content.

    :param others: the labels of that example, which is at ``place``.
    """
    content = excerpt(shown_content(example))
    if isinstance(labels, str) or isinstance(others, str) or len(labels) != len(others) or example.words is None:
        shown = [
            values if isinstance(values, str) else " ".join(values[:10]) or "(none)" for values in (labels, others)
        ]
        return f"{shown[0]}, but {shown[1]} in {place}: {content}"
    word = next(index for index, pair in enumerate(zip(labels, others, strict=True)) if pair[0] != pair[1])
    return f"{example.words[word]}: {labels[word]}, but {others[word]} in {place}: {content}"


def _add_duplicate(
    cases: CaseCollector, index: DuplicateIndex, position: int, earlier: int, similarity: str = ""
) -> None:
    if not cases.has_room:  # spares reading the examples
        cases.add("", "")
        return
    example = index.at(position)
    cases.add(place_of(example), f"{excerpt(shown_content(example))} (as {place_of(index.at(earlier))}{similarity})")


def _duplicate_findings(
    check: str, index: DuplicateIndex, found: dict[SplitPair, CaseCollector], likeness: str
) -> Iterator[Finding]:
    for (earlier, number), cases in sorted(found.items()):
        split, other, total = index.names[number], index.names[earlier], len(index.splits[index.names[number]])
        if earlier == number:
            message = f"examples are {likeness} as an earlier one"
            advice = "keep one of each, unless they are meant to count more"
            yield from cases.findings(check, "note", split, message, advice, total=total)
        else:
            message = f"examples are {likeness} as one of {other}"
            advice = f"keep them in one of the two: examples shared with {other} inflate the scores on {split}"
            yield from cases.findings(check, "warning", split, message, advice, total=total, against=other)
