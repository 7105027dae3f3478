"""What Makefiles, CI and shells need: projects in recipe files, thresholds, copies, slow input, completion."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import click
import pytest

import labelkit
from labelkit.cli import main
from labelkit.cli.completion import TYPES, with_completion
from labelkit.cli.evaluate import check_thresholds, parse_threshold
from labelkit.cli.run import run as run_command
from labelkit.config.recipes import find_recipe, read_project, read_recipe, relative_reference
from labelkit.errors import LabelkitError
from labelkit.label.slow_input import chunks_until_pause
from labelkit.plugins.catalog import Catalog


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("a.conll", "b.conll"):
        (tmp_path / "data" / name).write_text("Ada B-PER\n\n")
    (tmp_path / "encoder" / "x").mkdir(parents=True)
    path = tmp_path / "project.toml"
    path.write_text(
        'task = "ner"\nrun = "nightly"\nmodel = "encoder/x"\n'
        '[data]\nreference = "train=data/a.conll,dev=data/b.conll"\npath = "elsewhere"\n'
    )
    return path


def test_paths_of_a_recipe_file_are_relative_to_it(project: Path, catalog: Catalog) -> None:
    recipe, folder = read_project(project, catalog), project.parent
    assert (recipe.task, recipe.run) == ("ner", "nightly")
    assert recipe.settings["data"] == f"train={folder}/data/a.conll,validation={folder}/data/b.conll"
    assert recipe.settings["model"] == f"{folder}/encoder/x"
    assert recipe.settings["data.path"] == "elsewhere"  # does not exist there
    assert relative_reference("data", folder) == f"{folder}/data"
    assert relative_reference("hub:org/name", folder) == "hub:org/name"
    assert read_recipe(project, catalog).settings["model"] == "encoder/x"


def test_the_name_of_a_source_is_no_path(project: Path, catalog: Catalog) -> None:
    (project.parent / "wnut17").mkdir()
    project.write_text('[data]\nreference = "wnut17"\n')
    assert read_project(project, catalog).settings["data"] == "wnut17"


def test_a_recipe_of_another_task_or_with_odd_names_is_refused(project: Path, catalog: Catalog) -> None:
    with pytest.raises(LabelkitError, match="is for task 'ner', not 'pos'"):
        find_recipe(catalog.tasks["pos"], str(project), catalog)
    project.write_text("task = 3\n")
    with pytest.raises(LabelkitError, match="task must be a name"):
        read_recipe(project, catalog)


def test_a_project_is_one_command(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(project.parent / "home"))
    given: list[Any] = []

    def prepare(request: Any, *_: Any, **__: Any) -> Any:
        given.append(request)
        raise LabelkitError("enough")

    monkeypatch.setattr("labelkit.train.preparation.prepare", prepare)
    assert main(["run", "--recipe", str(project), "--replace"]) == 1
    assert main(["run", "--recipe", str(project), "--name", "mine"]) == 1
    assert [(one.task, one.name, one.replaces) for one in given] == [("ner", "nightly", True), ("ner", "mine", False)]
    project.write_text('summary = "no task"\n')
    assert main(["run", "--recipe", str(project)]) == 2
    assert 'names none, as task = "NAME" does' in capsys.readouterr().err
    assert main(["run", "ner", "--replace", "--name", "x", "--seeds", "2"]) == 2
    assert main(["run", "--resume", "x", "--replace"]) == 2
    assert "--replace cannot be combined with --resume" in capsys.readouterr().err


FIGURES = {"f1": 0.5, "accuracy": math.nan, "scheme": "IOB2", "per_type": {"PER": {"f1": 0.25}}}


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        (["f1=0.5", "PER.f1=0.25"], ""),
        (["f1=0.6", "PER.f1=0.3"], "f1 is 0.5000, below 0.6; PER.f1 is 0.2500, below 0.3"),
        (["accuracy=0"], "accuracy is nan, below 0"),
        (["fl=0.1"], "--at-least: no metric 'fl' was computed"),
        (["scheme=1"], "--at-least: no metric 'scheme' was computed"),
    ],
)
def test_scores_below_a_threshold_fail(thresholds: list[str], message: str) -> None:
    if not message:
        check_thresholds(thresholds, FIGURES)
        return
    with pytest.raises(LabelkitError) as raised:
        check_thresholds(thresholds, FIGURES)
    assert raised.value.message == message


@pytest.mark.parametrize("text", ["f1", "=0.5", "f1=high", "f1=nan", ""])
def test_thresholds_are_metric_and_number(text: str) -> None:
    with pytest.raises(click.UsageError, match="--at-least takes METRIC=X"):
        parse_threshold(text)


def test_a_checkpoint_is_copied_out_once(
    trained: labelkit.RunResult, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    target = tmp_path / "new" / "copy"
    assert main(["runs", "copy", "shared", str(target), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["path"] == str(target)
    names = {path.name for path in trained.checkpoint.iterdir()}
    assert {path.name for path in target.iterdir()} == names
    assert all((target / name).read_bytes() == (trained.checkpoint / name).read_bytes() for name in names)
    assert main(["runs", "copy", "shared", str(target)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_slow_inputs_are_answered_and_fast_ones_are_not_cut_small() -> None:
    lines: Queue[int | None] = Queue()
    chunks = chunks_until_pause(iter(lines.get, None), records=64, seconds=0.05)
    lines.put(1)
    assert (next(chunks), next(chunks)) == ([1], [])
    for number in range(100):
        lines.put(number)
    lines.put(None)
    assert [len(chunk) for chunk in chunks if chunk] == [64, 36]


def test_an_error_of_a_slow_input_comes_after_what_came_before() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LabelkitError("broken")

    chunks = chunks_until_pause(broken(), seconds=5)
    assert next(chunks) == [1]
    with pytest.raises(LabelkitError, match="broken"):
        next(chunks)


@pytest.mark.slow
def test_a_line_that_is_typed_is_answered(trained: labelkit.RunResult, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labelkit", "label", str(trained.checkpoint), "-", "--engine", "torch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        killer = threading.Timer(120, process.kill)
        killer.start()
        for text in ("Bob met Tim .", "Ada lives in Rome ."):
            process.stdin.write(text + "\n")
            process.stdin.flush()
            started = time.monotonic()
            assert json.loads(process.stdout.readline())["text"] == text
            assert text.startswith("Bob") or time.monotonic() - started < 30  # the first one loads the model
        process.stdin.close()
        killer.cancel()
    assert process.returncode == 0


def test_shells_are_told_what_is_known(
    trained: labelkit.RunResult, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    command = with_completion(run_command)
    types = {param.name: param.type for param in command.params}
    assert types["task"] is TYPES["task"]
    context = click.Context(command)

    def offered(name: str, incomplete: str) -> list[str]:
        return [item.value for item in TYPES[name].shell_complete(context, command.params[0], incomplete)]

    assert offered("task", "n") == ["ner"]
    assert offered("run", "sha") == ["shared"]
    assert trained.run in offered("run", "ner-")
    assert offered("run", "latest") == ["latest"]
    assert "ner@best" in offered("resume", "ner@")
    monkeypatch.setenv("LABELKIT_HOME", str(home / "registry.db"))
    assert offered("run", "") == []  # what cannot be read offers nothing


@pytest.mark.slow
def test_completion_loads_no_torch(trained: labelkit.RunResult, home: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from labelkit.cli import main\n"
        "try: main([])\nfinally: print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    )
    words = {"_LABELKIT_COMPLETE": "bash_complete", "COMP_WORDS": "labelkit label sha", "COMP_CWORD": "2"}
    environment = {**os.environ, **words, "LABELKIT_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["plain,shared", "[]"]
