"""``labelkit export``: folders for other programs, refused where they would label otherwise, whole or not there."""

from __future__ import annotations

import ast
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import labelkit
from labelkit.cli import main
from labelkit.errors import LabelkitError
from labelkit.exports.limits import check_limits, limits_of
from labelkit.exports.transformers_folder import Comparison
from labelkit.models.checkpoint import CheckpointInfo, read_checkpoint
from labelkit.models.checkpoint_files import CHECKPOINT_INFO, copy_checkpoint
from labelkit.records import Schema
from labelkit.registry import Home

Export = Callable[..., SimpleNamespace]


@pytest.fixture(scope="module")
def own_home(trained: labelkit.RunResult, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home of this module's own with the shared run in it."""
    copied = tmp_path_factory.mktemp("export") / "home"
    shutil.copytree(home, copied)
    return Home.find({}, explicit=copied)


@pytest.fixture
def export(
    own_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Export:
    """Return a function that runs a command in an empty folder."""
    for name in ("REGISTRY", "DATA", "PLUGINS"):
        monkeypatch.delenv(f"LABELKIT_{name}", raising=False)
    monkeypatch.setenv("LABELKIT_HOME", str(own_home.root))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, command: str = "export") -> SimpleNamespace:
        before = signal.getsignal(signal.SIGTERM)
        status = main([command, *map(str, arguments)])
        signal.signal(signal.SIGTERM, before)
        out, err = capsys.readouterr()
        return SimpleNamespace(status=status, out=out, err=err)

    return run


def error_of(done: SimpleNamespace) -> str:
    """Return the line of the error of a command."""
    lines: list[str] = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.err
    return lines[0]


def changed(checkpoint: Path, folder: Path, **fields: Any) -> Path:
    """Return a copy of a checkpoint whose ``labelkit.json`` says other things."""
    shutil.copytree(checkpoint, folder)
    file = folder / CHECKPOINT_INFO
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | fields), encoding="utf-8")
    return folder


# -- what cannot be reproduced ----------------------------------------------------------------------------------------


@pytest.fixture
def info(trained: labelkit.RunResult) -> CheckpointInfo:
    return replace(read_checkpoint(trained.checkpoint), decoder="argmax")


def names(info: CheckpointInfo, target: Any) -> list[str]:
    return [limit.name for limit in limits_of(info, "bert", target)]


def test_a_plain_labeller_has_no_limits(info: CheckpointInfo) -> None:
    assert names(info, "transformers") == names(info, "onnx") == names(info, "transformers.js") == []


def test_spans_are_decoded_by_their_scheme_elsewhere(trained: labelkit.RunResult) -> None:
    found = read_checkpoint(trained.checkpoint)
    assert found.decoder == "viterbi"
    assert [names(found, one) for one in ("transformers", "onnx", "transformers.js")] == [["decoder"], [], []]


def test_each_limit_is_found(info: CheckpointInfo) -> None:
    several = Schema(name="x", kind="text", labels=("a", "b"), multilabel=True)
    texts = replace(info, kind="text", schema=several, fallback="", decoder="thresholds", head="multilabel")
    tuned = replace(texts, thresholds={"a": 0.3})
    found = {
        "viterbi": replace(info, decoder="viterbi"),
        "mine": replace(info, decoder="mine"),
        "preprocessed": replace(info, preprocessors=(("lower", "1"),)),
        "head": replace(info, head="crf"),
        "running": replace(info, tokenizer_input="text"),
        "pairs": replace(info, kind="text", decoder="argmax-text", pairs=True),
        "even": texts,
        "tuned": tuned,
    }
    limits = {name: (names(one, "transformers"), names(one, "transformers.js")) for name, one in found.items()}
    assert limits == {
        "viterbi": (["decoder"], []),
        "mine": (["decoder"], ["decoder"]),
        "preprocessed": (["preprocessors"], ["preprocessors"]),
        "head": (["head"], ["head"]),
        "running": ([], ["running-text"]),
        "pairs": ([], ["pairs"]),
        "even": ([], []),
        "tuned": (["thresholds"], []),
    }


def test_architectures_that_javascript_lacks_are_a_limit(info: CheckpointInfo) -> None:
    texts = replace(info, kind="text", decoder="argmax-text")
    for labeller, architecture, expected in (
        (info, "albert", ["architecture"]),
        (texts, "albert", []),
        (info, "bert", []),
    ):
        found = limits_of(labeller, architecture, "transformers.js")
        assert [limit.name for limit in found] == expected
    assert limits_of(info, "albert", "transformers") == []


def test_a_limit_is_refused_unless_it_is_accepted(info: CheckpointInfo) -> None:
    limits = limits_of(replace(info, decoder="viterbi", preprocessors=(("lower", "1"),)), "bert", "transformers")
    with pytest.raises(LabelkitError) as raised:
        check_limits(limits, ["decoder"], "transformers")
    assert raised.value.message == "transformers cannot reproduce this labeller: its texts are preprocessed by 'lower'"
    assert raised.value.hint == "export it without that: --accept preprocessors"
    check_limits(limits, ["decoder", "preprocessors"], "transformers")


def test_labels_that_differ_are_refused() -> None:
    found = Comparison(program="transformers 5", compared=9, same=8)
    with pytest.raises(LabelkitError, match="transformers 5 labels 1 of 9 trial words or texts otherwise"):
        found.check(())
    found.check(["head"])
    replace(found, same=9).check(())


# -- wrong usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["shared"], 2, "Missing option '--to'"),
        (["shared", "out", "--to", "keras"], 2, "'keras' is not one of"),
        (["shared", "--to", "transformers"], 2, "--to transformers needs a folder"),
        (["shared", "out", "--to", "transformers", "--int8"], 2, "--int8 cannot be combined with"),
        (["shared", "out", "--to", "transformers", "--data", "x"], 2, "--data cannot be combined with"),
        (["shared", "out", "--to", "transformers", "--set", "data.x=1"], 2, "--set cannot be combined with"),
        (["shared", "out", "--to", "transformers", "--columns", "a=1"], 2, "--columns cannot be combined with"),
        (["shared", "out", "--to", "onnx", "--split", "test"], 2, "--split says how --data is read: add --data REF"),
        (["shared", "out", "--to", "onnx", "--set", "data.x=1"], 2, "--set says how --data is read: add --data REF"),
        (["shared", "out", "--to", "onnx", "--accept", "all"], 2, "'all' is not one of"),
        (["shared", "full", "--to", "transformers"], 1, "error: full exists already and is not empty"),
        (["shared", "file", "--to", "onnx"], 1, "error: file exists already and is a file\n  name a new folder"),
        (["shared", "-", "--to", "onnx"], 1, "error: - is no folder"),
        (["shared", "/dev/null", "--to", "onnx"], 1, "error: /dev/null is no folder"),
        (["nothing", "out", "--to", "transformers"], 1, "error: "),
        (["./nothing", "out", "--to", "transformers"], 1, "error: checkpoint nothing does not exist"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], status: int, message: str, export: Export, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = export(*arguments)
    assert (done.status, done.out) == (status, "")
    assert message in done.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "mine.txt"]


def test_a_limit_of_a_run_is_one_line(export: Export) -> None:
    done = export("shared", "out", "--to", "transformers")
    assert done.err.splitlines() == [
        "error: transformers cannot reproduce this labeller: its labels are decoded by 'viterbi'",
        "  export it without that: --accept decoder",
    ]
    assert not Path("out").exists()


def test_a_folder_that_cannot_be_made_is_one_line(export: Export, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = export("shared", "file/out", "--to", "transformers", "--accept", "decoder")
    assert done.status == 1
    assert error_of(done).startswith("error: file/out cannot be written: ")


# -- transformers -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_plain_folder_is_written_and_run(export: Export, trained: labelkit.RunResult, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()  # an empty one may be there
    plain = changed(trained.checkpoint, tmp_path.parent / f"{tmp_path.name}-plain", decoder="argmax")
    done = export(plain, "out", "--to", "transformers", "--json")
    assert done.status == 0, done.err
    document = json.loads(done.out)
    assert (document["target"], document["folder"], document["not_reproduced"]) == ("transformers", "out", {})
    assert document["checked"]["compared"] == document["checked"]["same"] > 100
    assert document["checked"]["program"].startswith("transformers ")
    assert {file["name"] for file in document["files"]} == {path.name for path in (tmp_path / "out").iterdir()}
    assert {"config.json", "labelkit.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    text = "Ada Lovelace lives in New York ."
    assert labelkit.load("./out").label(text).labels == labelkit.load(trained.checkpoint).label(text).labels
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
@pytest.mark.parametrize("labels", [("good", "bad"), ("1.5", "3.5"), ("fun|short", "dull|long")])
def test_a_labeller_of_texts_is_written_and_run(
    labels: tuple[str, str], export: Export, tiny: Path, own_home: Home, tmp_path: Path
) -> None:
    data = tmp_path.parent / f"{tmp_path.name}-{labels[0][:3]}.csv"
    data.write_text("text,label\n" + "".join(f"a {label} film {n},{label}\n" for n in range(6) for label in labels))
    numbers, several = labels[0] == "1.5", "|" in labels[0]
    settings: dict[str, Any] = {"train.onnx": False} | ({"train.head": "regression"} if numbers else {})
    settings |= {"data.label_separator": "|"} if several else {}
    done = labelkit.run("textcls", data=str(data), model=str(tiny), max_steps=1, home=own_home.root, settings=settings)
    exported = export(done.run, "out", "--to", "transformers", "--json")
    assert exported.status == 0, exported.err
    checked = json.loads(exported.out)["checked"]
    assert checked["compared"] == checked["same"] > 20


@pytest.mark.slow
def test_an_accepted_limit_is_noted(export: Export) -> None:
    done = export("shared", "out", "--to", "transformers", "--accept", "decoder")
    assert done.status == 0, done.err
    assert "note: not reproduced by transformers: its labels are decoded by 'viterbi'" in done.err
    assert done.out.splitlines()[0].startswith("out: ")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["other labels", "cannot run"])
def test_a_folder_that_fails_its_check_is_not_written(
    fault: str, export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(source: Path, folder: Path) -> None:
        copy_checkpoint(source, folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if fault == "cannot run":
            (folder / "model.safetensors").write_bytes(b"no weights")
        else:
            config["id2label"] |= {"0": "B-PER", "1": "O"}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    monkeypatch.setattr("labelkit.exports.transformers_folder.copy_checkpoint", spoiled)
    done = export("shared", "out", "--to", "transformers", "--accept", "decoder")
    assert done.status == 1
    expected = "trial words or texts otherwise" if fault == "other labels" else "cannot run the exported folder"
    assert expected in error_of(done)
    assert list(tmp_path.iterdir()) == []


# -- onnx -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_onnx_model_is_written_and_run(export: Export, own_home: Home, tmp_path: Path) -> None:
    done = export("shared", "out", "--to", "onnx", "--json")
    assert done.status == 0, done.err
    document = json.loads(done.out)
    assert (document["engine"], document["same"]) == ("onnx-fp32", document["words"])
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model.onnx", "check.json", "config.json", "labelkit.json", "tokenizer.json"} <= found
    assert not found & {"model.safetensors", "train_mentions.npy"}
    assert "not empty" in export("shared", "out", "--to", "onnx").err
    assert "found in the cache" in export("shared", "--to", "onnx").out


@pytest.mark.slow
def test_the_documented_program_runs_an_onnx_model(export: Export, trained: labelkit.RunResult, tmp_path: Path) -> None:
    assert export("shared", "my-ner-onnx", "--to", "onnx").status == 0
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "export.md").read_text(encoding="utf-8")
    program = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "onnxruntime" in block)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    labels = ast.literal_eval(done.stdout)
    assert {"B-PER", "B-LOC"} & set(labels)


@pytest.mark.slow
def test_int8_for_other_programs_is_run_in_onnx_runtime(export: Export, tmp_path: Path) -> None:
    done = export("shared", "out", "--to", "onnx", "--int8", "--threshold", "0.2")
    assert done.status == 0, done.err
    assert done.out.startswith("onnx-int8: ")
    assert (tmp_path / "out" / "model.onnx").is_file()


@pytest.mark.slow
def test_the_old_name_says_the_new_one(export: Export) -> None:
    done = export("shared", command="onnx")
    assert done.status == 0, done.err
    assert done.err.splitlines()[0] == (
        "note: labelkit onnx is going away after this release: labelkit export RUN --to onnx"
    )


@pytest.mark.slow
def test_a_copy_that_cannot_run_is_not_written(export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert export("shared", "--to", "onnx").status == 0
    copy = shutil.copyfile

    def cut(source: Path, target: Path) -> None:
        copy(source, target)
        if Path(target).name == "model.onnx":
            Path(target).write_bytes(Path(source).read_bytes()[:1000])

    monkeypatch.setattr("labelkit.evaluation.onnx_export.shutil.copyfile", cut)
    done = export("shared", "out", "--to", "onnx")
    assert done.status == 1
    assert error_of(done).startswith("error: ONNX Runtime failed: ")
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_runtime_the_hint_names_the_extra(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelkit.inference.onnx import export as onnx_export

    monkeypatch.setattr(onnx_export, "onnx_installed", lambda: False)
    for target in ("onnx", "transformers.js"):
        done = export("shared", "out", "--to", target)
        assert (done.status, done.err.splitlines()[-1]) == (1, "  pip install 'labelkit[fast]'")
