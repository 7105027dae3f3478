"""Corpora without a fault, to be spoiled at known places."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("Ada", "Bob", "Cleo", "Dora", "Emil", "Fay", "Gus")
TOWNS = ("Rome", "Lima", "Oslo", "Bonn", "Kyiv")
FIRMS = ("Acme", "Initech", "Globex")
SIZES = {"train": 60, "validation": 20, "test": 20}
Sentence = list[tuple[str, str]]
Told = tuple[str, str, str | None]
"""Check, split and the split it is compared with."""
Placed = dict[Told, list[str]]
"""Where each finding is."""


def a_sentence(number: int) -> Sentence:
    """Return a sentence like no other; every second one names a firm."""
    name, town, firm = NAMES[number % 7], TOWNS[number % 5], FIRMS[number % 3]
    pairs = [(name, "B-PER"), ("Stone", "I-PER"), ("saw", "O"), (f"sight{number}", "O"), ("in", "O"), (town, "B-LOC")]
    if number % 2:
        pairs += [("for", "O"), (firm, "B-ORG"), (f"year{number}", "O")]
    return [*pairs, (".", "O")]


class Words:
    """Three splits of words with tags, written as tab-separated columns."""

    def __init__(self, **sizes: int) -> None:
        sizes = {**SIZES, **sizes}
        numbers = iter(range(sum(sizes.values())))
        self.splits = {split: [a_sentence(next(numbers)) for _ in range(size)] for split, size in sizes.items()}

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


# -- every fault there is, in one corpus ------------------------------------------------------------------------------


class Everything:
    """A corpus of JSON Lines with every kind of fault, each in a record of its own."""

    def __init__(self, folder: Path) -> None:
        self.placed: Placed = {}
        self._folder = folder
        clean = Words(train=400, validation=30, test=60)
        clean.splits["train"].sort(key=len)
        self._records = Records({split: [_record(one) for one in found] for split, found in clean.splits.items()})
        self._clean = deepcopy(self._records.splits)
        self._raw: dict[tuple[str, int], bytes] = {}

    def write(self) -> str:
        """Spoil it, write a file for each split, and return the data reference."""
        last = len(self._clean["train"]) // 2
        self._told("order", "train", last)
        self._spoil_words()
        self._spoil_tags()
        self._spoil_records()
        self._spoil_splits()
        self._repeat()
        reference = self._records.write(self._folder)
        for (split, record), raw in self._raw.items():
            file = self._folder / f"{split}.jsonl"
            lines = file.read_bytes().split(b"\n")
            lines[record] = raw
            file.write_bytes(b"\n".join(lines))
        return reference

    def _told(self, check: str, split: str, *records: int, against: str | None = None) -> None:
        places = [self._records.place(self._folder, split, record) for record in records]
        self.placed.setdefault((check, split, against), []).extend(places)

    def _spoil_words(self) -> None:
        train = self._records.splits["train"]
        faults = [
            (10, "caf\u00c3\u00a9", ("encoding",)),
            (11, "caf\ufffd", ("encoding",)),
            (12, "caf\u0092", ("encoding",)),
            (13, "in\u200bvisible", ("characters",)),
            (14, "New York", ("characters",)),
            (15, "\ufe0f", ("empty", "subtokens")),
            (16, "\u0301\u0302", ("subtokens",)),
            (17, "-" * 200, ("subtokens",)),
            (18, "R&amp;D", ("markup",)),
            (19, "&quot;", ("markup",)),
            (28, "<br/>", ("markup",)),
        ]
        for record, word, checks in faults:
            train[record]["tokens"][3] = word
            for check in checks:
                self._told(check, "train", record)

    def _spoil_tags(self) -> None:
        train, test = self._records.splits["train"], self._records.splits["test"]
        train[20]["tags"][2] = "I-ORG"
        train[21]["tags"][5] = "S-LOC"
        self._told("transitions", "train", 20, 21)
        train[22]["tags"][2] = "LOC"
        train[27]["tags"][3] = "_"
        self._told("scheme", "train", 22)
        self._told("columns", "train", 27)
        train[23]["tags"][:2] = ["B-per", "I-per"]
        train[24]["tags"][:2] = ["B-PERS", "I-PERS"]
        train[25]["tags"][5] = "B-LOC\u200b"
        self._told("spelling", "train", 25, 24, 23)
        train[26]["tags"][3] = "B-EVENT"
        rare = (26, 25, 24, 23)
        self._told("balance", "train", *rare)
        for split in ("validation", "test"):
            self._told("types", "train", *sorted(rare), against=split)
        test[2]["tags"][3] = "B-FILM"
        self._told("types", "test", 2, against="train")

    def _spoil_records(self) -> None:
        train = self._records.splits["train"]
        train[30]["tags"].pop()
        self._told("labels", "train", 30)
        train[31] = {"tokens": [], "tags": []}
        self._told("empty", "train", 31)
        cut, overlapping, outside = [1, 3, "PER"], [[8, 14, "PER"], [12, 15, "LOC"]], [9, 99, "LOC"]
        train[32] = {"text": "Ada met Bob in Rome.", "spans": [cut, *overlapping, outside]}
        self._told("spans", "train", 32, 32, 32)
        self._raw["train", 33] = b'{"tokens": ["half'
        self._told("reading", "train", 33)
        self._raw["train", 34] = b'{"tokens": ["caf\xe9"], "tags": ["O"]}'
        self._told("encoding", "train", 34)

    def _spoil_splits(self) -> None:
        for number, record in enumerate(self._records.splits["validation"]):
            self._told("scheme", "validation", *[number for tag in record["tags"] if tag.startswith("B-")])
            record["tags"] = [tag.replace("B-", "I-") for tag in record["tags"]]
        for record in self._records.splits["test"]:
            record["tags"] = [tag.replace("LOC", "PER") for tag in record["tags"]]
        self._told("balance", "test", against="train")

    def _repeat(self) -> None:
        self._add("train", self._clean["train"][40], ("duplicates", None))
        other = deepcopy(self._clean["train"][41])
        other["tags"][5] = "O"
        self._add("train", other, ("duplicates", None), ("conflicts", None))
        self._add("test", self._clean["train"][42], ("duplicates", "train"))
        self._add("test", self._records.splits["test"][3], ("duplicates", None))
        long = long_sentence(0, 40)
        for split, last, told in (
            ("train", "x", ()),
            ("train", "y", (("near-duplicates", None),)),
            ("test", "z", (("near-duplicates", "train"),)),
        ):
            self._add(split, _record(untagged([*long[:-1], last])), *told)
        self._add("test", _record(untagged(long_sentence(100, 200))), ("windows", None))

    def _add(self, split: str, record: dict[str, Any], *told: tuple[str, str | None]) -> None:
        records = self._records.splits[split]
        records.append(record)
        for check, against in told:
            self._told(check, split, len(records) - 1, against=against)


def _record(sentence: Sentence) -> dict[str, Any]:
    return {"tokens": [word for word, _ in sentence], "tags": [tag for _, tag in sentence]}
