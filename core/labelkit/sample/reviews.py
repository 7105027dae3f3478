"""Short synthetic reviews with a sentiment, some of them mixed or negated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

from labelkit.records import Example, Place
from labelkit.sample.grammar import FILE, check_split, split_of
from labelkit.sample.lexicon import Lists, comma_lists, line_lists, read_data

_SLOT = re.compile(r"\{([^{}]+)\}")
_NEGATION = re.compile(r"\b(?:not|never|no|nothing|none|neither|far|could|hard|without)\b|n't", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))[a-z]")
_MAX_DISTINCT = 20_000  # reviews compared for duplicates; a stream of a million would need too much memory
_LOWER_SHARE = 0.08  # of the reviews


def reviews(count: int, *, seed: int = 0, split: str = "train") -> Iterator[Example]:
    """Yield ``count`` synthetic reviews, NEGATIVE or POSITIVE; each opinion occurs in one split only.

    :raises DataError: ``split`` is unknown.
    """
    check_split(split)
    random = Random(f"reviews {split} {seed}").random  # noqa: S311
    seen: set[str] = set()
    number = 0
    while number < count:
        label = ("NEGATIVE", "POSITIVE")[int(random() * 2)]
        text = compose_review(label, split, random)
        if text in seen:
            continue
        if len(seen) < _MAX_DISTINCT:
            seen.add(text)
        number += 1
        place = Place(file=FILE, line=number)
        yield Example(id=f"{split}-{number}", text=text, labels={"label": label}, place=place)


@cache
def slot_lists(label: str, domain: str, split: str) -> Lists:
    """Return slot → the lines it may become in a review with this sentiment about this kind of thing.

    :param domain: a key of the table ``things`` of ``data/reviews.toml``.
    """
    data = read_data("reviews")
    good, bad = (line_lists(data["clauses"][side])[domain] for side in ("good", "bad"))
    own, other = (good, bad) if label == "POSITIVE" else (bad, good)
    opinions = line_lists(data["opinions"]["good" if label == "POSITIVE" else "bad"])
    lines = opinions["any"] + opinions[domain]
    plain = (line for line in lines if not _NEGATION.search(line))
    weighted = tuple(line for line in plain for _ in range(1 + line.count("{")))  # a line with choices is many
    twists = tuple(line for line in lines if _NEGATION.search(line))
    by_slot = {"opinion": weighted, "twist": twists, "own": own, "other": other}
    shares = {slot: tuple(line for line in lines if split_of(line) == split) for slot, lines in by_slot.items()}
    neutral = line_lists({"fact": data["facts"][domain], "mixed": data["mixed"], "frame": data["frames"]})
    return {**comma_lists({**data["words"], "thing": data["things"][domain]}), **neutral, **shares}


@cache
def domains() -> tuple[str, ...]:
    """Return the kinds of things that reviews are about."""
    return tuple(read_data("reviews")["things"])


def compose_review(label: str, split: str, random: Callable[[], float]) -> str:
    """Return a review with this sentiment; ``random`` gives numbers from 0 to 1."""
    kinds = domains()
    lists = slot_lists(label, kinds[int(random() * len(kinds))], split)
    text = lists["frame"][int(random() * len(lists["frame"]))]
    thing = lists["thing"][int(random() * len(lists["thing"]))]
    used: set[str] = set()

    def choose(slot: re.Match[str]) -> str:
        name = slot[1]
        options = (thing,) if name == "thing" else name.split("|") if "|" in name else lists[name]
        option = options[int(random() * len(options))]
        while option in used:
            option = options[int(random() * len(options))]
        if name in ("opinion", "twist"):
            used.add(option)
        return option

    while "{" in text:  # a chosen line may hold slots of its own
        text = _SLOT.sub(choose, text)
    if random() < _LOWER_SHARE:
        return text.lower()
    return _SENTENCE_START.sub(lambda start: start[0].upper(), text)
