"""Sentences and reviews as examples: the packaged splits, and any number more."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

from labelkit.records import Example, LoadContext, Place, Schema
from labelkit.sample import patterns_daily, patterns_news, patterns_sport
from labelkit.sample.grammar import FILE, Grammar, Lexicon, Option, Row, expand, part_of, require_part
from labelkit.sample.lexicon_organizations import ORGANIZATION_FORMS, ORGANIZATIONS
from labelkit.sample.lexicon_people import PEOPLE, PERSON_FORMS
from labelkit.sample.lexicon_places import PLACE_FORMS, PLACES
from labelkit.sample.lexicon_things import THING_FORMS, THINGS
from labelkit.sample.lexicon_words import PHRASES
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

LEXICON = Lexicon(
    names=PEOPLE | PLACES | ORGANIZATIONS | THINGS,
    entities=PERSON_FORMS | PLACE_FORMS | ORGANIZATION_FORMS | THING_FORMS,
    phrases=PHRASES,
)
REGISTERS = {
    "news": patterns_news.NEWS,
    "business": patterns_news.BUSINESS,
    "science": patterns_news.SCIENCE,
    "sport": patterns_sport.SPORT,
    "encyclopedia": patterns_sport.ENCYCLOPEDIA,
    "culture": patterns_sport.CULTURE,
    "chat": patterns_daily.CHAT,
    "mail": patterns_daily.MAIL,
    "minutes": patterns_daily.MINUTES,
    "travel": patterns_daily.TRAVEL,
    "products": patterns_daily.PRODUCTS,
    "plain": patterns_daily.PLAIN,
    "objects": patterns_daily.OBJECTS,
}
_REMEMBERED = 20_000  # sentences that are not repeated; more would cost memory in a stream of a million
_VOWEL = re.compile(r"(?!Eu|eu|one\b|U[A-Z]|uni)[aeiouAEIO]")
_LOWER, _UPPER = 0.06, 0.03  # how often a sentence has no capitals, or nothing else


@cache
def compiled(part: str) -> tuple[Option, ...]:
    """Return the compiled patterns of ``part``."""
    require_part(part)
    grammar = Grammar(LEXICON, part)
    patterns = itertools.chain.from_iterable(REGISTERS.values())
    return tuple(grammar.compile(line) for line in patterns if part_of(line) == part)


def sentences(count: int, *, seed: int = 0, part: str = "train") -> Iterator[Example]:
    """Yield ``count`` synthetic sentences with all of :data:`LAYERS`, in constant memory.

    The same seed gives the same sentences everywhere. The first 20,000 differ from each other.

    :raises DataError: ``part`` is not a split.
    """
    patterns = compiled(part)
    random = Random(f"sentences {part} {seed}").random  # noqa: S311
    seen: set[tuple[str, ...]] = set()
    number = 0
    while number < count:
        rows = _draw(patterns, random)
        words, pos, chunk, ner = zip(*rows, strict=True)
        words = _styled(_with_articles(words), random())
        if words in seen:
            continue
        if len(seen) < _REMEMBERED:
            seen.add(words)
        number += 1
        labels = {"ner": ner, "pos": pos, "chunk": chunk}
        yield Example(id=f"{part}-{number}", words=words, labels=labels, place=Place(file=FILE, line=number))


def load_sentences(split: str, ctx: LoadContext) -> Iterator[Example]:
    """Yield a packaged split of sentences, of :data:`SIZES`."""
    require_part(split)
    return sentences(SIZES[split], part=split)


def load_reviews(split: str, ctx: LoadContext) -> Iterator[Example]:
    """Yield a packaged split of reviews, of :data:`REVIEW_SIZES`."""
    require_part(split)
    return reviews(REVIEW_SIZES[split], part=split)


def _draw(patterns: tuple[Option, ...], random: Callable[[], float]) -> list[Row]:
    rows: list[Row] = []
    expand(patterns[int(random() * len(patterns))], random, rows)
    return rows


def _styled(words: tuple[str, ...], chance: float) -> tuple[str, ...]:
    """Return ``words`` with a capital at the start or, now and then, in one case throughout."""
    if chance < _LOWER:
        return tuple(word.lower() for word in words)
    if chance < _LOWER + _UPPER:
        return tuple(word.upper() for word in words)
    return (words[0][:1].upper() + words[0][1:], *words[1:])


def _with_articles(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``words`` with "an" for "a" before a vowel; which word follows is known only now."""
    if "a" not in words:
        return words
    following = (*words[1:], "")
    pairs = zip(words, following, strict=True)
    return tuple("an" if word == "a" and _VOWEL.match(after) else word for word, after in pairs)
