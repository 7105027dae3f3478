"""What is in a corpus, in figures: pure helpers behind ``labelkit data show``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from labelkit.data.corpus import Corpus, Split
from labelkit.data.scheme_conversion import labels_of
from labelkit.labels import schemes
from labelkit.records import Example, Scheme


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """Words per example; ``p95`` is the smallest length that 95% of the examples do not exceed."""

    min: int
    median: float
    mean: float
    p95: int
    max: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitSummary:
    """One split in figures.

    :param documents: how many there are; 0 where the data has no borders.
    :param labels: label → words (or texts) that carry it, the most frequent first.
    :param spans: span type → spans, the most frequent first; empty for plain labels.
    """

    name: str
    examples: int
    words: int
    documents: int
    labels: Mapping[str, int]
    spans: Mapping[str, int]
    lengths: Lengths
    carved: bool


def summarise(corpus: Corpus) -> tuple[SplitSummary, ...]:
    """Return the figures of every split."""
    scheme = corpus.schema.scheme
    return tuple(summarise_split(split, corpus.layer, scheme) for split in corpus.splits.values())


def summarise_split(split: Split, layer: str, scheme: Scheme | None) -> SplitSummary:
    """Return the figures of one split, whose labels are in ``scheme`` (None for plain labels)."""
    return SplitSummary(
        name=split.name,
        examples=len(split.examples),
        words=split.words,
        documents=len({example.document for example in split.examples} - {None}),
        labels=_ranked(label for example in split.examples for label in labels_of(example, layer)),
        spans=_ranked(type_ for example in split.examples for _, _, type_ in spans_in(example, layer, scheme)),
        lengths=lengths_of(split.examples),
        carved=split.held_out,
    )


def spans_in(example: Example, layer: str, scheme: Scheme | None) -> list[schemes.SpanTuple]:
    """Return the spans of an example as ``(start, end, type)`` in words; none for plain labels."""
    return schemes.spans_of(labels_of(example, layer), scheme) if scheme else []


def sample(examples: Sequence[Example], count: int, seed: int = 0) -> list[Example]:
    """Return ``count`` random examples (or all) in their original order; the same ones for the same seed."""
    chosen = Random(seed).sample(range(len(examples)), min(count, len(examples)))  # noqa: S311 - nothing secret
    return [examples[index] for index in sorted(chosen)]


def lengths_of(examples: Sequence[Example]) -> Lengths:
    """Return the figures of the lengths in words; all 0 when there is no example."""
    lengths = sorted(_length(example) for example in examples) or [0]
    middle = len(lengths) // 2
    return Lengths(
        min=lengths[0],
        median=lengths[middle] if len(lengths) % 2 else (lengths[middle - 1] + lengths[middle]) / 2,
        mean=sum(lengths) / len(lengths),
        p95=lengths[-(-95 * len(lengths) // 100) - 1],
        max=lengths[-1],
    )


def _length(example: Example) -> int:
    return len((example.text or "").split()) if example.words is None else len(example.words)


def _ranked(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
