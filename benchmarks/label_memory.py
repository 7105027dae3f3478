"""Measure the most memory that ``labelkit label`` takes for many and for ten times as many generated sentences.

    python benchmarks/label_memory.py RUN [--records 100000] [--times 10] [FLAGS OF labelkit label]

Both inputs go from a file into a file. Printed are the peak of the process, its time, and the ratio of the peaks.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

NAMES = ("Ada", "Bob", "Cleo", "Dov", "Emil", "Fay")
PLACES = ("Lima", "Oslo", "Paris", "Rome", "New York")


def write_sentences(path: Path, count: int) -> None:
    """Write ``count`` short sentences, a line each; the same ones every time."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            file.write(f"{draw.choice(NAMES)} saw {draw.choice(PLACES)} {number}\n")


def peak_of(command: list[str]) -> tuple[float, float]:
    """Run a process and return the most memory that it took, in MB, and its seconds."""
    started = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return usage.ru_maxrss / scale, time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=10)
    asked, flags = parser.parse_known_args()
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (asked.records, asked.records * asked.times):
            source, target = Path(folder, "sentences.txt"), Path(folder, "labelled.jsonl")
            write_sentences(source, count)
            command = [sys.executable, "-m", "labelkit", "label", asked.run, str(source), "-o", str(target), "--force"]
            peak, seconds = peak_of([*command, *flags])
            peaks.append(peak)
            print(f"{count:,} sentences: {peak:,.0f} MB at most, {seconds:,.0f} s", flush=True)
    print(f"ratio {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main()
