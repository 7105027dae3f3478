"""Measure the figures of benchmarks/README.md: each is a whole command, run as users run it.

    LABELKIT_DATA=FOLDER python benchmarks/figures.py [NAME ...]

Prints a row per figure with its floor; exits 1 when a floor is missed. Runs go to a temporary LABELKIT_HOME.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Environ = dict[str, str]


@dataclass(frozen=True)
class Bound:
    """What a figure must reach: at least ``low`` and at most ``high``."""

    name: str
    read: Callable[[Any], float]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Figure:
    """A command and what is read off it."""

    name: str
    command: tuple[str, ...]
    bounds: tuple[Bound, ...]
    repeat: int = 1


def score(split: str, task: str = "ner", figure: str = "f1") -> Callable[[Any], float]:
    """Return a reader of a figure of ``split`` in ``run --json``."""
    return lambda done: float(done["metrics"][split][task][figure])


def mean(split: str, task: str = "ner", figure: str = "f1") -> Callable[[Any], float]:
    """Return a reader of the mean of a figure over the runs of ``run --seeds N --json``."""
    return lambda done: float(done["group"]["metrics"][split][task][figure]["mean"])


def seconds(done: Any) -> float:
    """Return how long the whole process took."""
    return float(done["wall"])


FIGURES = (
    Figure("sample", ("labelkit", "run", "ner", "--json"), (
        Bound("seconds, whole process", seconds, high=90),
        Bound("test F1", score("test"), low=0.80, high=0.99),
    )),
    Figure("wnut17", ("labelkit", "run", "ner", "--data", "wnut17", "--epochs", "2", "--json"), (
        Bound("validation F1", score("validation"), low=0.53),
        Bound("test F1", score("test"), low=0.37),
        Bound("seconds, whole process", seconds),
    )),
    Figure("wnut17-seeds", ("labelkit", "run", "ner", "--data", "wnut17", "--seeds", "3", "--json"), (
        Bound("mean validation F1", mean("validation")),
        Bound("mean test F1", mean("test"), low=0.40),
    )),
    Figure("conll2003", ("labelkit", "run", "ner", "--data", "conll2003", "--seeds", "3", "--json"), (
        Bound("mean validation F1", mean("validation"), low=0.895),
        Bound("mean test F1", mean("test"), low=0.86),
        Bound("seconds, whole process", seconds),
    )),
    Figure("conll2000", ("labelkit", "run", "chunk", "--data", "conll2000", "--epochs", "3", "--json"), (
        Bound("test F1", score("test", "chunk"), low=0.95),
        Bound("seconds, whole process", seconds),
    )),
    Figure("ud_ewt", ("labelkit", "run", "pos", "--data", "ud_ewt", "--epochs", "3", "--json"), (
        Bound("test accuracy", score("test", "pos", "accuracy"), low=0.965),
        Bound("seconds, whole process", seconds),
    )),
    Figure("pos", ("labelkit", "run", "pos", "--data", "conll2003", "--epochs", "3", "--json"), (
        Bound("validation accuracy", score("validation", "pos", "accuracy")),
        Bound("test accuracy", score("test", "pos", "accuracy")),
        Bound("seconds, whole process", seconds),
    )),
    Figure("chunk", ("labelkit", "run", "chunk", "--data", "conll2003", "--epochs", "3", "--json"), (
        Bound("validation F1", score("validation", "chunk")),
        Bound("test F1", score("test", "chunk")),
        Bound("seconds, whole process", seconds),
    )),
    Figure("imdb", ("labelkit", "run", "textcls", "--data", "imdb", "--max-steps", "300", "--json"), (
        Bound("validation accuracy", score("validation", "textcls", "accuracy")),
        Bound("test accuracy", score("test", "textcls", "accuracy"), low=0.80),
        Bound("seconds, whole process", seconds),
    )),
    Figure("check", ("labelkit", "data", "check", "imdb", "--json"), (
        Bound("seconds, whole process", seconds, high=120),
    )),
    Figure("help", ("labelkit", "--help"), (Bound("seconds, whole process", seconds, high=0.4),), repeat=9),
    Figure("runs", ("labelkit", "runs", "list"), (Bound("seconds, whole process", seconds, high=0.4),), repeat=9),
)  # fmt: skip


def measure(figure: Figure, environ: Environ) -> dict[str, Any]:
    """Run a figure's command and return its JSON, where it gives some, with the median wall time."""
    walls, document = [], {}
    for _ in range(figure.repeat):
        started = time.perf_counter()
        done = subprocess.run(figure.command, env=environ, stdout=subprocess.PIPE, check=True)
        walls.append(time.perf_counter() - started)
        if "--json" in figure.command:
            document = json.loads(done.stdout)
    return {**document, "wall": statistics.median(walls)}


def rows(figure: Figure, environ: Environ) -> Iterator[bool]:
    """Measure a figure, print its rows, and yield whether each bound holds."""
    done = measure(figure, environ)
    for bound in figure.bounds:
        value = bound.read(done)
        held = (bound.low is None or value >= bound.low) and (bound.high is None or value <= bound.high)
        limits = " ".join(
            f"{sign} {limit}" for sign, limit in (("≥", bound.low), ("≤", bound.high)) if limit is not None
        )
        name = " ".join(part for part in figure.command if part != "--json")
        print(
            f"{name:50} {bound.name:24} {value:8.4f}  {limits or 'reported':16} {'ok' if held else 'MISSED'}",
            flush=True,
        )
        yield held


def main(names: Sequence[str]) -> int:
    """Measure the named figures, or all."""
    chosen = [figure for figure in FIGURES if not names or figure.name in names]
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "LABELKIT_HOME": home}
        held = [held for figure in chosen for held in rows(figure, environ)]
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
