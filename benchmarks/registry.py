"""Speed of the registry.

``python benchmarks/registry.py queries [--runs N] [--metrics N] [--times N] [--home FOLDER]`` fills a registry with
runs and prints the median time of whole commands that ask it.

``python benchmarks/registry.py recording --mlflow-python PYTHON [--runs N] [--pairs N]`` records the same with labelkit
and with MLflow, in turn, and exits 1 when labelkit is not ten times as fast. MLflow lives in an environment of its own:
``python -m venv FOLDER && FOLDER/bin/pip install mlflow``, then PYTHON is ``FOLDER/bin/python``.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from labelkit.registry import Home, PlanValue, Registry
from labelkit.registry.tables import metadata
from labelkit.settings import SETTINGS

TASKS = ("ner", "pos", "chunk")
BLOCK = 500
# how much faster than MLflow recording has to be
FASTER = 10.0
# what all runs have
SAME: dict[str, Any] = {
    "kind": "token",
    "status": "finished",
    "seconds": 50.0,
    "labelkit": "0.1.0",
    "recipe": "best",
    "synthetic": False,
    "model": "bundled",
    "metric": "seqeval",
    "metric_key": "f1",
    "higher_is_better": True,
    "host": "elsewhere",
    "pid": 1,
    "command": "labelkit run",
    "python": "3.11",
}
QUESTIONS: dict[str, tuple[str, ...]] = {
    "runs list": ("list",),
    "runs best ner": ("best", "ner"),
    "runs list --where": ("list", "--where", "validation.f1 > 0.7 and lr < 1e-4"),
    "runs list --sort": ("list", "--sort", "-test.f1", "--columns", "lr,validation.PER.f1"),
    "runs query": ("query", "SELECT task, count(*), max(validation) FROM v_runs GROUP BY task"),
}


def fill(home: Home, runs: int, metrics: int) -> None:
    """Put finished runs with all their settings into the registry of ``home``, in bulk.

    :param metrics: figures of validation and test of each run (half of each, at least two).
    """
    with Registry.open(home, create=True) as registry, registry._database.session(write=True) as connection:
        for start in range(0, runs, BLOCK):
            rows: dict[str, list[dict[str, Any]]] = {}
            for number in range(start, min(start + BLOCK, runs)):
                for table, row in a_run(number, metrics):
                    rows.setdefault(table, []).append(row)
            for name, found in rows.items():
                connection.execute(metadata.tables[name].insert(), found)


def a_run(number: int, metrics: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows (table, values) of a made-up run; each is a minute younger than the one before."""
    random = Random(number)
    task = TASKS[number % len(TASKS)]
    started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    ended = started + timedelta(seconds=50)
    run = f"{task}-{started:%Y%m%d-%H%M%S}-{number:06d}"
    own = {"id": run, "task": task, "started": started, "heartbeat": ended, "ended": ended, "seed": number}
    yield "runs", {**own, "data": f"corpus-{task}", **SAME}
    for split in ("train", "validation", "test"):
        facts = {"ref": f"corpus-{task}:{split}", "content_hash": f"{task}-{split}", "examples": 9, "words": 99}
        yield "splits", {"run": run, "split": split, "carved": False, **facts}
    for key, spec in SETTINGS.items():
        value = random.choice((1e-5, 5e-5, 2e-4)) if key == "train.learning_rate" else spec.default
        yield "plan_values", {"run": run, **asdict(PlanValue.of(key, value, "default"))}
    per_split = max(2, metrics // 2)
    names = [("f1", ""), ("f1", "PER"), *((f"figure{index}", "") for index in range(per_split - 2))]
    for split in ("validation", "test"):
        place = {"run": run, "task": task, "split": split, "step": 100, "epoch": 3.0, "text": None}
        for name, type_ in names:
            figure = {**place, "name": name, "type": type_, "value": random.random()}
            yield "scores", figure
            yield "metrics", figure


def queries(home: Home, times: int) -> None:
    """Print the median time of each question as a whole process, and of its processor time."""
    environment = {**os.environ, "LABELKIT_HOME": str(home.root)}
    for name, arguments in QUESTIONS.items():
        command = [sys.executable, "-m", "labelkit", "runs", *arguments]
        walls, processors = zip(*(_timed(command, environment) for _ in range(times)), strict=True)
        wall, processor = statistics.median(walls), statistics.median(processors)
        print(f"{name:<20} {wall:.3f} s, processor {processor:.3f} s (median of {times})")


def _timed(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _queries(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(root=(arguments.home or Path(folder) / "home").absolute())
        if not home.database.exists():
            fill(home, arguments.runs, arguments.metrics)
        queries(home, arguments.times)


def recording(mlflow: Path, runs: int, pairs: int) -> float:
    """Print the runs per second of labelkit and of MLflow in each pair, and return the ratio of their medians."""
    script = Path(__file__).with_name("recording.py")
    speeds: dict[str, list[float]] = {"labelkit": [], "mlflow": []}
    for _ in range(pairs):
        for name, python in (("labelkit", sys.executable), ("mlflow", str(mlflow))):
            done = subprocess.run([python, script, name, str(runs)], check=True, capture_output=True, text=True)
            speeds[name].append(float(done.stdout.split()[-1]))
        print(", ".join(f"{name} {found[-1]:.1f} runs/s" for name, found in speeds.items()), flush=True)
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    return medians["labelkit"] / medians["mlflow"]


def _recording(arguments: argparse.Namespace) -> None:
    ratio = recording(arguments.mlflow_python, arguments.runs, arguments.pairs)
    print(f"ratio of medians {ratio:.1f}, floor {FASTER}")
    if ratio < FASTER:
        raise SystemExit(1)


def main() -> None:
    """Run the part that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(required=True)
    asking = parts.add_parser("queries", help="the time of commands that ask, among many runs")
    asking.add_argument("--runs", type=int, default=10_000)
    asking.add_argument("--metrics", type=int, default=30)
    asking.add_argument("--times", type=int, default=9)
    asking.add_argument("--home", type=Path, help="keep the registry here, and use it again")
    asking.set_defaults(do=_queries)
    both = parts.add_parser("recording", help="labelkit and MLflow in turn, with the same calls")
    both.add_argument("--mlflow-python", type=Path, required=True, help="the Python of an environment with mlflow")
    both.add_argument("--runs", type=int, default=50)
    both.add_argument("--pairs", type=int, default=5)
    both.set_defaults(do=_recording)
    arguments = parser.parse_args()
    arguments.do(arguments)


if __name__ == "__main__":
    main()
