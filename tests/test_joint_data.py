"""``labelkit data show --task``: the labels of a task, or of several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelkit.cli import main


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
