"""Speed of ``labelkit ui``.

``python benchmarks/ui.py [--runs N] [--metrics N] [--times N] [--postgresql]`` fills a registry with runs, starts the
pages, and prints the median time and the size of each page, the time from the start of the command to the first page,
and the load of the machine. ``--postgresql`` starts a server of its own, as the tests do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from registry import fill

from labelkit.registry import Home, Registry

#: what is shown → its address
PAGES = {
    "first page": "/",
    "page 150": "/?page=150",
    "filter on a score": f"/?where={quote('validation.f1 > 0.7')}",
    "filter on score and setting": f"/?where={quote('validation.f1 > 0.7 and lr < 1e-4')}",
    "filter on columns": f"/?where={quote('task = ner and status = finished')}",
    "sorted, two columns more": f"/?sort=-test.f1&columns={quote('lr,validation.PER.f1')}",
    "filtered and sorted": f"/?where={quote('validation.f1 > 0.7 and lr < 1e-4')}&sort=-validation",
    "a run": "/runs/latest",
    "comparison of two": "/compare?run={0}&run={1}",
}


@contextlib.contextmanager
def registry_home(folder: Path, postgresql: bool) -> Iterator[Home]:
    """Give a home with its registry on SQLite, or on a PostgreSQL server of its own."""
    if not postgresql:
        yield Home(root=folder / "home")
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from postgres_server import postgres_server

    with postgres_server() as server, server.database() as name:
        yield Home(root=folder / "home", url=server.url(name))


def start(home: Home) -> tuple[subprocess.Popen[str], str, float]:
    """Return the process of the pages, their URL, and the seconds from its start to the first page."""
    environment = {**os.environ, "LABELKIT_HOME": str(home.root)}
    if home.url is not None:
        environment["LABELKIT_REGISTRY"] = str(home.url)
    command = [sys.executable, "-m", "labelkit", "ui", "--port", "0", "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    document = ""
    while not document.endswith("}\n"):
        document += process.stdout.readline()
    url: str = json.loads(document)["url"]
    load(url + "/")
    return process, url, time.perf_counter() - began


def load(address: str) -> bytes:
    """Return the content of a page."""
    with urllib.request.urlopen(address) as answer:
        content: bytes = answer.read()
    return content


def stop(process: subprocess.Popen[str]) -> None:
    """End the process of the pages."""
    process.terminate()
    process.wait()


def measure(home: Home, times: int) -> None:
    """Print the figures of all pages."""
    starts = []
    for _ in range(times):
        process, _, seconds = start(home)
        starts.append(seconds)
        stop(process)
    print(f"{'start to first page':<30} {statistics.median(starts):.3f} s (median of {times})")
    process, url, _ = start(home)
    try:
        found = [part.split('"')[0] for part in load(url).decode().split('class="open" href="/runs/')[1:3]]
        for name, path in PAGES.items():
            walls = []
            for _ in range(times):
                began = time.perf_counter()
                content = load(url + path.format(*found))
                walls.append(time.perf_counter() - began)
            median = statistics.median(walls) * 1000
            print(f"{name:<30} {median:6.0f} ms, {len(content) / 1000:6.1f} kB (median of {times})")
    finally:
        stop(process)
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


def main() -> None:
    """Fill a registry and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--metrics", type=int, default=30)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--postgresql", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, registry_home(Path(folder), arguments.postgresql) as home:
        fill(home, arguments.runs, arguments.metrics)
        if arguments.postgresql:  # a server gathers statistics by itself, a minute after so many rows were written
            with Registry.open(home, create=False) as registry, registry._database.session(write=True) as connection:
                connection.exec_driver_sql("ANALYZE")
        measure(home, arguments.times)


if __name__ == "__main__":
    main()
