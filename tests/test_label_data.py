"""``labelkit label`` and data with labels: what it wrote is read as data, and labels that are there do no harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_command import Label, label, opened, write
from labelkit.cli import main
from labelkit.label.labeller import Labeller
from labelkit.records import Decoder, Scores

__all__ = ["label", "opened"]


def all_inside(scores: Scores) -> Any:
    return np.full(len(scores.values), scores.schema.label_names.index("I-PER"))


@pytest.mark.slow
def test_tags_that_do_not_fit_are_rewritten_and_the_output_is_data(
    label: Label, opened: dict[Any, Labeller], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.txt", "Ada Lovelace lives\nBob\n\n")
    label("a.txt", "-o", "first.jsonl")
    for labeller in opened.values():
        monkeypatch.setattr(labeller, "_decoder", Decoder(name="argmax", kind="token", decode=all_inside))
    done = label("a.txt", "-o", "o.jsonl", "--json")
    records = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert [record["labels"] for record in records] == [["B-PER", "I-PER", "I-PER"], ["B-PER"], []]
    assert [record["coverage"].get("repaired", 0) for record in records] == [1, 1, 0]
    assert [[span["text"] for span in record["spans"]] for record in records] == [["Ada Lovelace lives"], ["Bob"], []]
    assert (json.loads(done.out)["repaired"], "note: 2 tags repaired to fit IOB2" in done.err) == (2, True)
    for name in ("o.conll", "o.parquet"):
        assert label("a.txt", "-o", name).status == 0
    write("a.txt", "Ada Lovelace lives\nBob\n")
    assert label("a.txt", "-o", "o.jsonl", "--force").status == 0
    for name in ("o.conll", "o.jsonl"):
        assert main(["data", "show", name]) == 1  # predictions are not gold labels
        assert main(["data", "show", name, "--set", "data.predictions_as_gold=true"]) == 0


def test_a_text_with_one_label_among_others_is_labelled_and_keeps_it(label: Label) -> None:
    write(
        "a.jsonl", '{"text": "Bob"}\n{"text": "Ann in Paris", "label": "spam", "n": 1}\n{"text": "Tim", "label": 3}\n'
    )
    write("b.jsonl", '{"text": "Ann", "label": "spam"}\n{"text": "Tim", "labels": "", "input_labels": 1}\n')
    done = label("a.jsonl", "b.jsonl", "--strict")
    assert done.status == 0, done.err
    assert [record["text"] for record in done.records] == ["Bob", "Ann in Paris", "Tim", "Ann", "Tim"]
    assert [record.get("input_label") for record in done.records] == [None, "spam", 3, "spam", None]
    assert (done.records[1]["n"], "label" in done.records[1]) == (1, False)
    assert (done.records[4]["input_labels"], done.records[4]["input_input_labels"]) == (1, "")


def test_one_text_without_a_label_is_enough_for_data_to_be_no_classes(label: Label) -> None:
    write("a.csv", "text,label\n" + "Ada,spam\n" * 9 + "Bob,\n")
    assert [record["input_label"] for record in label("a.csv").records] == ["spam"] * 9 + [None]
    write("a.jsonl", '{"text": "Ada", "label": 1}\n' * 70 + '{"text": "Ada"}\n')
    assert "a.jsonl:1: this is a text with one label" in label("a.jsonl").err


def test_texts_with_labels_are_labelled_where_the_column_of_the_text_is_named(label: Label) -> None:
    write("a.csv", "text,label\nAda lives,POSITIVE\n")
    (record,) = label("a.csv", "--columns", "text=text").records
    assert (record["words"], record["input_label"]) == (["Ada", "lives"], "POSITIVE")
