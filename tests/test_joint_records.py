"""Records with the labels of several tasks, as formats write them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from labelkit.errors import DataError
from labelkit.formats import conll, conllu, delimited, tables
from labelkit.formats.labelled_json import to_json
from labelkit.formats.tools import brat, html, label_studio, spacy_docbin
from labelkit.label.left_out import tasks_left_out
from labelkit.label.result_json import result_from_json, result_to_json
from labelkit.records import Coverage, DataSettings, Kind, Labelled, LoadContext, Span

WORDS, TEXT = ("Ada", "slept"), "Ada slept"
NER = Labelled(
    id="1", text=TEXT, words=WORDS, labels=("B-PER", "O"), offsets=((0, 3), (4, 9)), run="r",
    spans=(Span(start=0, end=3, label="PER", text="Ada", score=0.9),), coverage=Coverage(words=2, windows=1),
)  # fmt: skip
POS = replace(
    NER, labels=("PROPN", "VERB"),
    spans=(
        Span(start=0, end=3, label="PROPN", text="Ada", score=0.8),
        Span(start=4, end=9, label="VERB", text="slept", score=0.95),
    ),
)  # fmt: skip
TONE = Labelled(id="1", text=TEXT, label="calm", score=0.75, scores={"calm": 0.75}, coverage=NER.coverage, run="r")
RECORD = replace(NER, layers={"ner": NER, "pos": POS, "tone": TONE})


def written(writer: Any, record: Labelled = RECORD) -> str:
    return written_bytes(writer, record).decode()


def written_bytes(writer: Any, record: Labelled) -> bytes:
    output: Any = type("Output", (), {"stream": io.BytesIO()})()
    writer([record], output)
    return bytes(output.stream.getvalue())


def test_json_has_the_labels_of_each_task_once() -> None:
    layers = to_json(RECORD)["layers"]
    assert layers["pos"]["labels"] == ["PROPN", "VERB"]
    assert [span["label"] for span in layers["pos"]["spans"]] == ["PROPN", "VERB"]
    assert layers["tone"] == {"label": "calm", "score": 0.75, "scores": {"calm": 0.75}}
    assert to_json(RECORD)["labels"] == layers["ner"]["labels"]
    assert "layers" not in to_json(NER)
    first = to_json(replace(TONE, layers={"tone": TONE, "ner": NER}))
    assert first["layers"]["ner"]["words"] == ["Ada", "slept"]


def test_the_journal_keeps_the_labels_of_each_task() -> None:
    assert result_from_json(json.loads(json.dumps(result_to_json(RECORD)))) == replace(
        RECORD, run="", layers={task: replace(layer, run="") for task, layer in RECORD.layers.items()}
    )


def test_conll_has_a_column_for_each_task_of_words() -> None:
    lines = written(conll.write).splitlines()
    assert lines[1:3] == ["Ada\tPROPN\tB-PER", "slept\tVERB\tO"]


def test_a_page_shows_each_task() -> None:
    page = written(html.FORMAT.write)
    assert page.index(">ner</h3>") < page.index(">pos</h3>") < page.index(">tone</h3>") < page.index("calm")


def test_conllu_has_parts_of_speech_in_upos_and_other_tasks_in_misc() -> None:
    record = replace(RECORD, extra={"misc": ["SpaceAfter=No|NER=B-LOC", "_"]})
    rows = [line.split("\t") for line in written(conllu.write, record).splitlines() if line[:1].isdigit()]
    assert [(row[1], row[3], row[9]) for row in rows] == [
        ("Ada", "PROPN", "SpaceAfter=No|NER=B-PER"),
        ("slept", "VERB", "NER=O"),
    ]
    without = replace(NER, layers={"ner": NER, "chunk": replace(NER, labels=("B-NP", "B-VP"))})
    rows = [line.split("\t") for line in written(conllu.write, without).splitlines() if line[:1].isdigit()]
    assert [(row[3], row[9]) for row in rows] == [("B-PER", "CHUNK=B-NP"), ("O", "CHUNK=B-VP")]


def test_a_label_that_misc_cannot_hold() -> None:
    odd = replace(NER, labels=("B-a|b", "O"))
    with pytest.raises(DataError, match=r"record '1': 'B-a\|b' cannot be written in CoNLL-U"):
        written(conllu.write, replace(RECORD, layers={"ner": odd, "pos": POS}))


@pytest.mark.parametrize(
    ("format_", "columns"),
    [
        (conllu.FORMAT, {"ner": {"ner": "misc:NER"}, "pos": {"pos": "upos"}}),
        (label_studio.FORMAT, {"ner": {"ner": "ner"}, "pos": {"pos": "pos"}, "tone": {"label": "tone"}}),
        (spacy_docbin.FORMAT, {"ner": {}, "pos": {}, "tone": {}}),
    ],
)
@pytest.mark.parametrize("first", ["ner", "pos", "tone"])
def test_each_task_is_read_back(format_: Any, columns: Any, first: str, tmp_path: Path) -> None:
    if first == "tone" and first not in columns:
        first = "ner"
    layers = {first: RECORD.layers[first], **RECORD.layers}
    record = replace(layers[first], layers=layers)
    path = tmp_path / f"predicted{next(iter(format_.suffixes), '.json')}"
    path.write_bytes(written_bytes(format_.write, record))
    for task, of_task in columns.items():
        layer = "label" if task == "tone" else task
        kind: Kind = "text" if task == "tone" else "token"
        settings = DataSettings(predictions_as_gold=True, plain_labels=True if task == "pos" else None)
        ctx = LoadContext(columns=of_task, settings=settings, layer=layer, kind=kind)
        (example,) = format_.read(path, ctx)
        assert example.labels[layer] == (RECORD.layers[task].labels or RECORD.layers[task].label)
        assert task == "tone" or example.words == WORDS


def test_label_studio_has_a_control_for_each_task() -> None:
    (task,) = json.loads(written(label_studio.FORMAT.write))
    (prediction,) = task["predictions"]
    found = [(one["id"], one["from_name"], one["type"]) for one in prediction["result"]]
    assert found == [
        ("r1", "ner", "labels"), ("r2", "pos", "labels"), ("r3", "pos", "labels"), ("r4", "tone", "choices"),
    ]  # fmt: skip
    assert prediction["score"] == 0.75


@pytest.mark.parametrize(
    ("writer", "left_out"),
    [
        (html.FORMAT, ()),
        (delimited.FORMATS[0], ()),
        (tables.FORMATS[0], ()),
        (label_studio.FORMAT, ()),
        (conll.FORMATS[0], ("labels of tone",)),
        (conllu.FORMAT, ("labels of tone",)),
        (spacy_docbin.FORMAT, ()),
        (brat.FORMAT, ("labels of pos", "labels of tone")),
    ],
)
def test_what_a_format_does_not_hold_is_named(writer: Any, left_out: tuple[str, ...]) -> None:
    assert tasks_left_out(writer, RECORD) == left_out
    assert tasks_left_out(writer, NER) == ()


def test_tables_hold_the_labels_of_all_tasks(tmp_path: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(written(delimited.write)))
    path = tmp_path / "labelled.parquet"
    path.write_bytes(written_bytes(tables.FORMATS[0].write, RECORD))
    (other,) = pq.read_table(path).to_pylist()
    for layers in (json.loads(row["layers"]), other["layers"]):
        assert layers["pos"]["labels"] == ["PROPN", "VERB"]
        assert layers["tone"]["label"] == "calm"


def test_docbin_holds_one_task_of_a_kind_of_annotation() -> None:
    chunks = replace(NER, labels=("B-NP", "B-VP"))
    record = replace(RECORD, layers={**RECORD.layers, "chunk": chunks, "topic": TONE})
    assert tasks_left_out(spacy_docbin.FORMAT, record) == ("labels of chunk", "labels of topic")
