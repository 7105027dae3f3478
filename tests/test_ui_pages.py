"""The pages of ``labelkit ui`` that compare, analyse and change runs, without a browser and without torch."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import time
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from label_studio_server import TOKEN, label_studio
from labelkit.config.environment import Environment
from labelkit.data.gold import Gold
from labelkit.errors import LabelkitError
from labelkit.evaluation.error_analysis import analyse_errors
from labelkit.evaluation.inspection import Inspection
from labelkit.evaluation.label_errors import rank_labels
from labelkit.evaluation.label_review import find_label_errors
from labelkit.label_studio.references import parse_project
from labelkit.records import Coverage, Example, Labelled, Schema, Span
from labelkit.registry import Home, Registry, SplitRecord
from labelkit.ui.labellers import Labellers
from labelkit.ui.lineage_picture import MOST, Box, place_columns
from labelkit.ui.playground import segments_of
from labelkit.ui.sentences import sentence_pieces
from recorded_runs import start
from ui_pages import client_of, texts_of

pytest_plugins = ("recorded_home",)
SCHEMA = Schema.bio("ner", "PER", "LOC")
WORDS = (("Ada", "lives", "in", "<b>Paris</b>"), ("Nobody", "came"))
GOLD = (("B-PER", "O", "O", "B-LOC"), ("O", "O"))
GUESS = (("B-PER", "O", "O", "B-PER"), ("B-LOC", "O"))


def an_inspection(guess: Sequence[tuple[str, ...]] = GUESS) -> Inspection:
    examples = [
        Example(id=str(number), words=words, labels={"ner": labels})
        for number, (words, labels) in enumerate(zip(WORDS, GOLD, strict=True))
    ]
    names, lengths = SCHEMA.label_names, np.array([4, 2])
    ids = np.array([names.index(label) for labels in guess for label in labels])
    gold = np.array([names.index(label) for labels in GOLD for label in labels])
    values = np.full((6, len(names)), 0.02 / (len(names) - 1))
    values[np.arange(6), ids] = 0.98
    quality = rank_labels(np.log(values).astype(np.float32), gold, SCHEMA)
    return Inspection(
        gold=Gold(split="validation", examples=examples, ref="d:validation", content_hash="va" * 32),
        layer="ner",
        schema=SCHEMA,
        analysis=analyse_errors(examples, "ner", guess, SCHEMA),
        quality=quality,
        label_errors=find_label_errors(quality, examples, lengths),
        predicted=guess,
        confidence=np.split(values[np.arange(6), ids], [4]),
    )


def a_run(registry: Registry, id_: str, f1: float = 0.5, **facts: Any) -> str:
    splits = tuple(
        SplitRecord(split=split, ref=f"d:{split}", content_hash=split[:2] * 32, examples=2, words=6)
        for split in ("train", "validation", "test")
    )
    start(registry, id_, **{"splits": splits, "schema": dataclasses.asdict(SCHEMA), **facts})
    metrics = {
        "f1": f1, "per_type": {"PER": {"f1": f1, "support": 2}},
        "intervals": {"f1": [f1 - 0.1, f1 + 0.1], "per_type": {"PER": {"f1": [f1 - 0.2, f1 + 0.2]}}},
    }  # fmt: skip
    for step in (10, 20):
        registry.recorder.log_metrics(
            id_,
            task="ner",
            split="validation",
            metrics=metrics,
            step=step,
            epoch=step / 10,
            chosen=True,
            train_loss=0.5,
        )
    registry.recorder.finish(id_, "finished", seconds=12.0)
    return id_


@pytest.fixture
def client(place: Home) -> Iterator[TestClient]:
    with client_of(place) as client:
        yield client


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Replace labelling by fixed labels, and return the runs and splits that are labelled."""
    found: list[tuple[str, str]] = []

    def inspect(self: Labellers, details: Any, split: str, say: Any) -> Inspection:
        found.append((details.record.id, split))
        say("a note of the labeller")
        return an_inspection(GUESS if details.record.id == "ner-1" else GOLD)

    monkeypatch.setattr(Labellers, "inspect", inspect)
    return found


def token_of(client: TestClient) -> str:
    return str(re.findall(r'name="csrf" value="(\w+)"', client.get("/runs/ner-1/errors").text)[0])


def send(client: TestClient, path: str, **fields: Any) -> Any:
    return client.post(path, data={"csrf": token_of(client), **fields})


def waited(client: TestClient, path: str) -> str:
    """Return a page once its background work is done."""
    for _ in range(1500):
        text = client.get(path).text
        if "hx-trigger" not in text:
            return text
        time.sleep(0.02)
    raise AssertionError("the work does not end")


def test_a_comparison_shows_what_differs(client: TestClient, registry: Registry) -> None:
    a_run(registry, "ner-1", 0.4, seed=1)
    a_run(registry, "ner-2", 0.6, seed=2, name="second")
    text = client.get("/compare?run=ner-1&run=second").text
    assert "+0.2000" in text
    assert "[0.5000, 0.7000]" in text  # the interval of the whole split
    assert "[0.4000, 0.8000]" in text  # that of a type
    assert re.search(r">seed</bdi></th><td[^>]*><bdi>1</bdi></td><td[^>]*><bdi>2</bdi>", text)
    assert text.count("<polyline") == 4  # two charts of two curves


@pytest.mark.parametrize("count", [0, 1, 11])
def test_a_comparison_takes_two_to_ten_runs(client: TestClient, registry: Registry, count: int) -> None:
    query = "&".join(f"run={a_run(registry, f'ner-{number}')}" for number in range(count))
    answer = client.get(f"/compare?{query}")
    assert (answer.status_code, f"{count} runs are selected" in answer.text) == (400, True)


def test_sentences_that_runs_label_differently(
    client: TestClient, registry: Registry, inspected: list[tuple[str, str]]
) -> None:
    a_run(registry, "ner-1")
    a_run(registry, "ner-2")
    assert send(client, "/compare/sentences", run=["ner-1", "ner-2"]).status_code == 200
    text = waited(client, "/compare?run=ner-1&run=ner-2")
    assert inspected == [("ner-1", "validation"), ("ner-2", "validation")]
    assert "2 of 2 sentences of validation are labelled differently" in text
    assert "&lt;b&gt;Paris&lt;/b&gt;" in text


def test_sentences_of_different_data_are_not_compared(client: TestClient, registry: Registry) -> None:
    a_run(registry, "ner-1")
    other = SplitRecord(split="validation", ref="e", content_hash="ff" * 32, examples=1, words=1)
    a_run(registry, "ner-3", splits=(other,))
    answer = send(client, "/compare/sentences", run=["ner-1", "ner-3"])
    assert (answer.status_code, "validation data of the runs differ" in answer.text) == (400, True)


def test_significance_says_why_runs_cannot_be_compared(client: TestClient, registry: Registry) -> None:
    a_run(registry, "ner-1")
    a_run(registry, "ner-2", metric="other")
    answer = send(client, "/compare/significance", run=["ner-1", "ner-2"])
    assert (answer.status_code, "the metric of" in answer.text) == (400, True)


def test_errors_lead_from_a_cell_to_its_sentences(
    client: TestClient, registry: Registry, inspected: list[tuple[str, str]]
) -> None:
    a_run(registry, "ner-1")
    assert "Label validation with the checkpoint" in client.get("/runs/ner-1/errors").text
    assert inspected == []  # nothing is labelled before it is asked for
    assert send(client, "/runs/ner-1/errors", split="validation").status_code == 200
    text = waited(client, "/runs/ner-1/errors")
    assert inspected == [("ner-1", "validation")]
    assert "a note of the labeller" in text
    cell = re.findall(r'href="([^"]+)"><span class="hidden">gold LOC, predicted PER', text)[0].replace("&amp;", "&")
    one = client.get(cell).text
    assert one.count('name="example"') == 1
    assert "&lt;b&gt;Paris&lt;/b&gt;" in one
    assert "PER 0.98" in one
    assert "0.980" in one  # of the word
    spurious = client.get("/runs/ner-1/errors?kind=spurious").text
    assert "Nobody" in spurious
    assert "Paris" not in spurious
    annotation = client.get("/runs/ner-1/errors?view=annotation").text
    assert re.search(r"annotated LOC, PER with probability 0\.9\d", texts_of(annotation))


def test_selected_sentences_are_downloaded_in_a_format(
    client: TestClient, registry: Registry, inspected: list[tuple[str, str]]
) -> None:
    a_run(registry, "ner-1")
    send(client, "/runs/ner-1/errors", split="validation")
    waited(client, "/runs/ner-1/errors")
    path, fields = "/runs/ner-1/errors/download", {"split": "validation", "format": "jsonl"}
    records = [json.loads(line) for line in send(client, path, example="1", **fields).text.splitlines()]
    assert [record["words"] for record in records] == [list(WORDS[1])]
    answer = send(client, path, all="1", view="annotation", split="validation", format="jsonl")
    assert [json.loads(line)["suspects"][0]["rank"] for line in answer.text.splitlines()] == [1, 2]
    assert answer.headers["content-disposition"] == 'attachment; filename="validation-annotation.jsonl"'
    brat = send(client, path, all="1", split="validation", format="brat")
    with zipfile.ZipFile(io.BytesIO(brat.content)) as archive:
        assert {name.rpartition(".")[2] for name in archive.namelist()} >= {"ann", "txt"}
    for wrong in ({}, {"example": "9"}, {"example": "0", "format": "nothing"}):
        assert send(client, path, **{**fields, **wrong}).status_code == 400


def test_selected_sentences_are_sent_to_the_project_of_the_server_only(
    registry: Registry, place: Home, inspected: list[tuple[str, str]]
) -> None:
    a_run(registry, "ner-1")
    fields = {"split": "validation", "all": "1"}
    with label_studio() as server:
        project = parse_project(f"{server.url}#2")
        for given, environment in ((None, Environment()), (project, Environment(label_studio_token=TOKEN))):
            with client_of(place, environment=environment, label_studio=given) as client:
                send(client, "/runs/ner-1/errors", split="validation")
                shown = waited(client, "/runs/ner-1/errors")
                assert ("Send selected to Label Studio" in shown) == (given is not None)
                answer = send(client, "/runs/ner-1/errors/send", **fields)
                assert answer.status_code == (200 if given else 400)
        assert [task["data"]["text"] for task in server.imports[0]] == [" ".join(words) for words in WORDS]
        assert "2 tasks were created" in answer.text
        assert TOKEN not in answer.text


def test_a_labeller_that_fails_says_why_and_can_be_asked_again(
    client: TestClient, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(registry, "ner-1")
    asked = []

    def inspect(self: Labellers, details: Any, split: str, say: Any) -> Inspection:
        asked.append(split)
        raise (LabelkitError("the data is gone", hint="restore it") if len(asked) == 1 else ValueError("secret text"))

    monkeypatch.setattr(Labellers, "inspect", inspect)
    for message in ("the data is gone", "unexpected ValueError: a bug in labelkit"):
        send(client, "/runs/ner-1/errors", split="validation")
        text = waited(client, "/runs/ner-1/errors")
        assert message in text
        assert "secret text" not in text
    assert asked == ["validation"] * 2


def test_a_look_at_test_says_that_it_is_counted(client: TestClient, registry: Registry) -> None:
    a_run(registry, "ner-1")
    assert "is counted as a scoring of it" in client.get("/runs/ner-1/errors?split=test").text
    assert send(client, "/runs/ner-1/errors", split="other").status_code == 400


def test_forms_of_other_sites_do_nothing(
    client: TestClient, registry: Registry, inspected: list[tuple[str, str]]
) -> None:
    a_run(registry, "ner-1")
    token, path = token_of(client), "/runs/ner-1/errors"
    for headers, csrf in (
        ({}, ""), ({}, "0" * 64), ({"origin": "http://evil.example"}, token), ({"origin": "null"}, token),
        ({"sec-fetch-site": "cross-site"}, token), ({"sec-fetch-site": "same-site"}, token),
    ):  # fmt: skip
        answer = client.post(path, data={"split": "validation", "csrf": csrf}, headers=headers)
        assert (answer.status_code, inspected) == (400, [])
    own = {"sec-fetch-site": "same-origin", "origin": "null"}
    assert client.post(path, data={"split": "validation", "csrf": token}, headers=own).status_code == 200


def test_changes_need_write(client: TestClient, registry: Registry, place: Home) -> None:
    a_run(registry, "ner-1")
    answer = send(client, "/runs/ner-1/change", action="tag", value="good")
    assert (answer.status_code, "read-only" in answer.text) == (400, True)
    assert 'action="/runs/ner-1/change"' not in client.get("/runs/ner-1").text
    with client_of(place, write=True) as writer:
        for action, value in (("tag", "good better"), ("untag", "better"), ("alias", "prod"), ("note", "<i>hm</i>")):
            assert send(writer, "/runs/ner-1/change", action=action, value=value).status_code == 200
        found = registry.runs.get("ner-1")
        assert (found.tags, found.aliases, found.notes[0].text) == (("good",), ("ner@prod",), "<i>hm</i>")
        for action, value in (
            ("tag", "Not A Tag"),
            ("note", " "),
            ("delete", "ner"),
            ("other", "x"),
            ("alias", "best"),
        ):
            assert send(writer, "/runs/ner-1/change", action=action, value=value).status_code == 400
        assert writer.post("/runs/ner-1/change", data={"action": "tag", "value": "x"}).status_code == 400
        registry.aliases.remove("ner@prod")
        assert send(writer, "/runs/ner-1/change", action="delete", value="ner-1").status_code == 200
        assert registry.runs.count() == 0


def test_the_playground_offers_runs_and_refuses_nothing_to_label(client: TestClient, registry: Registry) -> None:
    assert "No finished run yet" in client.get("/playground").text
    a_run(registry, "ner-1")
    a_run(registry, "ner-2")
    registry.aliases.assign("ner-1", "prod")
    text = client.get("/playground").text
    assert text.index("ner-1") < text.index("ner-2")  # the one with an alias comes first
    for fields in (
        {"text": " ", "run": "ner-1"},
        {"text": "a"},
        {"text": "a", "run": "x"},
        {"text": "a" * 2_000_001, "run": "ner-1"},
    ):
        assert send(client, "/playground", **fields).status_code in (400, 404)
    failed = send(client, "/playground", text="Ada", run="ner-1")
    assert "has no checkpoint" in failed.text


@given(st.text(max_size=40), st.data())
def test_pieces_of_a_text_are_the_text(text: str, data: st.DataObject) -> None:
    borders = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6, unique=True)))
    spans = tuple(
        Span(start=start, end=end, label="PER", text=text[start:end], score=0.5)
        for start, end in zip(borders[::2], borders[1::2], strict=False)
    )
    record = Labelled(id="1", text=text, coverage=Coverage(words=0, windows=0), words=(), spans=spans)
    pieces = segments_of(record, SCHEMA, {"PER": 0})
    assert "".join(one.text for one in pieces) == text
    assert all(text[one.start : one.start + len(one.text)] == one.text for one in pieces)
    assert [one.start for one in pieces if one.label] == [one.start for one in spans]


def test_a_sentence_in_pieces_marks_the_words_of_a_mistake() -> None:
    example = Example(id="1", words=("a", "b", "c", "d"), labels={})
    pieces = sentence_pieces(example, ("O", "B-PER", "I-PER", "O"), SCHEMA, {"PER": 0}, {0, 1}, [0.9, 0.8, 0.7, 0.6])
    assert [(one.text, one.label, one.marked) for one in pieces] == [
        ("a", None, True), ("b c", "PER 0.70", True), ("d", None, False),
    ]  # fmt: skip
    text = sentence_pieces(
        Example(id="1", text="fine", labels={}), "good", Schema(name="s", kind="text", labels=("good",)), {}
    )
    assert [(one.text, one.label) for one in text] == [("fine", None), ("", "good")]


def test_boxes_of_the_lineage_do_not_overlap_and_long_columns_are_counted() -> None:
    picture = place_columns([[Box("data", "a")], [], [Box("file", str(number)) for number in range(20)]])
    assert [len(column) for column in picture.columns] == [1, MOST]
    assert picture.columns[1][-1].name == "13 more"
    assert len({(one.x, one.y) for column in picture.columns for one in column}) == MOST + 1
    assert len(picture.arrows) == MOST


def test_hostile_names_stay_text_everywhere(
    client: TestClient, registry: Registry, inspected: list[tuple[str, str]]
) -> None:
    hostile = "<script>alert(1)</script>\x1b[31m"
    for id_ in ("ner-1", "ner-2"):
        a_run(registry, id_, data=hostile, model=hostile + id_, command=hostile)
    send(client, "/runs/ner-1/errors", split="validation")
    waited(client, "/runs/ner-1/errors")
    for path in ("/compare?run=ner-1&run=ner-2", "/runs/ner-1/errors", "/runs/ner-1/data", "/playground?run=ner-1"):
        text = client.get(path).text
        assert "<script>alert" not in text
        assert "\x1b" not in text
    assert "<script>alert(1)</script>␛[31m" in texts_of(client.get("/compare?run=ner-1&run=ner-2").text)
