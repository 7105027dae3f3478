"""Where output goes: files, links, devices, pipes and standard output; permissions; leftovers of killed commands."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import labelkit
from label_command import Label
from labelkit.cli import main
from labelkit.console.output import StreamOutput, TerminalStream, open_output
from labelkit.console.results import results, results_only
from labelkit.errors import LabelkitError
from labelkit.files.atomic import new_file, new_folder, private_folder
from labelkit.files.output import new_output
from labelkit.formats.spreadsheet import safe_cell
from labelkit.label.labeller import Labeller
from labelkit.registry import Home

pytest_plugins = ("label_command",)
TEXT = "Ada Lovelace lives in New York ."


def a_device(path: Path, minor: int = 3) -> Path:
    """Make a device that takes everything, as /dev/null does; minor 7 is full, as /dev/full is."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        path.write_bytes(b"")
    except PermissionError:
        pytest.skip("device nodes need root")
    return path


class PipeReader(threading.Thread):
    """Reads a named pipe to its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        os.mkfifo(path)
        self.path, self.content = path, b""
        self.start()

    def run(self) -> None:
        self.content = self.path.read_bytes()

    def finish(self) -> bytes:
        assert stat.S_ISFIFO(self.path.stat().st_mode)
        self.join(10)
        return self.content


# -- devices, pipes, links --------------------------------------------------------------------------------------------


@pytest.fixture
def copied_home(trained: labelkit.RunResult, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the home with the shared run; the working directory is empty."""
    copy = tmp_path / "home"
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns(".*"))  # not what another test writes at the time
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("LABELKIT_HOME", str(copy))
    return copy


COMMANDS = {
    "label": ("label", "shared", "--text", TEXT, "--to", "jsonl"),
    "evaluate": ("evaluate", "shared", "--split", "validation", "--to", "jsonl"),
    "report": ("runs", "report", "shared"),
    "export": ("runs", "export", "--format", "csv"),
    "convert": ("data", "convert", "in.conll", "--to", "jsonl"),
}


def run_to(command: str, target: Path | str, *more: str) -> int:
    option = [] if command == "convert" else ["-o"]
    Path("in.conll").write_text("Ada B-PER\n\n")
    return main([*COMMANDS[command], *option, str(target), *more])


@pytest.mark.usefixtures("copied_home")
@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=[pytest.mark.slow] * (name in ("report", "evaluate"))) for name in COMMANDS]
)
def test_no_command_replaces_what_is_not_a_file(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = a_device(tmp_path / "device")
    assert run_to(command, device, "--force") == 0
    assert stat.S_ISCHR(device.stat().st_mode)
    pipe = PipeReader(tmp_path / "pipe")
    assert run_to(command, pipe.path) == 0
    through_the_pipe = pipe.finish()
    link, target = tmp_path / "link", tmp_path / "there" / "target"
    link.symlink_to(target)
    target.parent.mkdir()
    target.write_text("before")
    assert run_to(command, link, "--force") == 0
    assert link.is_symlink()
    capsys.readouterr()
    assert run_to(command, "-") == 0
    shown = capsys.readouterr().out.encode()
    if command == "report":  # which says when it was written, and lists the reports before it
        assert all(page.rstrip().endswith(b"</html>") for page in (target.read_bytes(), through_the_pipe, shown))
    else:
        assert target.read_bytes() == through_the_pipe == shown
    assert shown
    assert run_to(command, a_device(tmp_path / "full", 7)) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob(".*")] == []


def test_a_parquet_file_does_not_go_into_a_pipe(tmp_path: Path, copied_home: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert main(["runs", "export", "--format", "parquet", "-o", str(tmp_path / "pipe")]) == 2
    Path("in.conll").write_text("Ada B-PER\n\n")
    assert main(["data", "convert", "in.conll", str(tmp_path / "pipe"), "--to", "parquet"]) == 1


INPUTS = {
    "label": ("label", "shared", "in.jsonl", "--to", "jsonl", "-o", "{target}"),
    "evaluate": ("evaluate", "shared", "--data", "in.jsonl", "--to", "jsonl", "-o", "{target}"),
    "evaluate a folder": ("evaluate", "shared", "--data", "folder", "--to", "jsonl", "-o", "folder/train.jsonl"),
    "errors": ("errors", "shared", "--data", "test=in.jsonl", "--to", "jsonl", "-o", "{target}"),
    "convert": ("data", "convert", "in.jsonl", "{target}", "--to", "jsonl"),
}


@pytest.mark.usefixtures("copied_home")
@pytest.mark.parametrize("command", INPUTS)
@pytest.mark.parametrize("target", ["in.jsonl", "link", "hardlink"])
def test_what_is_read_is_never_written(command: str, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder").mkdir()
    content = '{"tokens": ["Ada"], "ner": ["B-PER"]}\n'
    for file in (Path("in.jsonl"), Path("folder/train.jsonl")):
        file.write_text(content)
    Path("link").symlink_to("in.jsonl")
    os.link("in.jsonl", "hardlink")
    given = [argument.format(target=target) for argument in INPUTS[command]]
    assert main([*given, "--force"]) == 1
    assert "is read and written at once" in capsys.readouterr().err
    assert Path("in.jsonl").read_text() == Path("folder/train.jsonl").read_text() == content


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a loop": (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    "a folder": (Path.mkdir, "is a folder"),
    "a long name": (lambda path: None, "file name too long"),
    "a socket": (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "no such device or address"),
    "in a file": (lambda path: path.touch(), "cannot be written"),
}


@pytest.mark.parametrize("odd", ODD)
def test_targets_that_cannot_be_written_are_one_error(
    odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("x" * 300 if odd == "a long name" else "odd")
    ODD[odd][0](path)
    for write in (open_output(path / "in" if odd == "in a file" else path, "jsonl", force=True),):
        with pytest.raises(LabelkitError) as caught, write as output:
            output.stream.write(b"x")
        assert ODD[odd][1] in caught.value.message
        assert caught.value.hint


def test_a_home_whose_runs_are_a_link_makes_no_folder_elsewhere(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    home.root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    for target in ("elsewhere", "nowhere"):
        home.runs.symlink_to(tmp_path / target)
        with pytest.raises(LabelkitError, match="is a link, and labelkit creates no folders outside"):
            home.create()
        home.runs.unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "home"]
    assert list(home.root.iterdir()) == list((tmp_path / "elsewhere").iterdir()) == []


# -- permissions ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[0o077, 0o022, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Set the umask."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes_in(folder: Path) -> set[str]:
    """Return the permissions of all files and folders in a folder."""
    return {
        f"{'file' if path.is_file() else 'folder'} {stat.S_IMODE(path.stat().st_mode):o}" for path in folder.rglob("*")
    }


def test_everything_gets_its_permissions_by_the_umask(umask: int, tmp_path: Path, tiny: Path) -> None:
    from safetensors.numpy import save_file

    out = tmp_path / "out"
    with new_output(out / "a.ann") as output:
        output.stream.write(b"x")
        output.beside(".txt").write(b"x")
    with new_file(out / "file") as file:
        file.write_text("x")
    with new_folder(out / "folder") as folder:
        (folder / "inner").mkdir(mode=0o700)
        save_file({}, folder / "model.safetensors")  # which makes it private
        private = os.open(folder / "inner" / "file", os.O_CREAT | os.O_WRONLY, 0o600)
        os.close(private)
    assert modes_in(tmp_path) == {f"file {0o666 & ~umask:o}", f"folder {0o777 & ~umask:o}"}


def test_what_replaces_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    for mode in (0o600, 0o440, 0o664):
        path.chmod(mode)
        with new_output(path, force=True) as output:
            (temporary,) = tmp_path.glob(".*")
            assert stat.S_IMODE(temporary.stat().st_mode) == mode | 0o600
            output.stream.write(b"x")
        assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.slow
@pytest.mark.usefixtures("copied_home")
@pytest.mark.parametrize("umask", [pytest.param(0o077, id="0o77")], indirect=True)
def test_commands_follow_the_umask(umask: int, tmp_path: Path) -> None:
    for command in COMMANDS:
        assert run_to(command, tmp_path / "out" / command) == 0
    assert modes_in(tmp_path / "out") == {f"file {0o666 & ~umask:o}"}


# -- leftovers --------------------------------------------------------------------------------------------------------

KILLED = """
import sys, os, signal
from pathlib import Path
from labelkit.files.atomic import folder_beside, new_file, new_folder, private_folder
path = Path(sys.argv[1])
with (
    new_file(path / "file"), new_folder(path / "folder") as folder, folder_beside(path / "file"),
    private_folder(path / "spool"),
):
    (folder / "inner").touch()
    print("begun", flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def hidden_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*"))


def test_the_next_command_removes_what_a_killed_one_left_but_not_what_another_writes(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    other = tmp_path / ".file-0123456789ab.txt"  # not of these names
    other.touch()

    def write() -> None:
        for leftover in hidden_in(tmp_path):
            os.utime(leftover, (time.time() - 60, time.time() - 60))
        with new_file(tmp_path / "file") as file:
            file.touch()
        with new_folder(tmp_path / "folder"):
            shutil.rmtree(tmp_path / "folder", ignore_errors=True)
        with private_folder(tmp_path / "spool") as spool:
            assert stat.S_IMODE(spool.stat().st_mode) == 0o700

    write()
    assert len(hidden_in(tmp_path)) == 5  # another command is writing them
    process.communicate("go\n", timeout=20)
    assert process.returncode == -signal.SIGKILL
    assert len(hidden_in(tmp_path)) == 5
    write()
    assert hidden_in(tmp_path) == [other]


# -- standard output --------------------------------------------------------------------------------------------------

PRINTS = """
import ctypes, os, subprocess, sys
from labelkit.console.results import results, results_only
with results_only():
    print("a metric prints")
    os.write(1, b"a library writes\\n")
    ctypes.CDLL(None).puts(b"a C library prints")
    ctypes.CDLL(None).fflush(None)
    subprocess.run(["echo", "another program prints"])
    results().write("the result\\n")
print("after it")
"""


def test_standard_output_holds_the_result_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTS.replace("\\\\", "\\")], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "the result\nafter it\n"
    said = ["a C library prints", "a library writes", "a metric prints", "another program prints"]
    assert sorted(done.stderr.splitlines()) == said


def test_a_closed_pipe_or_no_standard_output_ends_without_noise() -> None:
    script = "import os, sys\nfrom labelkit.console.results import results, results_only\nwith results_only():\n"
    broken = f"{script}    results().write('x' * 100_000)"
    done = subprocess.run(f'{sys.executable} -c "{broken}" | true', shell=True, capture_output=True, text=True)
    assert "BrokenPipeError" in done.stderr
    assert "Exception ignored" not in done.stderr
    for closed in (">&-", "2>&-"):
        command = f"{sys.executable} -c \"{script}    print('x')\" {closed}"
        assert subprocess.run(command, shell=True, check=False).returncode == 0


def test_what_a_decoder_prints_is_not_in_the_json(label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    label_all = Labeller.label_all

    def noisy(self: Labeller, *arguments: object) -> object:
        sys.stdout.write("a decoder prints\n")
        return label_all(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Labeller, "label_all", noisy)
    done = label("--text", TEXT, "--json")
    assert json.loads(done.out)["text"] == TEXT
    assert "a decoder prints" in done.err


def test_commands_within_commands_share_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    with results_only():
        first = results()
        with results_only():
            assert results() is first
        sys.stdout.write("noise\n")
    assert capsys.readouterr() == ("", "noise\n")


# -- terminals and spreadsheets ---------------------------------------------------------------------------------------

CONTROLS = "a\x1b[31mb\x9bc\u202ed\x07e\x7ff"
SHOWN = "a␛[31mb\ufffdc\ufffdd␇e␡f"


def test_a_terminal_shows_control_characters_as_symbols() -> None:
    stream = io.BytesIO()
    terminal = TerminalStream(stream)
    for byte in f"{CONTROLS}\tB-PER".encode():  # characters may be cut between two writes
        terminal.write(bytes([byte]))
    terminal.write(b"\r\n")
    assert stream.getvalue().decode() == f"{SHOWN}\tB-PER\n"
    assert StreamOutput(stream, "jsonl").stream is stream  # no terminal: exact


@pytest.mark.parametrize("to", ["conll", "csv", "jsonl"])
def test_records_on_a_terminal_hold_no_control_character_and_in_a_file_all(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in.conll"
    source.write_text(json.dumps({"tokens": [CONTROLS], "labels": ["B-PER"]}) + "\n")
    given = ["data", "convert", str(source), "--from", "jsonl", "--to", to]
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", terminal)
        assert main([*given, "-"]) == 0
    shown = os.read(ours, 10_000).decode()
    assert "B-PER" in shown
    assert not set(shown) & set("\x1b\x9b\u202e\x07\x7f")
    assert main([*given, str(tmp_path / "out")]) == 0
    content = (tmp_path / "out").read_text(encoding="utf-8")
    assert CONTROLS in content or json.loads(content)["words"] == [CONTROLS]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"])
def test_text_that_is_a_formula_gets_a_quote(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert safe_cell(f" {text}") == f" {text}"


def test_safe_cells_are_for_text_and_headings_and_not_for_numbers(label: Label) -> None:
    record = {"text": "=HYPERLINK(0) lives in Lima .", "=field": "@x", "number": -5}
    Path("in.jsonl").write_text(json.dumps(record) + "\n")
    done = label("in.jsonl", "--to", "csv", "--safe-cells")
    header, row = csv.reader(io.StringIO(done.out))
    found = dict(zip(header, row, strict=True))
    assert (found["text"], found["'=field"]) == (f"'{record['text']}", "'@x")
    exact = label("in.jsonl", "--to", "csv").out
    assert dict(zip(*csv.reader(io.StringIO(exact)), strict=True))["=field"] == "@x"
    assert label("in.jsonl", "--safe-cells").status == 2


def test_exported_runs_hold_no_formula(copied_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.closing(sqlite3.connect(copied_home / "registry.db", isolation_level=None)) as database:
        database.execute("UPDATE runs SET data = '=cmd'")
    for option, data in (((), "'=cmd"), (("--exact-cells",), "=cmd")):
        assert main(["runs", "export", *option]) == 0
        header, row = csv.reader(io.StringIO(capsys.readouterr().out))
        assert row[header.index("data")] == data
