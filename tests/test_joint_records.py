"""Records with the labels of several tasks, as formats write them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from labelkit.formats import conll
from labelkit.formats.labelled_json import to_json
from labelkit.formats.tools import html, spacy_docbin
from labelkit.label.journal import _from_json, _to_json
from labelkit.label.left_out import tasks_left_out
from labelkit.records import Coverage, Labelled, Span

WORDS, TEXT = ("Ada", "slept"), "Ada slept"
NER = Labelled(
    id="1", text=TEXT, words=WORDS, labels=("B-PER", "O"), offsets=((0, 3), (4, 9)), run="r",
    spans=(Span(start=0, end=3, label="PER", text="Ada", score=0.9),), coverage=Coverage(words=2, windows=1),
)  # fmt: skip
POS = replace(NER, labels=("PROPN", "VERB"), spans=())
TONE = Labelled(id="1", text=TEXT, label="calm", score=0.75, scores={"calm": 0.75}, coverage=NER.coverage, run="r")
RECORD = replace(NER, layers={"ner": NER, "pos": POS, "tone": TONE})


def written(writer: Any) -> str:
    output: Any = type("Output", (), {"stream": io.BytesIO()})()
    writer([RECORD], output)
    return str(output.stream.getvalue().decode())


def test_json_has_the_labels_of_each_task_once() -> None:
    layers = to_json(RECORD)["layers"]
    assert layers["pos"] == {"labels": ["PROPN", "VERB"], "spans": []}
    assert layers["tone"] == {"label": "calm", "score": 0.75, "scores": {"calm": 0.75}}
    assert to_json(RECORD)["labels"] == layers["ner"]["labels"]
    assert "layers" not in to_json(NER)
    first = to_json(replace(TONE, layers={"tone": TONE, "ner": NER}))
    assert first["layers"]["ner"]["words"] == ["Ada", "slept"]


def test_the_journal_keeps_the_labels_of_each_task() -> None:
    assert _from_json(json.loads(json.dumps(_to_json(RECORD)))) == replace(
        RECORD, run="", layers={task: replace(layer, run="") for task, layer in RECORD.layers.items()}
    )


def test_conll_has_a_column_for_each_task_of_words() -> None:
    lines = written(conll.write).splitlines()
    assert lines[1:3] == ["Ada\tPROPN\tB-PER", "slept\tVERB\tO"]


def test_a_page_shows_each_task() -> None:
    page = written(html.FORMAT.write)
    assert page.index(">ner</h3>") < page.index(">pos</h3>") < page.index(">tone</h3>") < page.index("calm")


@pytest.mark.parametrize(
    ("writer", "left_out"),
    [
        (html.FORMAT, ()),
        (conll.FORMATS[0], ("labels of tone",)),
        (spacy_docbin.FORMAT, ("labels of pos", "labels of tone")),
    ],
)
def test_what_a_format_does_not_hold_is_named(writer: Any, left_out: tuple[str, ...]) -> None:
    assert tasks_left_out(writer, RECORD) == left_out
    assert tasks_left_out(writer, NER) == ()
