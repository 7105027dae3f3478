"""Labels of the input, where labels are ignored, become own fields of the records; predictions are counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reading_contexts import Found, saved

RESULT = {"from_name": "l", "to_name": "text", "type": "labels", "value": {"start": 0, "end": 3, "labels": ["PER"]}}
SPANS = [{"start": 0, "end": 3, "label": "PER"}]
FILES: dict[str, tuple[str, Any, Any]] = {
    "doccano": (
        "label",
        [[0, 3, "PER"]],
        [{"text": "Ada ran", "label": [[0, 3, "PER"]]}, {"text": "It rained", "label": []}],
    ),
    "prodigy": ("spans", SPANS, [{"text": "Ada ran", "spans": SPANS}, {"text": "It"}]),
    "label-studio": (
        "annotations",
        [[RESULT]],
        [
            {"data": {"text": "Ada ran"}, "annotations": [{"result": [RESULT]}]},
            {"data": {"text": "It rained"}, "annotations": [{"result": []}]},
        ],
    ),
    "json": (
        "entities",
        [[0, 3, "PER"]],
        [["Ada ran", {"entities": [[0, 3, "PER"]]}], ["It rained", {"entities": []}]],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_labels_of_tools_become_own_fields(tmp_path: Path, name: str) -> None:
    field, labels, records = FILES[name]
    content = "\n".join(map(json.dumps, records)) if name in ("doccano", "prodigy") else json.dumps(records)
    found = Found(saved(tmp_path / "a.json", content), name, kind="token", layer="ner", labels="ignored")
    assert [example.extra for example in found.examples] == [{f"input_{field}": labels}, {}]
    assert not found.counts


def test_labels_of_brat(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("It rained\nAda ran\n")
    found = Found(saved(tmp_path / "a.ann", "T1\tPER 10 13\tAda\n"), kind="token", layer="ner", labels="ignored")
    assert [example.extra for example in found.examples] == [{}, {"input_spans": SPANS}]


def test_features_of_webanno(tmp_path: Path) -> None:
    head = "#FORMAT=WebAnno TSV 3.3\n#T_SP=x.Ner|value\n#T_SP=x.POS|PosValue\n\n\n#Text=Ada ran\n"
    content = head + "1-1\t0-3\tAda\tPER\tNNP\t\n1-2\t4-7\tran\t_\tVBD\t\n1-2.1\t4-5\tr\tX\t_\t\n\n"
    path = saved(tmp_path / "a.tsv", content)
    found = Found(path, kind="token", layer="ner", labels="ignored")
    assert "the annotations of a.tsv are not kept (Ner.value, POS.PosValue): labelkit data convert" in found.assumed
    found = Found(path, kind="token", layer="ner", labels="ignored", keep_columns=True)
    assert found.examples[0].extra == {"input_Ner.value": ["PER", "_"], "input_POS.PosValue": ["NNP", "VBD"]}
    assert ("not kept" in found.assumed, list(found.counts.values())) == (False, [1])
    found = Found(path, kind="token", layer="ner", keep_columns=True, align_spans="drop")
    assert found.examples[0].extra == {"POS.PosValue": ["NNP", "VBD"]}


def test_predictions_of_labelkit_are_counted(tmp_path: Path) -> None:
    record = {"text": "Ada ran", "label": [[0, 3, "PER"]], "labelkit": {"coverage": {"words": 2, "windows": 1}}}
    found = Found(saved(tmp_path / "a.jsonl", record), "doccano", kind="token", layer="ner", labels="ignored")
    assert (found.examples[0].extra, found.counts) == (
        {},
        {"labels of the input in the field 'label' were not kept": 1},
    )


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
