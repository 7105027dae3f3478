"""Checks of what stands in the data more than once."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from labelkit.checks.common import Splits, content_of, words_of
from labelkit.checks.findings import Cases, Finding, excerpt
from labelkit.checks.similar import near
from labelkit.data.scheme_conversion import place_of
from labelkit.records import Example

_NOTHING = b""


@dataclass(frozen=True, slots=True)
class Copies:
    """All examples of all splits, one after the other, and which of them say the same.

    :param names: of the splits.
    :param starts: the position of the first example of each split, and at last how many examples there are.
    :param first: position → split → the first earlier example of that split with the same content.
    """

    splits: Splits
    names: tuple[str, ...]
    starts: tuple[int, ...]
    first: dict[int, dict[int, int]]

    def at(self, position: int) -> Example:
        """Return the example at a position."""
        split = self.split_of(position)
        return self.splits[self.names[split]][position - self.starts[split]]

    def split_of(self, position: int) -> int:
        """Return the number of the split of a position."""
        return next(number for number, start in enumerate(self.starts[1:]) if position < start)


def copies_of(splits: Splits) -> Copies:
    """Find the examples with the same words, or the same text; blank ones are like no other."""
    names = tuple(splits)
    starts = (0, *accumulate(len(splits[name]) for name in names))
    seen: defaultdict[bytes, dict[int, int]] = defaultdict(dict)
    first: dict[int, dict[int, int]] = {}
    position = 0
    for number, name in enumerate(names):
        for example in splits[name]:
            if key := _key(example):
                if before := seen[key]:
                    first[position] = dict(before)
                before.setdefault(number, position)
            position += 1
    return Copies(splits, names, starts, first)


def duplicates(copies: Copies, limit: int) -> Iterator[Finding]:
    """Yield what stands again in the same split, or in an earlier one too."""
    found: defaultdict[tuple[int, int], Cases] = defaultdict(lambda: Cases(limit))
    for position, before in copies.first.items():
        for split, earlier in before.items():
            _add(found[split, copies.split_of(position)], copies, position, earlier, "")
    yield from _findings("duplicates", copies, found, "the same")


def near_duplicates(copies: Copies, limit: int) -> Iterator[Finding]:
    """Yield what is nearly, but not exactly, the same as something before it in its split, or in an earlier one."""
    found: defaultdict[tuple[int, int], Cases] = defaultdict(lambda: Cases(limit))
    words = (words_of(example) for name in copies.names for example in copies.splits[name])
    for match in near(words, copies.starts):
        if match.split not in copies.first.get(match.text, {}):
            cases = found[match.split, copies.split_of(match.text)]
            _add(cases, copies, match.text, match.earlier, f", {match.similarity:.0%} alike")
    yield from _findings("near-duplicates", copies, found, "nearly the same")


def conflicts(copies: Copies, layer: str, limit: int) -> Iterator[Finding]:
    """Yield what has other labels than the same words or text had before."""
    found: dict[int, Cases] = {number: Cases(limit) for number in range(len(copies.names))}
    for position, before in copies.first.items():
        example, other = copies.at(position), copies.at(min(before.values()))
        labels, others = example.labels.get(layer), other.labels.get(layer)
        if labels is not None and others is not None and labels != others:
            cases = found[copies.split_of(position)]
            cases.add(place_of(example), _difference(example, other, layer) if cases.wanted else "")
    for number, cases in found.items():
        if cases.count:
            yield Finding(
                check="conflicts",
                severity="warning",
                split=copies.names[number],
                layer=layer,
                count=cases.count,
                total=len(copies.splits[copies.names[number]]),
                examples=cases.kept,
                message="examples have other labels than the same one before",
                advice="see which is right: at least one of each is likely to be a mistake",
            )


def _key(example: Example) -> bytes:
    content = content_of(example) if example.words is None else json.dumps(example.words)
    if not content_of(example).strip():
        return _NOTHING
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _add(cases: Cases, copies: Copies, position: int, earlier: int, how: str) -> None:
    if not cases.wanted:
        cases.add("", "")
        return
    example = copies.at(position)
    cases.add(place_of(example), f"{excerpt(content_of(example))} (as {place_of(copies.at(earlier))}{how})")


def _findings(check: str, copies: Copies, found: dict[tuple[int, int], Cases], what: str) -> Iterator[Finding]:
    for (earlier, split), cases in sorted(found.items()):
        name, other = copies.names[split], copies.names[earlier]
        within = earlier == split
        across = f"keep them in one of the two: what {name} shares with {other} makes its scores look better"
        yield Finding(
            check=check,
            severity="note" if within else "warning",
            split=name,
            against=None if within else other,
            count=cases.count,
            total=len(copies.splits[name]),
            examples=cases.kept,
            message=f"examples are {what} as {'an earlier one' if within else f'one of {other}'}",
            advice="keep one of each, unless they are meant to count more" if within else across,
        )


def _difference(example: Example, other: Example, layer: str) -> str:
    """Say which label is another one, the first where there are several."""
    labels, others = example.labels[layer], other.labels[layer]
    place = place_of(other)
    if isinstance(labels, str) or isinstance(others, str) or len(labels) != len(others) or example.words is None:
        return f"{_shown(labels)}, but {_shown(others)} in {place}: {excerpt(content_of(example))}"
    word = next(index for index, pair in enumerate(zip(labels, others, strict=True)) if pair[0] != pair[1])
    return f"{example.words[word]}: {labels[word]}, but {others[word]} in {place}: {excerpt(content_of(example))}"


def _shown(labels: Sequence[str] | str) -> str:
    return labels if isinstance(labels, str) else " ".join(labels[:10])
