"""Many processes that record into one registry at once: nothing is lost, and nobody is locked out."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from labelkit.registry import Home, Registry
from postgres_server import PostgresServer

PARAMETERS, STEPS, PER_STEP = 20, 5, 6
WRITER = f"""
import sys
from pathlib import Path
from labelkit.registry import Home, PlanValue, Registry, RunRecord

root, url, me, count = sys.argv[1:]
facts = dict(task="ner", kind="token", data="d", model="m", metric="seqeval", metric_key="f1", seed=1, labelkit="0")
plan = tuple(PlanValue.of(f"k{{i}}", i) for i in range({PARAMETERS}))
with Registry.open(Home(root=Path(root), url=url or None), create=True) as registry:
    for number in range(int(count)):
        run = f"ner-{{me}}-{{number}}"
        registry.recorder.start(RunRecord(id=run, **facts))
        registry.recorder.update(run, plan=plan)
        for step in range({STEPS}):
            metrics = {{f"m{{i}}": number + i / 8 for i in range({PER_STEP})}}
            registry.recorder.log_metrics(run, task="ner", split="validation", metrics=metrics, step=step, epoch=step)
        registry.recorder.finish(run, "finished", seconds=number)
"""


def record_at_once(home: Home, *, processes: int, runs: int) -> None:
    command = [sys.executable, "-c", WRITER, str(home.root), home.url or ""]
    writers = [
        subprocess.Popen([*command, str(one), str(runs)], stderr=subprocess.PIPE, text=True) for one in range(processes)
    ]
    assert [writer.communicate(timeout=600)[1] for writer in writers] == [""] * processes


def check_complete(home: Home, *, processes: int, runs: int) -> None:
    with Registry.open(home, create=False) as registry:
        found = {run.id for run in registry.runs.search(status="finished")}
        assert found == {f"ner-{one}-{number}" for one in range(processes) for number in range(runs)}
        for run in found:
            shown = registry.runs.get(run)
            number = int(run.rpartition("-")[2])
            assert {value.key: value.number for value in shown.record.plan} == {f"k{i}": i for i in range(PARAMETERS)}
            assert {(row.step, row.name): row.value for row in shown.metrics} == {
                (step, f"m{i}"): number + i / 8 for step in range(STEPS) for i in range(PER_STEP)
            }


def test_a_few_processes_from_the_first_run_on(registry_home: Home) -> None:
    record_at_once(registry_home, processes=3, runs=5)
    check_complete(registry_home, processes=3, runs=5)
    files = {path.name for path in registry_home.root.iterdir()}
    assert files == {"runs", "store.json"} | (set() if registry_home.url else {"registry.db"})


@pytest.mark.slow
def test_eight_processes_of_two_hundred_runs_on_sqlite(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    record_at_once(home, processes=8, runs=200)
    check_complete(home, processes=8, runs=200)
    database = sqlite3.connect(home.database)
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()


@pytest.mark.slow
def test_eight_processes_on_postgresql(postgres: PostgresServer, postgres_database: str, tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home", url=postgres.url(postgres_database))
    record_at_once(home, processes=8, runs=25)
    check_complete(home, processes=8, runs=25)
