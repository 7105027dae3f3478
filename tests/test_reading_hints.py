"""What people have under other names, units and notations: read and said, or an error with a hint that helps."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labelkit.data.reading import kind_of
from labelkit.formats.column_hints import are_names, column_hint
from labelkit.formats.conllu import read as read_conllu
from reading_contexts import BY_NAME, Found, reading, saved

WORDS: dict[str, Any] = {"kind": "token", "layer": "ner"}
TEXTS: dict[str, Any] = {"kind": "text", "layer": "label"}


CATALOG: Any = SimpleNamespace(sources={}, schemas={}, formats=BY_NAME)


@pytest.mark.parametrize(
    ("record", "how", "said"),
    [
        ({"text": "Ada ran.", "tags": "B-PER O"}, {}, "labels in one string ('tags')"),
        ({"sentence": "Ada ran.", "word_labels": "B-PER,O"}, {"columns": {"ner": "word_labels"}}, "in one string"),
        ({"tokens": "Ada ran.", "tags": "B-PER O"}, {}, "their words by blanks"),
        ({"tokens": ["Ada", "ran."], "tags": "B-PER O"}, {}, "labels in one string"),
        ({"text": "Ada ran.", "labels": ["B-PER", "O"]}, {}, "words of a text with a list of labels"),
    ],
)
def test_words_and_tags_in_strings(tmp_path: Path, record: dict[str, Any], how: dict[str, Any], said: str) -> None:
    found = Found(saved(tmp_path / "a.jsonl", record, record), **WORDS, **how)
    assert [one.words for one in found.examples] == [("Ada", "ran.")] * 2
    assert found.labels == [("B-PER", "O")] * 2
    assert said in found.assumed


@pytest.mark.parametrize(
    ("record", "error", "hint"),
    [
        ({"text": "Ada ran", "tags": "B-PER O O"}, "must be a list, not 'B-PER O O'", "one for each word"),
        ({"text": "Ada ran", "tags": "very good"}, "must be a list, not 'very good'", "--columns ner=…"),
        ({"text": "Ada ran", "spans": [{"text": "Ada", "label": "PER"}]}, "the span 'Ada' has no offsets", "start and"),
        ({"text": "Ada ran", "spans": {"PER": [[0, 3]]}}, "groups of spans: 'PER'", 'as [0, 5, "PER"], in one list'),
        ({"text": "Ádá ran", "spans": [[0, 9, "PER"]]}, "does not lie in a text", "data.utf16=true"),
        ({"text": "Ádá ran", "spans": [[0, 5, "PER"]]}, "cuts the word 'ran'", "data.utf16=true"),
        ({"text": "Ada ran", "spans": [[0, 2, "PER"]]}, "cuts the word 'Ada'", "inclusive, expand is right"),
        ({"Text": "Ada ran", "Tags": []}, "no column of the tokens", "perhaps --columns text=Text,ner=Tags"),
        ({"words": "Ada", "tag": "O"}, "the words must be a list of strings, not 'Ada'", "sentence=…"),
    ],
)
def test_hints_for_records_of_words(tmp_path: Path, record: dict[str, Any], error: str, hint: str) -> None:
    found = Found(saved(tmp_path / "a.jsonl", record, record), **WORDS)
    assert error in found.error
    assert hint in found.hint


@pytest.mark.parametrize(
    "span", [["PER", 0, 3], {"start": 0, "end": 3, "tag_name": "PER"}, {"entity": "PER", "start": 0, "end": 3}]
)
def test_spans_in_any_order_of_fields(tmp_path: Path, span: Any) -> None:
    record = {"text": "Ada ran", "label": [span]}
    assert Found(saved(tmp_path / "a.jsonl", record, record), **WORDS).labels == [("B-PER", "O")] * 2


def test_spans_are_never_classes(tmp_path: Path) -> None:
    record = {"text": "Ada ran", "label": [[0, 3, "PER"]]}
    path = saved(tmp_path / "a.jsonl", {"text": "It rained", "label": []}, record)
    for several in (True, False):
        found = Found(saved(tmp_path / "b.jsonl", record), **TEXTS, multilabel=several)
        assert "the label of a text is a class, not a span: [0, 3, 'PER']" in found.error
        assert "labelkit run ner" in found.hint
    assert kind_of(str(path), CATALOG, reading()) == "token"
    assert Found(tmp_path / "b.jsonl").labels == [("B-PER", "O")]


@pytest.mark.parametrize(
    ("content", "error", "hint"),
    [
        ("id,review,rating\n1,ok,5\n", "no column of the text", "perhaps --columns text=review,label=rating"),
        ("id,comment_text,toxic,rude\n1,ok,1,0\n", "no column of the text", "text=comment_text,label=…; a column of 0"),
        ("text,label,label\nok,a,b\n", "duplicate column 'label'", "rename one of them"),
        ("# of 2024\ntext,label\nok,a\n", "no column of the text", "'# of 2024', looks like a comment: remove it"),
        ("It was good,pos\nI did not,neg\n", "no column of the text", "data.header=false --columns text=0,label=1"),
    ],
)
def test_hints_for_tables_of_texts(tmp_path: Path, content: str, error: str, hint: str) -> None:
    found = Found(saved(tmp_path / "a.csv", content), **TEXTS)
    assert error in found.error
    assert hint in found.hint
    assert "data.header" in hint or "data.header" not in found.hint


def test_a_word_in_each_row_needs_sentences(tmp_path: Path) -> None:
    found = Found(saved(tmp_path / "a.csv", "word,tag\nAda,B-PER\nran,O\n"), **WORDS)
    assert "--columns tokens=word,sentence=COLUMN" in found.hint
    path = saved(tmp_path / "b.csv", "word,tag\nAda,B-PER\nran,O\n\nBob,B-PER\nsat,O\n")
    assert Found(path, "conll", **WORDS).labels == [("B-PER", "O")] * 2


def test_rows_of_several_splits_are_said_to_be_one(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.csv", "text,label,split\nok,a,train\nno,b,test\n")
    assert "whatever their field 'split' says (train, test)" in Found(path, **TEXTS).assumed
    assert Found(saved(tmp_path / "b.csv", "text,label,split\nok,a,train\n"), **TEXTS).assumed == ""
    assert "split" not in Found(path, **TEXTS, labels="ignored").assumed


def test_a_table_in_a_text_file(tmp_path: Path) -> None:
    found = Found(saved(tmp_path / "a.txt", "good\tI liked it\nbad\tno, not I\ngood\tyes\n"), **TEXTS)
    assert (found.labels, "is read as tsv" in found.assumed) == (["good", "bad", "good"], True)
    found = Found(saved(tmp_path / "b.txt", "I liked it\nno, not I\n"), **TEXTS)
    assert "known: arrow, class-folders, csv" in found.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps({"text": "ok", "label": "a"}, indent=1) + "\n" + json.dumps({"text": "no", "label": "b"}, indent=1),
         "objects over several lines each"),
        (json.dumps({"nlu": {"common_examples": [{"text": "ok", "label": "a"}, {"text": "no", "label": "b"}]}}),
         "'common_examples'"),
    ],
)  # fmt: skip
def test_json_over_several_lines_or_deep(tmp_path: Path, content: str, said: str) -> None:
    found = Found(saved(tmp_path / "a.jsonl", content), "json" if "nlu" in content else None, **TEXTS)
    assert found.labels == ["a", "b"]
    assert said in found.assumed


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("{'text': 'ok', 'label': 'a'}", "Python's notation: write it with json.dumps"),
        ('{"text": "ok", "label": "a"},', "leave out the comma after the object"),
        ('{"text": "ok", "label": ', "each line must be a whole object"),
    ],
)
def test_hints_for_lines_that_are_no_json(tmp_path: Path, line: str, hint: str) -> None:
    found = Found(saved(tmp_path / "a.jsonl", line, line), **TEXTS)
    assert "broken JSON" in found.error
    assert hint in found.hint


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"0": {"text": "a", "label": "x"}, "1": {"text": "b", "label": "y"}}, "the object holds numbered records"),
        ({"columns": ["text", "label"], "data": [["a", "x"], ["b"]]}, "2 columns are named, a row has 1"),
    ],
)
def test_tables_of_pandas_that_are_no_records(tmp_path: Path, value: Any, error: str) -> None:
    found = Found(saved(tmp_path / "a.json", value), **TEXTS)
    assert error in found.error
    assert "orient='records', lines=True" in found.hint


def test_records_beside_others_in_one_object(tmp_path: Path) -> None:
    records = [{"text": "a", "label": "x"}]
    found = Found(saved(tmp_path / "a.json", {"data": records, "more": records}), **TEXTS)
    assert (found.labels, "not those in 'more'" in found.assumed) == (["x"], True)


def test_offsets_of_brat_that_fit_other_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"Ada ran\r\nin London.\r\n")
    path = saved(tmp_path / "a.ann", "T1\tLOC 11 17\tLondon\n")
    found = Found(path, **WORDS)
    assert "does not match the text 'London'" in found.error
    assert "line feeds alone as line ends" in found.hint
    saved(path, "T1\tLOC 12 18\tLondon\n")
    assert Found(path, **WORDS).labels[1] == ("O", "B-LOC", "O")
    saved(path, "T1\tLOC 1 7\tLondon\n")
    assert "was the text changed" in Found(path, **WORDS).hint


@pytest.mark.parametrize(
    ("line", "how", "error", "hint"),
    [
        ("1 Ada Ada X _ _ 0 root _ _", {}, "10 columns separated by tabs expected, 1 found", "separated by blanks"),
        ("1\tAda\tAda\tX\t_\t_\t0\troot\t_\t_\t*", {}, "11 found", "cut -f1-10"),
        ("1\tAda\tAda\tX\t_\t_\t0\troot\t_\tEntity=(e1-person)", {"columns": {"ner": "misc:Entity"}},
         "marks entities by brackets", "such as NER=B-PER"),
    ],
)  # fmt: skip
def test_hints_for_conllu(tmp_path: Path, line: str, how: dict[str, Any], error: str, hint: str) -> None:
    found = Found(saved(tmp_path / "a.conllu", f"{line}\n\n"), **WORDS, **how)
    assert error in found.error
    assert hint in found.hint
    assert BY_NAME["conllu"].read is read_conllu


def test_labels_of_two_fields_of_json_min(tmp_path: Path) -> None:
    region = {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
    fields = {"id": 1, "text": "Ada ran", "people": [region], "places": [region], "annotator": 1, "lead_time": 1}
    path = saved(tmp_path / "a.json", [fields])
    assert Found(path, **WORDS).hint == "say which: --columns ner=people or ner=places"
    assert Found(path, kind="token").hint == "say which: --columns labels=people or labels=places"


def test_hints_name_columns_by_their_usual_names() -> None:
    assert column_hint(["id", "Review", "stars"], "stars", "text") == "perhaps --columns text=Review,stars=stars"
    assert column_hint(["a", "b"], "ner", "token").endswith("or tokens=…,ner=…")
    assert [are_names([name]) for name in ("star rating", "_id", "B-PER", "O", "1", "Ada lived in Rome", "a.b")] == [
        True, True, False, False, False, False, True,
    ]  # fmt: skip
