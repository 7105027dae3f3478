"""``labelkit label`` interrupted: what is kept, and how it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import labelkit
from label_command import SENTENCES, Label, label, lines, opened, write
from labelkit.errors import StorageError
from labelkit.label.journal import Journal, journal_path
from labelkit.label.labeller import Labeller

__all__ = ["label", "opened"]

# -- interruptions ----------------------------------------------------------------------------------------------------


def many(number: int) -> str:
    return lines(*(f"{SENTENCES[i % 3]} {'again ' * (i % 7)}{i}" for i in range(number)))


def interrupted_after(monkeypatch: pytest.MonkeyPatch, calls: int, error: BaseException) -> None:
    """Have labelling end with ``error`` once ``calls`` chunks are done."""
    finish, count = Labeller.finish, 0

    def once(self: Labeller, *given: Any) -> Any:
        nonlocal count
        count += 1
        if count > calls:
            raise error
        return finish(self, *given)

    monkeypatch.setattr(Labeller, "finish", once)


@pytest.mark.slow
@pytest.mark.parametrize("calls", [0, 1, 2])
def test_an_interrupted_command_goes_on_and_gives_the_same_bytes(
    label: Label, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    write("a.txt", many(500))
    write("b.jsonl", '{"text": "Ada"}\n{\n{"words": ["Bob"], "by": "me"}\n')
    assert label("a.txt", "b.jsonl", "-o", "whole.jsonl").status == 0
    with monkeypatch.context() as patch:
        interrupted_after(patch, calls, KeyboardInterrupt())
        done = label("a.txt", "b.jsonl", "-o", "o.jsonl")
    assert done.status == 130
    kept = "; resume with the same command and --resume" if calls else ""
    assert done.err == f"interrupted{kept}\n"
    assert (journal_path(Path("o.jsonl")).exists(), Path("o.jsonl").exists()) == (bool(calls), False)
    if calls:
        refused = label("a.txt", "b.jsonl", "-o", "o.jsonl")
        assert (refused.status, "resume it with --resume" in refused.err) == (1, True)
    again = label("a.txt", "b.jsonl", "-o", "o.jsonl", "--resume", "--json")
    assert again.status == 0
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    found = json.loads(again.out)
    before = [0, 64, 192][calls]
    assert (found["records"], found["failed"], found["resumed_after"]) == (502, 1, before)
    assert found["new_records"] == 502 - before
    assert found["new_words"] == found["words"] - words_of(Path("whole.jsonl"), before)
    assert found["words_per_second"] == pytest.approx(found["new_words"] / found["seconds"], rel=0.05)
    said = f"; resumed after {before} records: {502 - before} records, {found['new_words']:,} words in "
    assert (said in again.err) == bool(calls)
    assert not journal_path(Path("o.jsonl")).exists()


def words_of(labelled: Path, records: int) -> int:
    return sum(len(json.loads(line)["words"]) for line in labelled.read_text().splitlines()[:records])


def a_journal(label: Label, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Path:
    write("a.txt", many(300))
    with monkeypatch.context() as patch:
        interrupted_after(patch, 2, KeyboardInterrupt())
        assert label("a.txt", "-o", "o.jsonl", *arguments).status == 130
    return journal_path(Path("o.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 700, 50_000])
def test_a_torn_end_is_dropped(label: Label, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    journal = a_journal(label, monkeypatch)
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert label("a.txt", "-o", "o.jsonl", "--resume").status == 0
    assert label("a.txt", "-o", "whole.jsonl").status == 0
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_a_journal_with_other_bytes_in_it_counts_up_to_there(label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = a_journal(label, monkeypatch)
    content = bytearray(journal.read_bytes())
    content[-2000:-1000] = b"\x00" * 1000
    journal.write_bytes(content)
    done = label("a.txt", "-o", "o.jsonl", "--resume", "--json")
    assert json.loads(done.out)["resumed_after"] == 64


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("b.txt",), "was begun with other inputs\n"),
        (("a.txt", "--min-score", "0.5"), "was begun with other min_score\n"),
        (("a.txt", "--unit", "document"), "was begun with other reading\n"),
        (("a.txt", "--decoder", "argmax"), "was begun with other decoder\n"),
    ],
)
def test_another_command_does_not_go_on_with_it(
    label: Label, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    journal = a_journal(label, monkeypatch)
    write("b.txt", many(300))
    before = journal.read_bytes()
    done = label(*arguments, "-o", "o.jsonl", "--resume")
    assert (done.status, said in done.err) == (1, True), done.err
    assert journal.read_bytes() == before
    assert label(*arguments, "-o", "o.jsonl", "--force").status == 0


def test_an_input_that_changed_meanwhile_is_told(label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = a_journal(label, monkeypatch)
    write("a.txt", many(300).replace("again 2\n", "once 2\n", 1).replace("Bob met Cleo", "Bob saw Cleo", 1))
    done = label("a.txt", "-o", "o.jsonl", "--resume")
    assert done.status == 1
    assert "error: the input has changed since labelling began, at a.txt:2\n" in done.err
    write("a.txt", many(10))
    assert "since labelling began, at its end\n" in label("a.txt", "-o", "o.jsonl", "--resume").err
    assert journal.exists()


def test_two_commands_do_not_write_one_file(label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.txt", "Ada\n")
    with Journal.open(journal_path(Path("o.jsonl")), {}, resume=False, force=False):
        done = label("a.txt", "-o", "o.jsonl", "--force")
    assert (done.status, ".o.jsonl.part is in use by another command" in done.err) == (1, True)


def test_a_full_disk_keeps_what_is_there(label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.txt", many(300))
    add, count = Journal.append, 0

    def full(self: Journal, results: Any) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise StorageError("the disk is full", hint="make room; --resume goes on")
        add(self, results)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", full)
        assert label("a.txt", "-o", "o.jsonl").status == 1
    assert json.loads(label("a.txt", "-o", "o.jsonl", "--resume", "--json").out)["resumed_after"] == 192


def test_with_nothing_to_go_on_with_it_begins(label: Label) -> None:
    write("a.txt", "Ada\n")
    assert label("a.txt", "-o", "o.jsonl", "--resume").status == 0
    assert "exists already" in label("a.txt", "-o", "o.jsonl", "--resume").err


# -- real processes ---------------------------------------------------------------------------------------------------


def start(*arguments: str | Path, home: Path, **options: Any) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "LABELKIT_HOME": str(home), "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return subprocess.Popen(
        [sys.executable, "-m", "labelkit", "label", *map(str, arguments)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_killed_at_any_moment_it_goes_on_and_gives_the_same_bytes(
    trained: labelkit.RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: signal.Signals
) -> None:
    monkeypatch.chdir(tmp_path)
    write("a.txt", many(20_000))
    whole = start(trained.checkpoint, "a.txt", "-o", "whole.jsonl", home=tmp_path)
    assert whole.wait(500) == 0
    journal = journal_path(Path("o.jsonl"))
    killed = 0
    for _ in range(2):
        process = start(trained.checkpoint, "a.txt", "-o", "o.jsonl", "--resume", home=tmp_path)
        before = journal.stat().st_size if journal.exists() else 0
        while process.poll() is None and not (journal.exists() and journal.stat().st_size > before + 100_000):
            time.sleep(0.01)
        process.send_signal(end)
        status = process.wait(60)
        killed += status in (-signal.SIGKILL, 130)
        assert status in (-signal.SIGKILL, 130, 0), process.stderr and process.stderr.read()
    assert killed == 2
    last = start(trained.checkpoint, "a.txt", "-o", "o.jsonl", "--resume", "--json", home=tmp_path)
    out, _ = last.communicate(timeout=500)
    found = json.loads(out)
    assert 0 < found["resumed_after"] < found["records"] == 20_000
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    # the home is here too, and may hold an ONNX model
    left = sorted(path.name for path in tmp_path.iterdir() if path.name != "cache")
    assert left == ["a.txt", "o.jsonl", "whole.jsonl"]


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_it_quietly(trained: labelkit.RunResult, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(many(20_000))
    process = start(trained.checkpoint, tmp_path / "a.txt", home=tmp_path)
    assert process.stdout
    assert process.stderr
    assert json.loads(process.stdout.readline())["id"] == "1"
    process.stdout.close()
    assert process.wait(100) == 0
    assert process.stderr.read() == b""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input(trained: labelkit.RunResult, tmp_path: Path) -> None:
    script = """
import resource, sys
from labelkit.cli import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
raise SystemExit(status)
"""
    peaks = []
    for number in (5_000, 25_000):
        (tmp_path / "a.txt").write_text(many(number) + "Ada lives in Rome . " * 5_000 + "\n")
        done = subprocess.run(
            [sys.executable, "-c", script, "label", str(trained.checkpoint), str(tmp_path / "a.txt"),
             "-o", str(tmp_path / "o.jsonl"), "--force"],
            env={**os.environ, "LABELKIT_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(done.stderr.splitlines()[-1]))
    assert peaks[1] < peaks[0] + 60, peaks
