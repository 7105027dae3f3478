"""Compare the labels of the ONNX model beside a checkpoint with those of torch in fp32, on five corpora.

    LABELKIT_DATA=FOLDER python benchmarks/torchless.py [--records 1000] [--steps 60]

For each corpus a run of a few steps is trained, so that its scores are as close to each other as labels get, and the
first records of its test split are labelled by both. Words are counted,
and the texts of IMDb.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import labelkit
from labelkit.config.environment import Environment
from labelkit.plugins.catalog import Catalog
from labelkit.records import DataSettings, Example

#: corpus → the task that learns from it
CORPORA = {"wnut17": "ner", "conll2003": "ner", "conll2000": "chunk", "ud_ewt": "pos", "imdb": "textcls"}


def test_examples(source: str, records: int) -> list[Example]:
    """Return the first examples of a corpus' test split, without their labels."""
    ctx = Environment.read().load_context(DataSettings(), Path("labelkit-runs/cache"))
    found = islice(Catalog.load().sources[source].load("test", ctx), records)
    return [Example(id=str(n), words=one.words, text=None if one.words else one.text) for n, one in enumerate(found)]


def labels_of(home: Path, run: str, examples: list[Example], engine: str) -> list[Any]:
    """Return the labels of all words, or of all texts, in order."""
    labeller = labelkit.load(run, home=home, engine=engine)
    records = labeller.label_all(examples)
    return [label for record in records for label in (record.labels or (record.label,))]


def main() -> None:
    """Print the equal labels of each corpus and of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000, help="of each corpus")
    parser.add_argument("--steps", type=int, default=60, help="of training")
    given = parser.parse_args()
    same_of_all = of_all = 0
    with tempfile.TemporaryDirectory() as place:
        for corpus, task in CORPORA.items():
            home = Path(place) / corpus
            # a few texts of IMDb are enough to select by: it has none for validation
            settings = {"train.score_test": False, "data.validation_fraction": 0.005}
            labelkit.run(task, data=corpus, max_steps=given.steps, home=home, name="run", settings=settings)
            examples = test_examples(corpus, given.records)
            torch, kept = (labels_of(home, "run", examples, engine) for engine in ("torch", "auto"))
            same = sum(one == other for one, other in zip(torch, kept, strict=True))
            print(f"{corpus:10} {same:,} of {len(torch):,} labels equal", flush=True)
            same_of_all, of_all = same_of_all + same, of_all + len(torch)
    print(f"{'all':10} {same_of_all:,} of {of_all:,} labels equal ({same_of_all / of_all:.6f})")


if __name__ == "__main__":
    main()
