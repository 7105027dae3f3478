"""Hold out a validation split from train, for data without one."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from random import Random
from typing import TypeAlias

from labelkit.data.fingerprints import content_key
from labelkit.data.reading import RawCorpus
from labelkit.data.views import select_examples
from labelkit.errors import DataError
from labelkit.records import Example, Kind, Labels

Codes: TypeAlias = "array[int]"
"""One number per example: examples with the same number belong together."""


def without_held_out(raw: RawCorpus, keys: Collection[bytes]) -> RawCorpus:
    """Return data without the examples of train and validation whose content is held out elsewhere.

    :param keys: their content keys; the data itself where there are none.
    :raises DataError: nothing is left to train on.
    """
    if not keys:
        return raw
    splits, notes = dict(raw.splits), list(raw.notes)
    for split in ("train", "validation"):
        examples = splits.get(split, ())
        kept = array("q", (index for index, one in enumerate(examples) if content_key(one) not in keys))
        if len(kept) == len(examples):
            continue
        notes.append(f"{len(examples) - len(kept):,} examples of {split} are in a test split, and left out")
        if not kept and split == "train":
            raise DataError("all examples of train are in a test split", hint="give other data: --data REF")
        if kept:
            splits[split] = select_examples(examples, kept)
        else:
            del splits[split]
    refs = {split: ref for split, ref in raw.refs.items() if split in splits}
    return replace(raw, splits=splits, refs=refs, notes=tuple(notes))


def hold_out_validation(
    examples: Sequence[Example], layer: str, kind: Kind, fraction: float, seed: int
) -> tuple[Sequence[Example], Sequence[Example]]:
    """Split ``examples`` into train and validation, each in the original order.

    Whole documents are held out where there are at least two; texts without documents are stratified by label.

    :param fraction: the share of the examples that becomes validation.
    :raises DataError: there are fewer than two examples, or ``fraction`` is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise DataError(f"data.validation_fraction is {fraction}, it must lie between 0 and 1")
    if len(examples) < 2:
        lines = any(example.place is not None and example.place.word_lines for example in examples)
        raise DataError(
            "train has a single example: no validation split can be held out",
            hint=("separate its sentences by blank lines; or " if lines else "")
            + "give one: --data train=PATH,validation=PATH",
        )
    size = min(max(1, round(len(examples) * fraction)), len(examples) - 1)
    random = Random(seed)  # noqa: S311 - nothing secret
    documents, labels = _codes(examples, layer if kind == "text" else None)
    if kind == "text" and max(documents) + 1 == len(examples):
        held_out = sample_stratified(labels, size, random)
    else:
        held_out = sample_documents(documents, size, random)
    train = array("q", (index for index, is_held_out in enumerate(held_out) if not is_held_out))
    validation = array("q", (index for index, is_held_out in enumerate(held_out) if is_held_out))
    return select_examples(examples, train), select_examples(examples, validation)


def sample_documents(documents: Codes, size: int, random: Random) -> bytearray:
    """Mark the examples of random documents, ``size`` examples at most; of the smallest document where none fits.

    :param documents: the number of each example's document.
    """
    sizes = array("q", bytes(8 * (max(documents) + 1)))
    for document in documents:
        sizes[document] += 1
    sampled, count = bytearray(len(sizes)), 0
    for document in _shuffled(len(sizes), random):
        if count + sizes[document] <= size:
            sampled[document] = 1
            count += sizes[document]
    if not count:
        sampled[min(range(len(sizes)), key=sizes.__getitem__)] = 1
    return bytearray(sampled[document] for document in documents)


def sample_stratified(labels: Codes, size: int, random: Random) -> bytearray:
    """Mark ``size`` random examples, about the same share of every label, and no label's last example if possible.

    :param labels: the number of each example's label.
    """
    groups: dict[int, Codes] = {}
    for index in _shuffled(len(labels), random):
        groups.setdefault(labels[index], array("q")).append(index)
    # ranking each example by its relative place within its label interleaves the labels evenly
    ranked = heapq.merge(*map(_ranked, groups.values()))
    sampled = bytearray(len(labels))
    for _, index in islice(ranked, size):
        sampled[index] = 1
    # the last examples of some labels, where the others do not suffice, but not those of every label
    for group in list(groups.values())[: min(size - sum(sampled), len(groups) - 1)]:
        sampled[group[-1]] = 1
    return sampled


def _ranked(group: Codes) -> Iterator[tuple[float, int]]:
    return (((place + 0.5) / len(group), group[place]) for place in range(len(group) - 1))


def _codes(examples: Sequence[Example], layer: str | None) -> tuple[Codes, Codes]:
    """Return the document and the label of each example as numbers, in the order of their first examples.

    An example without document is one by itself, and so is each example where all belong to a single document.
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


def _shuffled(count: int, random: Random) -> Codes:
    """Return the numbers below ``count`` as ``random.sample`` orders them, at 8 bytes each."""
    pool = array("q", range(count))
    for end in range(count, 0, -1):
        place = random.randrange(end)
        pool[place], pool[end - 1] = pool[end - 1], pool[place]
    pool.reverse()
    return pool
