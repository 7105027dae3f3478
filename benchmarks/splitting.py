"""Measure how raw text fares against words that are given: sentences, word borders, labels.

    LABELKIT_DATA=FOLDER python benchmarks/splitting.py [RUN DATA ...]

for example ``RUN DATA`` = ``ner@best:conll2003 conll2003``. Without a RUN only splitting is measured, on conll2003 and
wnut17. Prints a row per corpus; exits 1 when a floor is missed. Labels are compared with those that the same labeller
gives to the corpus' own words, over the words that both ways of splitting have in common.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import labelkit
from detokeniser import Placed, detokenise, shared_borders, with_loose_marks
from labelkit.data.sources import SOURCES
from labelkit.label.labeller import Labeller
from labelkit.records import LoadContext
from labelkit.text.splitters import split

FLOORS = {"same sentences": 0.999, "same borders": 0.98, "borders, loose marks": 0.98, "same labels": 0.97}
Rows = Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Measured:
    """Shares between 0 and 1; ``labels`` is None where no labeller was given.

    ``loose`` is of borders where quotes and brackets stand between blanks.
    """

    sentences: float
    borders: float
    loose: float
    labels: float | None
    per_second: float


def test_rows(name: str) -> Rows:
    """Return the words of the test split of a source."""
    source = next(source for source in SOURCES if source.name == name)
    context = LoadContext(root=Path(os.environ["LABELKIT_DATA"]))
    return [example.words or () for example in source.load("test", context)]


def same_sentences(rows: Rows, splitter: str) -> float:
    """Return the share of sentences that are split as given after their words were joined by one blank."""
    texts = [" ".join(row) for row in rows]
    return sum(
        tuple(text[start:end] for start, end in split(text, splitter)) == row
        for row, text in zip(rows, texts, strict=True)
    ) / len(rows)


def same_borders(
    rows: Rows, splitter: str, join: Callable[[Sequence[str]], Placed] = detokenise
) -> tuple[float, float]:
    """Return the agreement of word borders on detokenised text, and how many sentences are split per second."""
    placed = [join(row) for row in rows]
    started = time.process_time()
    found = [split(text, splitter) for text, _ in placed]
    seconds = time.process_time() - started
    counts = [shared_borders(offsets, mine) for (_, offsets), mine in zip(placed, found, strict=True)]
    return 2 * sum(shared for shared, _ in counts) / sum(both for _, both in counts), len(rows) / seconds


def same_labels(labeller: Labeller, rows: Rows) -> float:
    """Return the share of words with the same borders that get the same label from raw text as from given words."""
    placed = [detokenise(row) for row in rows]
    from_words = labeller.label_all(rows)
    from_text = labeller.label_all([text for text, _ in placed])
    same = total = 0
    for (_, offsets), given, raw in zip(placed, from_words, from_text, strict=True):
        labels = dict(zip(raw.offsets or (), raw.labels or (), strict=True))
        pairs = [
            (label, labels[place]) for place, label in zip(offsets, given.labels or (), strict=True) if place in labels
        ]
        same, total = same + sum(one == other for one, other in pairs), total + len(pairs)
    return same / total


def measure(name: str, run: str | None) -> Measured:
    """Measure one corpus, with the labeller of a run where one is named."""
    rows = test_rows(name)
    labeller = labelkit.load(run) if run else None
    splitter = labeller.info.splitter if labeller else "words"
    borders, per_second = same_borders(rows, splitter)
    loose, _ = same_borders(rows, splitter, with_loose_marks)
    labels = same_labels(labeller, rows) if labeller else None
    return Measured(same_sentences(rows, splitter), borders, loose, labels, per_second)


def main(arguments: Sequence[str]) -> int:
    """Print a row per corpus and return the exit status."""
    if len(arguments) % 2 or "LABELKIT_DATA" not in os.environ:
        print(__doc__, file=sys.stderr)
        return 2
    pairs: list[tuple[str, str | None]] = list(zip(arguments[1::2], arguments[::2], strict=True))
    pairs = pairs or [("conll2003", None), ("wnut17", None)]
    print(
        "| corpus | same sentences | same borders | borders, loose marks | same labels | sentences split per second |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    missed = False
    for name, run in pairs:
        found = measure(name, run)
        labels = "not measured" if found.labels is None else f"{found.labels:.4f}"
        shares = " | ".join(f"{share:.4f}" for share in (found.sentences, found.borders, found.loose))
        print(f"| {name} | {shares} | {labels} | {found.per_second:,.0f} |")
        reached = (found.sentences, found.borders, found.loose, 1.0 if found.labels is None else found.labels)
        missed |= any(value < floor for value, floor in zip(reached, FLOORS.values(), strict=True))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
