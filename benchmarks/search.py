"""Figures of searches, and of registries and stores that many processes share.

``python benchmarks/search.py pruner [--task ner] [--data wnut17] [--trials 12] [--epochs 2] [--set KEY=VALUE]…``
searches twice with the same seed, without a pruner and with the median pruner, and prints what pruning saves of the
seconds of the trials, how much the winner differs on validation, and which share of the time the sampler takes: all
calls of the study, which ask and write Optuna's tables. Winners are not retrained. Of a trial both searches sample the
same values until the first one is pruned; afterwards TPE has seen different scores.

``python benchmarks/search.py store [--processes 50] [--runs 1000]`` records runs with tiny checkpoints, each process in
a home of its own, in one registry on PostgreSQL and one store on a stand-in S3 (moto), both on loopback. Then another
home fetches every checkpoint, which is verified by its SHA-256. It exits 1 when a run or checkpoint is lost.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from labelkit.config.environment import Environment
from labelkit.config.requests import request_of
from labelkit.models.checkpoint_files import sha256_of
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, Registry, RunRecord
from labelkit.registry.checkpoint_folders import find_checkpoint
from labelkit.search.search import draft_search, start_search
from labelkit.search.study import SearchStudy
from labelkit.search.trials import Surroundings
from labelkit.search.winner import choose_winner
from labelkit.search.worker import Worker

#: what the sampler, the pruner and their tables take
_STUDY = ("held", "claim", "sample", "keep", "report", "finish", "fail", "discard")
_STORE = "s3://models/team"


@dataclass
class Searched:
    """What a search took and found.

    :param seconds: of all trials, their preparation and the study.
    :param study: of these, in calls of the study.
    :param trials: of the runs, as they are recorded.
    """

    seconds: float
    study: float
    trials: float
    winner: dict[str, Any]
    pruned: int


@contextmanager
def timed_study() -> Iterator[list[float]]:
    """Add up the seconds in calls of studies, of which one may call another."""
    spent, depth = [0.0], [0]

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*arguments: Any, **named: Any) -> Any:
            depth[0] += 1
            started = time.perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                depth[0] -= 1
                spent[0] += 0 if depth[0] else time.perf_counter() - started

        return call

    plain = {name: getattr(SearchStudy, name) for name in _STUDY}
    for name, method in plain.items():
        setattr(SearchStudy, name, timed(method))
    try:
        yield spent
    finally:
        for name, method in plain.items():
            setattr(SearchStudy, name, method)


def search(asked: argparse.Namespace, pruner: str, home: Home) -> Searched:
    """Run the trials of a search."""
    around = Surroundings(
        catalog=Catalog.load(),
        environment=Environment.read(),
        home=home,
        warn=lambda line: print(line, file=sys.stderr),
        on_stage=lambda stage, detail: print(f"{pruner}: {stage} {detail}", file=sys.stderr, flush=True),
    )
    request = request_of(
        asked.task, recipe=asked.recipe, name=None, sets=asked.set, data=asked.data, model=asked.model,
        epochs=asked.epochs, seed=asked.seed, max_steps=asked.max_steps,
    )  # fmt: skip
    options = {"sampler": "tpe", "pruner": pruner, "trials": asked.trials, "seeds": 3}
    drafted = draft_search(request, around, name=f"s-{pruner}", space=None, **options)
    start_search(drafted, around)
    with timed_study() as spent:
        started = time.perf_counter()
        study = SearchStudy.of(home, drafted.name, drafted.settings)
        Worker(drafted.name, drafted.settings, study, drafted.prepared, around).work()
        seconds = time.perf_counter() - started
    pruned = sum(trial.state.name == "PRUNED" for trial in study.held().values())
    with Registry.open(home, create=False) as registry:
        trials = sum(run.seconds or 0.0 for run in registry.runs.search(group=drafted.name))
    return Searched(seconds, spent[0], trials, choose_winner(study, drafted.settings), pruned)


def compare_pruners(asked: argparse.Namespace) -> None:
    """Search without and with the median pruner, and print."""
    print(f"load average {os.getloadavg()[0]:.1f}, {asked.trials} trials of {asked.epochs} epochs", flush=True)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        # the first run of a process imports and compiles, and would make the first search slower
        first = argparse.Namespace(**{**vars(asked), "trials": 1, "max_steps": 1})
        search(first, "none", Home(root=Path(folder, "first")))
        for pruner in ("none", "median"):
            one = found[pruner] = search(asked, pruner, Home(root=Path(folder, pruner)))
            print(
                f"{pruner}: {one.trials:.0f} s of trials, {one.pruned} pruned, best on validation "
                f"{one.winner['validation']:.4f}; study {one.study:.2f} s of {one.seconds:.0f} s, "
                f"{one.study / one.seconds:.2%}",
                flush=True,
            )
    whole, pruned = found["none"], found["median"]
    difference = pruned.winner["validation"] - whole.winner["validation"]
    print(f"the median pruner saves {1 - pruned.trials / whole.trials:.1%}; its winner differs by {difference:+.4f}")


def record(home: Home, process: int, count: int) -> None:
    """Record and upload runs as training does, each with a checkpoint of its own."""
    for number in range(count):
        run = f"ner-{process:03d}-{number:04d}"
        folder = home.runs / run / "checkpoints" / "step-000001"
        folder.mkdir(parents=True)
        for name, size in (("config.json", 200), ("model.safetensors", 4000), ("labelkit.json", 500)):
            (folder / name).write_bytes(secrets.token_bytes(size))
        files = {one.name: (one.stat().st_size, sha256_of(one)) for one in folder.iterdir()}
        about = RunRecord(
            id=run, task="ner", kind="token", data="d", model="m", metric="seqeval", metric_key="f1", labelkit="0",
            seed=1,
        )  # fmt: skip
        with Registry.open(home, create=True) as registry:
            registry.recorder.start(about)
            for step in (1, 2):
                registry.recorder.log_metrics(
                    run, split="validation", metrics={"f1": step / 2}, task="ner", step=step, epoch=float(step),
                    chosen=step == 2,
                )  # fmt: skip
            registry.recorder.log_checkpoint(run, folder, step=2, epoch=2.0, best=True, files=files)
            registry.recorder.finish(run, "finished", seconds=1.0)
            registry.storage.upload(run)


@contextmanager
def stand_in_s3() -> Iterator[None]:
    """Start a moto server on loopback with an empty bucket, and name it in the environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    values = {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1", "ENDPOINT_URL": address}
    os.environ.update({f"AWS_{name}": value for name, value in values.items()})
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.2)
        # in a process of its own: this one is forked later, and must have no threads
        make = "import boto3; boto3.client('s3').create_bucket(Bucket='models')"
        subprocess.run([sys.executable, "-c", make], check=True)
        yield
    finally:
        server.kill()
        server.wait()


def share(asked: argparse.Namespace) -> None:
    """Record runs in many processes, fetch and verify all in another home, and print.

    :raises SystemExit: a run or checkpoint is lost.
    """
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from postgres_server import postgres_server

    fork = multiprocessing.get_context("fork")
    counts = [asked.runs // asked.processes + (n < asked.runs % asked.processes) for n in range(asked.processes)]
    with tempfile.TemporaryDirectory() as folder, stand_in_s3(), postgres_server() as server, server.database() as name:
        homes = [
            Home(root=Path(folder, f"home-{n}"), url=server.url(name), remote=_STORE) for n in range(asked.processes)
        ]
        started = time.perf_counter()
        recorders = [
            fork.Process(target=record, args=(home, n, count))
            for n, (home, count) in enumerate(zip(homes, counts, strict=True))
        ]
        for one in recorders:
            one.start()
        for one in recorders:
            one.join()
        seconds = time.perf_counter() - started
        failed = sum(one.exitcode != 0 for one in recorders)
        print(f"{asked.processes} processes recorded and uploaded {asked.runs:,} runs in {seconds:.0f} s", flush=True)
        elsewhere = Home(root=Path(folder, "elsewhere"), url=server.url(name), remote=_STORE)
        with Registry.open(elsewhere, create=False) as registry:
            runs = [run.id for run in registry.runs.search(status="finished")]
        started = time.perf_counter()
        same = sum(fetched_alike(run, homes, elsewhere) for run in runs)
        seconds = time.perf_counter() - started
        print(f"recorded {len(runs):,}, fetched elsewhere and verified {same:,} in {seconds:.0f} s; {failed} failed")
        if failed or (len(runs), same) != (asked.runs, asked.runs):
            raise SystemExit(1)


def fetched_alike(run: str, homes: list[Home], elsewhere: Home) -> bool:
    """Fetch a checkpoint, and return whether its files are those that were recorded and uploaded."""
    folder, files = find_checkpoint(run, elsewhere)
    made = homes[int(run.split("-")[1])].runs / run / "checkpoints" / "step-000001"
    return all(
        sha256_of(folder / name) == sha256 and (folder / name).read_bytes() == (made / name).read_bytes()
        for name, (_, sha256) in files.items()
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    pruner = commands.add_parser("pruner")
    pruner.set_defaults(work=compare_pruners)
    pruner.add_argument("--task", default="ner")
    pruner.add_argument("--data", default="wnut17")
    pruner.add_argument("--model", default="bundled")
    pruner.add_argument("--recipe")
    pruner.add_argument("--trials", type=int, default=12)
    pruner.add_argument("--epochs", type=int, default=2)
    pruner.add_argument("--seed", type=int)
    pruner.add_argument("--max-steps", type=int)
    pruner.add_argument("--set", action="append", default=[])
    store = commands.add_parser("store")
    store.set_defaults(work=share)
    store.add_argument("--processes", type=int, default=50)
    store.add_argument("--runs", type=int, default=1000)
    asked = parser.parse_args()
    asked.work(asked)


if __name__ == "__main__":
    main()
