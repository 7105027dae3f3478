"""Compare training by labelkit with the guides' recipe as a plain script, whole processes in turn.

    LABELKIT_DATA=FOLDER python benchmarks/training.py TASK SOURCE [OPTIONS] [-- FLAGS OF labelkit run]

Prints for each pair and as medians: sub-tokens per second of training (without start, scoring and saving), and the time
from the start of the process to the first score on validation that passes the last one of the guide. ``--guide-log
FILE`` takes the guide's side from what it printed before, where that takes long.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from guide_recipe import STARTED, say

HERE = Path(__file__).parent
Line = dict[str, Any]


class Watch:
    """Listens to a run of labelkit and prints what the guide's script prints."""

    def __init__(self) -> None:
        self._before: float | None = None
        self._steps = self._seconds = 0.0
        self._epoch = 0.0

    def __call__(self, event: Any) -> None:
        """Hear an event."""
        name, now = type(event).__name__, time.perf_counter()
        if name == "StepDone":
            if self._before is not None:
                self._seconds, self._steps = self._seconds + now - self._before, self._steps + 1
            self._before = now
        elif name == "Scored":
            self._before = None  # the step after it waited for the scoring
            figures = {key: event.metrics[key] for key in ("f1", "accuracy") if key in event.metrics}
            say("epoch" if event.split == "validation" else event.split, epoch=event.epoch, **figures)

    def closing(self, steps: int, subtokens: int) -> None:
        """Print the speed of the steps that were timed, each taken as long as the mean."""
        say("speed", subtokens_per_second=subtokens * self._steps / steps / self._seconds)


def ours(task: str, data: str, flags: Sequence[str]) -> None:
    """Train with labelkit in this process as ``labelkit run`` does."""
    import contextlib

    from labelkit.cli import main as command
    from labelkit.train import run as training
    from labelkit.train.fit import TrainingRun
    from labelkit.train.resolution import ResolvedRun

    watch, seen = Watch(), dict[str, int]()

    class Watched(TrainingRun):
        """Tells how much there is to train."""

        def __init__(self, run: ResolvedRun, emit: Any, *rest: Any, **more: Any) -> None:
            emit.add_first(watch)
            super().__init__(run, emit, *rest, **more)
            self.subtokens = sum(run.windows["train"].lengths())

        def fit(self) -> None:
            super().fit()
            seen.update(steps=self._steps_per_epoch, subtokens=self.subtokens)

    vars(training)["TrainingRun"] = Watched
    with contextlib.redirect_stdout(sys.stderr):
        status = command(["run", task, "--data", data, *flags])
    if status:
        raise SystemExit(status)
    watch.closing(seen["steps"], seen["subtokens"])


def events_of(printed: str) -> list[Line]:
    """Return the lines that a side meant; Trainer prints some of its own."""
    return [json.loads(line) for line in printed.splitlines() if line.startswith('{"event"')]


def lines_of(command: Sequence[str], environ: dict[str, str]) -> list[Line]:
    """Run a side as a process of its own and return what it printed."""
    done = subprocess.run([sys.executable, *command], env=environ, stdout=subprocess.PIPE, check=True, text=True)
    return events_of(done.stdout)


def figure(line: Line) -> float:
    """Return the figure that decides."""
    return float(line["f1"] if "f1" in line else line["accuracy"])


def first_past(lines: Sequence[Line], floor: float) -> float:
    """Return when a validation score first passed ``floor``; infinite when none did."""
    return next((line["at"] for line in lines if line["event"] == "epoch" and figure(line) > floor), float("inf"))


def compare(guide: Sequence[Line], mine: Sequence[Line]) -> dict[str, float]:
    """Return the figures of a pair."""
    last = [line for line in guide if line["event"] == "epoch"][-1]
    speed = next(line["subtokens_per_second"] for line in mine if line["event"] == "speed")
    tests = [figure(next((line for line in side if line["event"] == "test"), {"f1": 0.0})) for side in (guide, mine)]
    past = first_past(mine, figure(last))
    return {
        "guide: sub-tokens/s": last["subtokens_per_second"],
        "labelkit: sub-tokens/s": speed,
        "ratio of speed": speed / last["subtokens_per_second"],
        "guide: last validation score": figure(last),
        "guide: seconds until it": last["at"],
        "labelkit: seconds until past it": past,
        "ratio of time": last["at"] / past,
        "labelkit: best validation score": max(figure(line) for line in mine if line["event"] == "epoch"),
        "guide: test": tests[0],
        "labelkit: test": tests[1],
    }


def pair(task: str, data: str, guide: Sequence[str] | Path, flags: Sequence[str]) -> dict[str, float]:
    """Run both sides in turn, each as a process of its own, and return the figures.

    :param guide: options of guide_recipe.py, or the file of what it printed before.
    :param flags: options of ``labelkit run``.
    """
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "LABELKIT_HOME": home}
        if isinstance(guide, Path):
            theirs = events_of(guide.read_text(encoding="utf-8"))
        else:
            theirs = lines_of([str(HERE / "guide_recipe.py"), task, data, *guide], environ)
        mine = lines_of([str(HERE / "training.py"), task, data, "--ours", "--", *flags], environ)
    for line in (*theirs, *mine):
        print(json.dumps(line), file=sys.stderr, flush=True)
    return compare(theirs, mine)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("data")
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--guide-epochs", default="2")
    parser.add_argument("--guide-lr", default="2e-5")
    parser.add_argument("--guide-log", type=Path, help="JSON lines that guide_recipe.py printed")
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    asked, flags = parser.parse_args(given[:split]), given[split + 1 :]
    if asked.ours:
        ours(asked.task, asked.data, flags)
        return
    guide = asked.guide_log or ["--epochs", asked.guide_epochs, "--lr", asked.guide_lr]
    pairs = [pair(asked.task, asked.data, guide, flags) for _ in range(asked.pairs)]
    for name in pairs[0]:
        values = [one[name] for one in pairs]
        listed = ", ".join(f"{value:,.4g}" for value in values) if len(values) > 1 else ""
        print(f"{name:34} {statistics.median(values):12,.4g}  {listed}", flush=True)


if __name__ == "__main__":
    assert STARTED
    main()
