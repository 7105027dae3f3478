"""A validation split out of train where the data has none."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from typing import TypeAlias

from labelkit.data.views import chosen
from labelkit.errors import DataError
from labelkit.records import Example, Kind, Labels

Codes: TypeAlias = "array[int]"


def carve(
    examples: Sequence[Example], layer: str, kind: Kind, fraction: float, seed: int
) -> tuple[Sequence[Example], Sequence[Example]]:
    """Split ``examples`` into train and validation, each in the original order.

    Whole documents are moved where there are at least two; texts are moved in proportion to their labels.

    :param fraction: how much goes to validation, of the number of examples.
    :raises DataError: there are fewer than two examples, or ``fraction`` is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise DataError(f"data.validation_fraction is {fraction}, it must lie between 0 and 1")
    if len(examples) < 2:
        raise DataError(
            "train holds one example, no validation split can be carved out of it",
            hint="give one: --data train=PATH,validation=PATH",
        )
    wanted = min(max(1, round(len(examples) * fraction)), len(examples) - 1)
    random = Random(seed)  # noqa: S311 - nothing secret
    documents, labels = _codes(examples, layer if kind == "text" else None)
    if kind == "text" and _count(documents) == len(examples):
        taken = _stratified(labels, wanted, random)
    else:
        taken = _by_document(documents, wanted, random)
    everything = range(len(examples))
    train = array("q", [index for index in everything if not taken[index]])
    return chosen(examples, train), chosen(examples, array("q", [index for index in everything if taken[index]]))


def _codes(examples: Sequence[Example], layer: str | None) -> tuple[Codes, Codes]:
    """Return the document and the label of each example as numbers, in the order in which they are first seen.

    An example of no document is one by itself, and so is each where all are of a single document.
    """
    documents, labels = array("q"), array("q")
    known: dict[object, int] = {}
    seen: dict[Labels, int] = {}
    count = 0
    for example in examples:
        code = count if example.document is None else known.setdefault(example.document, count)
        count += code == count
        documents.append(code)
        if layer is not None:
            labels.append(seen.setdefault(example.labels[layer], len(seen)))
    return (documents if count > 1 else array("q", range(len(documents)))), labels


def _count(documents: Codes) -> int:
    return max(documents) + 1


def _by_document(documents: Codes, wanted: int, random: Random) -> bytearray:
    """Take documents in random order as long as they fit; the smallest one where none does."""
    sizes = array("q", bytes(8 * _count(documents)))
    for document in documents:
        sizes[document] += 1
    moved, taken = bytearray(len(sizes)), 0
    for document in _shuffled(len(sizes), random):
        if taken + sizes[document] <= wanted:
            moved[document] = 1
            taken += sizes[document]
    if not taken:
        moved[min(range(len(sizes)), key=sizes.__getitem__)] = 1
    return bytearray(moved[document] for document in documents)


def _stratified(labels: Codes, wanted: int, random: Random) -> bytearray:
    """Take about the same share of every label; the last example of a label is never taken."""
    groups: dict[int, Codes] = {}
    for index in _shuffled(len(labels), random):
        groups.setdefault(labels[index], array("q")).append(index)
    # Ranking each example by its relative place within its label interleaves the labels evenly.
    ranked = heapq.merge(*(_ranked(group) for group in groups.values()))
    taken = bytearray(len(labels))
    for _, index in islice(ranked, wanted):
        taken[index] = 1
    # The last ones of a label, where all the others are not enough, but not those of every label.
    for group in list(groups.values())[: min(wanted - sum(taken), len(groups) - 1)]:
        taken[group[-1]] = 1
    return taken


def _ranked(group: Codes) -> Iterator[tuple[float, int]]:
    return (((place + 0.5) / len(group), group[place]) for place in range(len(group) - 1))


def _shuffled(count: int, random: Random) -> Codes:
    """Return the numbers below ``count`` as ``random.sample`` orders them, at 8 bytes each."""
    pool = array("q", range(count))
    for end in range(count, 0, -1):
        place = random.randrange(end)
        pool[place], pool[end - 1] = pool[end - 1], pool[place]
    pool.reverse()
    return pool
