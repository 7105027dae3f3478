"""A run that is killed at any moment leaves a registry that opens, tells no lies, and lets it be resumed."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import labelkit
from labelkit.models.checkpoint import read_checkpoint
from labelkit.registry import Home, Registry
from labelkit.train import run as _imported_before_the_fork  # noqa: F401

pytestmark = pytest.mark.slow

KILLS, COMMANDS, RESUMED = 100, 5, 6
SETTINGS = {"train.save_minutes": 0.0005, "train.batch_tokens": 64}


def begin(tiny: Path, corpus: Path, home: Path) -> None:
    """Train one short run in this process."""
    labelkit.run("ner", data=str(corpus), model=str(tiny), epochs=2, lr=5e-3, home=home, settings=SETTINGS)


def forked(work: Callable[[], object]) -> int:
    """Do ``work`` in a process that has everything imported, and return its id."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            work()
            status = 0
        finally:
            os._exit(status)
    return process


def look_at(home: Path) -> list[str]:
    """Check everything that must be true after a kill; return the runs that did not finish."""
    connection = sqlite3.connect(home / "registry.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    unfinished = []
    with Registry.open(Home(root=home), create=False) as registry:
        for run in registry.runs.search():
            details = registry.runs.get(run.id)
            for checkpoint in details.checkpoints:
                if not checkpoint.removed:
                    assert checkpoint.folder is not None
                    read_checkpoint(checkpoint.folder, checkpoint.files)
            if details.status == "finished":
                assert details.best is not None
            else:
                assert details.stale
                unfinished.append(run.id)
    return unfinished


def test_a_hundred_kills_of_a_forked_run(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(0)
    started = time.monotonic()
    process = forked(lambda: begin(tiny, corpus, home))
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    whole = time.monotonic() - started
    for _ in range(KILLS):
        process = forked(lambda: begin(tiny, corpus, home))
        time.sleep(chance.uniform(0, whole))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    unfinished = look_at(home)
    assert len(unfinished) > KILLS / 4
    for run in chance.sample(unfinished, RESUMED):
        process = forked(partial(labelkit.resume, run, home=home))
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert set(look_at(home)) < set(unfinished)
    with Registry.open(Home(root=home), create=False) as registry:
        finished = [registry.runs.get(run.id) for run in registry.runs.search() if run.status == "finished"]
    resumed = [details for details in finished if details.attempts]
    assert len(resumed) == RESUMED
    best = {details.best.files["model.safetensors"] for details in finished if details.best}
    assert len(best) == 1  # the same weights to the last bit, whatever happened on the way


def test_kills_of_the_real_command(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(1)
    environment = {**os.environ, "LABELKIT_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "labelkit", "run"]
    begun = ["ner", "--data", str(corpus), "--model", str(tiny), "--epochs", "40", "--set", "train.save_minutes=0.001"]
    for number in range(COMMANDS):
        process = subprocess.Popen([*command, *begun], env=environment, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(home.glob("runs/*"))) <= number:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 3))
        process.kill()
        process.wait()
    unfinished = look_at(home)
    assert unfinished
    done = subprocess.run([*command, "--resume", unfinished[0], "--json"], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(look_at(home)) == len(unfinished) - 1
