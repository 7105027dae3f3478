"""Synthetic sentences as examples: the splits of the sample corpus, and as many more as are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from random import Random

from labelkit.records import Example, LoadContext, Place, Schema
from labelkit.sample.grammar import FILE, Grammar, Option, Row, check_split, expand, split_of
from labelkit.sample.lexicon import lexicon, line_lists, read_data
from labelkit.sample.reviews import reviews

LAYERS: dict[str, str | None] = {"ner": "sample-ner", "pos": "upos", "chunk": "sample-chunk"}
UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT",
    "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
SCHEMAS: tuple[Schema, ...] = (
    Schema.bio("sample-ner", "person", "location", "organization", "product", "event"),
    Schema(name="upos", kind="token", labels=UPOS),
    Schema.bio("sample-chunk", "NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "INTJ"),
    Schema(name="sample-sentiment", kind="text", labels=("NEGATIVE", "POSITIVE")),
)
SIZES = {"train": 1600, "validation": 300, "test": 400}
REVIEW_SIZES = {"train": 1200, "validation": 200, "test": 300}

_MAX_DISTINCT = 20_000  # sentences compared for duplicates; a stream of a million would need too much memory
_VOWEL = re.compile(r"(?!Eu|eu|one\b|U[A-Z]|uni)[aeiouAEIO]")
_LOWER_SHARE, _UPPER_SHARE = 0.06, 0.03  # of the sentences


def load_sentences(split: str, ctx: LoadContext) -> Iterator[Example]:
    """Yield the :data:`SIZES` sentences of a split of the sample corpus."""
    check_split(split)
    return sentences(SIZES[split], split=split)


def load_reviews(split: str, ctx: LoadContext) -> Iterator[Example]:
    """Yield the :data:`REVIEW_SIZES` reviews of a split of the sample corpus."""
    check_split(split)
    return reviews(REVIEW_SIZES[split], split=split)


def sentences(count: int, *, seed: int = 0, split: str = "train") -> Iterator[Example]:
    """Yield ``count`` synthetic sentences with all of :data:`LAYERS`, in constant memory.

    The same seed gives the same sentences on every machine. The first 20,000 differ from each other.

    :raises DataError: ``split`` is unknown.
    """
    patterns = compiled_patterns(split)
    random = Random(f"sentences {split} {seed}").random  # noqa: S311
    seen: set[tuple[str, ...]] = set()
    number = 0
    while number < count:
        rows: list[Row] = []
        expand(patterns[int(random() * len(patterns))], random, rows)
        words, pos, chunk, ner = zip(*rows, strict=True)
        words = with_case(with_articles(words), random())
        if words in seen:
            continue
        if len(seen) < _MAX_DISTINCT:
            seen.add(words)
        number += 1
        labels = {"ner": ner, "pos": pos, "chunk": chunk}
        yield Example(id=f"{split}-{number}", words=words, labels=labels, place=Place(file=FILE, line=number))


@cache
def compiled_patterns(split: str) -> tuple[Option, ...]:
    """Return the patterns that belong to ``split``, compiled with its share of the names."""
    check_split(split)
    grammar = Grammar(lexicon(), split)
    registers = line_lists(read_data("patterns")).values()
    return tuple(grammar.compile(line) for lines in registers for line in lines if split_of(line) == split)


def with_articles(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``words`` with "an" in place of "a" before a vowel."""
    if "a" not in words:
        return words
    following = zip(words, (*words[1:], ""), strict=True)
    return tuple("an" if word == "a" and _VOWEL.match(after) else word for word, after in following)


def with_case(words: tuple[str, ...], draw: float) -> tuple[str, ...]:
    """Return ``words`` with a capital at the start, or for few values of ``draw`` in lower or upper case throughout.

    :param draw: a random number from 0 to 1.
    """
    if draw < _LOWER_SHARE:
        return tuple(word.lower() for word in words)
    if draw < _LOWER_SHARE + _UPPER_SHARE:
        return tuple(word.upper() for word in words)
    return (words[0][:1].upper() + words[0][1:], *words[1:])
