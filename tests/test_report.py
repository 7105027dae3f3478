"""``labelkit runs report``: what the page shows, that text of users stays text, and what it says of what is missing."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelkit
from labelkit.cli import main
from labelkit.data.corpus import Split
from labelkit.data.summary import summarise_split
from labelkit.evaluation.error_analysis import kind_name
from labelkit.records import Example, Labels, Schema
from labelkit.registry import Group, Home, Note, PlanValue, Registry, RunDetails, SplitRecord, Spread, VersionRecord
from labelkit.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, TYPES, WIDTH, chart, charts, round_numbers
from labelkit.report.contents import ReportContents, SplitPredictions, recorded_schema
from labelkit.report.page import file_name, make_page, render
from labelkit.report.recorded_predictions import recorded_predictions
from labelkit.report.score_tables import MATRIX, confusion_table, score_tables
from recorded_runs import START, ended, start

pytest_plugins = ("recorded_home",)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECTIONS = ("Data", "Curves", "Scores", "Confusion", "Errors", "Evaluations", "Plan", "Checkpoints", "Run")
HOSTILE = "</p><script>alert(1)</script><img src=x onerror=y>\"'&lt;{{ 7*7 }}--><style>*{}"
VOID = {"meta", "br", "img", "link", "input", "hr"}
SCHEMA = Schema.bio("ner", "PER", "LOC")
SPLITS = ("train", "validation", "test")


class Parsed(HTMLParser):
    """A page taken apart.

    ``tags`` are all elements with their attributes, ``text`` what is read, ``faults`` what is not closed.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self.feed(page)
        self.close()
        self.faults += self._open
        self.text = " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self._texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(material: ReportContents) -> str:
    return render(make_page(material, labelkit="0.1.0", written=NOW))


def an_example(number: int, words: str, tags: str) -> Example:
    return Example(id=str(number), words=tuple(words.split()), labels={"ner": tuple(tags.split())})


def judged(
    examples: Sequence[Example], guess: Sequence[Labels], schema: Schema = SCHEMA, **facts: Any
) -> SplitPredictions:
    given_: dict[str, Any] = {"source": "made up", "layer": "ner", "figures": {}}
    return SplitPredictions(examples=examples, predicted=guess, schema=schema, **{**given_, **facts})


@pytest.fixture
def details(registry: Registry) -> RunDetails:
    """Return a finished run with two epochs, whose scores have intervals and a confusion."""
    return registry.runs.get(recorded(registry))


def recorded(registry: Registry, id_: str = "ner-1", *, figures: Mapping[str, Any] | None = None, **facts: Any) -> str:
    splits = tuple(
        SplitRecord(split=split, ref=f"d:{split}", content_hash=split[:2] * 32, examples=3, words=12)
        for split in SPLITS
    )
    plan = (PlanValue.of("train.seed", 1, "default"), PlanValue.of("data.scheme", "auto", "--set"))
    given_ = {"splits": splits, "plan": plan, "schema": dataclasses.asdict(SCHEMA), "name": "first"}
    start(registry, id_, **{**given_, **facts})
    more = figures if figures is not None else FIGURES
    for epoch, score in enumerate((0.25, 0.5), 1):
        registry.recorder.log_metrics(
            id_, task="ner", split="validation", metrics={"f1": score, "loss": 1 - score, **more}, step=10 * epoch,
            epoch=epoch, chosen=True, train_loss=2.5 / epoch,
        )  # fmt: skip
    registry.recorder.log_metrics(
        id_, task="ner", split="test", metrics={"f1": 0.4567, **more}, step=20, epoch=2, chosen=True
    )
    registry.recorder.finish(id_, "finished", seconds=61.5)
    return id_


FIGURES: Mapping[str, Any] = {
    "mode": "default",
    "per_type": {"PER": {"f1": 0.75, "support": 3}, "LOC": {"f1": 0.25, "support": 1}},
    "intervals": {"f1": [0.3012, 0.6034], "per_type": {"PER": {"f1": [0.5056, 0.9078]}}},
    "confusion": {"PER": {"PER": 7, "LOC": 2}, "O": {"PER": 5}},
}


# -- what it shows ----------------------------------------------------------------------------------------------------


def test_a_page_is_well_formed_and_can_be_found_ones_way_in(details: RunDetails) -> None:
    examples = [an_example(1, "Ada met Bob", "B-PER O B-PER")]
    page = Parsed(page_of(ReportContents(details=details, schema=SCHEMA, predictions={
        "validation": judged(examples, [("B-PER", "O", "B-LOC")])}, unpredicted={"test": "why"})))  # fmt: skip
    assert page.faults == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert [link["href"] for link in page.all("a")] == [f"#{name.lower()}" for name in SECTIONS]
    assert {name.lower() for name in SECTIONS} <= set(ids)
    assert all("scope" in head for head in page.all("th"))
    drawings = [one for one in page.all("svg") if one.get("aria-hidden") != "true"]
    assert drawings
    assert all(set((one["aria-labelledby"] or "").split()) <= set(ids) for one in drawings)
    assert page.all("html") == [{"lang": "en"}]
    assert [name for name, _ in page.tags if name in ("h1", "h2")] == ["h1", *["h2"] * len(SECTIONS)]


def test_it_needs_nothing_from_elsewhere(details: RunDetails) -> None:
    html = page_of(ReportContents(details=details, schema=SCHEMA))
    page = Parsed(html)
    assert {name for name, _ in page.tags}.isdisjoint({"script", "img", "link", "iframe", "object", "embed", "base"})
    assert not [a for _, a in page.tags if {"src", "srcset", "action"} & set(a) or any(n[:2] == "on" for n in a)]
    assert not re.search(r"@import|url\(|https?://", html)
    assert ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") in [
        (one.get("http-equiv"), one.get("content")) for one in page.all("meta")
    ]


def test_scores_stand_with_their_intervals(details: RunDetails) -> None:
    text = Parsed(page_of(ReportContents(details=details, schema=SCHEMA))).text
    assert "validation f1 0.5000 [0.3012, 0.6034]" in text
    assert "test f1 0.4567 [0.3012, 0.6034]" in text
    assert "PER 0.7500 [0.5056, 0.9078]" in text
    assert "LOC 0.2500 1" in text  # no interval is known of it
    assert "95% CI: bootstrap over sentences, recorded with the scores." in text
    assert "Scored by seqeval : mode default ." in text
    assert "scored once in this registry" in text


def test_confusion_and_curves_are_those_recorded(details: RunDetails) -> None:
    page = page_of(ReportContents(details=details, schema=SCHEMA))
    text = Parsed(page).text
    assert "gold ↓ predicted → PER LOC O all PER 7 2 · 9 LOC · · · 0 O 5 · · 5" in text
    assert "Loss from step 10 to 20: training from 2.5000 to 1.2500, validation from 0.7500 to 0.5000" in text
    assert "step epoch training loss validation loss validation f1 10 1 2.5000 0.7500 0.2500 20 2 1.2500" in text
    assert page.count('class="chosen"') == 4  # a line in each of two drawings, and in each legend


def test_precision_is_drawn_by_recall(registry: Registry) -> None:
    curve = {"support": 4, "thresholds": [0.9, 0.5], "tp": [2, 3], "fp": [0, 1]}
    small = {"support": 1, "thresholds": [], "tp": [], "fp": []}
    curves = {"micro": curve, "per_type": {"PER": curve, "LOC": small}}
    details = registry.runs.get(recorded(registry, figures={**FIGURES, "precision_recall_curve": curves}))
    page = page_of(ReportContents(details=details, schema=SCHEMA))
    text = Parsed(page).text
    assert "of all labels 0.7500 at recall 0.7500" in text
    assert "PER from 0.9000: precision 1.0000, recall 0.5000" in text
    assert page.count(">recall</text>") == 1
    assert all(f".l{number} {{ stroke" in page and f".d{number} {{ fill" in page for number in range(TYPES + 1))
    (drawn,) = [one for one in charts(details) if one.unit == "recall"]
    assert [(line.name, [(round(x), round(y)) for x, y, _ in line.points]) for line in drawn.lines] == [
        ("all labels", [(250, 12), (349, 50)]),
        ("PER", [(250, 12), (349, 50)]),
    ]
    spoiled = recorded(registry, "ner-2", name="second", figures={**FIGURES, "precision_recall_curve": {"micro": 1}})
    assert "Precision by recall" not in page_of(ReportContents(details=registry.runs.get(spoiled), schema=SCHEMA))


def test_data_is_shown_as_it_was_read(details: RunDetails) -> None:
    examples = [an_example(1, "Ada met Bob in Rome", "B-PER O B-PER O B-LOC")]
    split = Split(name="train", examples=examples, ref="d", content_hash="x", words=5)
    summaries = {"train": summarise_split(split, "ner", Schema.bio("ner", "PER"))}
    unread = {"validation": "it has changed", "test": "it has changed"}
    text = Parsed(page_of(ReportContents(details=details, schema=SCHEMA, summaries=summaries, unread=unread))).text
    assert f"train 3 12 d:train {'tr' * 32}" in text
    # of the other two it is what the scores tell
    assert "label train validation test PER 2 66.7% 3 75.0% 3 75.0% LOC 1 33.3% 1 25.0% 1 25.0%" in text
    bare = dataclasses.replace(details, scores=())
    text = Parsed(page_of(ReportContents(details=bare, schema=SCHEMA, summaries=summaries, unread=unread))).text
    assert "No label distribution of test: it has changed." in text


def test_mistakes_stand_with_their_sentences(details: RunDetails) -> None:
    examples = [
        an_example(1, "Ada met Bob", "B-PER O B-PER"),
        an_example(2, "in New York today", "O B-LOC I-LOC O"),
        an_example(3, " ".join(f"w{n}" for n in range(60)), " ".join(["O"] * 30 + ["B-LOC"] + ["O"] * 29)),
        an_example(4, "it rains", "O O"),
    ]
    guess = [("B-PER", "O", "B-LOC"), ("O", "O", "B-LOC", "O"), ("O",) * 60, ("B-PER", "O")]
    material = ReportContents(details=details, schema=SCHEMA, predictions={"validation": judged(examples, guess)})
    text = Parsed(page_of(material)).text
    assert "type support correct missed wrong type wrong boundary wrong type and boundary spurious" in text
    assert "all 4 1 1 1 1 0 1" in text
    assert "Wrong type: 1" in text
    assert "1 × bob : PER → LOC example 1 gold Ada : PER met Bob : PER predicted Ada : PER met Bob : LOC" in text
    assert "1 × new york : LOC → LOC example 2 gold in New York : LOC today predicted in New York : LOC today" in text
    assert "1 × it : nothing → PER example 4 gold it rains predicted it : PER rains" in text
    assert f"gold … {' '.join(f'w{n}' for n in range(16, 30))} w30 : LOC w31" in text
    assert "w44 … predicted …" in text


def test_frequent_mistakes_come_first_and_the_rest_is_counted(details: RunDetails) -> None:
    examples = [an_example(n, f"Ada{n if n > 2 else ''} sleeps", "B-PER O") for n in range(20)]
    material = ReportContents(details=details, schema=SCHEMA, predictions={"test": judged(examples, [("O", "O")] * 20)})
    text = Parsed(page_of(material)).text
    assert "Missed: 20 A gold span without a predicted span. The 8 most frequent of 18 different ones. 3 × ada" in text


def test_texts_and_plain_tags_have_errors_too(details: RunDetails) -> None:
    tags = Schema(name="ner", kind="token", labels=("NOUN", "VERB"))
    examples = [an_example(1, "dogs bark", "NOUN VERB")]
    text = Parsed(page_of(ReportContents(details=details, schema=tags, predictions={
        "validation": judged(examples, [("NOUN", "NOUN")], tags)}))).text  # fmt: skip
    assert "1 × bark : VERB → NOUN example 1 gold dogs bark : VERB predicted dogs bark : NOUN" in text
    classes = Schema(name="ner", kind="text", labels=("good", "bad"))
    texts = [Example(id=str(n), text="I liked it " * 100, labels={"ner": "good"}) for n in range(7, 9)]
    text = Parsed(page_of(ReportContents(details=details, schema=classes, predictions={
        "validation": judged(texts, ["bad"] * 2, classes)}))).text  # fmt: skip
    assert "2 × good → bad text I liked it" in text
    assert "… example 7 text I liked" in text
    assert "… example 8" in text


def test_many_labels_are_shown_by_the_pairs_confused_most() -> None:
    rows = {f"L{n}": {f"L{n}": 9, f"L{n + 1}": n} for n in range(MATRIX)}
    found = confusion_table(rows, None)
    assert found is not None
    assert (found.rows, found.pairs[0]) == ((), (f"L{MATRIX - 1}", f"L{MATRIX}", MATRIX - 1))
    assert confusion_table({}, None) is None


def test_a_group_is_shown_with_its_spread(details: RunDetails) -> None:
    metrics = {"test": {"ner": {"f1": Spread(mean=0.5, std=0.0123, min=0.4, max=0.6, runs=2), "per_type": {}}}}
    group = Group(id="g", metric_key="f1", seeds=(1, 2), runs=("a", "b"), others=("c",), metrics=metrics)
    text = Parsed(page_of(ReportContents(details=dataclasses.replace(details, group=group), schema=SCHEMA))).text
    assert "Group g : 2 finished runs, seeds 1, 2; not finished: c ." in text
    assert "test f1 0.5000 0.0123 0.4000 0.6000" in text


def test_plan_and_versions_are_told_with_their_origins(registry: Registry) -> None:
    versions = (VersionRecord(kind="library", name="torch", version="2.1"),)
    run = recorded(registry, versions=versions, device_type="cpu", device_name="EPYC", device_count=2, precision="bf16")
    registry.annotations.add_note(run, "odd\nrate")
    registry.annotations.add_tags(run, "keep")
    text = Parsed(page_of(ReportContents(details=registry.runs.get(run), schema=SCHEMA))).text
    assert "data.scheme auto --set" in text
    assert "library torch 2.1" in text
    assert "device cpu: 2 × EPYC, bf16" in text
    assert "odd rate" in text
    assert "tags keep" in text


def test_a_test_split_that_is_none_is_called_so(registry: Registry) -> None:
    splits = tuple(
        SplitRecord(split=name, ref="d", content_hash="ab" * 32, examples=3, words=12) for name in SPLITS[1:]
    )
    text = Parsed(
        page_of(ReportContents(details=registry.runs.get(recorded(registry, splits=splits)), schema=SCHEMA))
    ).text
    assert "test f1 (not a test) 0.4567" in text
    assert "These are not test scores: it is the validation split." in text
    assert "no: used in training or selection" in text


# -- text of users ----------------------------------------------------------------------------------------------------


def hostile_material(registry: Registry, text: str, id_: str = "ner-1") -> ReportContents:
    """Return material that has a text wherever users can have one."""
    types = tuple(f"{text}{n}" for n in range(2))
    schema = Schema.bio("ner", *types)
    figures = {
        text: text,
        "per_type": {name: {"f1": 0.5, "support": 1} for name in types},
        "confusion": {types[0]: {types[1]: 1}},
    }
    splits = (SplitRecord(split="validation", ref=text, content_hash="ab" * 32, examples=1, words=1),)
    run = recorded(
        registry, id_, figures=figures, name=text, data=text, model=text, recipe=text, group=text, device_type="cpu",
        device_name=text, schema=dataclasses.asdict(schema), command=text, splits=splits, git_commit=text, metric=text,
        plan=(PlanValue.of(text, text, text),), versions=(VersionRecord(kind="plugin", name=text, version=text),),
    )  # fmt: skip
    registry.annotations.add_note(run, text)
    registry.recorder.log_evaluation(
        run, task="ner", ref=text, split=text, content_hash="cd" * 32, examples=1, metrics={"f1": 0.5}
    )
    found = dataclasses.replace(registry.runs.get(run), error=text, hint=text, tags=(text,), aliases=(text,))
    words = (text, "x", text)
    example = Example(id=text, words=words, labels={"ner": (f"B-{types[0]}", "O", "O")})
    mistakes = judged([example], [("O", "O", f"B-{types[1]}")], schema, source=text, note=text)
    return ReportContents(
        details=found,
        schema=schema,
        predictions={"validation": mistakes},
        unpredicted={"test": text},
        unread={"train": text},
    )


def test_text_of_users_is_shown_as_it_is(registry: Registry) -> None:
    material = hostile_material(registry, HOSTILE)
    html = page_of(material)
    page, harmless = Parsed(html), Parsed(page_of(hostile_material(registry, "harmless", "ner-2")))
    assert page.faults == []
    # the same elements as with harmless text, and nothing of it in an attribute that means something
    assert [name for name, _ in page.tags] == [name for name, _ in harmless.tags]
    assert [set(attributes) for _, attributes in page.tags] == [set(attributes) for _, attributes in harmless.tags]
    shown = " ".join(HOSTILE.split())
    assert page.text.count(shown) == harmless.text.count("harmless") > 30
    assert "49" not in page.text.split()


@given(words=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5), place=st.integers(0, 4))
def test_any_words_make_a_page(words: list[str], place: int) -> None:
    labels = ["O"] * len(words)
    labels[place % len(words)] = "B-PER"
    example = Example(id="1", words=tuple(words), labels={"ner": tuple(labels)})
    material = ReportContents(
        details=_BARE, schema=SCHEMA, predictions={"validation": judged([example], [("O",) * len(words)])}
    )
    page = Parsed(page_of(material).encode().decode())
    assert page.faults == []
    assert "Missed: 1" in page.text


@pytest.mark.parametrize(("text", "shown"), [("a\x00b\x1b[31m", "a␀b␛[31m"), ("\ud800x", "\\ud800x")])
def test_what_html_cannot_hold_is_made_visible(details: RunDetails, text: str, shown: str) -> None:
    noted = dataclasses.replace(details, notes=(Note(created=START, text=text),))
    assert shown in page_of(ReportContents(details=noted, schema=SCHEMA)).encode().decode()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("first", "first.html"),
        ("../x", "ner-1.html"),
        ("a/b", "ner-1.html"),
        (".x", "ner-1.html"),
        (None, "ner-1.html"),
    ],
)
def test_the_file_is_called_as_the_run_is(details: RunDetails, name: str | None, file: str) -> None:
    record = dataclasses.replace(details.record, name=name)
    assert file_name(dataclasses.replace(details, record=record)) == file
    assert file_name(dataclasses.replace(details, record=dataclasses.replace(record, name=None, id="/"))) == "run.html"


# -- drawing ----------------------------------------------------------------------------------------------------------


def _bare() -> RunDetails:
    from labelkit.registry import RunRecord

    record = RunRecord(id="r", task="ner", kind="token", data="d", model="m", metric="seqeval", metric_key="f1",
                       labelkit="0", seed=1, started=START)  # fmt: skip
    return RunDetails(record=record, status="finished", heartbeat=START, ended=START, seconds=1.0, error=None,
                      hint=None, scores=(), metrics=(), checkpoints=())  # fmt: skip


_BARE = _bare()
POINTS = st.lists(st.tuples(st.integers(0, 10**9).map(float), st.floats(allow_nan=False, allow_infinity=False)))


@given(POINTS)
def test_whatever_is_drawn_stays_inside(points: list[tuple[float, float]]) -> None:
    drawn = chart("x", {"a": sorted(points)}, 5.0)
    if drawn is None:
        assert not points or max(abs(y) for _, y in points) > 1e300
        return
    for x, y, _ in drawn.lines[0].points:
        assert LEFT - 1e-6 <= x <= WIDTH - RIGHT + 1e-6
        assert TOP - 1e-6 <= y <= HEIGHT - BOTTOM + 1e-6
    assert 1 <= len(drawn.up) <= 25
    heights = [y for _, y, _ in drawn.lines[0].points]
    assert min(tick.at for tick in drawn.up) <= min(heights) + 0.5
    assert max(tick.at for tick in drawn.up) >= max(heights) - 0.5


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e6))
def test_ticks_are_round_and_hold_all_values(low: float, width: float) -> None:
    marks = round_numbers(low, low + width)
    assert marks[0] <= low + width * 1e-6
    assert marks[-1] >= low + width * (1 - 1e-6)
    assert 2 <= len(marks) <= 20


# -- what is missing --------------------------------------------------------------------------------------------------


def test_an_empty_record_still_makes_a_page() -> None:
    text = Parsed(
        page_of(ReportContents(details=_BARE, unpredicted={"validation": "the run has no validation split"}))
    ).text
    for line in (
        "No data is recorded.",
        "No curves: the run recorded no metrics by step.",
        "No scores: the run was not scored on any split.",
        "No errors of validation: the run has no validation split.",
        "The run has no test split.",
        "No plan is recorded.",
        "The run left no checkpoint.",
    ):
        assert line in text


def test_scores_of_an_older_labelkit_say_why_intervals_are_missing(registry: Registry) -> None:
    run = registry.runs.get(recorded(registry, figures={}))
    labels = judged([an_example(1, "x", "O")], [("O",)], figures={"f1": 0.5001, **FIGURES})
    material = ReportContents(
        details=run, schema=SCHEMA, predictions={"validation": labels}, unpredicted={"test": "it counts"}
    )
    text = Parsed(page_of(material)).text
    assert "validation f1 0.5000 [0.3012, 0.6034]" in text
    assert "95% CI: bootstrap over sentences, of predictions made up." in text
    assert "No 95% CI: none recorded" in text
    assert "No confusion of test: none recorded" in text
    other = dataclasses.replace(labels, figures={**labels.figures, "f1": 0.6}, note="f1 is 0.6000 now")
    text = Parsed(page_of(dataclasses.replace(material, predictions={"validation": other}))).text
    assert "0.3012" not in text
    assert "f1 is 0.6000 now: the mistakes below are those of the new predictions." in text


def test_a_later_scoring_of_the_same_examples_lends_its_intervals(registry: Registry) -> None:
    run = recorded(registry, figures={})
    for digest, value in (("te" * 32, 0.4567), ("te" * 32, 0.9), ("xx" * 32, 0.4567)):
        intervals = {"f1": [value - 0.1, value + 0.1]}
        registry.recorder.log_evaluation(
            run, task="ner", ref="d", split="test", content_hash=digest, examples=3,
            metrics={"f1": value, "intervals": intervals if digest[0] == "t" else {"f1": [0.0, 1.0]}},
        )  # fmt: skip
    text = Parsed(
        page_of(ReportContents(details=registry.runs.get(run), schema=SCHEMA, unpredicted={"test": "it counts"}))
    ).text
    assert "test f1 0.4567 [0.3567, 0.5567]" in text
    assert "recorded by labelkit evaluate on" in text


def test_the_row_of_all_types_is_named_by_its_mean(registry: Registry) -> None:
    plain = {**FIGURES, "average": "macro"}
    runs = [
        registry.runs.get(recorded(registry, id_, name=id_, figures=each))
        for id_, each in (("a", FIGURES), ("b", plain))
    ]
    pages = [score_tables(ReportContents(details=run, schema=SCHEMA))[0] for run in runs]
    assert [[row.name for row in page.rows] for page in pages] == [["LOC", "PER", "all"], ["LOC", "PER", "macro"]]
    assert [page.options for page in pages] == ["mode default", "mode default"]


def test_a_schema_of_another_labelkit_is_left_aside() -> None:
    assert recorded_schema(dataclasses.asdict(SCHEMA)) == SCHEMA
    assert recorded_schema({"ner": {"types": []}}) is None
    assert recorded_schema(None) is None


# -- the command ------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Report = Callable[..., Done]


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Report:
    """Return a function that runs ``labelkit`` in an empty folder, which holds the home."""
    monkeypatch.delenv("LABELKIT_REGISTRY", raising=False)
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: str | Path, command: Sequence[str] = ("runs", "report")) -> Done:
        capsys.readouterr()
        status = main([*command, *(str(argument) for argument in arguments)])
        return Done(status, *capsys.readouterr())

    return run


def test_a_failed_run_has_a_report_of_what_there_is(registry: Registry, report: Report) -> None:
    start(registry, "ner-9", name="broken")
    registry.recorder.finish("ner-9", "failed", seconds=2.0, error="the loss is no number", hint="lower --lr")
    registry.close()
    done = report("broken", "--json")
    assert done.status == 0
    page = Parsed(Path("broken.html").read_text(encoding="utf-8"))
    assert "failed after 2 s the loss is no number" in page.text
    assert "lower --lr" in page.text
    assert done.document["errors"]["validation"] == {"missing": "the run has no validation split"}
    assert (done.document["run"], done.document["path"]) == ("ner-9", str(Path("broken.html").absolute()))


def test_nothing_is_overwritten_without_force(registry: Registry, report: Report) -> None:
    ended(registry, "ner-1")
    registry.close()
    target = Path("ner-1.html")
    target.write_text("mine", encoding="utf-8")
    done = report("ner-1")
    assert (done.status, target.read_text(encoding="utf-8")) == (1, "mine")
    assert "ner-1.html exists already" in done.err
    assert "--force" in done.err
    done = report("ner-1", "--force")
    assert (done.status, done.out) == (0, "ner-1.html: report of ner-1\n")
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert report("ner-1", "-o", "sub/other.html").status == 0
    assert report("ner-1", "-o", "sub", "--force").status == 1
    assert sorted(str(path) for path in Path().rglob("*.html")) == ["ner-1.html", "sub/other.html"]
    assert not [path for path in Path().rglob(".*") if path.is_file()]


def test_a_run_that_is_not_there_leaves_no_file(report: Report, tmp_path: Path) -> None:
    done = report("nothing")
    assert (done.status, done.out) == (1, "")
    assert "no run 'nothing'" in done.err
    assert not (tmp_path / "home").exists()
    assert not list(Path().iterdir())


@pytest.fixture
def copied(home: Path, trained: labelkit.RunResult, report: Report, tmp_path: Path) -> Report:
    """Return ``report`` in a copy of the home of :func:`trained`."""
    shutil.copytree(home, tmp_path / "home")
    with sqlite3.connect(tmp_path / "home" / "registry.db") as connection:  # what other tests asked of the run
        for table in ("evaluation_figures", "evaluations", "outputs"):
            connection.execute(f"DELETE FROM {table}")
    connection.close()
    return report


def shown(tmp_path: Path) -> RunDetails:
    with Registry.open(Home(root=tmp_path / "home"), create=False) as registry:
        return registry.runs.get(registry.runs.find("shared").id)


def test_a_trained_run_is_reported_whole(trained: labelkit.RunResult, copied: Report, tmp_path: Path) -> None:
    before = shown(tmp_path)
    done = copied("shared", "--json")
    assert done.status == 0, done.err
    page = Parsed(Path("shared.html").read_text(encoding="utf-8"))
    assert page.faults == []
    for split in ("validation", "test"):
        figures = trained.metrics[split]["ner"]
        low, high = figures["intervals"]["f1"]
        assert f"{split} f1 {figures['f1']:.4f} [{low:.4f}, {high:.4f}]" in page.text
    for one in before.record.splits:
        assert one.content_hash in page.text
    assert list(done.document["scores"].values()) == [{"intervals": True, "confusion": True}] * 2
    assert "missing" in done.document["errors"]["test"]
    assert "labelkit evaluate shared --split test" in page.text
    after = shown(tmp_path)
    assert (after.test_scored, after.evaluations) == (before.test_scored, before.evaluations)
    assert [(one.kind, Path(one.path).name) for one in after.outputs[len(before.outputs) :]] == [
        ("report", "shared.html")
    ]
    again = copied("shared")
    assert (again.status, "labelling" in again.err) == (1, False)  # refused before anything is done
    mistakes = copied("shared", "--json", command=("errors",)).document["mistakes"]["kinds"]
    for kind, number in mistakes.items():
        assert (f"{kind_name(kind).capitalize()}: {number}" in page.text) == bool(number)


@pytest.mark.slow
def test_recorded_labels_of_test_show_its_errors(copied: Report, tmp_path: Path) -> None:
    assert copied("shared", "--split", "test", "-o", "test.jsonl", command=("evaluate",)).status == 0
    scored = shown(tmp_path).test_scored
    done = copied("shared", "--json")
    assert "test.jsonl" in done.document["errors"]["test"]["from"]
    assert shown(tmp_path).test_scored == scored
    text = Parsed(Path("shared.html").read_text(encoding="utf-8")).text
    assert "12 examples; predictions as recorded in" in text
    # a file that is no longer what was written tells nothing
    path = Path("test.jsonl")
    content = path.read_text(encoding="utf-8")
    assert content.endswith("\n")
    path.write_text(content[:-1] + " ", encoding="utf-8")  # as long as before, and the same when read
    assert "missing" in copied("shared", "--json", "--force").document["errors"]["test"]


def test_recorded_labels_of_validation_spare_the_second_labelling(copied: Report, tmp_path: Path) -> None:
    assert copied("shared", "--split", "validation", "-o", "v.jsonl", command=("evaluate",)).status == 0
    schema = recorded_schema(shown(tmp_path).record.schema)
    assert schema is not None
    assert [split for split, _ in recorded_predictions(shown(tmp_path), schema)] == ["validation"]
    shutil.rmtree(tmp_path / "home" / "runs")
    done = copied("shared", "--json")
    assert "v.jsonl" in done.document["errors"]["validation"]["from"]
    assert "labelling" not in done.err


def test_labels_that_give_another_score_are_told_from_the_recorded_ones(copied: Report, tmp_path: Path) -> None:
    """As those of another decoder do, or those of another kind of processor."""
    assert copied("shared", "--split", "test", "-o", "test.jsonl", command=("evaluate",)).status == 0
    with sqlite3.connect(tmp_path / "home" / "registry.db") as connection:
        connection.execute("UPDATE scores SET value = 0.125 WHERE name = 'f1' AND type = ''")
    found = copied("shared", "--json").document["errors"]
    assert "missing" in found["test"]
    assert found["validation"]["note"].endswith("now, and 0.1250 was recorded")


def test_a_checkpoint_that_is_gone_or_was_changed_is_named(copied: Report, tmp_path: Path) -> None:
    best = shown(tmp_path).best
    assert best is not None
    assert best.folder is not None
    with (best.folder / "config.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    missing = copied("shared", "--json").document["errors"]["validation"]["missing"]
    assert "config.json has changed since it was recorded" in missing
    shutil.rmtree(best.folder)
    done = copied("shared", "--json", "--force")
    assert done.status == 0
    assert "does not exist" in done.document["errors"]["validation"]["missing"]
    text = Parsed(Path("shared.html").read_text(encoding="utf-8")).text
    assert "missing: " in text
    assert "validation f1" in text
    assert copied("--checkpoints-only", "shared", command=("runs", "rm")).status == 0
    done = copied("shared", "--json", "--force")
    assert done.document["errors"]["validation"]["missing"] == "the selected checkpoint was deleted"


def test_data_that_changed_since_is_not_shown_as_the_runs_own(copied: Report, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "home" / "registry.db") as connection:
        connection.execute("UPDATE splits SET content_hash = 'ff' WHERE split IN ('train', 'validation')")
    done = copied("shared", "--json")
    assert "has changed since the run" in done.document["errors"]["validation"]["missing"]
    text = Parsed(Path("shared.html").read_text(encoding="utf-8")).text
    assert "No label distribution of train: the train data has changed since the run." in text


# -- in a browser -----------------------------------------------------------------------------------------------------

BROWSER = shutil.which("chromium")
QUIET = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
         "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")  # fmt: skip
OWN = "not an origin"
#: what a copy of the page, without its protection, says about itself
MEASURE = """<script>addEventListener("load", () => {
const all = [...document.querySelectorAll("h1, h2, h3, table, svg, .case")];
document.body.dataset.measured = JSON.stringify({
  wide: document.documentElement.scrollWidth, view: document.documentElement.clientWidth,
  flat: all.filter(one => !one.getBoundingClientRect().height && !one.closest("details:not([open])")).length,
  back: getComputedStyle(document.body).backgroundColor}) })</script></body>"""


def browse(page: Path, folder: Path, *options: str) -> tuple[str, str, list[str]]:
    """Open a page in a browser of its own; return what it prints, its console, and the addresses that it asked for."""
    assert BROWSER is not None
    log = folder / "net.json"
    command = [BROWSER, *QUIET, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}"]
    command += ["--enable-logging=stderr", *options, page.absolute().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    events = [event.get("params", {}) for event in json.loads(log.read_text(encoding="utf-8"))["events"]]
    # what the browser asks on its own behalf comes from no page; it is not let out either
    asked = [event["url"] for event in events if event.get("initiator", OWN) != OWN]
    return done.stdout, console, [url for url in asked if not url.startswith(("file:", "data:"))]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed (apt-get install chromium)")
def test_a_browser_shows_it_whole_without_asking_anybody(
    trained: labelkit.RunResult, copied: Report, tmp_path: Path
) -> None:
    assert copied("shared", "--split", "test", "-o", "test.jsonl", command=("evaluate",)).status == 0
    assert copied("shared").status == 0
    page, picture = Path("shared.html"), tmp_path / "page.png"
    dom, console, asked = browse(page, tmp_path, "--dump-dom")
    assert (console, asked) == ("", [])
    seen = Parsed(dom)
    assert seen.text == Parsed(page.read_text(encoding="utf-8")).text
    assert f"{trained.metrics['test']['ner']['f1']:.4f}" in seen.text
    assert all(name in seen.text for name in SECTIONS)
    browse(page, tmp_path, f"--screenshot={picture}", "--window-size=1200,1600")
    content = picture.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (1200, 1600)
    assert len(content) > 50_000  # not a blank page
    open_ = re.sub("<meta http-equiv[^>]+>", "", page.read_text(encoding="utf-8")).replace("</body>", MEASURE)
    copy = tmp_path / "open.html"
    copy.write_text(open_, encoding="utf-8")
    backs = set()
    for width, dark in ((1200, False), (500, False), (500, True)):
        options = ["--dump-dom", f"--window-size={width},900"]
        found, _, _ = browse(copy, tmp_path, *options, *(["--blink-settings=preferredColorScheme=0"] if dark else []))
        measured = json.loads(dict(Parsed(found).all("body")[0])["data-measured"] or "")
        assert measured["view"] <= width
        assert measured["wide"] <= measured["view"]  # nothing hangs over; wide tables scroll in their frames
        assert measured["flat"] == 0
        backs.add(measured["back"])
    assert len(backs) == 2


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed (apt-get install chromium)")
def test_the_browser_would_tell_of_a_request_and_of_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>nothing()</script>", encoding="utf-8")
    _, console, asked = browse(page, tmp_path, "--dump-dom")
    assert "nothing is not defined" in console
    assert asked == ["http://127.0.0.1:9/x.png"]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed (apt-get install chromium)")
def test_hostile_text_does_nothing_in_a_browser(registry: Registry, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(page_of(hostile_material(registry, HOSTILE)).encode())
    dom, console, asked = browse(page, tmp_path, "--dump-dom")
    assert (console, asked) == ("", [])
    assert Parsed(dom).text.count("<script>alert(1)</script>") > 30


def test_the_model_card_is_shown_without_html_images_or_scripts_of_its_own() -> None:
    text = "# M\n\n<script>x()</script> [a](javascript:x) ![i](http://h/i.png)\n\n| a |\n| --- |\n| `b` |"
    html = page_of(ReportContents(details=_BARE, card=text))
    assert "<h3>M</h3>" in html
    assert "<td><code>b</code></td>" in html
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert "Model card" not in page_of(ReportContents(details=_BARE))
