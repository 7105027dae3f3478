"""Tell where the time of ``labelkit label RUN --text "one sentence"`` goes.

    python benchmarks/startup.py RUN [--rounds 9]

Whole processes as users start them, then the same steps one by one in processes of their own; medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

TEXT = "Ada Lovelace moved to New York."
#: what the command does, in this order
STEPS = """
import json, os, sys, time
from pathlib import Path
marks, before = {}, time.perf_counter()
def mark(name):
    global before
    now = time.perf_counter()
    marks[name], before = now - before, now
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home
from labelkit.cli import main
mark("import labelkit")
catalog = Catalog.load()
mark("find the plugins")
home = Home.find(os.environ, cwd=Path.cwd())
from labelkit.label.labeller import Labeller
from labelkit.label.loading import find_checkpoint
folder, _ = find_checkpoint(sys.argv[1], home)
mark("find the run in the registry")
import torch
mark("import torch")
import transformers
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification
mark("import transformers")
labeller = Labeller.open(sys.argv[1], home, catalog)
mark("open the checkpoint, hashes checked")
labeller.label(sys.argv[2])
mark("label")
print(json.dumps(marks))
"""


def whole(run: str) -> float:
    """Return the seconds of the command."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "labelkit", "label", run, "--text", TEXT]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def steps(run: str) -> dict[str, float]:
    """Return the seconds of each step, the start of Python first."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", STEPS, run, TEXT], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - started
    marks: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {"start and end Python": seconds - sum(marks.values()), **marks}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    wholes, parts = [], []
    for _ in range(asked.rounds):
        wholes.append(whole(asked.run))
        parts.append(steps(asked.run))
    print(f"labelkit label {asked.run} --text …: {statistics.median(wholes):.2f} s, median of {asked.rounds}")
    for name in parts[0]:
        print(f"{name:36} {statistics.median(part[name] for part in parts):6.2f} s")


if __name__ == "__main__":
    main()
