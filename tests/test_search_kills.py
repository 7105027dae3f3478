"""A search whose processes are killed at any moment, and which several processes share, loses and doubles no trial."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from labelkit.cli import main
from labelkit.registry import Home, Registry
from labelkit.search.overview import overview
from labelkit.train import run as _imported_before_the_fork  # noqa: F401

pytestmark = pytest.mark.slow

KILLS, TRIALS, LONGEST = 20, 8, 6.0
SEEDS = 2


def forked(arguments: list[str], folder: Path, home: Home) -> int:
    """Run a command in a process that has everything imported, and return its id."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.chdir(folder)
            os.environ["LABELKIT_HOME"] = str(home.root)
            if home.url:
                os.environ["LABELKIT_REGISTRY"] = home.url
            sink = os.open(folder / f"output-{os.getpid()}", os.O_WRONLY | os.O_CREAT)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            status = main(arguments)
        finally:
            os._exit(status)
    return process


def begin(tiny: Path, corpus: Path) -> list[str]:
    settings = ["--epochs", "1", "--set", "train.save_minutes=0.0005", "--set", "train.batch_tokens=64"]
    plan = ["--data", str(corpus), "--model", str(tiny), *settings]
    return ["search", "ner", "--name", "s", "--trials", str(TRIALS), "--seeds", str(SEEDS), *plan]


def check_whole(home: Home, folder: Path) -> None:
    """Check that each place has one finished trial with one run, and that the winner was retrained once per seed."""
    with Registry.open(home, create=False) as registry:
        record = registry.searches.get("s")
        runs = registry.runs.search()
    found = overview(home, record)
    assert [trial.place for trial in found.trials] == list(range(TRIALS))
    assert {trial.state for trial in found.trials} <= {"finished", "pruned"}
    groups = Counter(run.group for run in runs)
    assert groups.pop("s") == TRIALS
    assert record.result is not None
    assert groups == dict.fromkeys(record.result["retrained"]["groups"].values(), SEEDS)
    assert {run.shown for run in runs} == {"finished"}
    assert all((run.test is None) == (run.group == "s") for run in runs)
    assert (folder / "s.toml").read_text().startswith("# the winner of labelkit search s\n")


def test_twenty_kills_of_a_search(tiny: Path, corpus: Path, tmp_path: Path, registry_home: Home) -> None:
    chance = random.Random(0)
    arguments, resumed = begin(tiny, corpus), ["search", "--resume", "s"]
    for _ in range(KILLS):
        process = forked(arguments, tmp_path, registry_home)
        time.sleep(chance.uniform(0, LONGEST))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        with Registry.open(registry_home, create=False) as registry:
            arguments = resumed if registry.searches.find("s") else arguments
    process = forked(arguments, tmp_path, registry_home)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert status == 0, (tmp_path / f"output-{process}").read_text()
    check_whole(registry_home, tmp_path)


def test_several_processes_share_a_search(tiny: Path, corpus: Path, tmp_path: Path, registry_home: Home) -> None:
    first = forked(begin(tiny, corpus), tmp_path, registry_home)
    wait_for(lambda: (registry_home.root / "runs").exists() and any((registry_home.root / "runs").iterdir()))
    others = [forked(["search", "--resume", "s"], tmp_path, registry_home) for _ in range(2)]
    wait_for(lambda: len(list((registry_home.root / "runs").iterdir())) > 3)
    os.kill(first, signal.SIGKILL)  # the others take up its trial
    os.waitpid(first, 0)
    for process in others:
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert status == 0, (tmp_path / f"output-{process}").read_text()
    check_whole(registry_home, tmp_path)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
