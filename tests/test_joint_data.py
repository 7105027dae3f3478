"""``labelkit data show --task``: the labels of a task, or of several."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.api.data import data_reference, with_data
from labelkit.cli import main
from labelkit.config.environment import Environment
from labelkit.config.plan import Request
from labelkit.errors import DataError, LabelkitError, PlanError
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example
from labelkit.registry import Home
from labelkit.train.preparation import prepare


@pytest.fixture(autouse=True)
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a corpus of words with two layers, and one of texts."""
    monkeypatch.chdir(tmp_path)
    words = "Ada\tB-PER\tPROPN\nruns\tO\tVERB\n\nRome\tB-LOC\tPROPN\nfell\tO\tVERB\n\n"
    Path("words.conll").write_text(words * 3, encoding="utf-8")
    texts = "".join(f'{{"text": "{text}", "label": "{text}"}}\n' for text in ("good", "bad", "dull"))
    Path("texts.jsonl").write_text(texts * 3, encoding="utf-8")


COLUMNS = ("--columns", "tokens=0,ner=1,pos=2")


def test_several_tasks_of_one_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "words.conll", "--task", "ner+pos", "--json", *COLUMNS]) == 0
    shown = json.loads(capsys.readouterr().out)["tasks"]
    assert list(shown) == ["ner", "pos"]
    assert (shown["ner"]["layer"], shown["ner"]["scheme"], shown["pos"]["layer"]) == ("ner", "IOB2", "pos")
    assert shown["pos"]["labels"] == ["PROPN", "VERB"]
    assert {tuple(one["labels"]) for one in shown["ner"]["examples"]} == {("B-PER", "O"), ("B-LOC", "O")}
    assert main(["data", "show", "words.conll", "--task", "ner+pos", *COLUMNS]) == 0
    printed = capsys.readouterr().out
    assert "[Ada]PER runs" in printed
    assert "Ada/PROPN runs/VERB" in printed


def test_a_corpus_for_each_task(capsys: pytest.CaptureFixture[str]) -> None:
    reference = "ner=words.conll,textcls=texts.jsonl"
    assert main(["data", "show", reference, "--task", "ner+textcls", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["tasks"]
    assert (shown["ner"]["reference"], shown["textcls"]["reference"]) == ("words.conll", "texts.jsonl")
    assert shown["textcls"]["labels"] == ["bad", "dull", "good"]


def test_one_task_gives_the_document_of_its_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "words.conll", "--task", "pos", "--json", *COLUMNS]) == 0
    assert json.loads(capsys.readouterr().out)["layer"] == "pos"


PARTIAL: list[dict[str, Any]] = [
    {"words": ["Ada", "runs"], "ner": ["B-PER", "O"], "pos": ["PROPN", "VERB"]},
    {"words": ["Rome", "fell"], "ner": ["B-LOC", "O"]},
    {"words": ["It", "fell"], "ner": None, "pos": ["PRON", "VERB"]},
]


def test_examples_that_lack_a_layer_are_left_out_of_its_task(capsys: pytest.CaptureFixture[str]) -> None:
    Path("partial.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in PARTIAL * 4), encoding="utf-8")
    assert main(["data", "show", "partial.jsonl", "--task", "ner+pos", "--json", "--count", "12"]) == 0
    shown = json.loads(capsys.readouterr().out)["tasks"]
    words = {task: {one["words"][0] for one in found["examples"]} for task, found in shown.items()}
    assert words == {"ner": {"Ada", "Rome"}, "pos": {"Ada", "It"}}
    assert main(["data", "show", "partial.jsonl", "--task", "ner"]) == 1  # one task leaves out nothing unasked
    assert "partial.jsonl:3: the labels are missing" in capsys.readouterr().err
    assert main(["data", "show", "partial.jsonl", "--task", "pos"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: partial.jsonl:2: no labels of 'pos' in train, nor any other",
        "  --set data.unlabelled=skip leaves records without a label out",
    ]


def test_a_run_of_several_tasks_takes_examples_that_lack_a_layer(tiny: Path, tmp_path: Path) -> None:
    examples = []
    for number, one in enumerate(PARTIAL * 4):
        labels = {task: tuple(one[task]) for task in ("ner", "pos") if one.get(task)}
        examples.append(Example(id=str(number), words=tuple(one["words"]), labels=labels))
    reference, memory = data_reference(dict.fromkeys(("train", "validation"), examples))
    request = Request(task="ner+pos", overrides={"data": (reference, "data="), "model": (str(tiny), "model=")})
    environment = Environment(memory=memory)
    home = Home(root=tmp_path / "home")
    prepared = prepare(request, Catalog.load(), environment, home, on_stage=lambda *stage: None)
    sizes = {task: len(one.splits["train"].examples) for task, one in prepared.corpora.items()}
    assert sizes == {"ner": 8, "pos": 8}
    assert set(prepared.notes) >= {
        "ner: records without a label were left out: 8", "pos: records without a label were left out: 8",
    }  # fmt: skip
    asked = replace(request, sets=("data.unlabelled=error",))
    with pytest.raises(PlanError) as raised:
        prepare(asked, Catalog.load(), environment, home, on_stage=lambda *stage: None)
    assert "no labels of 'ner' in train" in str(raised.value.misses[0])


def of_layer(layer: str) -> list[Example]:
    """Return made-up examples with one layer."""
    found = [one for one in PARTIAL * 4 if one.get(layer)]
    return [
        Example(id=str(n), words=tuple(one["words"]), labels={layer: tuple(one[layer])}) for n, one in enumerate(found)
    ]


def test_each_task_takes_data_in_memory_of_its_own() -> None:
    ner, pos = {"train": of_layer("ner")}, of_layer("pos")
    reference, environment = with_data(Environment(), {"ner": ner, "pos": pos}, ["ner", "pos"])
    assert reference == "ner=in memory,pos=in memory"
    assert environment.of_task("ner").memory == ner
    assert environment.of_task("pos").memory == {"train": pos}
    reference, environment = with_data(Environment(), {"ner": ner, "pos": Path("some/folder")}, ["ner", "pos"])
    assert (reference, environment.of_task("pos").memory) == ("ner=in memory,pos=some/folder", {})
    reference, environment = with_data(Environment(), ner, ["ner", "pos"])
    assert (reference, environment.of_task("pos").memory) == ("in memory", ner)
    with pytest.raises(DataError, match="names 'parts', which is no task of the run"):
        with_data(Environment(), {"ner": ner, "parts": pos}, ["ner", "pos"])
    with pytest.raises(DataError, match="unknown split 'ner'"):  # one task has splits
        with_data(Environment(), {"ner": ner}, ["ner"])


@pytest.mark.slow
def test_tasks_with_data_in_memory_of_their_own_are_trained_and_resumed(tiny: Path, tmp_path: Path) -> None:
    def stop(event: labelkit.events.Event) -> None:
        if isinstance(event, labelkit.events.StepDone):
            raise KeyboardInterrupt

    data = {task: {"train": of_layer(task), "validation": of_layer(task)} for task in ("ner", "pos")}
    with pytest.raises(KeyboardInterrupt):
        labelkit.run(["ner", "pos"], data=data, model=tiny, home=tmp_path, epochs=2, listeners=[stop])
    with pytest.raises(LabelkitError, match="was given in memory"):
        labelkit.resume("latest", home=tmp_path)
    with pytest.raises(LabelkitError, match="has changed since it began"):
        labelkit.resume("latest", data={**data, "pos": of_layer("pos")[:4]}, home=tmp_path)
    result = labelkit.resume("latest", data=data, home=tmp_path)
    assert result.metrics["validation"].keys() >= {"ner", "pos"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "ner", "--layer", "pos"), "--task cannot be combined with --layer"),
        (("--task", "ner+parts"), "unknown task 'parts'"),
        (("--task", "ner+pos+ner"), "names task 'ner' twice"),
        (("--task", "ner+chunk", *COLUMNS), "chunk"),
        (("--task", "ner+pos", "--split", "test", *COLUMNS), "'words.conll' has no test split"),
    ],
)
def test_what_cannot_be_shown(options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "words.conll", *options]) != 0
    assert message in capsys.readouterr().err


def test_data_that_names_other_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "ner=words.conll,pos=words.conll", "--task", "ner+chunk"]) == 1
    assert "names no data for task 'chunk'" in capsys.readouterr().err
