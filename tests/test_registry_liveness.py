"""Living runs are never taken for dead, whatever stops them, and only the newest attempt at a run writes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer

import pytest

from labelkit.errors import RegistryError, StorageError
from labelkit.registry import Home, Registry, run_lock
from labelkit.registry.run_lock import LOCK, LockState, hold_lock, probe_lock
from recorded_runs import leave_lock, save, start

HOLD = """
import sys, time
from pathlib import Path
from labelkit.registry.run_lock import hold_lock

with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(folder: Path, *prefix: str) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock of a run in another process."""
    process = subprocess.Popen([*prefix, sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def registry(registry_home: Home) -> Iterator[Registry]:
    """Return a registry with one run that has been silent for months."""
    with Registry.open(registry_home, create=True) as registry:
        start(registry)
        yield registry


def look(registry: Registry) -> tuple[bool, int, int]:
    """Return whether the run counts as stale, and how many reap and ``gc --unfinished`` took."""
    stale = registry.runs.get("ner-1").stale
    reaped = len(registry.storage.reap())
    freed = registry.storage.collect_garbage(unfinished=True).freed
    return stale, reaped, len(freed)


def silent(registry: Registry, run: str) -> None:
    """Record a heartbeat of months ago, as of a process that was stopped since."""
    with registry._database.session(write=True) as connection:
        connection.exec_driver_sql(f"UPDATE runs SET heartbeat = started WHERE id = '{run}'")


def test_a_stopped_process_keeps_its_run_alive_and_a_killed_one_does_not(registry: Registry) -> None:
    folder = registry.home.runs / "ner-1"
    save(registry, "ner-1")
    silent(registry, "ner-1")
    with holder(folder) as process:
        process.send_signal(signal.SIGSTOP)
        assert look(registry) == (False, 0, 0)
        with pytest.raises(RegistryError, match=rf"is running \(process {process.pid} on "), hold_lock(folder):
            """A second process does not start beside the first."""
        process.kill()
        process.wait()
        assert look(registry) == (True, 1, 1)


def test_a_process_of_another_pid_namespace_is_seen_by_its_lock(registry: Registry) -> None:
    prefix = ("unshare", "--pid", "--fork", "--kill-child")
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
        pytest.skip("making a PID namespace is not allowed here")
    save(registry, "ner-1")
    silent(registry, "ner-1")
    with holder(registry.home.runs / "ner-1", *prefix):
        assert look(registry) == (False, 0, 0)


def test_clocks_of_machines_need_not_agree(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's clock counts; a single machine has the lock."""
    registry.recorder.heartbeat("ner-1")
    monkeypatch.setattr("labelkit.registry.liveness.now", lambda: datetime.now(UTC) + timedelta(hours=1))
    if registry.home.url:
        assert look(registry)[0] is False
        registry.recorder.heartbeat("ner-1")
        monkeypatch.undo()
        assert registry.runs.get("ner-1").heartbeat <= datetime.now(UTC) + timedelta(minutes=1)
    else:
        with hold_lock(registry.home.runs / "ner-1"):
            assert look(registry) == (False, 0, 0)


def test_a_living_run_reclaims_its_record(registry: Registry) -> None:
    assert [run.id for run in registry.storage.reap()] == ["ner-1"]
    registry.recorder.heartbeat("ner-1")
    shown = registry.runs.get("ner-1")
    assert (shown.status, shown.ended, shown.seconds, shown.error, shown.hint) == ("running", None, None, None, None)
    registry.recorder.finish("ner-1", "finished", seconds=5.0)
    assert registry.runs.get("ner-1").seconds == 5.0


def test_a_reclaimed_attempt_does_not_count_its_time_twice(registry: Registry) -> None:
    registry.recorder.finish("ner-1", "interrupted", seconds=5.0)
    registry.recorder.resume("ner-1")
    with registry._database.session(write=True) as connection:
        connection.exec_driver_sql("UPDATE attempts SET resumed = (SELECT started FROM runs)")
        connection.exec_driver_sql("UPDATE runs SET heartbeat = started")
    assert registry.storage.reap()
    registry.recorder.heartbeat("ner-1")
    registry.recorder.finish("ner-1", "finished", seconds=7.0)
    assert registry.runs.get("ner-1").seconds == 12.0


def test_an_older_attempt_writes_nothing_more(registry: Registry, registry_home: Home) -> None:
    registry.storage.reap()
    with Registry.open(registry_home, create=False) as other:
        other.recorder.resume("ner-1")
        before = other.runs.get("ner-1")
        match = rf"the run 'ner-1' was resumed by another process \({os.getpid()} on"
        for write in (
            lambda: registry.recorder.check_attempt("ner-1"),
            lambda: registry.recorder.heartbeat("ner-1"),
            lambda: registry.recorder.update("ner-1", peak_memory=1),
            lambda: save(registry, "ner-1"),
            lambda: registry.recorder.rewind("ner-1", step=0, best=None, last=None),
            lambda: registry.recorder.finish("ner-1", "failed", seconds=1.0),
        ):
            with pytest.raises(RegistryError, match=match) as caught:
                write()
            assert caught.value.hint == "attempt 1 ends here and writes nothing more; attempt 2 goes on"
        assert other.runs.get("ner-1") == before
        other.recorder.finish("ner-1", "finished", seconds=1.0)
        assert other.runs.get("ner-1").status == "finished"


def test_a_run_that_was_deleted_ends_before_it_writes(registry: Registry) -> None:
    registry.storage.delete_runs("ner-1", force=True)
    with pytest.raises(RegistryError, match="no run 'ner-1'"):
        registry.recorder.check_attempt("ner-1")


def test_garbage_collection_leaves_a_living_run_that_no_registry_knows(registry: Registry) -> None:
    run = "ner-20250101-000000-abcdef"
    save(registry, "ner-1")
    (registry.home.runs / "ner-1").rename(registry.home.runs / run)
    with hold_lock(registry.home.runs / run):
        found = registry.storage.collect_garbage(orphans=True)
        assert {one.path.name: one.reason for one in found.kept}[run] == "a process is training this run"
    assert (registry.home.runs / run).exists()


# -- the lock itself --------------------------------------------------------------------------------------------------


def test_the_lock_tells_held_from_free_and_from_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(root=tmp_path)
    folder = home.runs / "ner-1"
    assert probe_lock(folder) is LockState.UNKNOWN
    place = leave_lock(home, "ner-1")
    (folder / "resume").mkdir()
    assert probe_lock(folder) is LockState.FREE
    with hold_lock(folder) as lock:
        assert lock.before is LockState.FREE
        assert probe_lock(folder) is LockState.HELD
    for content in (b"", b"\xff", b"[]", b"{}", b'{"machine": ""}', b'{"machine": "another"}'):
        place.write_bytes(content)
        assert probe_lock(folder) is LockState.UNKNOWN
    with hold_lock(folder) as lock:
        assert lock.before is LockState.UNKNOWN
    place.unlink()
    os.mkfifo(place)
    assert probe_lock(folder) is LockState.UNKNOWN
    monkeypatch.setattr("labelkit.registry.run_lock.fcntl", None)
    assert probe_lock(folder) is LockState.UNKNOWN


def test_a_file_system_without_locks_leaves_it_to_the_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("labelkit.registry.run_lock.fcntl.flock", refuse)
    with hold_lock(tmp_path / "ner-1") as lock:
        lock.check()
        assert probe_lock(tmp_path / "ner-1") is LockState.UNKNOWN


def test_a_folder_that_nothing_was_written_to_goes_with_the_lock(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "runs" / "ner-1"):
        assert (tmp_path / "runs" / "ner-1" / LOCK).exists()
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("moved", [True, False], ids=["moved", "deleted"])
def test_a_folder_that_goes_while_it_is_locked_is_noticed(tmp_path: Path, moved: bool) -> None:
    folder = tmp_path / "ner-1"
    with hold_lock(folder) as lock:
        lock.check()
        if moved:
            folder.rename(tmp_path / "elsewhere")
        else:
            (folder / LOCK).unlink()
        with pytest.raises(StorageError, match="was moved or deleted while it trained"):
            lock.check()


def test_a_probe_never_keeps_a_run_from_its_lock(tmp_path: Path) -> None:
    place = leave_lock(Home(root=tmp_path), "ner-1")
    handle = os.open(place, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    started = time.monotonic()
    Timer(0.05, os.close, [handle]).start()
    with hold_lock(place.parent):
        assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize(
    ("machine", "host", "kind", "state"),
    [
        ("before", "here", "ext4", LockState.FREE),  # the machine was restarted
        ("before", "here", "nfs4", LockState.UNKNOWN),  # another machine may have this name
        ("before", "elsewhere", "ext4", LockState.UNKNOWN),  # the folder is a copy
        ("", "here", "ext4", LockState.UNKNOWN),
        ("before", "here", "", LockState.UNKNOWN),
        ("now", "elsewhere", "nfs4", LockState.FREE),
    ],
)
def test_a_restarted_machine_runs_nothing_of_before(
    machine: str, host: str, kind: str, state: LockState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / LOCK).write_text(json.dumps({"machine": machine, "host": host, "pid": 7}))
    monkeypatch.setattr(run_lock, "_machine", lambda: "now")
    monkeypatch.setattr("platform.node", lambda: "here")
    monkeypatch.setattr(run_lock, "_LOCAL", {kind} & run_lock._LOCAL and {the_file_system_of(tmp_path)})
    assert probe_lock(tmp_path) is state


def the_file_system_of(folder: Path) -> str:
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    (fields, *_) = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines() if number in line]
    return fields[fields.index("-") + 1]
