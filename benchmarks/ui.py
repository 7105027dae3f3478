"""Speed of ``labelkit ui``.

``python benchmarks/ui.py [--runs N] [--metrics N] [--times N] [--postgresql]`` fills a registry with runs, starts the
pages, and prints the median time and the size of each page, the time from the start of the command to the first page,
and the load of the machine. ``--postgresql`` starts a server of its own, as the tests do.

``--mlflow-python PYTHON`` also fills MLflow's own SQLite store with as many runs, 20 parameters and as many metrics of
each, and measures both in turn. MLflow lives in an environment of its own, see ``benchmarks/registry.py``. Of MLflow
the answer to the search is measured that its page asks for; drawing it in the browser comes on top.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
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


#: answers of MLflow before any is measured
WARM_UP = 16
#: the same questions, as MLflow's page asks for them: 100 runs, the newest first
MLFLOW_FILTERS = {"first page": "", "filter on a score": 'metrics."validation.f1" > 0.7'}
#: fills MLflow's store, in its own environment: path of the database, runs, metrics
MLFLOW_FILL = """
import random, sqlite3, sys
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
path, runs, metrics = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
SqlAlchemyStore(f"sqlite:///{path}", path + ".artifacts")
names = ["validation.f1", *(f"figure{number}" for number in range(metrics - 1))]
rows = sqlite3.connect(path)
for number in range(runs):
    run, at = f"{number:032x}", 1767225600000 + 60000 * number
    rows.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,"
        " end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
        " VALUES (?, ?, 'LOCAL', '', '', 'me', 'FINISHED', ?, ?, '', 'active', ?, 0)",
        (run, f"run-{number}", at, at + 50000, f"{path}.artifacts/{run}"),
    )
    values = [(name, random.random(), at, run, 100, False) for name in names]
    rows.executemany("INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?,?,?,?,?,?)", values)
    rows.executemany(
        "INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?,?,?,?,?,?)", values
    )
    rows.executemany(
        "INSERT INTO params (key, value, run_uuid) VALUES (?,?,?)", [(f"p{one}", str(one), run) for one in range(20)]
    )
rows.commit()
"""


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


def ask(url: str, filter_: str) -> bytes:
    """Return MLflow's answer to a search of runs."""
    body = {"experiment_ids": ["0"], "max_results": 100, "filter": filter_, "order_by": ["attributes.start_time DESC"]}
    request = urllib.request.Request(
        f"{url}/ajax-api/2.0/mlflow/runs/search", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        content: bytes = answer.read()
    return content


def start_mlflow(python: str, database: Path) -> tuple[subprocess.Popen[bytes], str, float]:
    """Return the process of MLflow's pages, their URL, and the seconds from its start to the first answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [python, "-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{database}", "--port", str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while True:
        try:
            load(url + "/")
            ask(url, "")
            return process, url, time.perf_counter() - began
        except OSError:
            time.sleep(0.05)


def compare_mlflow(home: Home, python: str, runs: int, metrics: int, times: int) -> None:
    """Print the medians of labelkit and of MLflow, measured in turn."""
    database = home.root.parent / "mlflow.db"
    subprocess.run([python, "-c", MLFLOW_FILL, str(database), str(runs), str(metrics)], check=True, capture_output=True)
    own, url, _ = start(home)
    other, other_url, seconds = start_mlflow(python, database)
    try:
        print(f"MLflow: start to first answer {seconds:.1f} s")
        for _ in range(WARM_UP):  # each of its worker processes loads something with its first answer
            with contextlib.suppress(OSError):
                ask(other_url, "")
        for name, filter_ in MLFLOW_FILTERS.items():
            walls: tuple[list[float], list[float]] = ([], [])
            size = 0
            for _ in range(times):
                began = time.perf_counter()
                load(url + PAGES[name])
                walls[0].append(time.perf_counter() - began)
                began = time.perf_counter()
                size = len(ask(other_url, filter_))
                walls[1].append(time.perf_counter() - began)
            mine, theirs = (1000 * statistics.median(one) for one in walls)
            print(f"{name}: labelkit {mine:.0f} ms, MLflow {theirs:.0f} ms and {size / 1000:.0f} kB (in turn, {times})")
    finally:
        stop(own)
        os.killpg(other.pid, signal.SIGTERM)
        other.wait()


def main() -> None:
    """Fill a registry and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--metrics", type=int, default=30)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--mlflow-python", metavar="PYTHON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, registry_home(Path(folder), arguments.postgresql) as home:
        fill(home, arguments.runs, arguments.metrics)
        if arguments.postgresql:  # a server gathers statistics by itself, a minute after so many rows were written
            with Registry.open(home, create=False) as registry, registry._database.session(write=True) as connection:
                connection.exec_driver_sql("ANALYZE")
        measure(home, arguments.times)
        if arguments.mlflow_python:
            compare_mlflow(home, arguments.mlflow_python, arguments.runs, arguments.metrics, arguments.times)


if __name__ == "__main__":
    main()
