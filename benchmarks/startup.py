"""Compare ``labelkit label RUN --text "one sentence"`` with ``import torch``, with and without torch.

    python benchmarks/startup.py RUN [--rounds 9]

Whole processes in turn, as users start them; medians of seconds, of ratios to ``python -c "import torch"``, and of the
peak memory. The run needs an ONNX model beside its checkpoint: labelkit export RUN --to onnx.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

TEXT = "Ada Lovelace moved to New York."
BASE = "import torch"


def commands(run: str) -> dict[str, list[str]]:
    """Return what is measured, by name."""
    label = [sys.executable, "-m", "labelkit", "label", run, "--text", TEXT]
    return {
        BASE: [sys.executable, "-c", "import torch"],
        "import labelkit": [sys.executable, "-c", "import labelkit"],
        "label without torch": label,
        "label with torch": [*label, "--engine", "torch"],
    }


def measure(command: list[str]) -> tuple[float, float]:
    """Return the seconds and the peak memory in MiB of a process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    rounds = [{name: measure(one) for name, one in commands(asked.run).items()} for _ in range(asked.rounds)]
    for name in rounds[0]:
        seconds = statistics.median(one[name][0] for one in rounds)
        ratio = statistics.median(one[name][0] / one[BASE][0] for one in rounds)
        memory = statistics.median(one[name][1] for one in rounds)
        print(f"{name:20} {seconds:6.2f} s  {ratio:5.2f} times {BASE}  {memory:6.0f} MiB")


if __name__ == "__main__":
    main()
