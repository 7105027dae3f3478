"""An installation without torch and transformers: what labels works, and the rest says which extra it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main
from labelkit.errors import EXTRAS, LabelkitError, MissingPackageError, missing_package, require_extra
from labelkit.inference.onnx.kept import keep_model
from labelkit.label.labeller import Labeller
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

ROOT = Path(__file__).parents[1]
#: the commands of a small installation: their arguments, the exit status, and what one of them prints
COMMANDS = (
    ("label", "shared", "--text", "Ada lives in Rome ."),
    ("label", "shared", "NOTES", "-o", "out.jsonl"),
    ("runs", "list"),
    ("runs", "show", "shared"),
    ("runs", "verify"),
    ("tasks",),
    ("metrics",),
    ("plugins",),
    ("data", "show", "GOLD"),
)
REFUSED = {
    ("run", "ner", "--data", "GOLD"): "train",
    ("evaluate", "shared"): "train",
    ("errors", "shared"): "train",
    ("export", "shared", "out", "--to", "transformers"): "train",
    ("runs", "repeat", "shared"): "train",
    ("data", "check", "GOLD"): "train",
    ("plugins", "check", "ner"): "train",
    ("adopt", "./home"): "train",
    ("label", "shared", "--text", "x", "--engine", "torch"): "train",
    ("label", "shared", "--text", "x", "--engine", "openvino"): "fast",
    ("export", "shared", "--to", "onnx"): "fast",
    ("label", "shared", "NOTES", "--to", "parquet", "-o", "out.parquet"): "parquet",
    ("runs", "export", "--format", "parquet", "-o", "runs.parquet"): "parquet",
    ("ui",): "serve",
}
#: runs commands, one a line, with the packages of the extras blocked, and prints the status and what each wrote
SCRIPT = """
import contextlib, importlib.util, io, json, sys
blocked = set(json.loads(sys.argv[1]))

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Block())
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name.partition(".")[0] in blocked else find_spec(name, package)
)
from labelkit.cli import main

for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(json.loads(line))
    print(json.dumps([status, out.getvalue(), err.getvalue()]), flush=True)
"""


def test_an_import_that_fails_names_the_extra() -> None:
    error = missing_package(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"), "labelkit run")
    assert error is not None
    assert (error.message, error.hint) == (
        "labelkit run needs torch, which is not installed",
        "pip install 'labelkit[train]'",
    )
    assert missing_package(ModuleNotFoundError(name="somebodys_package")) is None
    assert missing_package(ModuleNotFoundError("no name")) is None
    assert missing_package(ImportError(name="torch")) is None


def test_every_extra_is_one_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert EXTRAS.keys() <= project["optional-dependencies"].keys()
    base = " ".join(project["dependencies"])
    for heavy in ("torch", "transformers", "accelerate", "datasets", "evaluate", "pyarrow", "onnxruntime"):
        assert heavy not in base
    assert "labelkit[train]" in project["optional-dependencies"]["bundled"]


def test_an_extra_is_required_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "train", ("torch", "a_package_that_nobody_has"))
    with pytest.raises(MissingPackageError, match="training needs a_package_that_nobody_has, which is not installed"):
        require_extra("train", "training")
    with pytest.raises(LabelkitError, match="training needs"):
        labelkit.run("ner")
    require_extra("runtime", "labelling")


def test_the_command_prints_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ModuleNotFoundError("No module named 'pyarrow.parquet'", name="pyarrow.parquet")

    monkeypatch.setattr(Catalog, "load", fail)
    assert main(["tasks"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: labelkit tasks needs pyarrow, which is not installed",
        "  pip install 'labelkit[parquet]'",
    ]


def test_a_further_task_of_several_is_found_without_torch() -> None:
    script = """
import sys
from types import SimpleNamespace
from labelkit.label.loading import find_first_task
from labelkit.plugins.catalog import Catalog

info = SimpleNamespace(task="ner", head="linear", output_of=(), suppliers=())
print(find_first_task(Catalog.load(), info, "pos").head.name, {"torch", "transformers"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["linear", "set()"]


@pytest.mark.slow
def test_commands_without_torch_label_or_name_the_extra(
    trained: labelkit.RunResult, home: Path, corpus: Path, tmp_path: Path
) -> None:
    import json
    import shutil

    place = Home(root=tmp_path / "home")
    shutil.copytree(home, place.root)
    labeller = Labeller.open("shared", place, Catalog.load(), engine="torch")
    keep_model(labeller.engine, labeller.folder, labeller.info)
    (tmp_path / "notes.txt").write_text("Ada lives in Rome .\n", encoding="utf-8")
    names = {"NOTES": "notes.txt", "GOLD": str(corpus)}
    lines = [[names.get(word, word) for word in words] for words in (*COMMANDS, *REFUSED)]
    installed = ("onnxruntime", "psycopg", "sqlglot")
    blocked = [name for names in EXTRAS.values() for name in names if name not in installed]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(blocked)],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "LABELKIT_HOME": str(place.root)},
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(lines), done.stderr
    for words, (status, _, err) in zip(COMMANDS, found, strict=False):
        assert status == 0, (words, err)
    assert "Rome" in found[0][1]
    for (words, extra), (status, _, err) in zip(REFUSED.items(), found[len(COMMANDS) :], strict=True):
        message, hint = err.splitlines()[-2:]
        assert status == 1, (words, err)
        assert message.startswith("error: "), (words, err)
        assert "not installed" in message, (words, err)
        assert f"labelkit[{extra}]" in hint, (words, err)
