"""Measure how many wrong labels of words the ranking of `labelkit errors` brings to the top.

    LABELKIT_DATA=FOLDER python benchmarks/label_errors.py RUN

Of the words of the run's validation split 2% are given another type, or O, at random (seed 0); the words are ranked by
the run's model, which saw neither them nor the change. Prints which share of the changed words stands in the top 5% of
all words, and what confident learning flags; exits 1 when the share is below the floor.
"""

from __future__ import annotations

import argparse
import os
import sys

import numpy as np
from numpy.typing import NDArray

from labelkit.config.environment import Environment
from labelkit.evaluation.label_errors import label_classes, rank_labels
from labelkit.evaluation.recorded_data import gold_split, read_run_corpus
from labelkit.inference.calibration import apply_temperature
from labelkit.inference.label_ids import gold_ids
from labelkit.label.labeller import Labeller
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, Registry

Ids = NDArray[np.int64]
FLOOR, CHANGED, TOP, SEED = 0.60, 0.02, 0.05, 0


def spoiled(labels: Ids, class_of: Ids, chance: np.random.Generator) -> tuple[Ids, Ids]:
    """Return the labels with some words in another class, and which words those are."""
    first = np.array([int(np.flatnonzero(class_of == number)[0]) for number in range(class_of.max() + 1)])
    words = chance.choice(len(labels), round(CHANGED * len(labels)), replace=False)
    away = chance.integers(1, len(first), len(words))
    changed = labels.copy()
    changed[words] = first[(class_of[labels[words]] + away) % len(first)]
    return changed, words


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", metavar="RUN")
    run = parser.parse_args().run
    home, environment = Home.find(os.environ), Environment.read()
    catalog = Catalog.load(only=environment.plugins)
    with Registry.open(home, create=False) as registry:
        details = registry.runs.get(registry.runs.find(run, finished=True).id)
    gold = gold_split(read_run_corpus(details, catalog, environment, home), details, "validation")
    labeller = Labeller.open(run, home, catalog)
    schema = labeller.info.schema
    found, _ = labeller.scores(gold.examples)
    labels, _ = gold_ids(gold.examples, labeller.info.layer, schema)
    changed, words = spoiled(labels, label_classes(schema)[1], np.random.default_rng(SEED))
    ranking = rank_labels(apply_temperature(found.values, labeller.info.temperature), changed, schema)
    top = ranking.order[: round(TOP * len(labels))]
    share = float(np.isin(words, top).mean())
    print(f"{gold.ref}: {len(labels):,} words, {len(words):,} of them changed")
    print(f"changed words in the top {TOP:.0%} ({len(top):,} words): {share:.3f} (≥ {FLOOR})")
    flagged = int(ranking.flagged.sum())
    print(f"flagged: {flagged:,} words, {float(ranking.flagged[words].mean()):.3f} of the changed ones among them")
    return 0 if share >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
