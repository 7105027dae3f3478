"""``label -o`` and ``export`` killed at any moment, a hundred times each: an output is whole or not there."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main
from labelkit.label.journal import journal_path
from test_kills import forked
from test_kills_commands import KILLS, LONGEST, YOUNG, kill

pytestmark = pytest.mark.slow
EXPORT = ("export", "shared", "model", "--to", "onnx")


@pytest.fixture
def work(trained: labelkit.RunResult, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory; commands of this process use the home with the shared run."""
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments: str) -> int:
    """Start a command in a process of its own, and return its id."""

    def run() -> None:
        if main(list(arguments)):
            raise SystemExit(1)

    return forked(run)


def whole(*arguments: str) -> float:
    """Do a command to its end, and return its duration in seconds."""
    started = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(command(*arguments), 0)[1]) == 0
    return time.monotonic() - started


def killed(given: Callable[[], tuple[str, ...]], look: Callable[[], object], longest: float) -> int:
    """Start and kill a command :data:`KILLS` times, look after each, and return how many were killed in time."""
    chance, count = random.Random(0), 0
    for _ in range(KILLS):
        took = kill(command(*given()), chance.uniform(0, longest * LONGEST))
        count += took is None
        look()
    return count


def hidden(folder: Path) -> set[str]:
    return {path.name for path in folder.glob(".*")}


def test_label(work: Path) -> None:
    texts, output = work / "in.txt", work / "out.jsonl"
    texts.write_text("".join(f"Ada {number} lives in New York .\n" for number in range(3000)))
    arguments = ("label", "shared", "in.txt", "-o", "out.jsonl")
    longest = whole(*arguments)
    expected = output.read_bytes()
    output.unlink()
    finished = resumed = 0

    def given() -> tuple[str, ...]:
        nonlocal resumed
        begun = journal_path(output).exists()
        resumed += begun
        return (*arguments, *(["--resume"] * begun))

    def look() -> None:
        nonlocal finished
        if output.exists():
            assert output.read_bytes() == expected
            output.unlink()
            finished += 1
            if journal_path(output).exists():  # killed after the output, before the journal was removed
                journal_path(output).unlink()

    assert killed(given, look, longest) > KILLS / 5
    assert finished > 0
    assert resumed > 0
    time.sleep(YOUNG)
    whole(*given())
    assert output.read_bytes() == expected
    assert hidden(work) == set()


def test_onnx(work: Path, home: Path) -> None:
    from labelkit.inference.onnx.export import MODEL, onnx_installed

    if not onnx_installed():
        pytest.skip("ONNX Runtime is not installed")
    output, cache = work / "model", home / "cache" / "onnx"
    longest = whole(*EXPORT)
    names = {path.name for path in output.iterdir()}
    rest = random.Random(1)

    def remove() -> None:
        import shutil

        shutil.rmtree(output, ignore_errors=True)
        if rest.random() < 0.5:  # else only the copy is made
            shutil.rmtree(cache, ignore_errors=True)

    def look() -> None:
        if output.exists():
            assert {path.name for path in output.iterdir()} == names
            assert (output / MODEL).stat().st_size > 0
        remove()

    remove()
    assert killed(lambda: EXPORT, look, longest) > KILLS / 5
    time.sleep(YOUNG)
    whole(*EXPORT)
    assert {path.name for path in output.iterdir()} == names
    assert hidden(work) == set()
    assert not [path for path in cache.rglob(".*") if path.is_dir()]


def test_export_to_transformers(work: Path) -> None:
    import shutil

    arguments = ("export", "shared", "model", "--to", "transformers", "--accept", "decoder")
    longest = whole(*arguments)
    output = work / "model"
    names = {path.name for path in output.iterdir()}
    shutil.rmtree(output)

    def look() -> None:
        if output.exists():
            assert {path.name for path in output.iterdir()} == names
            shutil.rmtree(output)

    assert killed(lambda: arguments, look, longest) > KILLS / 5
    time.sleep(YOUNG)
    whole(*arguments)
    assert {path.name for path in output.iterdir()} == names
    assert hidden(work) == set()
