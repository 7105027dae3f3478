"""The Python API: what the commands do, as functions with frozen results."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import ClassLabel, Dataset

import labelkit
import labelkit.data
from labelkit.api.data import data_reference
from labelkit.api.progress import ProgressBar, in_notebook
from labelkit.data.hf_datasets import dataset_dict
from labelkit.errors import LabelkitError
from labelkit.label.dataset_columns import label_dataset
from labelkit.label.labeller import Labeller
from labelkit.label.text_inputs import numbered_examples
from labelkit.records import Coverage, Example, Labelled, Schema, Span
from labelkit.records.html import labelled_html, score_tables

SENTENCE = "Ada Lovelace lives in New York ."


@pytest.fixture(scope="module")
def labeller(trained: labelkit.RunResult) -> Labeller:
    return labelkit.load(trained.checkpoint)


@pytest.fixture(autouse=True)
def _shared_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))


def test_run_has_typed_keyword_parameters_that_are_described() -> None:
    parameters = inspect.signature(labelkit.run).parameters
    assert all(one.kind is not one.VAR_KEYWORD and one.annotation is not one.empty for one in parameters.values())
    described = inspect.getdoc(labelkit.run) or ""
    assert [name for name in parameters if name != "task" and f":param {name}:" not in described] == []
    assert (Path(labelkit.__file__).parent / "py.typed").is_file()
    with pytest.raises(TypeError, match="epoch"):
        labelkit.run("ner", epoch=3)  # type: ignore[call-arg]


def test_names_of_functions_are_no_modules() -> None:
    assert LabelkitError is labelkit.LabelkitError
    importlib.import_module("labelkit.evaluation.evaluation")  # a package must not replace a function
    assert callable(labelkit.evaluate)
    assert callable(labelkit.check)
    assert callable(labelkit.find_errors)


def test_results_are_frozen_and_show_well(trained: labelkit.RunResult) -> None:
    assert repr(trained).startswith(
        f"RunResult(run='{trained.run}', task='ner', scores={{'validation': {{'ner': {{'f1'"
    )
    assert len(repr(trained)) < 400
    html = trained._repr_html_()
    assert "test (ner)" in html
    assert '<th style="text-align:left">PER</th>' in html
    with pytest.raises(dataclasses.FrozenInstanceError):
        trained.run = "x"  # type: ignore[misc]


def test_evaluate_scores_as_the_run_did(trained: labelkit.RunResult, corpus: Path) -> None:
    found = labelkit.evaluate(trained.run)
    assert (found.split, found.examples, found.test_score) == (
        "test",
        12,
        False,
    )
    assert found.metrics["f1"] == trained.metrics["test"]["ner"]["f1"]
    assert "test score" in found._repr_html_()
    read = labelkit.read(corpus / "test.conll")
    given = [dataclasses.replace(one, labels={"ner": one.labels["labels"]}) for one in read]
    memory = labelkit.evaluate(trained.checkpoint, given)
    assert (memory.data, memory.split, memory.metrics["f1"]) == (
        "in memory: list of Example",
        "train",
        found.metrics["f1"],
    )
    frame = pd.DataFrame({"tokens": [["Bob"]], "ner": [["B-ROBOT"]]})
    with pytest.raises(LabelkitError, match=r"in memory train:1: the labeller does not know the type 'ROBOT'"):
        labelkit.evaluate(trained.run, {"train": frame})


def test_runs_are_compared_as_the_command_does(trained: labelkit.RunResult) -> None:
    found = labelkit.compare("shared", trained.run)
    assert found.runs == (trained.run, trained.run)
    key = next(one for one in found.scores if one.split == "test" and one.name == "f1")
    assert (key.values[0], key.differences) == (trained.metrics["test"]["ner"]["f1"], (0.0, 0.0))
    assert all(one.type is None for one in found.scores)
    html = found._repr_html_()
    assert "validation f1 *" in html
    assert html.count(trained.run) >= 4
    assert len(repr(found)) < 200
    with pytest.raises(LabelkitError, match="nonesuch"):
        labelkit.compare("shared", "nonesuch")


@pytest.mark.slow
def test_runs_are_tested_for_significance(trained: labelkit.RunResult) -> None:
    found = labelkit.compare("shared", "shared", significance=True)
    (test,) = found.significance
    assert test.differences[0].p_value == 1
    assert "p-value" in found._repr_html_()


def test_errors_and_checks_return_what_the_commands_show(trained: labelkit.RunResult, corpus: Path) -> None:
    found = labelkit.find_errors(trained.run)
    assert found.gold.split == "validation"
    assert set(found.analysis.kinds) == {"missed", "wrong type", "wrong borders", "wrong type and borders", "spurious"}
    assert "most frequent" in found._repr_html_()
    frame = pd.DataFrame({"text": ["a film", "a film", "x"], "label": ["good", "bad", "good"]})
    report = labelkit.check(frame, skip=("subtokens", "windows"))
    assert any("label" in finding.message for finding in report.findings)
    assert "severity" in report._repr_html_()
    with pytest.raises(LabelkitError, match="unknown check 'window'"):
        labelkit.check(frame, skip=("window",))


@pytest.mark.slow
def test_the_memory_for_labelling_a_dataset_does_not_grow_with_it(trained: labelkit.RunResult, tmp_path: Path) -> None:
    sizes: list[int] = []

    def label_all(texts: list[str], *, min_score: float | None) -> list[Labelled]:
        sizes.append(len(texts))
        found = Labelled(id="1", text="", label="a", score=1.0, coverage=Coverage(words=1, windows=1))
        return [found] * len(texts)

    schema = Schema(name="label", kind="text", labels=("a",))
    info = SimpleNamespace(kind="text", schema=schema, task="textcls", splitter="words", pairs=False)
    info.of_tasks = {"textcls": info}
    decoder = SimpleNamespace(name="argmax-text")
    stub: Any = SimpleNamespace(
        operating_points={},
        info=info,
        label_all=label_all,
        folder=trained.checkpoint,
        decoder=decoder,
        engines="torch-fp32",
    )
    peaks = {}
    for rows in (4_000, 20_000):
        Dataset.from_dict({"text": ["x" * 2000] * rows}).save_to_disk(tmp_path / str(rows))
        stored = Dataset.load_from_disk(tmp_path / str(rows))
        tracemalloc.start()
        labelled = label_dataset(stub, stored, column=None, pair=None, prefix="p_", min_score=None)
        peaks[rows] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(labelled) == rows
    assert max(sizes) == 1000
    assert peaks[20_000] < 1.5 * peaks[4_000]
    assert peaks[20_000] < 20_000 * 2000 / 2


def test_probabilities_are_calibrated_arrays(labeller: Labeller) -> None:
    found = labeller.probabilities([SENTENCE, ["Bob"], ""])
    assert found.labels == labeller.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert found.values.dtype == np.float32
    assert [one.shape for one in found] == [(7, 5), (1, 5), (0, 5)] == [found[n].shape for n in range(3)]
    assert found.words == (tuple(SENTENCE.split()), ("Bob",), ())
    assert np.allclose(found.values.sum(1), 1, atol=1e-5)
    record = labeller.label(SENTENCE)
    confidence = max((span for span in record.spans or ()), key=lambda span: span.score or 0)
    assert np.isclose(found[0].max(1), confidence.score or 0, atol=1e-3).any()
    assert len(labeller.probabilities([])) == 0
    assert "<float32 of shape (8, 5)>" in repr(found)
    with pytest.raises(IndexError):
        found[3]


def test_min_score_leaves_out_what_is_less_certain(labeller: Labeller) -> None:
    every = labeller.label(SENTENCE)
    none = labeller.label(SENTENCE, min_score=1.0)
    assert (len(none.spans or ()), none.coverage.below_min_score) == (0, len(every.spans or ()))
    assert [record.labels for record in labeller.stream([SENTENCE], min_score=1.0)] == [none.labels]


@pytest.mark.parametrize(
    ("texts", "kind", "message"),
    [
        (["a", None], "token", "text 2 is None, not a text"),
        (["a", 3], "text", "text 2 is of type int, a str is needed"),
        ([["a", None]], "token", "word 2 of text 1 is of type NoneType, a str is needed"),
        ([["a", "b"]], "text", "text 1 is a list of 2, a labeller of texts takes one str"),
        ([b"a"], "token", "text 1 is of type bytes, a str or a list of words is needed"),
        ("abc", "token", "several texts are needed, this is one"),
    ],
)
def test_what_is_no_text_is_refused_by_its_position(texts: Any, kind: Any, message: str) -> None:
    with pytest.raises(LabelkitError) as raised:
        list(numbered_examples(texts, kind))
    assert raised.value.message == message
    if kind == "text" and isinstance(texts[0], list):
        assert "label_all" in (raised.value.hint or "")


def test_rows_of_a_dataset_get_columns(labeller: Labeller, tmp_path: Path) -> None:
    dataset = Dataset.from_dict({"text": [SENTENCE, "Nothing happened ."] * 3, "n": list(range(6))})
    found = labeller.label_dataset(dataset)
    assert found.column_names == ["text", "n", "predicted_words", "predicted_labels", "predicted_spans"]
    record = labeller.label(SENTENCE)
    assert found[4]["predicted_labels"] == list(record.labels or ())
    assert [span["text"] for span in found[0]["predicted_spans"]] == [span.text for span in record.spans or ()]
    # on disk, the result is on disk, too
    dataset.save_to_disk(tmp_path / "saved")
    stored = labeller.label_dataset(Dataset.load_from_disk(tmp_path / "saved"), prefix="x_")
    assert stored.cache_files
    assert stored[4]["x_labels"] == found[4]["predicted_labels"]
    other = labelkit.load(labeller.folder, decoder="argmax", engine="torch").label_dataset(dataset)
    again = labeller.label_dataset(dataset)
    assert (other._fingerprint == found._fingerprint, again._fingerprint == found._fingerprint) == (False, True)
    words = Dataset.from_dict({"words": [["Bob", "met", "Tim"]]})
    assert len(labeller.label_dataset(words)[0]["predicted_labels"]) == 3


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"text": ["a"]}, {"column": "txt"}, "the dataset has no column 'txt'"),
        ({"body": ["a"]}, {}, "no column is called tokens or words"),
        ({"text": ["a"], "predicted_labels": [1]}, {}, "the dataset has a column 'predicted_labels' already"),
        ({"text": ["a", None]}, {}, "rows 1 to 2 of column 'text': text 2 is None"),
    ],
)
def test_datasets_that_cannot_be_labelled(
    labeller: Labeller, columns: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LabelkitError, match=message):
        labeller.label_dataset(Dataset.from_dict(columns), **options)
    with pytest.raises(LabelkitError, match=r"a datasets\.Dataset is needed, not a dict"):
        labeller.label_dataset({"text": ["a"]})


def test_data_is_loaded_as_a_dataset_dict_and_goes_back(corpus: Path) -> None:
    found = labelkit.data.load(corpus, layer="ner")
    assert {split: len(one) for split, one in found.items()} == {"train": 48, "validation": 12, "test": 12}
    assert found["train"].features["ner"].feature == ClassLabel(names=["O", "B-LOC", "B-PER", "I-LOC", "I-PER"])
    first = next(iter(labelkit.read(corpus / "train.conll")))
    names = found["train"].features["ner"].feature.names
    assert [names[number] for number in found["train"][0]["ner"]] == list(first.labels["labels"])
    assert data_reference(found)[1].keys() == found.keys()
    with pytest.raises(AttributeError, match="no attribute 'loud'"):
        labelkit.data.loud  # noqa: B018
    texts = [Example(id=str(n), text="x", labels={"label": "y"}) for n in range(1001)]
    assert len(dataset_dict({"train": texts}, "text", {"label": ["y"]})["train"]) == 1001


def test_a_device_that_is_not_there_is_one_line(trained: labelkit.RunResult) -> None:
    with pytest.raises(LabelkitError, match="unknown device 'gpu'"):
        labelkit.load(trained.run, device="gpu")  # type: ignore[arg-type]
    assert labelkit.load(trained.run, device="cpu", precision="bf16").label("Bob").words == ("Bob",)


def records() -> Iterator[tuple[Labelled, list[str]]]:
    common: dict[str, Any] = {"id": "1", "coverage": Coverage(words=1, windows=1)}
    spans = (Span(start=0, end=3, label="<b>", text="<i>", score=0.5), Span(start=4, end=7, label="LOC", text="Rom"))
    words: dict[str, Any] = {"words": ("<i>", "Rom"), "labels": ("B-<b>", "B-LOC")}
    yield Labelled(text="<i> Rom\n", spans=spans, **words, **common), ["&lt;i&gt;", "&lt;b&gt;", "<mark", "<br>"]
    yield Labelled(text="<i> Rom", **words, **common), ["&lt;i&gt;<sub>B-&lt;b&gt;</sub>"]
    yield Labelled(text="<script>", label="<bad>", score=0.25, **common), ["&lt;script&gt;", "&lt;bad&gt;", "0.25"]


@pytest.mark.parametrize(("record", "parts"), list(records()))
def test_records_show_their_text_literally(record: Labelled, parts: list[str]) -> None:
    html = labelled_html(record)
    assert record._repr_html_() == html
    assert [part for part in parts if part not in html] == []
    assert "<script>" not in html
    assert "<i>" not in html


def test_scores_of_no_type_are_one_table() -> None:
    html = score_tables("<test>", {"accuracy": 0.5, "decoder": "x", "accuracy.low": 0.1}, note="<b>")
    assert html.count("<table>") == 1
    assert "&lt;test&gt;" in html
    assert "0.5000" in html
    assert "accuracy.low" not in html


def test_progress_is_shown_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    from labelkit import events

    assert not in_notebook()
    bar = ProgressBar()
    bar(events.TrainingStarted(run="r", steps=4, epochs=1.0, metric="f1"))
    bar(events.StepDone(run="r", step=2, epoch=0.5))
    bar(events.Scored(run="r", split="validation", task="ner", step=2, epoch=0.5, metrics={"f1": 0.25}))
    bar(events.RunEnded(run="r", status="finished", seconds=1.0))
    shown = capsys.readouterr().err
    assert "run r" in shown
    assert "validation f1=0.2500" in shown
