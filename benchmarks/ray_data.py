"""Compare ``labelkit label --ray`` with ``labelkit label`` on generated sentences, in turn.

    python benchmarks/ray_data.py RUN [--records 100000] [--rounds 1] [FLAGS OF labelkit label]

Printed are, for one worker with all cores: the seconds of both whole commands, those since the first input was read,
and their ratios; whether the outputs are the same bytes; the most memory of all processes, and that for a tenth of the
records; then the seconds of one and of two workers of one core each. Without ``--engine`` and ``--precision`` both
compute in fp32 on torch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from label_memory import write_sentences


@dataclass
class Measured:
    """What a command took.

    :param seconds: of the whole command.
    :param labelling: of these, those in which it labelled, the start of the cluster included.
    :param memory: most of all its processes, in MB, of which shared memory counts once for all.
    """

    seconds: float
    labelling: float
    memory: float


def memory_of(pid: int) -> float:
    """Return the memory of a process and of those that it started, in MB."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family, found = {pid}, 0.0
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    for one in family:
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        found += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024
    return found


def run(source: Path, target: Path, flags: list[str], threads: int | None = None) -> Measured:
    """Label a file and measure it.

    :param threads: of each process; None for as many as it chooses.
    """
    command = [sys.executable, "-m", "labelkit", "label", flags[0], str(source), "-o", str(target), "--force", "--json"]
    environment = {**os.environ} if threads is None else {**os.environ, "OMP_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    process = subprocess.Popen([*command, *flags[1:]], stdout=subprocess.PIPE, text=True, env=environment)
    peaks = [0.0]

    def watch() -> None:
        while process.poll() is None:
            peaks.append(memory_of(process.pid))
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return Measured(time.perf_counter() - started, json.loads(out)["seconds"], max(peaks))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    asked, flags = parser.parse_known_args()
    flags = [asked.run, *(flags or ["--engine", "torch", "--precision", "fp32"])]
    one_worker = [*flags, "--ray", "local", "--workers", "1"]
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {asked.records:,} sentences", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        source, tenth = Path(folder, "sentences.txt"), Path(folder, "tenth.txt")
        write_sentences(source, asked.records)
        write_sentences(tenth, asked.records // 10)
        plain, ray = Path(folder, "plain.jsonl"), Path(folder, "ray.jsonl")
        pairs = [(run(source, plain, flags), run(source, ray, one_worker)) for _ in range(asked.rounds)]
        for name, one in zip(("one process", "Ray, 1 worker"), map(list, zip(*pairs, strict=True)), strict=True):
            whole, part = median(each.seconds for each in one), median(each.labelling for each in one)
            print(f"{name}: {whole:.1f} s, {part:.1f} s of labelling, {one[0].memory:,.0f} MB at most", flush=True)
        whole = median(b.seconds / a.seconds for a, b in pairs)
        part = median(b.labelling / a.labelling for a, b in pairs)
        print(f"ratio {whole:.3f}, of labelling {part:.3f}; same bytes: {plain.read_bytes() == ray.read_bytes()}")
        small = run(tenth, ray, one_worker)
        print(f"Ray, 1 worker, a tenth of the sentences: {small.memory:,.0f} MB at most", flush=True)
        cores = [run(source, ray, [*flags, "--ray", "local", "--workers", str(n)], threads=1) for n in (1, 2)]
        for workers, measured in enumerate(cores, 1):
            print(
                f"Ray, {workers} worker(s) of one core: {measured.seconds:.1f} s, {measured.labelling:.1f} of labelling"
            )
        print(f"speed-up of labelling by the second worker: {cores[0].labelling / cores[1].labelling:.2f}")


if __name__ == "__main__":
    main()
