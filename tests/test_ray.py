"""``labelkit label --ray``: the bytes of one machine, whoever dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import labelkit
from label_command import Label, lines, write
from labelkit.cli import main
from labelkit.label.cluster.driver import shares
from labelkit.label.cluster.stream import RayCluster
from labelkit.label.journal import journal_path
from test_label_resume import many
from test_operating_points import without_curve

pytest_plugins = ("label_command",)
pytestmark = pytest.mark.slow

TOKEN = "0" * 64
#: seconds for whatever Ray does on a busy machine
PATIENCE = 900
#: to start a cluster
ATTEMPTS = 5
OPTIONS = ("--engine", "torch", "--precision", "fp32")


def process_names() -> dict[int, tuple[int, str]]:
    """Return process → its parent and its command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found[int(folder.name)] = (parent, (folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def descendants(pid: int, name: str) -> list[int]:
    """Return the processes that a process started, and those that they did, with ``name`` in their command line."""
    processes = process_names()

    def is_one(other: int) -> bool:
        while other in processes and other != pid:
            other = processes[other][0]
        return other == pid

    return [other for other, (_, command) in processes.items() if name in command and other != pid and is_one(other)]


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def head_of_cluster(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a cluster of two cores on loopback; give its address and its first process.

    :raises AssertionError: it does not start; Ray gives up within seconds on a machine that is very busy.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--node-ip-address=127.0.0.1",
        f"--port={port}", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats",
        "--object-store-memory=100000000", f"--temp-dir={folder}",
    ]  # fmt: skip
    log = folder / "log"
    with log.open("wb") as file:
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    try:
        deadline = time.monotonic() + PATIENCE
        while b"Ray runtime started" not in log.read_bytes():
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield f"127.0.0.1:{port}", process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Return the address of a cluster on loopback, and its first process."""
    variables = {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name, value in variables.items():
            patch.setenv(name, value)
        for attempt in range(ATTEMPTS):
            # the paths of Ray's sockets must be short
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
            try:
                found = stack.enter_context(head_of_cluster(Path(folder)))
                break
            except AssertionError:
                if attempt == ATTEMPTS - 1:
                    raise
        yield found


def start(home: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "labelkit", "label", *map(str, arguments)],
        env={**os.environ, "LABELKIT_HOME": str(home), "PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def assert_one_line(err: str) -> None:
    """Assert that a command said one line of error, and one of what to do."""
    error, hint = err.splitlines()
    assert error.startswith("error: ")
    assert hint.strip().startswith("what is labelled is kept")


def counts(summary: str) -> dict[str, object]:
    """Return what a summary counts, without what takes time."""
    found = json.loads(summary)
    return {name: value for name, value in found.items() if name not in ("seconds", "words_per_second", "output")}


def test_output_and_counts_are_those_of_one_machine(cluster: tuple[str, object], label: Label) -> None:
    write("in/a.jsonl", lines(*(
        json.dumps({"text": f"Ada met Bob {number} times . \U0001f600", "n": [number, None], "id": f"r{number}"})
        for number in range(700)
    ), '{"text": 3}', "broken"))  # fmt: skip
    write("in/b.txt", many(1500))
    for to in ("jsonl", "conllu", "csv"):
        one = label("in", "-o", f"one.{to}", "--to", to, "--json", *OPTIONS)
        ray = label("in", "-o", f"ray.{to}", "--to", to, "--json", *OPTIONS, "--ray", cluster[0], "--workers", "2")
        assert (one.status, ray.status) == (0, 0), ray.err
        assert Path(f"ray.{to}").read_bytes() == Path(f"one.{to}").read_bytes()
        assert counts(ray.out) == counts(one.out)
        assert json.loads(ray.out)["failed"] == 2
        assert [line for line in ray.err.splitlines() if "skipped" in line] == [
            line for line in one.err.splitlines() if "skipped" in line
        ]
    assert sorted(path.name for path in Path().iterdir() if path.name.startswith(".")) == []


def test_standard_output_and_strict(cluster: tuple[str, object], label: Label) -> None:
    write("a.jsonl", lines('{"text": "Ada slept ."}', '{"text": 3}', '{"text": "Bob met Ada ."}'))
    one, ray = label("a.jsonl", *OPTIONS), label("a.jsonl", *OPTIONS, "--ray", cluster[0])
    assert (ray.status, ray.out) == (0, one.out)
    strict = label("a.jsonl", "--strict", *OPTIONS, "--ray", cluster[0])
    assert (strict.status, strict.out, len(strict.err.splitlines())) == (1, "", 2)


def test_workers_need_no_operating_point_that_the_command_applies(
    cluster: tuple[str, object], label: Label, trained: labelkit.RunResult, home: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    root, database = tmp_path / "home", tmp_path / "registry.db"
    shutil.copytree(home, root)
    (root / database.name).rename(database)
    monkeypatch.setenv("LABELKIT_HOME", str(root))
    monkeypatch.setenv("LABELKIT_REGISTRY", f"sqlite:///{database}")  # which the workers of the cluster do not know
    old = f"{without_curve(trained.checkpoint, tmp_path / 'old')}/"
    assert main(["evaluate", "shared", "--split", "validation"]) == 0
    write("a.txt", many(100))
    at = ("a.txt", "--operating-point", "precision=1", "--json", *OPTIONS)
    one = label(*at, "-o", "one.jsonl", run=old)
    ray = label(*at, "-o", "ray.jsonl", "--ray", cluster[0], run=old)
    assert (one.status, ray.status) == (0, 0), ray.err
    assert Path("ray.jsonl").read_bytes() == Path("one.jsonl").read_bytes()
    assert counts(ray.out) == counts(one.out)
    assert json.loads(ray.out)["below_threshold"] > 0


def test_a_killed_worker_loses_and_doubles_nothing(
    cluster: tuple[str, subprocess.Popen[bytes]], trained: labelkit.RunResult, tmp_path: Path
) -> None:
    address, first = cluster
    (tmp_path / "a.txt").write_text(many(20_000))
    common = (trained.checkpoint or "", tmp_path / "a.txt", *OPTIONS)
    whole = start(tmp_path, *common, "-o", tmp_path / "whole.jsonl")
    assert whole.wait(PATIENCE) == 0
    process = start(tmp_path, *common, "-o", tmp_path / "ray.jsonl", "--json", "--ray", address, "--workers", "2")
    journal = journal_path(tmp_path / "ray.jsonl")
    wait_for(lambda: journal.exists() and journal.stat().st_size > 100_000, process)
    (killed, *_) = descendants(first.pid, "ray::MapWorker")
    os.kill(killed, signal.SIGKILL)
    for reader in descendants(first.pid, "ray::ReadShards"):
        os.kill(reader, signal.SIGKILL)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert json.loads(out)["records"] == 20_000
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_killed_command_resumes_on_the_cluster_and_without(
    cluster: tuple[str, subprocess.Popen[bytes]], trained: labelkit.RunResult, tmp_path: Path
) -> None:
    address, first = cluster
    (tmp_path / "a.txt").write_text(many(20_000))
    common = (trained.checkpoint or "", tmp_path / "a.txt", *OPTIONS, "-o", tmp_path / "o.jsonl", "--resume", "--json")
    journal = journal_path(tmp_path / "o.jsonl")
    before = 0
    for _ in range(2):
        process = start(tmp_path, *common, "--ray", address)
        wait_for(lambda: journal.exists() and journal.stat().st_size > before + 100_000, process)  # noqa: B023
        process.kill()
        process.wait()
        before = journal.stat().st_size
    deadline = time.monotonic() + PATIENCE  # what labelled for it ends with it
    while descendants(first.pid, "ray::MapWorker"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    last = start(tmp_path, *common)
    out, err = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, err
    assert 0 < json.loads(out)["resumed_after"] < json.loads(out)["records"] == 20_000
    whole = start(tmp_path, *common[:-4], "-o", tmp_path / "whole.jsonl")
    assert whole.wait(PATIENCE) == 0
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def listening(pid: int) -> list[str]:
    """Return the addresses in hex at which a process listens."""
    sockets = {os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()}
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()]
    return [row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]


def test_a_cluster_of_its_own_listens_on_loopback_and_its_death_is_one_line(
    trained: labelkit.RunResult, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text(many(20_000))
    common = (trained.checkpoint or "", tmp_path / "a.txt", *OPTIONS, "-o", tmp_path / "o.jsonl", "--resume")
    process = start(tmp_path, *common, "--ray")
    journal = journal_path(tmp_path / "o.jsonl")
    wait_for(lambda: journal.exists() and journal.stat().st_size > 100_000, process)
    (raylet,) = descendants(process.pid, "raylet/raylet ")
    addresses = [address for pid in descendants(process.pid, "") for address in listening(pid)]
    assert addresses
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    assert set(addresses) <= loopback
    os.kill(raylet, signal.SIGKILL)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, b"")
    assert_one_line(err.decode())
    last = start(tmp_path, *common, "--json")
    out, err = last.communicate(timeout=PATIENCE)
    assert json.loads(out)["resumed_after"] > 0, err


def end_of(pids: list[int]) -> None:
    """Wait until processes have ended."""
    deadline = time.monotonic() + PATIENCE
    while any(process_names().get(pid, (0, ""))[1] for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def assert_next_command_removes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Assert that a folder that is there no longer, or left by a killed command, is not there for the next one."""
    if folder.exists():
        os.utime(folder, (0, 0))  # as if a while ago
    monkeypatch.setattr(tempfile, "tempdir", str(folder.parent))
    with RayCluster("127.0.0.1:1"):
        assert not folder.exists()


def test_a_killed_command_leaves_no_process_and_no_other_cluster(
    trained: labelkit.RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text(many(20_000))
    common = (trained.checkpoint or "", tmp_path / "a.txt", *OPTIONS, "-o", tmp_path / "o.jsonl", "--resume")
    journal = journal_path(tmp_path / "o.jsonl")
    with tempfile.TemporaryDirectory(prefix="r") as temporary:  # the paths of Ray's sockets must be short
        monkeypatch.setenv("TMPDIR", temporary)
        process = start(tmp_path, *common, "--ray")
        wait_for(lambda: journal.exists() and journal.stat().st_size > 100_000, process)
        started = descendants(process.pid, "")
        (folder,) = Path(temporary).glob(".labelkit-*")
        process.kill()
        process.communicate()
        end_of(started)
        assert not (Path(temporary) / "ray").exists()  # which Ray Data would start
        assert_next_command_removes(folder, monkeypatch)


def test_the_next_command_removes_the_folder_of_one_that_was_killed_with_its_driver(
    trained: labelkit.RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text(many(20_000))
    with tempfile.TemporaryDirectory(prefix="r") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)
        process = start(tmp_path, trained.checkpoint or "", tmp_path / "a.txt", "-o", tmp_path / "o.jsonl", "--ray")
        wait_for(lambda: descendants(process.pid, "raylet/raylet "), process)
        started = descendants(process.pid, "")
        (driver,) = descendants(process.pid, "labelkit.label.cluster.driver")
        for pid, number in ((driver, signal.SIGSTOP), (process.pid, signal.SIGKILL), (driver, signal.SIGKILL)):
            os.kill(pid, number)
        process.communicate()
        end_of(started)
        (folder,) = Path(temporary).glob(".labelkit-*")
        assert_next_command_removes(folder, monkeypatch)


def test_a_worker_that_dies_again_and_again_is_an_error(
    cluster: tuple[str, subprocess.Popen[bytes]], trained: labelkit.RunResult, tmp_path: Path
) -> None:
    address, first = cluster
    (tmp_path / "a.txt").write_text(many(200_000))
    process = start(
        tmp_path, trained.checkpoint or "", tmp_path / "a.txt", *OPTIONS, "-o", tmp_path / "o.jsonl", "--ray", address
    )
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None:
        assert time.monotonic() < deadline
        for pid in descendants(first.pid, "ray::MapWorker"):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    _, err = process.communicate()
    assert process.returncode == 1
    assert_one_line(err.decode())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ray", "127.0.0.1:1"), "the Ray cluster at 127.0.0.1:1 cannot be reached"),
        (("--ray", "local", "--timeout", "1"), "Ray labelled nothing for 1 seconds"),
        (("--ray", "local", "--workers", "1000"), "1000 workers need a core each"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(
    fails: Callable[..., str], options: tuple[str, ...], said: str
) -> None:
    write("a.txt", "Ada slept .\n")
    try:
        assert said in fails("a.txt", *OPTIONS, "-o", "o.jsonl", *options)
    finally:
        Path("a.txt").unlink()


@pytest.mark.parametrize(
    "arguments",
    [("--ray", "in.txt"), ("--text", "x", "--ray"), ("in.txt", "--workers", "2"), ("in.txt", "--ray", "ray://h:1")],
)
def test_options_that_cannot_be_combined_are_wrong_usage(arguments: tuple[str, ...], home: Path) -> None:
    assert main(["label", "shared", *arguments]) == 2


def test_cores_are_shared_out_among_workers() -> None:
    two = {"CPU": 16.0, "node:10.0.0.1": 1.0, "node:10.0.0.2": 1.0, "node:__internal_head__": 1.0}
    assert shares(two, None) == (2, 8, 0)
    assert shares(two, 3) == (3, 5, 0)
    assert shares({**two, "GPU": 4.0}, None) == (4, 4, 1)
    with pytest.raises(labelkit.LabelkitError, match="17 workers need a core each, and the cluster has 16"):
        shares(two, 17)
