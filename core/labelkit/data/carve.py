"""A validation split out of train where the data has none."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from labelkit.errors import DataError
from labelkit.records import Example, Kind, Labels


def carve(
    examples: Sequence[Example], layer: str, kind: Kind, fraction: float, seed: int
) -> tuple[list[Example], list[Example]]:
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
    documents = _documents(examples)
    if kind == "text" and len(documents) == len(examples):
        chosen = _stratified([example.labels[layer] for example in examples], wanted, random)
    else:
        chosen = _by_document(documents, wanted, random)
    train = [example for index, example in enumerate(examples) if index not in chosen]
    return train, [examples[index] for index in sorted(chosen)]


def _documents(examples: Sequence[Example]) -> list[list[int]]:
    """Return the indices of each document; examples of none, or all of a single one, stand alone."""
    groups: dict[str | int, list[int]] = {}
    for index, example in enumerate(examples):
        groups.setdefault(index if example.document is None else example.document, []).append(index)
    return list(groups.values()) if len(groups) > 1 else [[index] for index in range(len(examples))]


def _by_document(documents: Sequence[list[int]], wanted: int, random: Random) -> set[int]:
    """Take documents in random order as long as they fit; the smallest one where none does."""
    chosen: set[int] = set()
    for document in random.sample(documents, len(documents)):
        if len(chosen) + len(document) <= wanted:
            chosen.update(document)
    return chosen or set(sorted(documents, key=len)[0])


def _stratified(labels: Sequence[Labels], wanted: int, random: Random) -> set[int]:
    """Take about the same share of every label; the last example of a label is never taken."""
    groups: dict[Labels, list[int]] = {}
    for index in random.sample(range(len(labels)), len(labels)):
        groups.setdefault(labels[index], []).append(index)
    # Ranking each example by its relative place within its label interleaves the labels evenly.
    ranked = sorted(
        ((place + 0.5) / len(group), index)
        for group in groups.values()
        for place, index in enumerate(group[: max(len(group) - 1, 0)])
    )
    if len(ranked) < wanted:
        singles = [group[-1] for group in groups.values()]
        ranked += [(1.0, index) for index in singles[:-1]]
    return {index for _, index in ranked[:wanted]}
