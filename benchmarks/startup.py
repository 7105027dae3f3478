"""Compare ``labelkit label RUN --text "one sentence"`` with ``import torch``, with and without torch.

    python benchmarks/startup.py RUN [--rounds 9]

Whole processes in turn, as users start them; medians of seconds, of processor seconds, of the ratios of both to those
of ``python -c "import torch"``, and of the peak memory. Each process is started once before, so that all Python code is
compiled. The class of a model is imported from transformers as well: with torch, labelkit cannot be faster than that.
The run needs an ONNX model beside its checkpoint: labelkit export RUN --to onnx.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

TEXT = "Ada Lovelace moved to New York."
BASE = "import torch"
CLASS = "from transformers import BertForTokenClassification"


@dataclass(frozen=True)
class Measured:
    """What a process took.

    :param memory: its peak, in MiB.
    """

    seconds: float
    processor: float
    memory: float


def commands(run: str) -> dict[str, list[str]]:
    """Return what is measured, by name."""
    label = [sys.executable, "-m", "labelkit", "label", run, "--text", TEXT]
    return {
        BASE: [sys.executable, "-c", "import torch"],
        CLASS: [sys.executable, "-c", CLASS],
        "import labelkit": [sys.executable, "-c", "import labelkit"],
        "label without torch": label,
        "label with torch": [*label, "--engine", "torch"],
    }


def measure(command: list[str]) -> Measured:
    """Run a process, which may write bytecode, as an installed package has it."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return Measured(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    measured = [{name: measure(one) for name, one in commands(asked.run).items()} for _ in range(asked.rounds + 1)]
    rounds = measured[1:]
    print(f"{'':{len(CLASS)}}  seconds  processor  times {BASE}  of processor      memory")
    for name in rounds[0]:
        seconds = statistics.median(one[name].seconds for one in rounds)
        processor = statistics.median(one[name].processor for one in rounds)
        ratio = statistics.median(one[name].seconds / one[BASE].seconds for one in rounds)
        of_processor = statistics.median(one[name].processor / one[BASE].processor for one in rounds)
        memory = statistics.median(one[name].memory for one in rounds)
        print(
            f"{name:{len(CLASS)}}  {seconds:7.2f}  {processor:9.2f}  {ratio:17.2f}  {of_processor:12.2f}"
            f"  {memory:6.0f} MiB"
        )


if __name__ == "__main__":
    main()
