"""Time a command of labelkit on this checkout and on another commit, in turn, and print the ratio of the medians.

    python benchmarks/commits.py REV [--rounds 3] -- run ner --data wnut17 --max-steps 60 --seed 42
    python benchmarks/commits.py REV -- label RUN FILE -o OUT --force

Each round runs both, the other commit first in every second round. Both use the same installed libraries; the
sources of the other commit come from ``git archive``. ``LABELKIT_HOME`` names the home of both.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def seconds(root: Path, arguments: list[str]) -> float:
    """Return the wall-clock time of ``labelkit ARGUMENTS`` with the sources below ``root``.

    :raises subprocess.CalledProcessError: the command failed.
    """
    sources = [root / "core", *sorted((root / "plugins").iterdir())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources))}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "labelkit", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def main() -> None:
    """Run the command with both sources in turn and print each time, the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("arguments", nargs="+", help="the command, without `labelkit`")
    given = parser.parse_args()
    archive = subprocess.run(["git", "archive", given.revision], cwd=ROOT, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
        roots = {given.revision: Path(folder), "this checkout": ROOT}
        times: dict[str, list[float]] = {name: [] for name in roots}
        for turn in range(given.rounds):
            for name in sorted(roots, reverse=bool(turn % 2)):
                times[name].append(seconds(roots[name], given.arguments))
                print(f"round {turn + 1}: {name}: {times[name][-1]:.2f} s", flush=True)
    medians = {name: statistics.median(found) for name, found in times.items()}
    print(", ".join(f"{name} {median:.2f} s" for name, median in medians.items()))
    print(f"this checkout / {given.revision}: {medians['this checkout'] / medians[given.revision]:.3f}")


if __name__ == "__main__":
    main()
