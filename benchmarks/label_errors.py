"""Measure how many wrong labels of words the ranking of `labelkit errors` brings to the top.

    LABELKIT_DATA=FOLDER python benchmarks/label_errors.py RUN [--corrections all_conll_corrections_combined.csv]

The words of the run's validation split are ranked by the run's model, which saw none of them. Planted errors: 2% of the
words get another type, or O, at random (seed 0); and 5% of the words of entities get another type. Published errors of
CoNLL-2003, with --corrections: the file corrected_labels/all_conll_corrections_combined.csv of the repository
CODAIT/Identifying-Incorrect-Labels-In-CoNLL-2003. Where the package cleanlab is installed, what confident
learning flags is printed beside. Exits 1 when too few of the changed words stand in the top 5% of all words.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import string
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelkit.config.environment import Environment
from labelkit.evaluation.label_errors import class_probabilities, label_classes, rank_labels
from labelkit.evaluation.recorded_data import gold_split, read_run_corpus
from labelkit.inference.calibration import apply_temperature
from labelkit.inference.label_ids import gold_ids
from labelkit.label.labeller import Labeller
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Schema
from labelkit.registry import Home, Registry

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]
FLOOR, CHANGED, CHANGED_TYPES, TOP, SEED = 0.60, 0.02, 0.05, 0.05, 0
#: how the list of corrections writes a span: offsets in its document, and the text
SPAN = re.compile(r"\[(\d+), (\d+)\): '(.*)'$", re.DOTALL)
PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]+")
#: characters by which the place of a span may differ from the one in the list
DRIFT = 30


class Judged(NamedTuple):
    """The words of a split: log-probabilities, and gold label ids."""

    values: NDArray[np.float32]
    labels: Ids
    schema: Schema
    examples: Sequence[Example]


def with_errors(words: Judged, share: float, chance: np.random.Generator, *, types: bool) -> tuple[Ids, Bools]:
    """Return the labels with some words in another class, and which words those are.

    :param types: change the types of entities only.
    """
    class_of = label_classes(words.schema)[1]
    first = np.array([int(np.flatnonzero(class_of == number)[0]) for number in range(class_of.max() + 1)])
    given, low = class_of[words.labels], int(types)
    places = np.flatnonzero(given >= low)
    chosen = chance.choice(places, round(share * len(places)), replace=False)
    classes = len(first) - low
    labels, wrong = words.labels.copy(), np.zeros(len(given), np.bool_)
    away = chance.integers(1, classes, len(chosen))
    labels[chosen] = first[low + (given[chosen] - low + away) % classes]
    wrong[chosen] = True
    return labels, wrong


def published_errors(path: Path, words: Judged) -> Bools:
    """Return which words have another class in the list of corrections; prints what is not found."""
    documents = Documents(words.examples)
    classes, class_of = label_classes(words.schema)
    given = [classes[number] for number in class_of[words.labels]]
    wrong, missed = np.zeros(len(given), np.bool_), 0
    rows = [row for row in csv.DictReader(path.open(encoding="utf-8")) if row["fold"] == "dev"]
    for row in rows:
        found = [documents.words_of(row, side) for side in ("corpus", "correct")]
        missed += None in found
        before, after = ({} if one is None else one for one in found)
        for word in (before.keys() | after.keys()) if None not in found else ():
            old, new = before.get(word, "O"), after.get(word, "O")
            wrong[word] |= old != new and new in classes and given[word] == old
    print(f"{path.name}: {len(rows):,} corrections of dev, {missed:,} not found; {int(wrong.sum()):,} wrong words")
    return wrong


class Documents:
    """The documents as the list of corrections writes them: no space before punctuation, a line for each sentence."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._texts: dict[str, str] = {}
        self._words: dict[str, list[tuple[int, int, int]]] = {}
        number = 0
        for example in examples:
            document = example.document or ""
            text = self._texts.setdefault(document, "-DOCSTART-")
            for index, word in enumerate(example.words or ()):
                text += "\n" if index == 0 else "" if PUNCTUATION.fullmatch(word) else " "
                self._words.setdefault(document, []).append((len(text), len(text) + len(word), number))
                text, number = text + word, number + 1
            self._texts[document] = text

    def words_of(self, row: dict[str, str], side: str) -> dict[int, str] | None:
        """Return the words of a span with its type; none where there is no span, None where it is not found."""
        match = SPAN.match(row[f"{side}_span"])
        if match is None:
            return {}
        document = str(int(row["doc_offset"]) + 1)
        shown, wanted = match[3].replace("\\n", "\n").replace("\\'", "'"), int(match[1])
        places = [one.start() for one in re.finditer(re.escape(shown), self._texts.get(document, ""))]
        start = min(places, key=lambda place: abs(place - wanted), default=-1)
        if start < 0 or abs(start - wanted) > DRIFT:
            return None
        inside = (word for first, stop, word in self._words[document] if first < start + len(shown) and stop > start)
        return dict.fromkeys(inside, row[f"{side}_ent_type"])


def figures(name: str, words: Judged, labels: Ids, wrong: Bools) -> Iterator[str]:
    """Yield lines about what the ranking finds of the wrong words."""
    ranking = rank_labels(words.values, labels, words.schema)
    order, count = ranking.order, int(wrong.sum())
    top = order[: round(TOP * len(labels))]
    yield f"{name}: {len(labels):,} words, {count:,} of them wrong"
    yield f"  in the top {TOP:.0%} ({len(top):,} words): {wrong[top].sum() / count:.3f}"
    yield "  precision at 50, 100, 200: " + ", ".join(f"{wrong[order[:at]].mean():.3f}" for at in (50, 100, 200))
    yield f"  flagged: {flags(ranking.flagged, wrong)}"
    if find_spec("cleanlab") is not None:
        find_label_issues: Any = import_module("cleanlab.filter").find_label_issues

        classes, class_of = label_classes(words.schema)
        chances = class_probabilities(words.values, class_of, len(classes))
        issues = find_label_issues(ranking.given, chances, filter_by="confident_learning", n_jobs=1)
        other = issues & (ranking.suggested != ranking.given)
        same = np.isin(np.arange(len(labels)), order[: other.sum()])
        yield f"  flagged by confident learning: {flags(other, wrong)}"
        yield f"  of these the most improbable 100: precision {wrong[order[other[order]][:100]].mean():.3f}"
        yield f"  as many by the probability of the label: {flags(same, wrong)}"


def flags(flagged: Bools, wrong: Bools) -> str:
    """Return number, precision and recall of flagged words."""
    precision, recall = wrong[flagged].mean(), wrong[flagged].sum() / wrong.sum()
    return f"{int(flagged.sum()):,} words, precision {precision:.3f}, recall {recall:.3f}"


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--corrections", type=Path, metavar="FILE")
    options = parser.parse_args()
    home, environment = Home.find(os.environ), Environment.read()
    catalog = Catalog.load(only=environment.plugins)
    with Registry.open(home, create=False) as registry:
        details = registry.runs.get(registry.runs.find(options.run, finished=True).id)
    gold = gold_split(read_run_corpus(details, catalog, environment, home), details, "validation")
    labeller = Labeller.open(options.run, home, catalog)
    found, _ = labeller.scores(gold.examples)
    labels, _ = gold_ids(gold.examples, labeller.info.layer, labeller.info.schema)
    values = apply_temperature(found.values, labeller.info.temperature)
    words = Judged(values, labels, labeller.info.schema, gold.examples)
    changed, wrong = with_errors(words, CHANGED, np.random.default_rng(SEED), types=False)
    print("\n".join(figures("planted", words, changed, wrong)))
    top = rank_labels(values, changed, words.schema).order[: round(TOP * len(labels))]
    types, other = with_errors(words, CHANGED_TYPES, np.random.default_rng(SEED), types=True)
    print("\n".join(figures("planted, types of entities", words, types, other)))
    if options.corrections is not None:
        real = published_errors(options.corrections, words)
        print("\n".join(figures("published", words, labels, real)))
    return 0 if wrong[top].sum() / wrong.sum() >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
