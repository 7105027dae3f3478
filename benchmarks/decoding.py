"""Measure how many words a second the viterbi decoder labels, in batches of sentences and in one endless sentence.

    python benchmarks/decoding.py [--words N]

The scores are random: ``likely`` ones favour O as a trained model does, and break a rule of the scheme far more often
than one; ``wild`` ones break it nearly everywhere. Prints a row per case; exits 1 when one is slower than the floor, at
which decoding takes less than 5% of the time of a model that labels 10,000 words a second.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from labelkit.inference.viterbi import rules_of, viterbi
from labelkit.labels.schemes import SCHEMES
from labelkit.records import Schema, Scheme, Scores

FLOOR = 200_000
TYPES = (4, 33)
REPEATS = 3


def a_case(scheme: Scheme, types: int, words: int, *, likely: bool, whole: bool) -> Scores:
    """Return random scores of sentences of some 15 words, or of one that has all of them."""
    random = np.random.default_rng(0)
    schema = Schema(name="x", kind="token", types=tuple(f"T{number}" for number in range(types)), scheme=scheme)
    lengths = np.array([words]) if whole else random.poisson(15, words // 15) + 1
    count, labels = int(lengths.sum()), len(schema.label_names)
    values = random.normal(size=(count, labels)).astype(np.float32) * 2
    if likely:
        hot = np.flatnonzero(random.random(count) < 0.2)
        values[:, 0] += 6
        values[hot, 0] -= 6
        values[hot, random.integers(1, labels, len(hot))] += 4
    values -= np.logaddexp.reduce(values, axis=1, keepdims=True)
    return Scores(values=values, lengths=lengths, schema=schema)


def words_per_second(scores: Scores) -> float:
    """Return the speed of the quickest of some passes."""
    rules_of(scores.schema)
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        viterbi(scores)
        seconds.append(time.perf_counter() - started)
    return len(scores.values) / min(seconds)


def main() -> int:
    """Measure every case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--words", type=int, default=100_000)
    words = parser.parse_args().words
    slowest = float("inf")
    for scheme in SCHEMES:
        for types in TYPES:
            for likely in (True, False):
                for whole in (False, True):
                    case = a_case(scheme, types, words, likely=likely, whole=whole)
                    speed = words_per_second(case)
                    slowest = min(slowest, speed)
                    what = f"{'likely' if likely else 'wild'}, {'one sentence' if whole else 'sentences'}"
                    print(f"{scheme:6} {case.values.shape[1]:4} labels  {what:22} {speed:12,.0f} words/s")
    return 0 if slowest >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
