"""Corpora without a fault, to be spoiled at known places."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("Ada", "Bob", "Cleo", "Dora", "Emil", "Fay", "Gus")
TOWNS = ("Rome", "Lima", "Oslo", "Bonn", "Kyiv")
FIRMS = ("Acme", "Initech", "Globex")
SIZES = {"train": 60, "validation": 20, "test": 20}
Sentence = list[tuple[str, str]]


def a_sentence(number: int) -> Sentence:
    """Return a sentence like no other; every second one names a firm."""
    name, town, firm = NAMES[number % 7], TOWNS[number % 5], FIRMS[number % 3]
    pairs = [(name, "B-PER"), ("Stone", "I-PER"), ("saw", "O"), (f"sight{number}", "O"), ("in", "O"), (town, "B-LOC")]
    if number % 2:
        pairs += [("for", "O"), (firm, "B-ORG"), (f"year{number}", "O")]
    return [*pairs, (".", "O")]


class Words:
    """Three splits of words with tags, written as tab-separated columns."""

    def __init__(self) -> None:
        numbers = iter(range(sum(SIZES.values())))
        self.splits = {split: [a_sentence(next(numbers)) for _ in range(size)] for split, size in SIZES.items()}

    def place(self, folder: Path, split: str, sentence: int, word: int = 0) -> str:
        """Return ``file:line`` of a word."""
        before = sum(len(each) + 1 for each in self.splits[split][:sentence])
        return f"{folder / split}.conll:{before + word + 1}"

    def write(self, folder: Path) -> str:
        """Write a file for each split, and return the data reference."""
        for split, sentences in self.splits.items():
            text = "".join("".join(f"{word}\t{tag}\n" for word, tag in each) + "\n" for each in sentences)
            (folder / f"{split}.conll").write_bytes(text.encode("utf-8", "surrogateescape"))
        return ",".join(f"{split}={folder / split}.conll" for split in self.splits)


@dataclass
class Records:
    """Splits of records, written as JSON Lines."""

    splits: dict[str, list[dict[str, Any]]]

    def place(self, folder: Path, split: str, record: int) -> str:
        """Return ``file:line`` of a record."""
        return f"{folder / split}.jsonl:{record + 1}"

    def write(self, folder: Path) -> str:
        """Write a file for each split, and return the data reference."""
        for split, records in self.splits.items():
            lines = [json.dumps(record, ensure_ascii=False) for record in records]
            (folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return ",".join(f"{split}={folder / split}.jsonl" for split in self.splits)


def reviews() -> Records:
    """Return texts of two classes that take turns."""
    splits: dict[str, list[dict[str, Any]]] = {}
    number = 0
    for split, size in SIZES.items():
        splits[split] = []
        for _ in range(size):
            good = bool(number % 3) ^ bool(number % 2)
            text = f"Film{number} by {NAMES[number % 7]} was {'a joy' if good else 'a bore'} to watch in {number} ."
            splits[split].append({"text": text, "label": "good" if good else "bad"})
            number += 1
    return Records(splits)


def spans() -> Records:
    """Return texts with spans on them."""
    splits: dict[str, list[dict[str, Any]]] = {}
    number = 0
    for split, size in SIZES.items():
        splits[split] = []
        for _ in range(size):
            name, town = NAMES[number % 7], TOWNS[number % 5]
            text = f"{name} went to {town} with sight{number} and year{number}."
            start = text.index(town)
            found = [[0, len(name), "PER"], [start, start + len(town), "LOC"]]
            splits[split].append({"text": text, "spans": found})
            number += 1
    return Records(splits)


def long_sentence(start: int, words: int = 60) -> list[str]:
    """Return words of which no five in a row stand anywhere else."""
    return [f"w{start + index}" for index in range(words)]


def untagged(words: Sequence[str]) -> Sentence:
    """Return words outside of all spans."""
    return [(word, "O") for word in words]
