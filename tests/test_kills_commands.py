"""Commands of the registry that are killed at any moment: a hundred kills each, on SQLite and on PostgreSQL.

After each kill the registry opens and is whole, every checkpoint that it lists is on disk with its checksums, and a
file is what it was or what it should become.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main
from labelkit.registry import Home, Registry
from recorded_runs import ended, save, start
from test_kills import forked

pytestmark = pytest.mark.slow

KILLS = 100
#: a kill comes within this many times the duration of the whole command
LONGEST = 1.1
#: seconds after which a file that nobody has locked counts as left behind
YOUNG = 1.1


@pytest.fixture
def home(registry_home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return the home that commands of this process use."""
    monkeypatch.setenv("LABELKIT_HOME", str(registry_home.root))
    monkeypatch.chdir(registry_home.root.parent)
    if registry_home.url:
        monkeypatch.setenv("LABELKIT_REGISTRY", registry_home.url)
    else:
        monkeypatch.delenv("LABELKIT_REGISTRY", raising=False)
    return registry_home


def run(*arguments: str) -> int:
    """Start a command in a process of its own, and return its id."""

    def command() -> None:
        if main(["runs", *arguments]):
            raise SystemExit(1)

    return forked(command)


def whole(*arguments: str) -> float:
    """Do a command to its end, and return its duration in seconds."""
    started = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(run(*arguments), 0)[1]) == 0
    return time.monotonic() - started


def kill(process: int, seconds: float) -> float | None:
    """Kill a command after some time; return how many seconds it took where it ended before, else None."""
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        if os.waitpid(process, os.WNOHANG)[0]:
            return time.monotonic() - started
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    return None if os.WIFSIGNALED(os.waitpid(process, 0)[1]) else seconds


def check(home: Home) -> None:
    """Check what must be true of a registry after a kill."""
    if not home.url:
        with sqlite3.connect(home.database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()
    with Registry.open(home, create=False) as registry:
        assert registry.storage.verify().ok


def killed(home: Home, command: Callable[[int], tuple[str, ...]], look: Callable[[int], object], longest: float) -> int:
    """Start and kill a command :data:`KILLS` times, check after each, and return how many were killed in time."""
    chance, count = random.Random(0), 0
    for number in range(KILLS):
        took = kill(run(*command(number)), chance.uniform(0, longest * LONGEST))
        count += took is None
        longest = min(longest, took or longest)  # the first one had imports to do
        check(home)
        look(number)
    return count


def test_runs_rm(home: Home) -> None:
    with Registry.open(home, create=True) as registry:
        for number in range(KILLS + 1):
            ended(registry, f"ner-{number}")
    longest = whole("rm", f"ner-{KILLS}")

    def look(number: int) -> None:
        with Registry.open(home, create=False) as registry:
            listed = any(one.id == f"ner-{number}" for one in registry.runs.search())
        assert not listed or (home.runs / f"ner-{number}" / "checkpoints" / "step-000001").is_dir()

    assert killed(home, lambda number: ("rm", f"ner-{number}"), look, longest) > KILLS / 5
    whole("gc", "--orphans")
    with Registry.open(home, create=False) as registry:
        assert {path.name for path in home.runs.iterdir()} == {one.id for one in registry.runs.search()}


def test_runs_gc(home: Home) -> None:
    def litter(registry: Registry, number: int) -> None:
        run_id = start(registry, f"ner-{number}")
        for step in range(1, 4):
            save(registry, run_id, step, best=step == 1)
        (home.runs / run_id / "resume" / "step-000003").mkdir(parents=True)
        registry.recorder.finish(run_id, "finished", seconds=1.0)

    with Registry.open(home, create=True) as registry:
        litter(registry, KILLS)
    longest = whole("gc", "--last")

    def command(number: int) -> tuple[str, ...]:
        with Registry.open(home, create=False) as registry:
            litter(registry, number)
        return ("gc", "--last")

    def look(number: int) -> None:
        with Registry.open(home, create=False) as registry:
            best = registry.runs.get(f"ner-{number}").best
            assert best is not None
            assert best.step == 1

    assert killed(home, command, look, longest) > KILLS / 5
    whole("gc", "--last")
    left = {path.relative_to(home.runs).parts[1:] for path in home.runs.rglob("*") if path.is_dir()}
    assert left == {(), ("checkpoints",), ("checkpoints", "step-000001")}


def test_runs_alias(home: Home) -> None:
    with Registry.open(home, create=True) as registry:
        for number in range(3):
            ended(registry, f"ner-{number}")
    longest = whole("alias", "ner-2", "prod")
    assigned = ["ner-2"]

    def look(number: int) -> None:
        with Registry.open(home, create=False) as registry:
            (current,) = registry.aliases.current()
            assert current.run in (assigned[-1], f"ner-{number % 2}")
            if current.run != assigned[-1]:
                assigned.append(str(current.run))
            history = [one.run for one in registry.aliases.history("prod")]
            assert [run for index, run in enumerate(history) if not index or history[index - 1] != run] == assigned

    assert killed(home, lambda number: ("alias", f"ner-{number % 2}", "prod"), look, longest) > KILLS / 5


def test_runs_export(home: Home, tmp_path: Path) -> None:
    with Registry.open(home, create=True) as registry:
        for number in range(5):
            ended(registry, f"ner-{number}")
    output = tmp_path / "exported" / "runs.csv"
    longest = whole("export", "-o", str(output))
    exported = output.read_bytes()
    output.unlink()

    def look(number: int) -> None:
        assert not output.exists() or output.read_bytes() == exported
        output.unlink(missing_ok=True)

    assert killed(home, lambda number: ("export", "-o", str(output)), look, longest) > KILLS / 5
    time.sleep(YOUNG)
    whole("export", "-o", str(output))
    assert [path.name for path in output.parent.iterdir()] == ["runs.csv"]  # what kills left is gone
    with output.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 6


def test_runs_report(tiny: Path, corpus: Path, home: Home, tmp_path: Path) -> None:
    process = forked(lambda: labelkit.run("ner", data=str(corpus), model=str(tiny), epochs=1, home=home.root))
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    output = tmp_path / "reported" / "run.html"
    output.parent.mkdir()
    longest = whole("report", "latest", "-o", str(output))
    output.write_text("as it was", encoding="utf-8")

    def look(number: int) -> None:
        content = output.read_text(encoding="utf-8")
        assert content == "as it was" or content.rstrip().endswith("</html>")

    assert killed(home, lambda _: ("report", "latest", "-o", str(output), "--force"), look, longest) > KILLS / 5
    time.sleep(YOUNG)
    whole("report", "latest", "-o", str(output), "--force")
    assert [path.name for path in output.parent.iterdir()] == ["run.html"]
    shutil.rmtree(output.parent)
