"""A disk that is full at any write: a command ends with one clear line, and what was there before is still whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main
from labelkit.registry import Home, Registry
from recorded_runs import fill
from test_kills import forked

pytest_plugins = ("recorded_home",)
pytestmark = pytest.mark.slow

#: bytes between two amounts of free space
STEP = 48 << 10
#: what the system, the disk and SQLite say
FULL = re.compile("disk is full|No space left|cannot be read or written")


def end_of(arguments: list[str], said: Path) -> tuple[int, str]:
    """Return the status of a command in a process of its own, and what it wrote to stderr."""

    def command() -> None:
        with said.open("w", encoding="utf-8") as file, redirect_stderr(file):
            status = main(arguments)
        os._exit(status)

    status = os.waitstatus_to_exitcode(os.waitpid(forked(command), 0)[1])
    return status, said.read_text(encoding="utf-8")


def with_every_room(small: Path, arguments: list[str], said: Path, check: Callable[[int], None]) -> int:
    """Run a command with more and more free space until it succeeds; return how often the disk was full.

    :param check: called with the status after each attempt, when there is room again.
    """
    for attempt in range(200):
        filled = fill(small)
        os.truncate(filled, max(filled.stat().st_size - attempt * STEP, 0))
        status, text = end_of(arguments, said)
        filled.unlink()
        check(status)
        if status == 0:
            return attempt
        (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
        assert FULL.search(line), text
        assert "this is a bug" not in text
        assert "Traceback" not in text
    raise AssertionError("it never succeeded")


@pytest.fixture
def home(small: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return a home on the small disk, used by commands of this process."""
    subprocess.run(["mount", "-o", "remount,size=16m", str(small)], check=True)
    home = Home(root=small / "home")
    monkeypatch.setenv("LABELKIT_HOME", str(home.root))
    monkeypatch.delenv("LABELKIT_REGISTRY", raising=False)
    # the estimate would refuse to start; here the disk is to fill up on the way
    monkeypatch.setattr("labelkit.train.run.check_disk_space", lambda *given: None)
    monkeypatch.setattr("labelkit.cli.run.check_disk_space", lambda *given: None, raising=False)
    monkeypatch.setattr("labelkit.train.disk_space.check_disk_space", lambda *given: None)
    return home


def test_a_run(tiny: Path, corpus: Path, home: Home, small: Path, tmp_path: Path) -> None:
    def check(status: int) -> None:
        if home.database.exists():
            with Registry.open(home, create=False) as registry:
                assert registry.storage.verify().ok
                finished = [run for run in registry.runs.search() if run.status == "finished"]
                assert len(finished) == (status == 0)
        if status:
            shutil.rmtree(home.root, ignore_errors=True)

    arguments = ["run", "ner", "--data", str(corpus), "--model", str(tiny), "--epochs", "1"]
    assert with_every_room(small, arguments, tmp_path / "said", check) > 5


@pytest.fixture
def recorded(tiny: Path, corpus: Path, home: Home) -> Home:
    """Return the home with one finished run."""
    train = forked(lambda: labelkit.run("ner", data=str(corpus), model=str(tiny), epochs=1, home=home.root))
    assert os.waitstatus_to_exitcode(os.waitpid(train, 0)[1]) == 0
    return home


@pytest.mark.parametrize("what", ["export", "report"])
def test_a_file_of_a_run(what: str, recorded: Home, small: Path, tmp_path: Path) -> None:
    output = small / "written"
    output.write_text("as it was", encoding="utf-8")

    def check(status: int) -> None:
        if status:
            assert output.read_text(encoding="utf-8") == "as it was"
        assert {path.name for path in small.iterdir()} == {"home", "written"}
        with Registry.open(recorded, create=False) as registry:
            assert registry.storage.verify().ok

    given = ["--format", "json"] if what == "export" else ["latest"]
    arguments = ["runs", what, *given, "-o", str(output), "--force"]
    assert with_every_room(small, arguments, tmp_path / "said", check) > 0


def test_labelled_texts(recorded: Home, small: Path, tmp_path: Path) -> None:
    """What was labelled before is as it was; what is labelled now is kept in the journal."""
    texts, output = tmp_path / "in.txt", small / "written.jsonl"
    texts.write_text("".join(f"Ada {number} lives in New York .\n" for number in range(400)), encoding="utf-8")
    output.write_text("as it was", encoding="utf-8")
    whole = output.stat().st_size

    def check(status: int) -> None:
        names = {path.name for path in small.iterdir()}
        if status:
            assert output.read_text(encoding="utf-8") == "as it was"
            assert names <= {"home", "written.jsonl", ".written.jsonl.part"}
        else:
            assert len(output.read_text(encoding="utf-8").splitlines()) == 400
            assert names == {"home", "written.jsonl"}
        with Registry.open(recorded, create=False) as registry:
            assert registry.storage.verify().ok

    arguments = ["label", "latest", str(texts), "-o", str(output), "--force"]
    assert with_every_room(small, arguments, tmp_path / "said", check) > 3
    assert output.stat().st_size > whole


def test_an_onnx_model(recorded: Home, small: Path, tmp_path: Path) -> None:
    def check(status: int) -> None:
        assert {path.name for path in small.iterdir()} == {"home"} | ({"model"} if status == 0 else set())
        with Registry.open(recorded, create=False) as registry:
            assert registry.storage.verify().ok
        if status:  # what is left in the cache is a whole model, or none
            assert not list((recorded.cache / "onnx").rglob(".*"))
            shutil.rmtree(recorded.cache / "onnx", ignore_errors=True)

    arguments = ["export", "latest", str(small / "model"), "--to", "onnx"]
    assert with_every_room(small, arguments, tmp_path / "said", check) > 3


@pytest.mark.parametrize("target", ["transformers", "transformers.js"])
def test_an_export(target: str, recorded: Home, small: Path, tmp_path: Path) -> None:
    def check(status: int) -> None:
        assert {path.name for path in small.iterdir()} == {"home"} | ({"model"} if status == 0 else set())
        with Registry.open(recorded, create=False) as registry:
            assert registry.storage.verify().ok

    options = ["--accept", "decoder"] if target == "transformers" else ["--no-int8"]
    arguments = ["export", "latest", str(small / "model"), "--to", target, *options]
    assert with_every_room(small, arguments, tmp_path / "said", check) > 0
