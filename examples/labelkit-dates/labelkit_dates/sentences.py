"""Synthetic sentences with dates and amounts, made from patterns; the same ones everywhere.

Words are split as labelkit splits raw text, so that what is learnt here holds for text that people write: ``€`` and
``12.50`` are two words, ``2021-03-12`` and ``5pm`` are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

TYPES = ("date", "time", "money", "percent", "quantity")
#: examples in each split
SIZES = {"train": 2_000, "validation": 200, "test": 200}

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CURRENCIES = ("dollars", "euros", "pounds", "yen", "francs", "crowns", "rupees")
UNITS = ("kg", "km", "litres", "tons", "metres", "miles", "barrels", "pages", "degrees", "hectares", "GB", "grams")
NUMBERS = ("two", "three", "four", "five", "six", "eight", "ten", "twelve", "twenty", "fifty", "a hundred")

#: no pattern of one split stands in another, so that scores say something about sentences never seen
PATTERNS: dict[str, tuple[str, ...]] = {
    "train": (
        "The meeting on {date} begins at {time} .",
        "She paid {money} for {quantity} of rice .",
        "Prices rose by {percent} in {date} .",
        "On {date} the company sold its share for {money} .",
        "{date} : the train leaves at {time} from platform 4 .",
        "He ran {quantity} in less than an hour .",
        "The bank charges {percent} , which is {money} a year .",
        "Room 212 is free from {time} until {time} .",
        "Since {date} the shop has earned {money} .",
        "We need {quantity} of sand and {quantity} of gravel by {date} .",
        "About {percent} of those asked were against it .",
        "Please call 555 0199 after {time} .",
        "Flight 370 was {quantity} off its course at {time} .",
        "Chapter 7 tells what happened on {date} .",
        "It was cold and nobody came .",
        "I have two brothers and one of them may call you .",
        "The bus 42 stops here , not in March Street .",
        "Between {date} and {date} the price fell from {money} to {money} .",
        "Unemployment stood at {percent} , up from {percent} the year before .",
        "You owe me {money} !",
        "They may march again on {date} , the union said .",
        "The parcel weighs {quantity} and costs {money} to send .",
        "Version 3.2 was published on {date} .",
        "Is the deadline {date} or {date} ?",
        "Her flat has five rooms and lies on the 3rd floor .",
    ),
    "validation": (
        "The concert of {date} was moved to {date} .",
        "A ticket costs {money} , students get {percent} off .",
        "The pipe is {quantity} long .",
        "Doors open at {time} .",
        "Nobody in House 12 has heard of it .",
        "Of the budget of {date} , {percent} , or {money} , was not spent .",
    ),
    "test": (
        "The court will decide on {date} at {time} .",
        "Their debts of {money} grew by {percent} within a month .",
        "Take {quantity} of flour .",
        "The offer of {money} ends on {date} .",
        "Line 9 does not run after {time} .",
        "Only four of us knew the way .",
        "The lake lost {quantity} of water , or {percent} , until {date} .",
    ),
}


def sentences(split: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield words and labels of each sentence of ``split``."""
    random = Random(f"dates {split}")  # noqa: S311
    for _ in range(SIZES[split]):
        yield _expand(random.choice(PATTERNS[split]), random)


def _expand(pattern: str, random: Random) -> tuple[tuple[str, ...], tuple[str, ...]]:
    words: list[str] = []
    labels: list[str] = []
    for part in pattern.split():
        type_ = part.strip("{}")
        found = WAYS[type_](random).split() if part.startswith("{") else [part]
        words += found
        labels += [f"B-{type_}", *[f"I-{type_}"] * (len(found) - 1)] if part.startswith("{") else ["O"]
    return tuple(words), tuple(labels)


# -- the ways in which things are written -----------------------------------------------------------------------------


def _date(random: Random) -> str:
    day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(1950, 2035)
    name = random.choice(MONTHS)
    ways = (
        f"{day} {name} {year}",
        f"{name} {day} , {year}",
        f"{day}{_ending(day)} {name}",
        f"{name} {day}{_ending(day)}",
        f"{name} {year}",
        f"{year}-{month:02}-{day:02}",
        f"{day:02}/{month:02}/{year}",
        f"{day}.{month}.{year}",
        f"{day} {name[:3]} {year}",
        f"{random.choice(DAYS)} , {day} {name}",
        f"{random.choice(('next', 'last'))} {random.choice(DAYS)}",
        f"{year}",
    )
    return random.choice(ways)


def _ending(day: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(0 if 10 < day < 20 else day % 10, "th")


def _time(random: Random) -> str:
    hour, minute = random.randint(1, 12), random.choice((0, 5, 10, 15, 20, 30, 45, 50))
    ways = (
        f"{hour}:{minute:02} {random.choice(('am', 'pm', 'a.m.', 'p.m.'))}",
        f"{random.randint(0, 23):02}:{minute:02}",
        f"{hour}{random.choice(('am', 'pm'))}",
        f"{hour} o'clock",
        random.choice(("noon", "midnight")),
    )
    return random.choice(ways)


def _money(random: Random) -> str:
    sign, amount = random.choice("€$£"), _number(random)
    ways = (
        f"{sign} {amount}",
        f"{sign} {random.randint(1, 99)}.{random.randint(0, 99):02}",
        f"{amount} {random.choice(CURRENCIES)}",
        f"{random.choice(('EUR', 'USD', 'CHF', 'GBP'))} {amount}",
        f"{sign} {random.randint(1, 99)} {random.choice(('million', 'billion'))}",
        f"{random.choice(NUMBERS)} {random.choice(('million ', 'thousand ', ''))}{random.choice(CURRENCIES)}",
    )
    return random.choice(ways)


def _percent(random: Random) -> str:
    amount = random.choice((str(random.randint(1, 100)), f"{random.randint(0, 99)}.{random.randint(1, 9)}"))
    return random.choice(
        (f"{amount} %", f"{amount} percent", f"{amount} per cent", f"{random.choice(NUMBERS)} percent")
    )


def _quantity(random: Random) -> str:
    amount = random.choice((_number(random), f"{random.randint(1, 99)}.{random.randint(1, 9)}", random.choice(NUMBERS)))
    return f"{amount} {random.choice(UNITS)}"


def _number(random: Random) -> str:
    return random.choice((str(random.randint(2, 999)), f"{random.randint(1_000, 9_999_999):,}"))


WAYS: dict[str, Callable[[Random], str]] = {
    "date": _date,
    "time": _time,
    "money": _money,
    "percent": _percent,
    "quantity": _quantity,
}
