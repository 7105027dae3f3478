"""Simulate an annotator on WNUT-17: F1 by share of annotated sentences, suggested ones against random ones.

    python benchmarks/active_learning.py --home FOLDER [--seeds 0 1 2] [--strategy least-confidence] [--json FILE]

Round 1 trains on a random tenth of train. Each further round annotates another tenth, with its gold labels: the
suggestions of the run before, or more random sentences; then a run is trained anew on all that is annotated. Both ways
have round 1 in common. Each run selects its checkpoint on the same part of validation and is scored on test.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import labelkit
from labelkit import Example

ROUNDS, SHARE = 5, 0.1
#: passes over train in the rounds: a run on few sentences needs more of them
EPOCHS = (8, 4, 3, 3, 3)
#: sentences of validation, of which all cost as much time as training
VALIDATION = 400


def read_split(folder: Path, name: str) -> list[Example]:
    """Return the sentences of a file of WNUT-17, numbered."""
    ctx = labelkit.LoadContext(columns={"tokens": "0", "ner": "1"}, layer="ner", kind="token")
    found = labelkit.read(folder / name, format="conll", ctx=ctx)
    return [Example(id=str(number), words=one.words, labels=one.labels) for number, one in enumerate(found)]


def write_split(path: Path, examples: Sequence[Example]) -> Path:
    """Write sentences as CoNLL columns."""
    lines = (
        "".join(f"{word}\t{tag}\n" for word, tag in zip(one.words or (), one.labels["ner"], strict=True))
        for one in examples
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Simulation:
    """One seed of the simulation.

    :param folder: of the files and the home.
    """

    def __init__(self, folder: Path, data: Path, seed: int, strategy: Any) -> None:
        self._folder, self._seed, self._strategy = folder, seed, strategy
        self._train = read_split(data, "wnut17train.conll")
        validation = Random(0).sample(read_split(data, "emerging.dev.conll"), VALIDATION)
        self._validation = write_split(folder / "validation.conll", validation)
        self._test = write_split(folder / "test.conll", read_split(data, "emerging.test.annotated"))
        self._order = list(range(len(self._train)))
        Random(seed).shuffle(self._order)
        self._step = round(SHARE * len(self._train))

    def scores(self) -> dict[str, list[float]]:
        """Return way → test F1 after each round."""
        first = self._order[: self._step]
        run, score = self._trained(first, 0)
        found = {"random": [score], "suggested": [score]}
        annotated = list(first)
        for number in range(1, ROUNDS):
            found["random"].append(self._trained(self._order[: (number + 1) * self._step], number)[1])
            annotated += self._suggested(run, annotated)
            run, score = self._trained(annotated, number)
            found["suggested"].append(score)
        return found

    def _trained(self, positions: Sequence[int], number: int) -> tuple[str, float]:
        """Train on some sentences, and return the run and its test F1."""
        name = f"train-{self._seed}-{number}-{len(positions)}-{hash(tuple(positions)) & 0xFFFFFF:x}.conll"
        train = write_split(self._folder / name, [self._train[at] for at in positions])
        started = time.monotonic()
        done = labelkit.run(
            "ner", data=f"train={train},validation={self._validation},test={self._test}", columns="tokens=0,ner=1",
            model="bundled", recipe="best", epochs=EPOCHS[number], seed=self._seed, home=self._folder / "home",
            settings={"data.allow_new_labels": True, "train.dropout": 0.0},
        )  # fmt: skip
        score = float(done.metrics["test"]["ner"]["f1"])
        print(f"seed {self._seed} round {number + 1} {len(positions):,} sentences {score:.4f} "
              f"{time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
        return done.run, score

    def _suggested(self, run: str, annotated: Sequence[int]) -> list[int]:
        """Return the sentences that a run suggests to annotate."""
        known = set(annotated)
        pool = [self._train[at] for at in self._order if at not in known]
        options: dict[str, Any] = {"strategy": self._strategy, "seed": self._seed, "home": self._folder / "home"}
        return [int(one.id) for one in labelkit.suggest(run, pool, n=self._step, **options)]


def main() -> None:
    """Run the seeds one after the other, and print the mean of those that are done after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--strategy", default="least-confidence")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    data = Path(os.environ["LABELKIT_DATA"]) / "wnut17"
    asked.home.mkdir(parents=True, exist_ok=True)
    found: dict[int, dict[str, list[float]]] = {}
    for seed in asked.seeds:
        found[seed] = Simulation(asked.home, data, seed, asked.strategy).scores()
        for way in ("random", "suggested"):
            means = [statistics.mean(one[way][number] for one in found.values()) for number in range(ROUNDS)]
            shown = "  ".join(f"{(number + 1) * SHARE:.0%} {mean:.4f}" for number, mean in enumerate(means))
            print(f"{len(found)} seeds, {way:9} {shown}", flush=True)
        if asked.json:
            asked.json.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
