"""Statistics of a corpus, for ``labelkit data show`` and reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import fmean, median

from labelkit.data.corpus import Corpus, Split
from labelkit.data.scheme_conversion import labels_of
from labelkit.labels import schemes
from labelkit.records import Example, Schema, Scheme
from labelkit.records.contents import count_words


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """Words per example; ``p95`` is the 95th percentile."""

    min: int
    median: float
    mean: float
    p95: int
    max: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberRange:
    """The labels of texts that are numbers."""

    min: float
    median: float
    mean: float
    max: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitSummary:
    """Statistics of one split.

    :param documents: the number of documents; 0 where the data does not separate them.
    :param labels: label → number of its words (or texts), the most frequent first.
    :param spans: span type → number of its spans, the most frequent first; empty for plain labels.
    :param sets: of texts with any number of labels: number of labels → texts with so many; else empty.
    :param numbers: of labels that are numbers, which are not counted one by one; else None.
    :param carved: held out from train by labelkit.
    """

    name: str
    examples: int
    words: int
    documents: int
    labels: Mapping[str, int]
    spans: Mapping[str, int]
    lengths: Lengths
    carved: bool
    numbers: NumberRange | None = None
    sets: Mapping[int, int] = field(default_factory=dict)


def summarise(corpus: Corpus) -> tuple[SplitSummary, ...]:
    """Return the statistics of every split."""
    return tuple(summarise_split(split, corpus.layer, corpus.schema) for split in corpus.splits.values())


def summarise_split(split: Split, layer: str, schema: Schema) -> SplitSummary:
    """Return the statistics of one split, whose labels are in ``schema``."""
    scheme, numeric = schema.scheme, schema.numeric
    labels = (
        Counter[str]()
        if numeric
        else Counter(label for example in split.examples for label in labels_of(example, layer))
    )
    spans = Counter(type_ for example in split.examples for _, _, type_ in spans_in(example, layer, scheme))
    return SplitSummary(
        name=split.name,
        examples=len(split.examples),
        words=split.words,
        documents=len({example.document for example in split.examples} - {None}),
        labels=_most_frequent_first(labels),
        spans=_most_frequent_first(spans),
        lengths=length_statistics(split.examples),
        carved=split.held_out,
        numbers=number_range(split.examples, layer) if numeric else None,
        sets=dict(sorted(Counter(len(one.labels[layer]) for one in split.examples).items()))
        if schema.multilabel
        else {},
    )


def number_range(examples: Sequence[Example], layer: str) -> NumberRange:
    """Return the statistics of labels that are numbers; all 0 without examples."""
    values = sorted(float(*labels_of(example, layer)) for example in examples) or [0.0]
    return NumberRange(min=values[0], median=median(values), mean=fmean(values), max=values[-1])


def spans_in(example: Example, layer: str, scheme: Scheme | None) -> list[schemes.SpanTuple]:
    """Return the spans of an example as ``(start, end, type)`` in words; none for plain labels."""
    return schemes.spans_of(labels_of(example, layer), scheme) if scheme else []


def sample_examples(examples: Sequence[Example], count: int, seed: int = 0) -> list[Example]:
    """Return ``count`` random examples (or all) in their original order; the same ones for the same seed."""
    indices = Random(seed).sample(range(len(examples)), min(count, len(examples)))  # noqa: S311 - nothing secret
    return [examples[index] for index in sorted(indices)]


def length_statistics(examples: Sequence[Example]) -> Lengths:
    """Return the statistics of the lengths in words; all 0 without examples."""
    lengths = sorted(map(count_words, examples)) or [0]
    return Lengths(
        min=lengths[0],
        median=median(lengths),
        mean=sum(lengths) / len(lengths),
        p95=lengths[-(-95 * len(lengths) // 100) - 1],
        max=lengths[-1],
    )


def _most_frequent_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
