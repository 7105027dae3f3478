"""Measure how long the entity scores of CoNLL-2003's validation split take, without a forward pass.

    LABELKIT_DATA=FOLDER python benchmarks/scores.py

The predictions are the gold tags with some spans changed, dropped and made up at random. The libraries are imported
before. Prints the fastest of some passes for the figures, for their intervals, and for both metrics; exits 1 when the
figures take longer than the floor.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from labelkit.data.corpus import load_corpus
from labelkit.metrics.intervals import bootstrap_intervals
from labelkit.plugins.catalog import Catalog
from labelkit.records import LoadContext, Predictions

FLOOR = 0.5
WORDS = 51_362
REPEATS = 5


def the_split() -> Predictions:
    """Return the gold tags of the split, and tags with about one span in ten wrong."""
    catalog = Catalog.load(only=())
    root = Path(os.environ["LABELKIT_DATA"])
    corpus = load_corpus(
        "conll2003", layer="ner", kind="token", scheme="IOB2", catalog=catalog, ctx=LoadContext(root=root)
    )
    gold = [tuple(example.labels["ner"]) for example in corpus.splits["validation"].examples]
    chance = random.Random(0)
    names = corpus.schema.label_names
    guess = [tuple(chance.choice(names) if chance.random() < 0.03 else tag for tag in tags) for tags in gold]
    return Predictions(references=gold, predictions=guess, schema=corpus.schema)


def seconds(work: Callable[[], object]) -> float:
    """Return the time of the quickest of some passes."""
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> int:
    """Measure."""
    predictions = the_split()
    words = sum(map(len, predictions.references))
    metrics = Catalog.load(only=()).metrics
    slowest = 0.0
    for name in ("seqeval", "seqeval-strict"):
        metric = metrics[name]
        metric.compute(predictions)  # what it imports is not counted
        figures = seconds(lambda metric=metric: metric.compute(predictions))  # type: ignore[misc]
        sure = seconds(lambda metric=metric: bootstrap_intervals(metric, predictions))  # type: ignore[misc]
        print(f"{name:16} {words:,} words  figures {figures:.3f} s (≤ {FLOOR}), their intervals {sure:.3f} s")
        slowest = max(slowest, figures)
    return 0 if slowest <= FLOOR and words == WORDS else 1


if __name__ == "__main__":
    sys.exit(main())
