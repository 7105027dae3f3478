"""Labels of the input are never lost without a word where labels are ignored: each record that had some is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reading_contexts import Found, saved

RESULT = {"from_name": "l", "to_name": "text", "type": "labels", "value": {"start": 0, "end": 3, "labels": ["PER"]}}
FILES: dict[str, tuple[str, Any]] = {
    "doccano": ("label", [{"text": "Ada ran", "label": [[0, 3, "PER"]]}, {"text": "It rained", "label": []}]),
    "prodigy": ("spans", [{"text": "Ada ran", "spans": [{"start": 0, "end": 3, "label": "PER"}]}, {"text": "It"}]),
    "label-studio": ("annotations", [
        {"data": {"text": "Ada ran"}, "annotations": [{"result": [RESULT]}]},
        {"data": {"text": "It rained"}, "annotations": [{"result": []}]},
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_labels_of_tools_are_counted(tmp_path: Path, name: str) -> None:
    field, records = FILES[name]
    content = json.dumps(records) if name == "label-studio" else "\n".join(map(json.dumps, records))
    found = Found(saved(tmp_path / "a.json", content), name, kind="token", layer="ner", labels="ignored")
    assert len(found.examples) == 2
    assert found.counts == {f"labels of the input in the field '{field}' were not kept": 1}


def test_labels_of_brat_spacy_and_webanno(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ada ran\nIt rained\n")
    found = Found(saved(tmp_path / "a.ann", "T1\tPER 0 3\tAda\n"), kind="token", layer="ner", labels="ignored")
    assert found.counts == {"labels of the input in the field 'a.ann' were not kept": 1}
    tuples = saved(tmp_path / "a.json", [["Ada ran", {"entities": [[0, 3, "PER"]]}], ["It rained", {"entities": []}]])
    found = Found(tuples, kind="token", layer="ner", labels="ignored")
    assert found.counts == {"labels of the input in the field 'entities' were not kept": 1}
    content = "#FORMAT=WebAnno TSV 3.3\n#T_SP=x.Ner|value\n\n\n#Text=Ada\n1-1\t0-3\tAda\tPER\t\n\n"
    found = Found(saved(tmp_path / "a.tsv", content), kind="token", layer="ner", labels="ignored")
    assert "the annotations of a.tsv are not kept (Ner.value)" in found.assumed


def test_labels_of_records_become_own_fields(tmp_path: Path) -> None:
    record = {
        "text": "Ada ran",
        "tokens": ["Ada", "ran"],
        "ner_tags": [1, 0],
        "spans": [[0, 3, "PER"]],
        "input_spans": 3,
    }
    (example,) = Found(saved(tmp_path / "a.jsonl", record), kind="token", labels="ignored").examples
    assert example.extra == {"input_spans": 3, "input_ner_tags": [1, 0], "input_input_spans": [[0, 3, "PER"]]}
    assert example.words == ("Ada", "ran")
