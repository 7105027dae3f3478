"""Paths from outside that cannot be used: too long, looping, in a file, forbidden, a folder. One line for each."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelkit.cli import main
from labelkit.errors import DataError, RegistryError
from labelkit.formats.builtin import FORMATS
from labelkit.label.inputs import find_inputs
from labelkit.registry import Home

SENTENCE = "Ada Lovelace lives in London and met Bob in Paris. " * 6
ODD = {"too long": SENTENCE, "a loop": "loop", "in a file": "file/inner", "a folder": "folder", "missing": "nowhere"}
#: commands that take a path, which is @
COMMANDS = (
    "data show @", "data check @", "data convert @ out.jsonl --to jsonl", "data convert in.jsonl @/x --to jsonl",
    "data show train=@", "run ner --data @ --dry-run", "run ner --model ./@ --dry-run",
    "run ner --recipe ./@.toml --dry-run", "run ner --set data.path=@ --data conll2003 --dry-run", "runs why @",
    "label ./@ --text x", "evaluate ./@", "errors ./@", "onnx ./@", "runs export -o @/x --format csv",
)  # fmt: skip


@pytest.fixture
def odd_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, which holds the paths of :data:`ODD`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    Home(root=tmp_path / "home").create()
    Path("loop").symlink_to("loop")
    Path("file").touch()
    Path("folder").mkdir()
    Path("in.jsonl").write_text('{"tokens": ["Ada"], "ner": ["B-PER"]}\n')
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("odd_paths")
@pytest.mark.parametrize(
    "odd", [pytest.param(odd, marks=[pytest.mark.slow] * (odd not in ("too long", "a loop"))) for odd in ODD]
)
def test_odd_paths_are_one_error_in_every_command(odd: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        given = [word.replace("@", ODD[odd]) for word in command.split()]
        status = main(given)
        said = capsys.readouterr().err
        if status == 0:  # a new folder may be made for an output
            assert odd in ("missing", "a folder"), command
            assert "/x" in command, command
            continue
        assert status in (1, 2), (command, said)
        assert "bug in labelkit" not in said, (command, said)
        assert "Traceback" not in said, (command, said)
        assert "error: " in said.lower(), (command, said)


@pytest.mark.parametrize("odd", ["too long", "a loop", "in a file", "missing"])
def test_an_input_that_is_a_sentence_is_told_of_the_option(odd: str, odd_paths: Path) -> None:
    del odd_paths
    with pytest.raises(DataError) as caught:
        find_inputs([ODD[odd]], {known.name: known for known in FORMATS})
    assert "--text" in str(caught.value.hint)
    assert len(caught.value.message) < 150


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the paths that the system does not open; it opens every path for root, as whom tests may run."""
    paths: set[str] = set()

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **named: Any) -> Any:
            if str(path) in paths:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return function(path, *arguments, **named)

        return call

    for owner, name in ((os, "open"), (os, "scandir"), (Path, "open")):
        monkeypatch.setattr(owner, name, guarded(getattr(owner, name)))
    return paths


def test_files_without_permission_are_told_as_such(forbidden: set[str], tiny: Path, tmp_path: Path) -> None:
    from labelkit.errors import StorageError
    from labelkit.models.checkpoint import read_checkpoint
    from labelkit.models.checkpoint_files import weights_of

    folder, texts = Path(shutil.copytree(tiny, tmp_path / "model")), tmp_path / "texts"
    (folder / "labelkit.json").write_text("{}")
    (texts / "private").mkdir(parents=True)
    (texts / "a.txt").write_text("Ada")
    forbidden |= {str(folder / "labelkit.json"), str(folder / "model.safetensors"), str(texts / "private")}
    with pytest.raises(StorageError, match=r"labelkit.json cannot be read: permission denied"):
        read_checkpoint(folder)
    with pytest.raises(StorageError, match=r"model.safetensors cannot be read: permission denied"):
        weights_of(folder)
    found = find_inputs([str(texts)], {known.name: known for known in FORMATS})
    assert [one.path.name for one in found.files] == ["a.txt"]
    assert found.unlistable == (texts / "private",)


def test_a_home_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="is no path in UTF-8"):
        Home.find({"LABELKIT_HOME": os.fsdecode(os.fsencode(tmp_path) + b"/\xff")})


def test_out_of_memory_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from labelkit.cli import listing

    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(listing, "print_rows", fail)
    assert main(["tasks"]) == 1
    assert capsys.readouterr().err.startswith("error: out of memory\n  read less at once")
