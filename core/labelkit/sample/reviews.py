"""Short synthetic reviews with a sentiment, some of them mixed or negated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from random import Random

from labelkit.records import Example, Place
from labelkit.sample import lexicon_reviews as lexicon
from labelkit.sample.grammar import FILE, part_of, require_part
from labelkit.sample.lexicon_opinions import BAD, GOOD

Lists = Mapping[str, tuple[str, ...]]

_SLOT = re.compile(r"\{([^{}]+)\}")
_NEGATION = re.compile(r"\b(?:not|never|no|nothing|none|neither|far|could|hard|without)\b|n't", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))[a-z]")
_REMEMBERED = 20_000  # reviews that are not repeated; more would cost memory in a stream of a million
_LOWER = 0.08  # how often a review has no capitals


def reviews(count: int, *, seed: int = 0, part: str = "train") -> Iterator[Example]:
    """Yield ``count`` synthetic reviews, NEGATIVE or POSITIVE; an opinion is in one split only.

    :raises DataError: ``part`` is not a split.
    """
    require_part(part)
    random = Random(f"reviews {part} {seed}").random  # noqa: S311
    seen: set[str] = set()
    number = 0
    while number < count:
        label = ("NEGATIVE", "POSITIVE")[int(random() * 2)]
        text = _write(label, part, random)
        if text in seen:
            continue
        if len(seen) < _REMEMBERED:
            seen.add(text)
        number += 1
        place = Place(file=FILE, line=number)
        yield Example(id=f"{part}-{number}", text=text, labels={"label": label}, place=place)


@cache
def lists(label: str, domain: str, part: str) -> Lists:
    """Return what each slot of a review of a ``domain`` with a sentiment ``label`` may become."""
    good, bad = lexicon.GOOD_CLAUSES[domain], lexicon.BAD_CLAUSES[domain]
    opinions = GOOD if label == "POSITIVE" else BAD
    own, other = (good, bad) if label == "POSITIVE" else (bad, good)
    lines = opinions["any"] + opinions[domain]
    plain = (line for line in lines if not _NEGATION.search(line))
    weighted = tuple(line for line in plain for _ in range(1 + line.count("{")))  # one with choices is many
    twists = tuple(line for line in lines if _NEGATION.search(line))
    split = {"opinion": weighted, "twist": twists, "own": own, "other": other}
    shares = {slot: tuple(line for line in lines if part_of(line) == part) for slot, lines in split.items()}
    neutral = {"fact": lexicon.FACTS[domain], "mixed": lexicon.MIXED, "thing": lexicon.THINGS[domain]}
    return {**lexicon.WORDS, **neutral, **shares}


def _write(label: str, part: str, random: Callable[[], float]) -> str:
    domains = tuple(lexicon.THINGS)
    choices = lists(label, domains[int(random() * len(domains))], part)
    text = lexicon.FRAMES[int(random() * len(lexicon.FRAMES))]
    thing = choices["thing"][int(random() * len(choices["thing"]))]
    said: set[str] = set()

    def choose(slot: re.Match[str]) -> str:
        name = slot[1]
        options = (thing,) if name == "thing" else name.split("|") if "|" in name else choices[name]
        option = options[int(random() * len(options))]
        while option in said:
            option = options[int(random() * len(options))]
        if name in ("opinion", "twist"):
            said.add(option)
        return option

    while "{" in text:  # a chosen line may hold slots of its own
        text = _SLOT.sub(choose, text)
    if random() < _LOWER:
        return text.lower()
    return _SENTENCE_START.sub(lambda start: start[0].upper(), text)
