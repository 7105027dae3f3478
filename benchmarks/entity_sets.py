"""A multi-label set out of a corpus of named entities, and scores on it beside those of scikit-learn.

The labels of a sentence are the types of entity that occur in it; a sentence without entities has none.

    python benchmarks/entity_sets.py make conll2003 FOLDER [--train N]
    labelkit run textcls --data FOLDER --name entity-sets
    python benchmarks/entity_sets.py check entity-sets FOLDER/test.jsonl

``single`` writes the sentences with exactly one type twice, to FOLDER/one with the type as a class and to FOLDER/set
with it as a set, to compare the scores of a single-label and of a multi-label classifier on the same texts.

    python benchmarks/entity_sets.py single conll2003 FOLDER [--train N]
    labelkit run textcls --data FOLDER/one ...
    labelkit run textcls --data FOLDER/set --set data.multilabel=true ...
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

import labelkit
from labelkit.config.environment import Environment
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example

SPLITS = ("train", "validation", "test")


def entity_sets(source: str, split: str) -> Iterator[dict[str, Any]]:
    """Yield the sentences of a split as records of texts with the set of their types of entity."""
    catalog, environment = Catalog.load(), Environment.read()
    ctx = environment.load_context(labelkit.DataSettings(), Path("labelkit-runs/cache"))
    for number, example in enumerate(catalog.sources[source].load(split, ctx), 1):
        types = sorted({tag.partition("-")[2] for tag in example.labels["ner"] if tag != "O"})
        yield {"id": str(number), "text": " ".join(example.words or ()), "label": types}


def write(folder: Path, split: str, rows: list[dict[str, Any]]) -> None:
    """Write a split as JSON Lines."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")


def make(source: str, folder: Path, train: int | None) -> None:
    """Write the splits of a corpus.

    :param train: sentences of train; None for all.
    """
    for split in SPLITS:
        rows = list(islice(entity_sets(source, split), train if split == "train" else None))
        write(folder, split, rows)
        several, none = sum(len(row["label"]) > 1 for row in rows), sum(not row["label"] for row in rows)
        print(f"{split}: {len(rows):,} texts, {several:,} with several labels, {none:,} without any")


def single(source: str, folder: Path, train: int | None) -> None:
    """Write the sentences that have exactly one type, with the type as a class and as a set.

    :param train: sentences of train; None for all.
    """
    for split in SPLITS:
        found = (row for row in entity_sets(source, split) if len(row["label"]) == 1)
        rows = list(islice(found, train if split == "train" else None))
        write(folder / "set", split, rows)
        write(folder / "one", split, [{**row, "label": row["label"][0]} for row in rows])
        print(f"{split}: {len(rows):,} texts")


def check(run: str, path: Path) -> None:
    """Print the scores of a run on a file, by labelkit and by scikit-learn, and whether they are equal."""
    from labelkit.inference.label_ids import LabelSequences
    from labelkit.metrics.multilabel import scores
    from labelkit.records import Predictions

    labeller = labelkit.load(run)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    schema = labeller.info.schema
    found, _ = labeller.scores([Example(id=row["id"], text=row["text"]) for row in rows])
    predicted = labeller.decode(found)
    gold = np.array([[label in row["label"] for label in schema.labels] for row in rows])
    references = [tuple(row["label"]) for row in rows]
    guesses = LabelSequences(predicted, found.lengths, schema)
    ours = scores(Predictions(references=references, predictions=guesses, schema=schema, scores=found.values))
    theirs = {
        "f1": sklearn_metrics.f1_score(gold, predicted, average="micro"),
        "macro_f1": sklearn_metrics.f1_score(gold, predicted, average="macro"),
        "subset_accuracy": sklearn_metrics.accuracy_score(gold, predicted),
        "average_precision": sklearn_metrics.average_precision_score(gold, found.values, average="macro"),
    }
    each = sklearn_metrics.f1_score(gold, predicted, average=None)
    pairs = [(name, ours[name], float(value)) for name, value in theirs.items()]
    pairs += [
        (f"f1 of {label}", ours["per_type"][label]["f1"], float(each[n])) for n, label in enumerate(schema.labels)
    ]
    for name, one, other in pairs:
        print(f"{name:20} {one!r:22} {other!r:22} {'equal' if one == other else f'differs by {one - other:.1e}'}")


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, summary in {"make": "write the splits", "single": "write the sentences of one type twice"}.items():
        making = commands.add_parser(name, help=summary)
        making.add_argument("source")
        making.add_argument("folder", type=Path)
        making.add_argument("--train", type=int, help="sentences of train; all by default")
    checking = commands.add_parser("check", help="score a run beside scikit-learn")
    checking.add_argument("run")
    checking.add_argument("file", type=Path)
    given = parser.parse_args()
    if given.command == "check":
        check(given.run, given.file)
    else:
        {"make": make, "single": single}[given.command](given.source, given.folder, given.train)


if __name__ == "__main__":
    main()
