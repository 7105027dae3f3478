"""Train variants of a recipe over several seeds, and print their scores on validation.

    LABELKIT_DATA=FOLDER python benchmarks/recipes.py TASK DATA VARIANT... [--seeds 42 43 44] [--results FILE] [--test]

A VARIANT is ``"NAME: FLAGS"``, where FLAGS are those of ``labelkit run``, or none::

    python benchmarks/recipes.py ner wnut17 "as it is:" "8 epochs: --epochs 8 --set train.dropout=0.1"

TASK may be several tasks, as in ``ner+pos``. Each run is a process of its own with a home of its own, all variants of a
seed before the next seed. Printed are the main score of the chosen checkpoint on validation, as mean and deviation
over the seeds, by seed, and the minutes of processor time of the whole process, scores on test and ONNX model included.
Test is scored with ``--test`` alone, so that nothing is chosen by it. ``--results`` keeps each finished run: the same
command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: task → its main score
SCORES = {"ner": "f1", "chunk": "f1", "pos": "accuracy", "textcls": "accuracy"}
Line = dict[str, Any]


def tasks_of(task: str) -> list[str]:
    """Return the tasks of a run.

    :raises argparse.ArgumentTypeError: the main score of one is not known here.
    """
    tasks = task.split("+")
    if unknown := set(tasks) - SCORES.keys():
        raise argparse.ArgumentTypeError(f"no main score is known of {', '.join(sorted(unknown))}")
    return tasks


def named(variant: str) -> tuple[str, list[str]]:
    """Return the name and the flags of a variant.

    :raises argparse.ArgumentTypeError: it has no name.
    """
    name, colon, flags = variant.partition(":")
    if not name.strip() or not colon:
        raise argparse.ArgumentTypeError(f'{variant!r} is not "NAME: FLAGS"')
    return name.strip(), shlex.split(flags)


def trained(task: str, data: str, seed: int, flags: Sequence[str], test: bool) -> Line:
    """Train a run and return its scores and the seconds of processor time of its process."""
    command = [sys.executable, "-m", "labelkit", "run", task, "--data", data, "--seed", str(seed), "--json", *flags]
    command += [] if test else ["--set", "train.score_test=false"]
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, env={**os.environ, "LABELKIT_HOME": home}, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"failed: {shlex.join(command)}")
        output.seek(0)
        metrics = json.load(output)["metrics"]
    scores = {split: {one: of_tasks[one][SCORES[one]] for one in tasks_of(task)} for split, of_tasks in metrics.items()}
    return {"scores": scores, "processor": usage.ru_utime + usage.ru_stime}


def all_runs(asked: argparse.Namespace) -> list[Line]:
    """Train the runs that the file of results does not have yet, and return the figures of all."""
    kept: Path | None = asked.results
    lines = kept.read_text(encoding="utf-8").splitlines() if kept is not None and kept.exists() else []
    known, found = [json.loads(line) for line in lines], []
    for seed in asked.seeds:
        for name, flags in asked.variants:
            given = {"task": asked.task, "data": asked.data, "seed": seed, "flags": flags, "test": asked.test}
            line = next((one for one in known if given.items() <= one.items()), None)
            if line is None:
                line = {**given, **trained(asked.task, asked.data, seed, flags, asked.test)}
                if kept is not None:
                    with kept.open("a", encoding="utf-8") as results:
                        results.write(json.dumps(line) + "\n")
            found.append({**line, "name": name})
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return found


def mean_text(values: Sequence[float]) -> str:
    """Return the mean of scores, with the deviation where there are several."""
    deviation = f" ({statistics.stdev(values):.4f})" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{deviation}"


def print_table(lines: Sequence[Line], split: str, task: str) -> None:
    """Print the scores of all variants on a split."""
    print(f"\n| {split}, {task} {SCORES[task]} | mean (deviation) | by seed | processor minutes |")
    print("| --- | --- | --- | --- |")
    for name in dict.fromkeys(line["name"] for line in lines):
        runs = [line for line in lines if line["name"] == name]
        scores = [line["scores"][split][task] for line in runs]
        minutes = statistics.fmean(line["processor"] for line in runs) / 60
        print(f"| {name} | {mean_text(scores)} | {', '.join(f'{one:.4f}' for one in scores)} | {minutes:.1f} |")


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=lambda task: "+".join(tasks_of(task)), help="one, or several joined by +")
    parser.add_argument("data", help="as in labelkit run --data")
    parser.add_argument("variants", nargs="+", type=named, metavar="VARIANT")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--results", type=Path, help="JSON lines of the runs that are done")
    parser.add_argument("--test", action="store_true", help="score test as well")
    asked = parser.parse_args()
    lines = all_runs(asked)
    for split in ("validation", *(["test"] if asked.test else [])):
        for task in tasks_of(asked.task):
            print_table(lines, split, task)


if __name__ == "__main__":
    main()
