"""Each kind of JSON, table and annotation file is read as what it is, or refused; nothing is lost without a count."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelkit.data.convert import Conversion, convert
from labelkit.errors import DataError
from labelkit.formats import fasttext, json_files
from labelkit.formats.cells import parse_cell
from labelkit.labels.unknown import UNKNOWN
from labelkit.plugins.catalog import Catalog
from labelkit.records import LoadContext
from reading_contexts import BY_NAME, Found, accounted, saved
from tool_documents import spans_in

ADA = "Ada Lovelace lived in London ."
PER, LOC = {"start": 0, "end": 12, "labels": ["PER"]}, {"start": 22, "end": 28, "labels": ["LOC"]}
BOTH = [("Ada Lovelace", "PER", 0), ("London", "LOC", 22)]
PREDICTED = {"words": 1, "windows": 1, "fallback": 0}


def task(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 1, "data": {"text": ADA}, "annotations": [{"result": list(results)}], **more}


def result(value: dict[str, Any], tag: str = "label", to: str = "text", type_: str = "labels") -> dict[str, Any]:
    return {"from_name": tag, "to_name": to, "type": type_, "value": value}


# -- JSON of any shape ------------------------------------------------------------------------------------------------

TUPLE: list[Any] = [ADA, {"entities": [[0, 12, "PER"], [22, 28, "LOC"]]}]
DOC = {
    "text": ADA, "ents": [{"start": 0, "end": 12, "label": "PER"}, {"start": 22, "end": 28, "label": "LOC"}],
    "tokens": [{"id": 0, "start": 0, "end": 3}, {"id": 1, "start": 4, "end": 12}, {"id": 2, "start": 13, "end": 18},
               {"id": 3, "start": 19, "end": 21}, {"id": 4, "start": 22, "end": 28}, {"id": 5, "start": 29, "end": 30}],
}  # fmt: skip
V2 = {"paragraphs": [{"sentences": [{"tokens": [
    {"orth": word, "ner": tag, "tag": "X"} for word, tag in zip(ADA.split(), ["B-PER", "L-PER", "O", "O", "U-LOC", "O"],
                                                               strict=True)
]}]}]}  # fmt: skip
SPANS = {"text": ADA, "spans": [{"start": 0, "end": 12, "label": "PER"}, [22, 28, "LOC"]]}
DOCCANO = {"id": 4, "text": ADA, "annotations": [
    {"label": "PER", "start_offset": 0, "end_offset": 12, "user": 1},
    {"label": "LOC", "start_offset": 22, "end_offset": 28, "user": 1},
]}  # fmt: skip
PRODIGY: dict[str, Any] = {
    "text": ADA, "spans": [{"start": 0, "end": 12, "label": "PER"}, {"start": 22, "end": 28, "label": "LOC"}],
    "_task_hash": 1, "answer": "accept",
}  # fmt: skip
ANSWERED = {name: value for name, value in PRODIGY.items() if name != "_task_hash"}


@pytest.mark.parametrize(
    ("name", "content", "assumed"),
    [
        ("a.json", ([SPANS, SPANS],), ""),
        ("a.json", ([DOC, DOC],), "documents of spaCy"),
        ("a.jsonl", (SPANS, "\ufeff" + json.dumps(SPANS)), "byte order marks"),
        ("a.json", (SPANS, SPANS), ""),
        ("a.json", (json.dumps(SPANS, indent=1), json.dumps(SPANS, indent=1)), ""),
        ("a.json", ({"version": 1, "data": [SPANS, SPANS]},), "in the field 'data'"),
        ("a.jsonl", (json.dumps([SPANS, SPANS], indent=1),), "a JSON array"),
        ("a.json", ([TUPLE, TUPLE],), "tuples of spaCy"),
        ("a.jsonl", (TUPLE, TUPLE), "tuples of spaCy"),
        ("a.json", ([[ADA, TUPLE[1]["entities"]], TUPLE],), "tuples of spaCy"),
        ("a.json", ({"classes": ["PER"], "annotations": [TUPLE, None, TUPLE]},), "in the field 'annotations'"),
        ("a.jsonl", (DOC, DOC), "documents of spaCy"),
        ("a.json", ([task(result(PER), result(LOC))] * 2,), "an export of Label Studio"),
        ("a.jsonl", (task(result(PER), result(LOC)),) * 2, "an export of Label Studio"),
        ("a.json", ([{"id": 1, "text": ADA, "x": [PER, LOC], "annotator": 1, "lead_time": 2},
                     {"id": 2, "text": ADA, "x": [PER, LOC], "annotator": 1, "lead_time": 2}],), "Label Studio"),
        ("a.jsonl", (DOCCANO, DOCCANO), "an export of doccano"),
        ("a.jsonl", (PRODIGY, {**PRODIGY, "answer": "reject"}, PRODIGY), "an export of Prodigy"),
        ("a.jsonl", (ANSWERED, {**ANSWERED, "answer": "reject"}, ANSWERED), "an export of Prodigy"),
        ("a.jsonl", ({"text": ADA, "entities": {"start": [0, 22], "end": [12, 28], "label": ["PER", "LOC"]}},) * 2, ""),
    ],
)  # fmt: skip
def test_json_of_any_shape(tmp_path: Path, name: str, content: tuple[Any, ...], assumed: str) -> None:
    found = Found(saved(tmp_path / name, *content), kind="token", layer="ner")
    assert found.error == ""
    assert [spans_in(one) for one in found.examples] == [BOTH, BOTH]
    assert (assumed in found.assumed, bool(found.assumed)) == (True, bool(assumed))
    assert found.counts.total() == sum("reject" in str(value) or "None" in str(value) for value in content)


def test_documents_of_spacy_v2(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", [V2, V2])
    assert Found(path, kind="token", layer="ner").labels == [("B-PER", "L-PER", "O", "O", "U-LOC", "O")] * 2
    assert Found(path, kind="token", layer="pos").labels == [("X",) * 6] * 2


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"train": [SPANS], "test": [SPANS]}, "records in several fields of one object: 'train', 'test'"),
        ({"text": {"0": "a"}, "label": {"0": "x"}}, "the object holds columns of numbered rows"),
        ('[{"text": "a", "label": NaN}]', "broken JSON: lexical error"),
        ('[{"text": "a", "label": "x", "label": "y"}]', "the key 'label' occurs twice in an object"),
        ('{"text": "a", "label": "x", "label": "y"}\n{"text": "a"}', "the key 'label' occurs twice in an object"),
        ("[1, 2]", "an object is needed on each line, this is a int"),
    ],
)
def test_json_that_is_not_clear(tmp_path: Path, content: Any, error: str) -> None:
    assert error in Found(saved(tmp_path / "a.json", content), kind="text", layer="label").error


def test_records_in_a_field_whatever_the_name_of_the_format(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
    path = saved(tmp_path / "a.json", {"version": 1, "data": rows})
    found = Found(path, "jsonl", kind="text", layer="label", format="jsonl")
    assert (found.labels, "the field 'data'" in found.assumed) == (["x", "y"], True)


@pytest.mark.parametrize("name", ["jsonl", "doccano"])
def test_numbers_of_spans_are_named_by_data_label_names(tmp_path: Path, name: str) -> None:
    field = "spans" if name == "jsonl" else "label"
    path = saved(tmp_path / "a.jsonl", {"text": ADA, field: [[0, 12, 2], [22, 28, 1]]})
    assert "is a number" in (error := Found(path, name, kind="token", layer="ner").error) or "is the number" in error
    names = saved(tmp_path / "label2id.json", {"LOC": 1, "PER": 2})
    found = Found(path, name, kind="token", layer="ner", label_names=str(names))
    assert [spans_in(one) for one in found.examples] == [BOTH]


def test_spans_with_a_length_and_rows_of_the_hub_viewer(tmp_path: Path) -> None:
    spans = [{"offset": 0, "length": 12, "category": "PER"}, {"offset": 22, "length": 6, "category": "LOC"}]
    path = saved(tmp_path / "a.json", {"rows": [{"row_idx": 0, "row": {"text": ADA, "entities": spans}}]})
    found = Found(path, kind="token", layer="ner")
    assert [spans_in(one) for one in found.examples] == [BOTH]


def test_rows_of_pandas_with_the_names_of_columns_apart(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", {"columns": ["text", "label"], "index": [0, 1], "data": [["a", "x"], ["b", "y"]]})
    found = Found(path, kind="text", layer="label")
    assert (found.labels, "orient='split'" in found.assumed) == (["x", "y"], True)


def test_fasttext_holds_no_words(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.txt", "__label__a one two\n__label__b three four")
    assert Found(path, kind="token", layer="ner").error == f"{path} is fasttext, which holds no token examples"


def test_columns_in_an_object(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", {"text": ["a", "b"], "label": ["x", "y"], "n": [1, 2]})
    found = Found(path, kind="text", layer="label")
    assert [(one.text, one.labels["label"], one.extra) for one in found.examples] == [
        ("a", "x", {"n": 1}), ("b", "y", {"n": 2})
    ]  # fmt: skip
    assert "columns of records" in found.assumed


# -- labels of another text, or of none -------------------------------------------------------------------------------

HYPER = {"start": "/p[1]", "end": "/p[1]", "hypertextlabels": ["PER"]}


@pytest.mark.parametrize(
    ("tasks", "error", "count"),
    [
        ([task(result(PER, "people"), result(LOC, "places"))], "several tags", ""),
        ([task(result(PER, "people")), task(result(LOC, "places"))], "several tags of the labelling configuration", ""),
        ([task(result(PER, to="a"), result(LOC, to="b"))], "labels belong to several texts", ""),
        ([task(result(PER)), task(result(HYPER, type_="hypertextlabels"))], "", "results of type 'hypertextlabels'"),
        ([task(result(HYPER, type_="hypertextlabels"))], "results of type 'hypertextlabels' are not read", ""),
        ([task(result(PER)), task(result({"start": 22, "end": 28}))], "", "a region without a label"),
        ([task(result({"choices": ["A"]}, type_="choices"))], "no labels of words, the results are of type", ""),
        ([{"data": {"text": ADA}, "predictions": [{"result": [result(PER)]}]}], "predictions of a model", ""),
        ([{"id": 1, "text": ADA, "a": [PER], "b": [LOC], "annotation_id": 1}], "several tags", ""),
        ([{"id": 1, "text": ADA, "a": [PER], "annotation_id": 1}, {"id": 2, "text": ADA, "b": [LOC]}], "tags", ""),
        ([{"id": 1, "text": ADA, "annotation_id": 1}], "no field of labels in any task", ""),
        ([{"id": 1, "text": ADA, "a": [HYPER], "annotation_id": 1}, {"id": 2, "text": ADA, "a": [PER]}],
         "", "hypertextlabels"),
    ],
)  # fmt: skip
def test_labels_of_label_studio_are_never_laid_elsewhere(
    tmp_path: Path, tasks: list[Any], error: str, count: str
) -> None:
    found = Found(saved(tmp_path / "a.json", tasks), "label-studio", kind="token", layer="ner")
    assert (error in found.error, bool(found.error)) == (True, bool(error))
    if count:
        assert [(count in what, times) for what, times in found.counts.items()] == [(True, 1)]
        assert len(found.examples) == len(tasks) - 1


def test_the_text_that_labels_belong_to(tmp_path: Path) -> None:
    data = {"title": "Rome wins", "body": "Ada lived in London"}
    title, body = {"start": 0, "end": 4, "labels": ["LOC"]}, {"start": 0, "end": 3, "labels": ["PER"]}
    results = [result(title, "t", "title"), result(body, "b", "body")]
    path = saved(tmp_path / "a.json", [{"data": data, "annotations": [{"result": results}]}])
    read = {"name": "label-studio", "kind": "token", "layer": "ner"}
    found = Found(path, columns={"text": "body"}, **read)
    assert [spans_in(one) for one in found.examples] == [[("Ada", "PER", 0)]]
    assert found.counts == {"labels of other texts of the same task were left out": 1}
    wrong = Found(path, columns={"text": "body", "ner": "t"}, **read)
    assert "the labels of 't' belong to the text 'title', but 'body' is read" in wrong.error


def test_classes_of_two_choices_fields(tmp_path: Path) -> None:
    both = {"id": 1, "text": "a", "tone": {"choices": ["x"]}, "kind": {"choices": ["y"]}, "annotation_id": 1}
    path = saved(tmp_path / "a.json", [both])
    assert "several tags" in Found(path, "label-studio", kind="text", layer="label").error
    found = Found(path, "label-studio", kind="text", layer="label", columns={"label": "kind"})
    assert found.labels == ["y"]


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"id": 1, "text": ADA, "meta": {}}, "no field of labels, the fields are 'id', 'text', 'meta'"),
        ({"id": 1, "text": ADA, "label": None}, "nothing in the field 'label' of the labels"),
        ({"id": 1, "text": ADA, "entities": [{"label": 2, "start_offset": 0, "end_offset": 3}]}, "the label 2 is"),
        ({"text": ADA, "label": [[0, 3, "PER"]], "labelkit": {"coverage": PREDICTED}}, "predictions of labelkit"),
    ],
)  # fmt: skip
def test_records_of_doccano_that_are_not_gold(tmp_path: Path, record: dict[str, Any], error: str) -> None:
    assert error in Found(saved(tmp_path / "a.jsonl", record), "doccano", kind="token", layer="ner").error
    good = {"id": 1, "text": ADA, "label": [[0, 12, "PER"], [22, 28, "LOC"]]}
    found = Found(saved(tmp_path / "a.jsonl", good, record), "doccano", kind="token", layer="ner")
    assert bool(found.error) != ("field" in error)
    assert found.counts.total() == ("field" in error)


def test_what_prodigy_rejected_is_not_gold(tmp_path: Path) -> None:
    rejected = {**PRODIGY, "spans": [{**PRODIGY["spans"][0]}, {**PRODIGY["spans"][1], "answer": "reject"}]}
    single = {**PRODIGY, "_is_binary": True}
    path = saved(tmp_path / "a.jsonl", rejected, single, {"text": "the sea", "answer": "accept"})
    found = Found(path, kind="token", layer="ner")
    assert [spans_in(one) for one in found.examples] == [[("Ada Lovelace", "PER", 0)]]
    assert found.counts == {
        "spans that were rejected in Prodigy were left out": 1,
        "examples with an answer about one span only were left out": 1,
        "records without a label were left out": 1,
    }


# -- spaCy ------------------------------------------------------------------------------------------------------------


def spacy_file(path: Path, *docs: dict[str, Any]) -> Path:
    """Write documents with ``ents``, ``groups`` and ``cats``; without ents their words are not annotated."""
    import spacy
    from spacy.tokens import DocBin, Span

    nlp, box = spacy.blank("en"), DocBin(store_user_data=True)
    for one in docs:
        doc = nlp.make_doc("Ada ran home")
        if "ents" in one:
            spans = [Span(doc, first, stop, label) for first, stop, label in one["ents"]]
            doc.set_ents(spans, default=one.get("default", "outside"))
        for name, group in one.get("groups", {}).items():
            doc.spans[name] = [Span(doc, first, stop, label) for first, stop, label in group]
        doc.cats = one.get("cats", {})
        box.add(doc)
    box.to_disk(path)
    return path


ENTS, GROUP = {"ents": [(0, 1, "PER")]}, {"groups": {"sc": [(0, 1, "PER")]}}


@pytest.mark.parametrize(
    ("docs", "columns", "labels", "said"),
    [
        ([ENTS, {"ents": []}], {}, [("B-PER", "O", "O"), ("O", "O", "O")], ""),
        ([GROUP], {}, [("B-PER", "O", "O")], "the span group 'sc' of spaCy is read"),
        ([{**ENTS, "groups": {"sc": []}}], {}, [("B-PER", "O", "O")], "entities of spaCy are read, not its span gro"),
        ([{**ENTS, "groups": {"sc": [(1, 2, "X")]}}], {"ner": "sc"}, [("O", "B-X", "O")], ""),
        ([ENTS, {}], {}, [("B-PER", "O", "O")], "documents without entity annotation were left out"),
        (
            [ENTS, {**ENTS, "default": "missing"}], {}, [("B-PER", "O", "O"), ("B-PER", UNKNOWN, UNKNOWN)],
            "words without entity annotation of spaCy have an unknown label",
        ),
        ([{}], {}, [], "no entity annotation"),
        ([GROUP, ENTS], {}, [], "entities here, but the documents before have the span group 'sc'"),
        ([{"groups": {"a": [], "b": []}}], {}, [], "no entities, but several span groups: 'a', 'b'"),
    ],
)  # fmt: skip
def test_where_spacy_keeps_spans(
    tmp_path: Path, docs: list[Any], columns: dict[str, str], labels: list[Any], said: str
) -> None:
    found = Found(spacy_file(tmp_path / "a.spacy", *docs), kind="token", layer="ner", columns=columns)
    assert found.labels == labels
    where = found.error if not labels else found.assumed + " ".join(found.counts)
    assert (said in where, bool(where)) == (True, bool(said))


@pytest.mark.parametrize(
    ("cats", "labels", "said"),
    [
        ({"A": 1.0, "B": 0.0}, ["A"], ""),
        ({"A": 0.2, "B": 0.8}, ["B"], "the one with the highest is read"),
        ({"A": 1.0, "B": 1.0}, [], "one label is needed, this text has 2"),
        ({"A": 0.0, "B": 0.0}, [], "the label is missing"),
    ],
)
def test_categories_of_spacy(tmp_path: Path, cats: dict[str, float], labels: list[str], said: str) -> None:
    found = Found(spacy_file(tmp_path / "a.spacy", {"cats": cats}), kind="text", layer="label")
    assert found.labels == labels
    assert said in found.error + found.assumed


# -- spans in plain records -------------------------------------------------------------------------------------------

EMOJI = "😀😀 a b c"


def span(start: int, end: int, text: str | None = None, label: Any = "X") -> dict[str, Any]:
    return {"start": start, "end": end, "label": label} | ({"text": text} if text else {})


@pytest.mark.parametrize(
    ("records", "how", "expected", "said"),
    [
        ([{"text": EMOJI, "spans": [span(5, 6, "a")]}], {}, [("a", "X", 3)], "UTF-16"),
        ([{"text": EMOJI, "spans": [span(3, 4, "a")]}], {}, [("a", "X", 3)], ""),
        ([{"text": EMOJI, "spans": [span(3, 4, "c")]}], {}, [], "does not match the text"),
        ([{"text": "a b c", "spans": [{"start_offset": 2, "end_offset": 3, "label": "X"}]}], {"format": "jsonl"},
         [("b", "X", 2)], ""),
        ([{"text": "a b c", "spans": {"sc": [span(2, 3)]}}], {}, [], "these are groups of spans: 'sc'"),
        ([{"text": "a b c", "spans": [span(2, 3, label=7)]}], {}, [], "the label of the span 2-3 is a number"),
    ],
)  # fmt: skip
def test_spans_whose_text_is_given(
    tmp_path: Path, records: list[Any], how: dict[str, Any], expected: list[Any], said: str
) -> None:
    found = Found(saved(tmp_path / "a.jsonl", *records), kind="token", layer="ner", **how)
    assert [spans_in(one) for one in found.examples] == ([expected] if expected else [])
    assert said in found.error + " ".join(found.counts)


WORDS = ["我", "在", "北", "京"]


@pytest.mark.parametrize(
    ("spans", "how", "labels", "said"),
    [
        ([[2, 4, "LOC"]], {}, ("O", "O", "B-LOC", "I-LOC"), "count words, with exclusive ends"),
        ([[2, 3, "LOC"], [1, 1, "X"]], {}, ("O", "B-X", "B-LOC", "I-LOC"), "count words, with inclusive ends"),
        ([[4, 7, "LOC"]], {}, ("O", "O", "B-LOC", "I-LOC"), ""),
        ([[0, 1, "X"]], {}, None, "both fit"),
        ([[0, 1, "X"]], {"span_offsets": "words-inclusive"}, ("B-X", "I-X", "O", "O"), ""),
        ([[0, 9, "X"]], {"span_offsets": "words"}, None, "does not lie among the 4 words"),
    ],
)
def test_what_offsets_of_words_count(
    tmp_path: Path, spans: list[Any], how: dict[str, Any], labels: Any, said: str
) -> None:
    path = saved(tmp_path / "a.jsonl", {"tokens": WORDS, "entities": spans})
    found = Found(path, kind="token", layer="ner", **how)
    assert found.labels == ([labels] if labels else [])
    assert said in found.error + found.assumed


def test_records_of_gliner(tmp_path: Path) -> None:
    records = [{"tokenized_text": WORDS, "ner": spans} for spans in ([[2, 3, "LOC"]], [])]
    found = Found(saved(tmp_path / "a.json", records), kind="token", layer="ner")
    assert found.labels == [("O", "O", "B-LOC", "I-LOC"), ("O",) * 4]
    assert "count words, with inclusive ends" in found.assumed


# -- predictions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, kind) for name in ("a.jsonl", "a.csv", "a.parquet") for kind in ("token", "text")),
        ("a.conll", "token"),
        ("a.conllu", "token"),
    ],
)
def test_predictions_are_not_gold(tmp_path: Path, name: str, kind: str) -> None:
    from labelkit.records import Coverage, Labelled
    from tool_documents import write

    fields: dict[str, Any] = {"words": ("Ada",), "labels": ("B-PER",), "offsets": ((0, 3),), "spans": ()}
    if kind == "text":
        fields = {"label": "x", "score": 0.5, "scores": {"x": 0.5}}
    record = Labelled(id="1", text="Ada", coverage=Coverage(words=1, windows=1), **fields)
    path = write(tmp_path / name, [record], name[2:])
    layer = {"token": "ner", "text": "label"}[kind]
    assert "predictions of labelkit, not gold labels" in Found(path, kind=kind, layer=layer).error
    assert Found(path, kind=kind, layer=layer, predictions_as_gold=True).labels == [
        ("B-PER",) if kind == "token" else "x"
    ]


# -- classes ----------------------------------------------------------------------------------------------------------

ROWS = "text,label\n"


@pytest.mark.parametrize(
    ("cells", "how", "labels", "said"),
    [
        (["a", "b", "a|b"], {}, None, "the class 'a|b' looks like several labels of one text: 'a', 'b'"),
        (["a#b", "b#a"], {}, None, "looks like several labels"),
        (["R&B/Soul", "Rock"], {}, ["R&B/Soul", "Rock"], ""),
        (["a", "b", "a|b"], {"label_separator": "none"}, ["a", "b", "a|b"], ""),
        (["a", "a|b"], {"label_separator": "|"}, None, "one label is needed, this text has 2"),
        (["\"['a', 'b']\""], {}, None, "one label is needed, this text has 2"),
        (["\"['a']\""], {}, ["a"], ""),
        (['"{""choices"": [""a"", ""b""]}"'], {}, None, "one label is needed, this text has 2"),
        (['"{""choices"": [""a""]}"'], {}, ["a"], ""),
        (["1.0", "0.0"], {}, ["1", "0"], "labels such as 1.0 are read as the class 1"),
        (["1.0", "2.5"], {}, None, "the label 2.5 is a fraction, labels are classes"),
        (["1.0", "2.5"], {"number_classes": True}, ["1.0", "2.5"], ""),
        (["nan", "a"], {}, None, "the label is missing"),
        (["nan", "", "a", "<NA>"], {"unlabelled": "skip"}, ["a"], "records without a label were left out"),
        (["None", "NA"], {}, ["None", "NA"], "'None' is a class of a.csv: --set data.unknown_label=None reads it"),
        (["None", "a"], {"unknown_label": "None"}, ["None", "a"], ""),
        (["pos", " pos", "neg"], {}, ["pos", " pos", "neg"], "'pos' and ' pos' are different classes of a.csv"),
        (["Pos", "pos", "neg"], {}, ["Pos", "pos", "neg"], "'Pos' and 'pos' are different classes of a.csv"),
        (
            ["it was good", "I liked it", "so so la"],
            {},
            ["it was good", "I liked it", "so so la"],
            "a class of its own",
        ),
        (["O O", "B-PER O"], {}, ["O O", "B-PER O"], "look like tags of words"),
        (["O", "B-PER"], {}, ["O", "B-PER"], "look like tags of words"),
    ],
)
def test_classes_in_cells(tmp_path: Path, cells: list[str], how: dict[str, Any], labels: Any, said: str) -> None:
    path = saved(tmp_path / "a.csv", ROWS + "".join(f"t{row},{cell}\n" for row, cell in enumerate(cells)))
    found = Found(path, kind="text", layer="label", **how)
    where = found.error + found.assumed + " ".join(found.counts)
    assert (found.labels if not found.error else None) == labels
    assert (said in where, bool(where)) == (True, bool(said))


def test_nan_is_missing_in_a_cell_and_a_name_in_json(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jsonl", {"text": "a", "label": "nan"}, {"text": "b", "label": "NaN"})
    assert Found(path, kind="text", layer="label").labels == ["nan", "NaN"]
    path = saved(tmp_path / "b.jsonl", {"tokens": ["a", "b"], "ner": ["nan", "O"]})
    assert Found(path, kind="token", layer="ner").labels == [("nan", "O")]
    path = saved(tmp_path / "a.csv", "sentence,word,ner\n1,Ada,nan\n1,nan,O\n")
    assert "the label is missing" in Found(path, kind="token", layer="ner").error


def test_classes_that_look_like_numbers_are_kept_where_they_are_text(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jsonl", {"text": "a", "label": "2.7"}, {"text": "b", "label": "3.10"})
    assert Found(path, kind="text", layer="label").labels == ["2.7", "3.10"]
    path = saved(tmp_path / "a.jsonl", '{"text": "a", "label": 1.0}\n{"text": "b", "label": NaN}')
    found = Found(path, kind="text", layer="label", unlabelled="skip")
    assert (found.labels, found.counts.total()) == (["1"], 1)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("['EU' 'rejects'\n \"it's\"]", ["EU", "rejects", "it's"]),
        ("[1 2 3]", [1, 2, 3]),
        ("('a', 'b')", ["a", "b"]),
        ("[(0, 4, 'ORG')]", [(0, 4, "ORG")]),
        ("[see note 3]", "[see note 3]"),
        ("[sic", "[sic"),
        ("[" * 5000 + "]" * 5000, "[" * 5000 + "]" * 5000),
    ],
)
def test_lists_in_cells(cell: str, value: Any) -> None:
    assert parse_cell(cell) == value


def test_a_list_that_numpy_shortened_is_refused() -> None:
    with pytest.raises(DataError, match="shortened by numpy"):
        parse_cell("['a' 'b' ... 'z']")


# -- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "how", "said"),
    [
        ("a.csv", "text,label\nr 0,x\ns 1,y\n", {}, ""),
        ("a.csv", "text;label\nr 0;x\ns 1;y\n", {}, "fields are separated by ';'"),
        ("a.csv", "text\tlabel\nr 0\tx\ns 1\ty\n", {}, "fields are separated by 'tab'"),
        ("a.csv", '"text";"label"\n"r 0";"x"\n"s 1";"y"\n', {}, "fields are separated by ';'"),
        ("a.csv", "sep=;\r\ntext;label\r\nr 0;x\r\ns 1;y\r\n", {}, ""),
        ("a.csv", '"sep=;"\ntext;label\nr 0;x\ns 1;y\n', {}, ""),
        ("a.csv", 'text,label\nr 0,x\n\ufeff"text",label\ns 1,y\n', {}, "repeated header rows were left out"),
        ("a.ft", "__label__x r 0\n\ufeff__label__y s 1\n", {}, "byte order marks"),
        ("a.csv", "text~label\nr 0~x\ns 1~y\n", {"separator": "~"}, ""),
        ("a.csv", "text,label,,,\nr 0,x,,,\n,,,,\ns 1,y,,,\n", {}, "rows of empty fields were left out"),
        ("a.csv", "text,label\nr 0,x,,\ns 1,y\n", {}, ""),
        ("a.csv", "text,label\nr 0,x\ntext,label\ns 1,y\n", {}, "repeated header rows were left out"),
        ("a.csv", "r 0,x\ns 1,y\n", {"header": False}, ""),
        ("a.csv", "r 0,x\ns 1,y\n", {"columns": {"text": "0", "label": "1"}}, "has no header row"),
        ("a.csv", "what,which\nr 0,x\ns 1,y\n", {"columns": {"text": "0", "label": "1"}, "header": True}, ""),
        ("a.tsv", 'text\tlabel\n"r 0"\tx\n"s 1"\ty\n', {"quotes": True}, ""),
        ("a.ft", "__label__x r 0\n\n__label__y\ts 1\n", {}, ""),
        ("a.txt", "__label__x r 0\n__label__y s 1\n", {}, "is read as fasttext"),
    ],
)  # fmt: skip
def test_tables_of_texts(tmp_path: Path, name: str, content: str, how: dict[str, Any], said: str) -> None:
    found = Found(saved(tmp_path / name, content), kind="text", layer="label", **how)
    assert found.error == ""
    assert [(one.text, one.labels["label"]) for one in found.examples] == [("r 0", "x"), ("s 1", "y")]
    where = found.assumed + " ".join(found.counts)
    assert (said in where, bool(where)) == (True, bool(said))


def test_a_table_without_a_header_is_told_by_its_labels(tmp_path: Path) -> None:
    found = Found(saved(tmp_path / "a.csv", "x,r 0\ny,s 1\nx,t 2\n"), kind="text", layer="label")
    assert [(one.text, one.labels["label"]) for one in found.examples] == [("r 0", "x"), ("s 1", "y"), ("t 2", "x")]
    assert "has no header row, 'x,r 0' is its first record: --set data.header=true says otherwise" in found.assumed


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('text\tlabel\n"He said ""hi"" 0"\tx\nb\ty\n', ['He said "hi" 0', "b"]),
        ('text\tlabel\n"a\tb"\tx\nb\ty\n', ["a\tb", "b"]),
        ('text\tlabel\n"a\nb"\tx\nb\ty\n', ["a\nb", "b"]),
        ('text\tlabel\n"Quoted whole."\tx\nb\ty\n', ['"Quoted whole."', "b"]),
        ('text\tlabel\n"Hi" he said\tx\nb\ty\n', ['"Hi" he said', "b"]),
        ('text\tlabel\n5" pipe\tx\nb\ty\n', ['5" pipe', "b"]),
    ],
)
def test_quotes_in_tsv_count_where_they_show_it(tmp_path: Path, content: str, texts: list[str]) -> None:
    found = Found(saved(tmp_path / "a.tsv", content), kind="text", layer="label")
    assert [one.text for one in found.examples] == texts
    assert ("quotes enclose fields" in found.assumed) == (not texts[0].startswith('"') and '5"' not in texts[0])


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("a,b\nr 0,x\n", "no column of the text, the columns are 'a', 'b'"),
        ("text,label\nr 0\n", "2 columns expected as in the header, 1 found"),
        ("text,label,,\nr 0,x,,lost\n", "the value 'lost' stands in a column without a name"),
        ("text,label\nr 0,x,more\n", "2 columns expected as in the header, 3 found"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, content: str, error: str) -> None:
    assert error in Found(saved(tmp_path / "a.csv", content), kind="text", layer="label").error


WORD_RECORDS = "\n".join(
    json.dumps({"sentence_id": sentence, "words": word, "labels": label})
    for sentence, word, label in ((0, "Ada", "B-PER"), (0, "ran", "O"), (1, "Bob", "B-PER"))
)
REGION = '"[{""start"": 0, ""end"": 3, ""labels"": [""PER""]}]"'


@pytest.mark.parametrize(
    ("name", "content", "how"),
    [
        ("a.csv", "sentence_id,words,labels\n0,Ada,B-PER\n0,ran,O\n1,Bob,B-PER\n", {}),
        ("a.csv", "Sentence #,Word,POS,Tag\nSentence: 1,Ada,N,B-PER\n,ran,V,O\nSentence: 2,Bob,N,B-PER\n", {}),
        ("a.csv", "s,w,t\n1,Ada,B-PER\n1,ran,O\n2,Bob,B-PER\n",
         {"columns": {"tokens": "w", "sentence": "s", "ner": "t"}}),
        ("a.csv", "tokens,ner_tags\n\"['Ada' 'ran']\",\"['B-PER' 'O']\"\n['Bob'],['B-PER']\n", {}),
        ("a.csv", 'tokens,ner_tags\n"[""Ada"", ""ran""]","[""B-PER"", ""O""]"\n"[""Bob""]","[""B-PER""]"\n', {}),
        ("a.csv", "text,spans\nAda ran,\"[(0, 3, 'PER')]\"\nBob,\"[{'start': 0, 'end': 3, 'label': 'PER'}]\"\n", {}),
        ("a.jsonl", WORD_RECORDS, {}),
        ("a.csv", f"annotation_id,label,lead_time,text\n1,{REGION},1,Ada ran\n2,{REGION},1,Bob\n", {}),
    ],
)  # fmt: skip
def test_tables_of_words(tmp_path: Path, name: str, content: str, how: dict[str, Any]) -> None:
    found = Found(saved(tmp_path / name, content), kind="token", layer="ner", **how)
    assert found.error == ""
    assert [(one.words, one.labels["ner"]) for one in found.examples] == [
        (("Ada", "ran"), ("B-PER", "O")), (("Bob",), ("B-PER",)),
    ]  # fmt: skip


# -- brat -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "spans"),
    [
        ("drop", [("Bob", "PER", 22)]),
        ("join", [("Lorem ipsum dolor", "Org", 0), ("Bob", "PER", 22)]),
        ("split", [("Lorem", "Org", 0), ("dolor", "Org", 12), ("Bob", "PER", 22)]),
    ],
)
def test_discontinuous_spans(tmp_path: Path, how: str, spans: list[Any]) -> None:
    (tmp_path / "a.txt").write_text("Lorem ipsum dolor sat Bob")
    (tmp_path / "a.ann").write_text("T1\tOrg 0 5;12 17\tLorem dolor\nT2\tPER 22 25\tBob\n")
    assert "is discontinuous" in Found(tmp_path / "a.ann", kind="token", layer="ner").error
    found = Found(tmp_path / "a.ann", kind="token", layer="ner", discontinuous=how)
    assert [spans_in(one) for one in found.examples] == [spans]
    assert found.counts.total() == 1


def test_two_labels_of_the_same_words_are_counted_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jsonl", {"text": "Ada ran", "spans": [[0, 3, "PER"], [0, 3, "AUTHOR"]]})
    found = Found(path, kind="token", layer="ner", drop_overlaps=True)
    assert found.counts == {"of the labels AUTHOR and PER of the same words only AUTHOR was kept": 1}


# -- nothing disappears without being counted -------------------------------------------------------------------------

scalars = st.one_of(st.none(), st.text(max_size=4), st.integers(-2, 9), st.floats(allow_infinity=False), st.booleans())
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
names = st.sampled_from(("text", "label", "labels", "tokens", "words", "spans", "id", "answer", "data", "x"))
records = st.dictionaries(names, values, min_size=1, max_size=5)
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(found=st.lists(records, min_size=1, max_size=5), kind=st.sampled_from(("token", "text")))
def test_each_json_record_is_read_or_accounted_for(tmp_path: Path, found: list[Any], kind: str) -> None:
    path = saved(tmp_path / "a.jsonl", *found)
    try:
        read, missing = accounted(path, json_files.read_lines, kind)
    except DataError:
        return  # one clear line
    assert read + missing == len(found)


@few
@given(found=st.lists(st.lists(st.text("ab,;\"'[]\n1 ", max_size=5), min_size=2, max_size=2), min_size=1, max_size=5))
def test_each_row_is_read_or_accounted_for(tmp_path: Path, found: list[list[str]]) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([["text", "label"], *found])
    (tmp_path / "a.csv").write_bytes(buffer.getvalue().encode())
    reader = BY_NAME["csv"].read
    assert reader is not None
    read, missing = accounted(tmp_path / "a.csv", reader, "text")
    assert read + missing == len(found)


@few
@given(found=st.lists(st.text("a_lbe \t", min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=6))
def test_each_line_of_fasttext_is_read_or_accounted_for(tmp_path: Path, found: list[str]) -> None:
    path = saved(tmp_path / "a.ft", "\n".join(line.replace("lb", fasttext.PREFIX) for line in found))
    read, missing = accounted(path, fasttext.read, "text")
    assert read + missing == len(found)


def test_fasttext_is_written_as_it_is_read(tmp_path: Path) -> None:
    source, target = tmp_path / "a.jsonl", tmp_path / "b.ft"
    source.write_text('{"text": "Fine , really !", "label": "good"}\n{"text": "Dull", "label": "not-good"}\n')
    ctx = LoadContext(cache=tmp_path)
    catalog = Catalog.load(only=["textcls"])
    assert convert(Conversion(reference=str(source), target=target, to="fasttext"), catalog, ctx).checked
    assert target.read_text() == "__label__good Fine , really !\n__label__not-good Dull\n"
    for record, said in (
        ({"text": "a", "label": "two words"}, "fastText cannot hold the label 'two words'"),
        ({"text": "a\nb", "label": "x"}, "fastText cannot hold a text of several lines"),
        ({"text": "__label__y a", "label": "x"}, "or one that begins with __label__"),
    ):
        source.write_text(json.dumps(record) + "\n")
        with pytest.raises(DataError, match=said):
            convert(Conversion(reference=str(source), target=tmp_path / "c.ft", to="fasttext"), catalog, ctx)


def test_texts_with_the_scores_of_spacy(tmp_path: Path) -> None:
    records = [{"text": "a fine day", "cats": {"good": 1.0, "bad": 0}}, {"text": "rain", "cats": {"good": 0, "bad": 1}}]
    found = Found(saved(tmp_path / "a.jsonl", *records), kind="text", layer="label")
    assert (found.labels, "documents of spaCy" in found.assumed) == (["good", "bad"], True)
    found = Found(saved(tmp_path / "a.jsonl", {"text": "a", "cats": {"x": "y"}}), kind="text", layer="label")
    assert not found.assumed
