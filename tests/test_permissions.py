"""Files of another user: each command says that permission is denied, and by which file, not that it is damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import labelkit

#: root may read everything, so it gives up that right, as any user is without it who does not own the files
AS_ANOTHER_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
OWNER = 65534
COMMANDS = """
import contextlib, io, json, sys
from labelkit.cli import main
for command in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = main(command)
    print(json.dumps([status, said.getvalue()]), flush=True)
"""
#: what its owner keeps private → its paths, their mode, and whether the registry can be read all the same
PRIVATE: dict[str, tuple[Callable[[Path], list[Path]], int, bool]] = {
    "model.safetensors": (lambda home: list(home.rglob("model.safetensors")), 0o600, True),
    "labelkit.json": (lambda home: list(home.rglob("labelkit.json")), 0o600, True),
    "config.json": (lambda home: list(home.rglob("config.json")), 0o600, True),
    "tokenizer.json": (lambda home: list(home.rglob("tokenizer.json")), 0o600, True),
    "checkpoint": (lambda home: list(home.glob("runs/*/checkpoints/*")), 0o700, True),
    "registry.db": (lambda home: list(home.glob("registry.db*")), 0o600, False),
    "store.json": (lambda home: [home / "store.json"], 0o600, False),
    "home": (lambda home: [home], 0o700, False),
}


@pytest.fixture(scope="module")
def another_user() -> None:
    """Skip where no other user can be made up."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("another user's files need root and setpriv")


@pytest.mark.slow
@pytest.mark.usefixtures("another_user")
@pytest.mark.parametrize("private", PRIVATE)
def test_files_of_another_user_are_forbidden_and_not_damaged(
    private: str, trained: labelkit.RunResult, home: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(home, tmp_path / "home"))
    find, mode, listed = PRIVATE[private]
    (found,) = [folder for folder in copy.glob("runs/*/checkpoints/*") if folder.name == trained.checkpoint.name]
    for path in find(copy):
        path.chmod(mode)
    for path in [copy, *copy.rglob("*")]:
        os.chown(path, OWNER, OWNER)
    commands = [
        ["label", "shared", "--text", "Ada"],
        ["label", str(found), "--text", "Ada"],
        ["evaluate", "shared"],
        ["runs", "verify"],
        ["runs", "list"],
        ["runs", "note", "shared", "x"],
        ["runs", "rm", "shared"],
    ]
    done = subprocess.run(
        [*AS_ANOTHER_USER, sys.executable, "-c", COMMANDS, json.dumps(commands)],
        env={**os.environ, "LABELKIT_HOME": str(copy)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(commands), done.stderr
    for command, (status, said) in zip(commands, answers, strict=True):
        needs_no_more = command[1] == "list" if listed else private != "home" and command[1] == str(found)
        assert status == (0 if needs_no_more else 1), (command, said)
        if status:
            assert "damaged" not in said, (command, said)
            assert "bug in labelkit" not in said, (command, said)
            assert any(word in said.lower() for word in ("permission denied", "read-only")), (command, said)
    assert sorted(path.name for path in copy.rglob("*")) == sorted(path.name for path in home.rglob("*"))
