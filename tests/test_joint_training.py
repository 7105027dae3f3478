"""Several tasks over one encoder: trained, recorded, saved, opened and labelled in one pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.cli import main
from labelkit.registry import Home, Registry

pytestmark = pytest.mark.slow  # trains

PLAIN = str(Path(__file__).parent / "plain.toml")
TASKS = ("ner", "pos", "chunk")
TEXT = "Ada Lovelace lives in New York ."


@pytest.fixture(scope="module")
def joint_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("joint") / "home"


def run(task: Any, home: Path, tiny: Path, **options: Any) -> labelkit.RunResult:
    settings = {"train.precision": "fp32", **options.pop("settings", {})}
    return labelkit.run(
        task, model=str(tiny), recipe=PLAIN, lr=1e-2, home=home, settings=settings, **{"epochs": 2, **options}
    )


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small corpus of three layers."""
    folder = tmp_path_factory.mktemp("layered")
    lines = (
        "Ada\tB-PER\tPROPN\tB-NP\nLovelace\tI-PER\tPROPN\tI-NP\nlives\tO\tVERB\tB-VP\nin\tO\tADP\tB-PP\n"
        "Rome\tB-LOC\tPROPN\tB-NP\n.\tO\tPUNCT\tO\n\n"
        "It\tO\tPRON\tB-NP\nrained\tO\tVERB\tB-VP\nin\tO\tADP\tB-PP\nLima\tB-LOC\tPROPN\tB-NP\n.\tO\tPUNCT\tO\n\n"
    )
    for split, times in (("train", 12), ("validation", 4), ("test", 4)):
        (folder / f"{split}.conll").write_text(lines * times, encoding="utf-8")
    return folder


COLUMNS = "tokens=0,ner=1,pos=2,chunk=3"


@pytest.fixture(scope="module")
def done(layered: Path, tiny: Path, joint_home: Path) -> labelkit.RunResult:
    return run("ner+pos+chunk", joint_home, tiny, data=str(layered), columns=COLUMNS, name="three", epochs=6)


def test_one_run_has_the_scores_of_each_task_and_of_all(done: labelkit.RunResult, joint_home: Path) -> None:
    assert done.task == "ner+pos+chunk"
    for split in ("validation", "test"):
        assert set(done.metrics[split]) == {*TASKS, "ner+pos+chunk"}
        summary = done.metrics[split]["ner+pos+chunk"]
        assert set(summary) == {"mean", "ner.f1", "pos.accuracy", "chunk.f1"}
        assert summary["pos.accuracy"] == done.metrics[split]["pos"]["accuracy"]
        assert summary["mean"] == pytest.approx((summary["ner.f1"] + summary["pos.accuracy"] + summary["chunk.f1"]) / 3)
    assert done.metrics["test"]["pos"]["accuracy"] > 0.9
    with Registry.open(Home(root=joint_home), create=False) as registry:
        (details,) = [registry.runs.get(one.id) for one in registry.runs.search()]
        best = registry.runs.find("ner+pos+chunk@best")
    assert best.id == details.record.id == done.run
    assert best.validation == done.metrics["validation"]["ner+pos+chunk"]["mean"]
    assert (details.record.task, details.record.metric_key) == ("ner+pos+chunk", "mean")
    assert {one.split for one in details.record.splits} >= {"train", "validation", "test", "pos.test"}


def test_the_folder_is_a_plain_one_of_the_first_task(done: labelkit.RunResult) -> None:
    from transformers import pipeline

    files = {file.name for file in done.checkpoint.iterdir()}
    assert not [name for name in files if not name.endswith((".json", ".safetensors", ".txt"))]
    classify = pipeline("token-classification", model=str(done.checkpoint))
    found = {one["word"]: one["entity"] for one in classify(TEXT)}
    assert set(found.values()) <= {"B-PER", "I-PER", "B-LOC", "I-LOC"}


def test_one_pass_gives_the_labels_of_all_tasks(done: labelkit.RunResult, joint_home: Path) -> None:
    labeller = labelkit.load("three", home=joint_home)
    calls: list[int] = []
    joined: Any = labeller.engine.torch_model
    joined.joint.models["ner"].base_model.register_forward_hook(lambda *args: calls.append(1))
    record = labeller.label(TEXT)
    assert calls == [1]
    assert tuple(record.layers) == TASKS
    assert record.labels == record.layers["ner"].labels
    for task in TASKS:
        alone = labelkit.load("three", home=joint_home, task=task).label(TEXT)
        assert alone.labels == record.layers[task].labels
        assert [span.label for span in alone.spans or ()] == [span.label for span in record.layers[task].spans or ()]
        assert not alone.layers


def test_the_command_prints_the_layers(
    done: labelkit.RunResult, joint_home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(joint_home))
    assert main(["label", "three", "--text", TEXT, "--json"]) == 0
    record = json.loads(capfd.readouterr().out)
    assert set(record["layers"]) == set(TASKS)
    assert len(record["layers"]["pos"]["labels"]) == len(record["words"])
    assert main(["label", "three", "--text", TEXT]) == 0
    assert "pos:" in capfd.readouterr().out
    assert main(["label", "three", "--task", "chunks", "--text", TEXT]) == 1
    assert "the checkpoint has no task 'chunks'" in capfd.readouterr().err
