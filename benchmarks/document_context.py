"""Measure whether a labeller of words gains from reading the sentences around each one.

    LABELKIT_DATA=FOLDER python benchmarks/document_context.py SOURCE TASK OUT [--words 160] [--single 0.33] [--seed 42]

Writes data to the new folder OUT, for ``labelkit run TASK --data OUT``. Train: a share of the sentences alone, the rest
joined with their neighbours in the document up to so many words. Validation: all sentences joined so. Test: the
sentences of validation one by one. So one run scores both ways of reading, and SOURCE's own test split is not read.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from joint import examples_of

from labelkit import Example


def joined(examples: Sequence[Example], words: int) -> Iterator[list[Example]]:
    """Yield sentences that follow each other in one document, at most ``words`` words together."""
    for _, document in groupby(examples, key=lambda example: example.document):
        group: list[Example] = []
        for example in document:
            if group and sum(len(one.words or ()) for one in (*group, example)) > words:
                yield group
                group = []
            group.append(example)
        yield group


def write(path: Path, groups: Iterator[list[Example]] | Sequence[list[Example]], layer: str) -> None:
    """Write each group of sentences as one example."""
    with path.open("w", encoding="utf-8") as file:
        for group in groups:
            words = [word for example in group for word in example.words or ()]
            labels = [label for example in group for label in example.labels[layer]]
            file.write(json.dumps({"tokens": words, layer: labels}, ensure_ascii=False) + "\n")


def main() -> None:
    """Write the data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("task", help="the name of its layer, too")
    parser.add_argument("out", type=Path)
    parser.add_argument("--words", type=int, default=160)
    parser.add_argument("--single", type=float, default=0.33)
    parser.add_argument("--seed", type=int, default=42)
    asked = parser.parse_args()
    asked.out.mkdir()
    train, validation = (list(examples_of(asked.source, split)) for split in ("train", "validation"))
    chance = random.Random(asked.seed)
    alone = [chance.random() < asked.single for _ in train]
    single = [[example] for example, own in zip(train, alone, strict=True) if own]
    rest = [example for example, own in zip(train, alone, strict=True) if not own]
    write(asked.out / "train.jsonl", [*single, *joined(rest, asked.words)], asked.task)
    write(asked.out / "validation.jsonl", joined(validation, asked.words), asked.task)
    write(asked.out / "test.jsonl", [[example] for example in validation], asked.task)


if __name__ == "__main__":
    main()
