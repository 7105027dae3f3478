"""Several tasks over one encoder: trained, recorded, saved, opened and labelled in one pass."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset

import labelkit
from labelkit.cli import main
from labelkit.errors import LabelkitError
from labelkit.label.summary import LabellingSummary
from labelkit.plugins.catalog import Catalog
from labelkit.publish.push import card_of_run, find_run
from labelkit.registry import Home, Registry, RunDetails

pytestmark = pytest.mark.slow  # trains

PLAIN = str(Path(__file__).parent / "plain.toml")
TASKS = ("ner", "pos", "chunk")
TEXT = "Ada Lovelace lives in New York ."


@contextlib.contextmanager
def keeping_onnx_models() -> Iterator[None]:
    """Keep the ONNX models of runs, which the other tests do without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labelkit.train.kept_model.onnx_installed", lambda: True)
        yield


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
    with keeping_onnx_models():
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


def test_tasks_of_one_corpus_are_evaluated_in_one_pass_with_the_scores_of_each_alone(
    layered: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelkit.inference.engine import Engine
    from labelkit.train import scoring

    passes: list[int] = []
    score = Engine.score

    def counted(engine: Engine, *args: Any, **options: Any) -> Any:
        passes.append(1)
        return score(engine, *args, **options)

    monkeypatch.setattr(Engine, "score", counted)
    options: dict[str, Any] = {"data": str(layered), "columns": COLUMNS, "settings": {"train.onnx": False}}
    together = run("ner+pos+chunk", tmp_path, tiny, **options)
    assert len(passes) == 3  # validation after each of two epochs, test
    monkeypatch.setattr(scoring, "tasks_by_windows", lambda runs, split: [[one] for one in runs])
    apart = run("ner+pos+chunk", tmp_path, tiny, **options)
    assert len(passes) == 3 + 9
    assert together.metrics == apart.metrics


def test_the_folder_is_a_plain_one_of_the_first_task(done: labelkit.RunResult) -> None:
    from transformers import pipeline

    files = {file.name for file in done.checkpoint.iterdir() if file.name != "onnx"}
    assert not [name for name in files if not name.endswith((".json", ".safetensors", ".txt"))]
    classify = pipeline("token-classification", model=str(done.checkpoint))
    found = {one["word"]: one["entity"] for one in classify(TEXT)}
    assert set(found.values()) <= {"B-PER", "I-PER", "B-LOC", "I-LOC"}


def test_each_task_has_its_operating_point(done: labelkit.RunResult, joint_home: Path) -> None:
    every = labelkit.load("three", home=joint_home).label(TEXT)
    labeller = labelkit.load("three", home=joint_home, operating_point="PROPN:recall=0.01,PER:recall=0.01")
    points = labeller.operating_points
    assert {task: set(point.thresholds) for task, point in points.items()} == {
        "ner": {"PER"}, "pos": {"PROPN"}, "chunk": set()
    }  # fmt: skip
    labeller._points = {**points, "pos": replace(points["pos"], thresholds={"PROPN": None})}
    record, dropped = labeller.label(TEXT), sum(span.label == "PROPN" for span in every.layers["pos"].spans or ())
    assert record.layers["pos"].labels == every.layers["pos"].labels  # each word keeps its label
    assert {span.label for span in record.layers["pos"].spans or ()}.isdisjoint({"PROPN"})
    assert record.layers["pos"].coverage.below_threshold == dropped > 0
    assert record.layers["chunk"] == every.layers["chunk"]
    total = LabellingSummary()
    total.add(record)
    assert total.below_threshold == dropped + record.layers["ner"].coverage.below_threshold
    with pytest.raises(LabelkitError, match=r"unknown type 'NONE'"):
        labelkit.load("three", home=joint_home, operating_point="NONE:precision=0.9")


def test_one_pass_gives_the_labels_of_all_tasks(done: labelkit.RunResult, joint_home: Path) -> None:
    labeller = labelkit.load("three", home=joint_home, engine="torch")
    calls: list[int] = []
    joined: Any = labeller.engine.torch_model
    joined.joint.models["ner"].base_model.register_forward_hook(lambda *args: calls.append(1))
    record = labeller.label(TEXT)
    assert calls == [1]
    assert tuple(record.layers) == TASKS
    assert record.labels == record.layers["ner"].labels
    for task in TASKS:
        alone = labelkit.load("three", home=joint_home, task=task, engine="torch").label(TEXT)
        assert alone.labels == record.layers[task].labels
        assert [span.label for span in alone.spans or ()] == [span.label for span in record.layers[task].spans or ()]
        assert not alone.layers


TEXTS = [TEXT, "", "It rained in Lima . " * 60, "\u200b", "Zoë Müller lives in Rome ."]


@pytest.mark.parametrize("engine", ["auto", "onnx", "openvino"])
def test_the_model_beside_the_checkpoint_gives_all_layers_without_torch(
    engine: str, done: labelkit.RunResult, joint_home: Path
) -> None:
    labeller = labelkit.load("three", home=joint_home, engine=engine)
    assert labeller.engine.model is None
    expected = labelkit.load("three", home=joint_home, engine="torch").label_all(TEXTS)
    for record, other in zip(labeller.label_all(TEXTS), expected, strict=True):
        assert tuple(record.layers) == TASKS
        for task in TASKS:
            assert record.layers[task].labels == other.layers[task].labels
            assert record.layers[task].coverage == other.layers[task].coverage
    alone = labelkit.load("three", home=joint_home, engine=engine, task="pos")
    assert alone.engine.model is None
    assert [one.labels for one in alone.label_all(TEXTS)] == [one.layers["pos"].labels for one in expected]


def test_another_model_than_that_beside_the_checkpoint_is_exported_with_all_heads(
    done: labelkit.RunResult, joint_home: Path, tmp_path: Path
) -> None:
    home = Home(root=Path(shutil.copytree(joint_home, tmp_path / "home")))
    checkpoint = home.runs / done.run / "checkpoints" / done.checkpoint.name
    shutil.rmtree(checkpoint / "onnx")
    expected = labelkit.load("three", home=home.root, engine="torch").label_all(TEXTS)
    labeller = labelkit.load("three", home=home.root, engine="onnx")
    assert labeller.engine.name == "onnx-fp32"
    for record, other in zip(labeller.label_all(TEXTS), expected, strict=True):
        assert {task: record.layers[task].labels for task in TASKS} == {
            task: other.layers[task].labels for task in TASKS
        }


def test_a_model_of_all_tasks_is_exported_and_each_is_compared(
    done: labelkit.RunResult,
    joint_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(joint_home))
    assert main(["export", "three", str(tmp_path / "all"), "--to", "onnx", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["accepted"]
    assert {task: one["same_share"] for task, one in document["tasks"].items()} == dict.fromkeys(TASKS, 1.0)
    assert (tmp_path / "all" / "model.onnx").is_file()
    assert main(["export", "three", "--to", "onnx", "--int8", "--threshold", "1", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["tasks"]["chunk"]["engine"] in ("openvino-int8", "onnx-int8")
    for engine in ("openvino-int8", "onnx-int8"):
        labeller = labelkit.load("three", home=joint_home, engine=engine)
        assert labeller.engine.precision == "int8"
        layers = labeller.label(TEXT).layers
        assert {task: len(layers[task].labels or ()) for task in TASKS} == dict.fromkeys(TASKS, 7)


def test_the_heads_of_all_tasks_stay_in_fp32(done: labelkit.RunResult) -> None:
    import onnx

    from labelkit.inference.onnx.quantization import fp32_products

    model = onnx.load(str(done.checkpoint / "onnx" / "model.onnx"))
    weights = {one.name for one in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in {"MatMul", "Gemm"} and node.input[1] in weights]
    heads = {node.name for node in products} & set(fp32_products(model, 0))
    assert heads == {node.name for node in products[-len(TASKS) :]}


def test_a_model_that_one_task_does_not_accept_is_refused(
    done: labelkit.RunResult, joint_home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from labelkit.evaluation import onnx_export

    compare = onnx_export.compare

    def worse(torch: Any, *rest: Any) -> Any:
        found = compare(torch, *rest)
        return replace(found, onnx={**found.onnx, found.key: -1.0}) if torch.info.task == "chunk" else found

    monkeypatch.setattr(onnx_export, "compare", worse)
    monkeypatch.setenv("LABELKIT_HOME", str(joint_home))
    assert main(["export", "three", "--to", "onnx"]) == 1
    assert "for 'chunk', 0.001 is allowed" in capfd.readouterr().err


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


def test_a_server_gives_the_labels_of_all_tasks(done: labelkit.RunResult, joint_home: Path) -> None:
    import asyncio

    from labelkit.formats.labelled_json import to_json
    from labelkit.plugins.catalog import Catalog
    from labelkit.records import Example
    from labelkit.serve.errors import RequestError
    from labelkit.serve.limits import ServeLimits
    from labelkit.serve.models import Opener, OpenOptions, ServedModel
    from labelkit.serve.native import _above

    opener = Opener(Home(root=joint_home), Catalog.load(), OpenOptions(), ServeLimits())
    batcher = opener.open("three")
    (record,) = asyncio.run(batcher.label([Example(id="1", text=TEXT)], 60))
    served = ServedModel("three", "three", batcher, opener, print)
    (own,), info = asyncio.run(served.of_task("pos").label([Example(id="1", text=TEXT)], 60))
    assert own.labels == record.layers["pos"].labels
    assert (info.task, info.schema.label_names) == ("pos", served.of_task("pos").info.schema.label_names)
    with pytest.raises(RequestError, match="task: unknown task; three serves ner, pos, chunk"):
        served.of_task("parts")
    batcher.drain()
    assert set(to_json(record)["layers"]) == set(TASKS)
    assert record.labels == labelkit.load("three", home=joint_home).label(TEXT).labels
    above = _above(1.0, record, batcher.labeller.info)
    assert all(not [span for span in layer.spans or () if (span.score or 0) < 1] for layer in above.layers.values())
    first = Opener(Home(root=joint_home), Catalog.load(), OpenOptions(decoder="argmax"), ServeLimits()).open("three")
    first.drain()
    assert not first.labeller.label(TEXT).layers


def test_the_playground_shows_the_labels_of_all_tasks(done: labelkit.RunResult, joint_home: Path) -> None:
    from labelkit.plugins.catalog import Catalog
    from labelkit.ui.labellers import Labellers
    from labelkit.ui.playground import labelled_by

    site: Any = SimpleNamespace(home=Home(root=joint_home), catalog=Catalog.load())
    site.labellers = Labellers(site)
    with Registry.open(site.home, create=False) as registry:
        found = labelled_by(site, registry.runs.find("three"), TEXT)
    assert [one.title for one in found] == ["three: ner", "three: pos", "three: chunk"]
    record = labelkit.load("three", home=joint_home, engine="torch").label(TEXT)
    for one, task in zip(found, TASKS, strict=True):
        assert [word.label for word in one.words] == list(record.layers[task].labels or ())
        assert [label for label, _ in one.labels]
        assert json.loads(one.document)["layers"].keys() == set(TASKS)


def test_evaluate_and_errors_take_a_task(
    done: labelkit.RunResult, joint_home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found = labelkit.evaluate("three", home=joint_home, task="pos")
    assert (found.task, found.split) == ("pos", "test")
    assert found.metrics["accuracy"] == done.metrics["test"]["pos"]["accuracy"]
    assert labelkit.evaluate("three", home=joint_home).task == "ner"
    monkeypatch.setenv("LABELKIT_HOME", str(joint_home))
    assert main(["errors", "three", "--task", "chunk", "--json"]) == 0
    capfd.readouterr()
    assert main(["evaluate", "three", "--task", "parts"]) == 1
    assert "has no task 'parts'" in capfd.readouterr().err


def test_a_task_is_exported_as_a_plain_folder(
    done: labelkit.RunResult,
    joint_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from transformers import AutoModelForTokenClassification

    monkeypatch.setenv("LABELKIT_HOME", str(joint_home))
    folder = tmp_path / "pos"
    assert main(["export", "three", str(folder), "--to", "transformers", "--task", "pos"]) == 0
    assert not (folder / "joint_heads.safetensors").exists()
    model, report = AutoModelForTokenClassification.from_pretrained(str(folder), output_loading_info=True)
    assert not any(report.values())
    assert "VERB" in model.config.label2id
    record = labelkit.load("three", home=joint_home).label(TEXT)
    assert labelkit.load(folder, home=joint_home).label(TEXT).labels == record.layers["pos"].labels
    capfd.readouterr()
    assert main(["export", "three", str(tmp_path / "js"), "--to", "onnx", "--task", "pos"]) == 1
    assert "exports the first task of a checkpoint, 'ner', not 'pos'" in capfd.readouterr().err


@pytest.fixture(scope="module")
def apart(layered: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return data of ner and of pos whose sentences differ but for two."""
    folder = tmp_path_factory.mktemp("apart")
    ner = "Ada B-PER\nslept O\n. O\n\nRome B-LOC\nburned O\n. O\n\n"
    pos = "Dogs NOUN\nbark VERB\n. PUNCT\n\nAda PROPN\nslept VERB\n. PUNCT\n\nCats NOUN\npurr VERB\n. PUNCT\n\n"
    for task, lines in (("ner", ner), ("pos", pos)):
        (folder / task).mkdir()
        for split, times in (("train", 4), ("validation", 1), ("test", 2)):
            (folder / task / f"{split}.conll").write_text(lines * times, encoding="utf-8")
    return f"ner={folder / 'ner'},pos={folder / 'pos'}"


def test_tasks_with_a_corpus_each_share_the_sentences_that_both_have(apart: str, tiny: Path, tmp_path: Path) -> None:
    from labelkit.events import Noted

    noted: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, Noted):
            noted.append(event.text)

    done = run(
        ["ner", "pos"],
        tmp_path,
        tiny,
        data=apart,
        select="pos",
        settings={"train.loss_weight": {"pos": 0.5}, "train.sampling_smoothing": 0.0},
        listeners=[listen],
    )
    # 4 windows of both, 4 of ner only and 8 of pos only, each group seen 8 times
    assert "16 windows of train (with labels: ner 8, pos 12), 8 of them seen again (train.sampling_smoothing)" in noted
    with Registry.open(Home(root=tmp_path), create=False) as registry:
        details = registry.runs.get(done.run)
    sizes = {one.split: one.examples for one in details.record.splits}
    assert (sizes["ner.train"], sizes["pos.train"], sizes["train"]) == (8, 12, 20)
    assert details.record.metric_key == "pos.accuracy"
    assert details.record.data == apart
    settings = {one.key: one.text for one in details.record.plan}
    assert settings["pos.data"].endswith("pos")
    assert json.loads(settings["train.loss_weight"]) == {"pos": 0.5}
    assert (
        labelkit.evaluate(done.run, home=tmp_path, task="pos").metrics["accuracy"]
        == (done.metrics["test"]["pos"]["accuracy"])
    )


def test_a_text_that_one_task_trains_on_is_known_in_the_scores_of_another(
    apart: str, tiny: Path, tmp_path: Path, done: labelkit.RunResult, joint_home: Path
) -> None:
    from labelkit.evaluation.leakage import encoder_lineage
    from labelkit.registry.task_view import details_of_task

    with pytest.warns(UserWarning, match=r"of the 2 different texts in test of 'ner', 'pos' has 1 in train"):
        other = run("ner+pos", tmp_path, tiny, data=apart, max_steps=1, settings={"train.onnx": False})
    for home, found, known in ((tmp_path, other, ["pos", "ner"]), (joint_home, done, ["pos"])):
        with Registry.open(Home(root=home), create=False) as registry:
            details = details_of_task(registry.runs.get(found.run), "pos")
        assert [one.record.task for one in encoder_lineage(details, Home(root=home))] == known


def test_a_run_continues_with_the_heads_of_the_same_tasks(
    done: labelkit.RunResult, layered: Path, joint_home: Path, tmp_path: Path
) -> None:
    from labelkit.events import Noted

    notes: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, Noted):
            notes.append(event.text)

    home = shutil.copytree(joint_home, tmp_path / "home")

    def continued(task: str) -> labelkit.RunResult:
        return labelkit.run(
            task,
            model="three",
            data=str(layered),
            columns=COLUMNS,
            recipe=PLAIN,
            lr=1e-12,
            max_steps=1,
            home=home,
            settings={"train.precision": "fp32", "train.onnx": False},
            listeners=[listen],
        )

    alone = continued("chunk")
    assert alone.metrics["test"]["chunk"]["f1"] == done.metrics["test"]["chunk"]["f1"]
    assert any(note.endswith("its encoder and head are taken up") for note in notes)
    again = continued("chunk+ner")
    for task in ("chunk", "ner"):
        assert again.metrics["test"][task]["f1"] == done.metrics["test"][task]["f1"]
    assert any(note.endswith("its encoder and the heads of chunk, ner are taken up") for note in notes)


@pytest.mark.parametrize(("more", "window"), [((), 0), (("--set", "train.random_window=64"), None)])
def test_random_windows_of_a_recipe_are_for_one_task(
    more: Sequence[str], window: int | None, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path))
    given = ["run", "textcls+pos", "--recipe", "best", "--model", str(tiny), "--dry-run", "--json", *more]
    assert main(given) == (1 if window is None else 0)
    out, said = capfd.readouterr()
    if window is None:
        assert "error: train.random_window " in said
    else:
        assert json.loads(out)["plan"]["train.random_window"]["value"] == window


def test_words_and_texts_are_trained_together(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with keeping_onnx_models():
        done = run("ner+textcls", tmp_path, tiny, max_steps=3)
    assert set(done.metrics["test"]) == {"ner", "textcls", "ner+textcls"}
    record = labelkit.load(done.run, home=tmp_path).label("A lovely film from Rome .")
    assert record.layers["textcls"].label
    assert len(record.layers["ner"].labels or ()) == 6
    labeller = labelkit.load(done.run, home=tmp_path)
    assert labeller.engine.model is None
    other = labelkit.load(done.run, home=tmp_path, engine="torch").label("A lovely film from Rome .")
    assert other.layers["ner"].labels == record.layers["ner"].labels
    assert other.layers["textcls"].scores == pytest.approx(record.layers["textcls"].scores, abs=1e-4)
    alone = labelkit.load(done.run, home=tmp_path, task="textcls").label("A lovely film from Rome .")
    assert alone.scores == pytest.approx(record.layers["textcls"].scores, abs=1e-4)
    blank = labelkit.load(done.run, home=tmp_path).label("")
    assert blank.layers["textcls"].label

    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path))
    assert main(["export", done.run, str(tmp_path / "texts"), "--to", "transformers", "--task", "textcls"]) == 0
    exported = labelkit.load(tmp_path / "texts", home=tmp_path, engine="torch")
    assert exported.label(TEXT).scores == pytest.approx(labeller.label(TEXT).layers["textcls"].scores, abs=1e-4)
    # another corpus for each task
    given = ["--to", "onnx", "--data", "ner=sample,textcls=sample-reviews", "--split", "test", "--force"]
    assert main(["export", done.run, str(tmp_path / "onnx"), *given]) == 0
    assert [line for line in capfd.readouterr().out.splitlines() if line.startswith("sample")] == [
        "sample:test (test, 400 examples)", "sample-reviews:test (test, 300 examples)",
    ]  # fmt: skip

    rows = Dataset.from_dict({"text": ["A lovely film from Rome ."]})
    columns = labeller.label_dataset(rows)
    assert columns.column_names[1:] == [
        "predicted_ner_words", "predicted_ner_labels", "predicted_ner_spans",
        "predicted_textcls_label", "predicted_textcls_score",
    ]  # fmt: skip
    assert columns[0]["predicted_ner_labels"] == list(record.layers["ner"].labels or ())
    assert columns[0]["predicted_textcls_label"] == record.layers["textcls"].label


def test_the_card_has_the_labels_and_the_scorer_of_each_task(
    done: labelkit.RunResult, joint_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = card_of_run(find_run("three", Home(root=joint_home)), Catalog.load())
    body = card.body()
    assert "Its types of `ner`: LOC, PER." in body
    assert "Its labels of `pos`: ADP, PRON, PROPN, PUNCT, VERB." in body
    scorers = body.split("### Test, ")[1:4]
    assert [one.split("\n")[0] for one in scorers] == ["chunk", "ner", "ner+pos+chunk"]
    assert "Scorer: seqeval (scheme IOB2, mode default), on all gold words of 8 examples." in scorers[0]
    assert "| mean | " in scorers[2]
    monkeypatch.setattr(RunDetails, "test_seen", ())  # its test split is that of validation, and would not be listed
    (model,) = card.metadata()["model-index"]
    names = {one["name"].partition(" (")[2] for result in model["results"] for one in result["metrics"]}
    assert names == {"chunk, seqeval, IOB2, default)", "ner, seqeval, IOB2, default)", "pos, accuracy)"}


def test_a_run_is_repeated_and_its_seeds_are_a_group(
    apart: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run("ner+pos", tmp_path, tiny, data=apart, seeds=2, epochs=1)
    assert done.group is not None
    assert len(done.group.runs) == 2
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path))
    assert main(["runs", "repeat", done.run, "--json"]) == 0
    again = json.loads(capfd.readouterr().out)
    assert not again["metrics"]["differences"]
    assert not again["weights"]["differences"]


def test_a_stopped_run_is_resumed_to_the_same_weights(apart: str, tiny: Path, tmp_path: Path) -> None:
    from labelkit.events import StepDone
    from labelkit.models.checkpoint_files import sha256_of

    def stop(event: Any) -> None:
        if isinstance(event, StepDone) and event.step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    small = {"train.per_device_train_batch_size": 4, "train.onnx": False}
    whole = run("ner+pos", tmp_path, tiny, data=apart, settings=small)
    with pytest.raises(KeyboardInterrupt):
        run("ner+pos", tmp_path, tiny, data=apart, settings=small, name="stopped", listeners=[stop])
    resumed = labelkit.resume("stopped", home=tmp_path)
    for name in ("model.safetensors", "joint_heads.safetensors"):
        assert sha256_of(resumed.checkpoint / name) == sha256_of(whole.checkpoint / name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ner+pos", "--select", "chunk"], "the run has no task 'chunk' to select the checkpoint by"),
        (
            ["ner+pos", "--set", "train.loss_weight.pos=0"],
            "train.loss_weight.pos=0: the weight of a task must be above 0",
        ),
        (["ner+ner"], "'ner+ner' names task 'ner' twice"),
        (["ner", "--select", "ner"], "train.select is for several tasks"),
        (["ner+pos", "--set", "train.lora_rank=8"], "train.lora_rank cannot be combined with several tasks"),
        (["ner+pos", "--data", "train=DATA", "--columns", "tokens=0,ner=1"], "no labels of 'pos' in train"),
    ],
)
def test_bad_input_is_refused_before_training(
    arguments: list[str],
    message: str,
    layered: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path))
    given = [text.replace("DATA", str(layered / "train.conll")) for text in arguments]
    assert main(["run", *given, "--dry-run"]) == 1
    assert message in capfd.readouterr().err


def test_a_search_is_for_one_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path))
    assert main(["search", "ner+pos", "--trials", "1"]) == 1
    assert "a search is for one task, not for 'ner+pos'" in capfd.readouterr().err


def test_the_run_is_shown_and_reported(
    done: labelkit.RunResult,
    joint_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(joint_home))
    assert main(["runs", "show", "three"]) == 0
    assert "pos" in capfd.readouterr().out
    assert main(["runs", "report", "three", "--task", "pos", "-o", str(tmp_path / "pos.html")]) == 0
    assert "VERB" in (tmp_path / "pos.html").read_text(encoding="utf-8")
