"""Sources that give records, ids or labels of the wrong shape are refused wherever they are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from labelkit.checks.common import label_count_fault
from labelkit.cli import main
from labelkit.data.layer_schema import check_examples
from labelkit.data.plugin_errors import read_format
from labelkit.encode.cache import LabelTarget
from labelkit.errors import DataError, LabelkitError
from labelkit.inference.engine import WordScores
from labelkit.inference.label_ids import gold_ids
from labelkit.inference.prediction import ScoredPredictions
from labelkit.records import Example, Format, LoadContext, Predictions, ReadingPolicy, Schema
from labelkit.records.evaluate_modules import column

pytest_plugins = ("fake_distributions",)

Install = Callable[..., None]

CLASSES = Schema(name="mood", kind="text", labels=("good", "bad"))
TAGS = Schema(name="pos", kind="token", labels=("NOUN", "VERB"))
TEXT = "labelkit.Example(id=str(n), text=f'I like it {n}', labels={'label': ('good', 'bad')[n % 2]})"
WORDS = "labelkit.Example(id=str(n), words=('Tom', 'purrs'), labels={'pos': ('NOUN', 'VERB')})"


def plugin(kind: str, third: str, *, schema: str = "") -> str:
    """Return a plugin with a source whose third record is ``third``; the others are valid."""
    usual, layer = (TEXT, "label") if kind == "text" else (WORDS, "pos")
    named = f"'{layer}'" if schema else None
    return f"""
import labelkit
def load(split, ctx):
    for n in range(8):
        yield {third} if n == 2 else {usual}
@labelkit.hookimpl
def labelkit_sources():
    yield labelkit.Source(
        name="moods", kind="{kind}", layers={{"{layer}": {named}}}, splits=("train", "test"), licence="CC0", load=load
    )
@labelkit.hookimpl
def labelkit_schemas():
    {f"yield {schema}" if schema else "return ()"}
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("signal.signal", lambda *given: None)  # main() listens for SIGTERM


FAULTS = {
    "several labels": (
        "text",
        TEXT.replace("[n % 2]", ""),
        "labels of 'label' must be one str, not ('good', 'b",
    ),
    "one label in a tuple": (
        "text",
        TEXT.replace("[n % 2]", "[:1]"),
        "labels of 'label' must be one str",
    ),
    "a dict": ("text", "{'id': '2', 'text': 'so so'}", "{'id': '2', 'text': 'so so'} is a dict"),
    "a repeated id": ("text", TEXT.replace("str(n)", "'1'"), "the id '1' is repeated"),
    "no text": ("text", "labelkit.Example(id='2', labels={'label': 'good'})", "example 2 has no text"),
    "one label for all words": ("token", WORDS.replace("('NOUN', 'VERB')", "'NOUN'"), "labels of 'pos' are 'NOUN'"),
    "a label too few": ("token", WORDS.replace(", 'VERB'", ","), "2 words have 1 labels of 'pos'"),
    "a number": ("token", WORDS.replace("'VERB'", "3"), "label 3 of 'pos' is not a str"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_source_with_invalid_records_is_refused(
    install: Install, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, third, message = FAULTS[fault]
    install("mood-swings", plugin(kind, third))
    monkeypatch.chdir(tmp_path)
    where = "source 'moods' of plugin 'mood-swings', split 'train', record 3: "
    task = "textcls" if kind == "text" else "pos"
    for command in (["run", task, "--data", "moods"], ["data", "show", "moods"]):
        assert main(command) == 1
        shown = " ".join(capsys.readouterr().err.split())
        assert where in shown
        assert message in shown
    assert main(["data", "check", "moods", "--json", "--strict"]) == 1
    (finding,) = (one for one in json.loads(capsys.readouterr().out)["findings"] if one["check"] == "reading"
                  and one["split"] == "train")  # fmt: skip
    assert finding["severity"] == "error"
    assert message in json.dumps(finding, ensure_ascii=False)
    assert "mood-swings" in json.dumps(finding)


FAILURES = {
    "raises": (
        "labelkit.Example(id='x', words=(1 / 0,))",
        "it failed after record 2 with ZeroDivisionError: division by",
    ),
    "ends the process": ("exit(3)", "it failed after record 2 with SystemExit: 3"),
    "an older context": ("ctx.options['x']", "'LoadContext' object has no attribute 'options'"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_source_that_fails_is_named(
    install: Install, failure: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    third, message = FAILURES[failure]
    install("mood-swings", plugin("token", third))
    assert main(["data", "show", "moods", "--layer", "pos"]) == 1
    shown = " ".join(capsys.readouterr().err.split())
    assert shown.startswith("error: source 'moods' of plugin 'mood-swings', split 'train': it failed")
    assert message in shown


def test_a_source_that_returns_nothing_is_named(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    text = plugin("token", "None").replace("def load(split, ctx):", "def load(split, ctx):\n    return None\ndef x():")
    install("mood-swings", text)
    assert main(["data", "show", "moods", "--layer", "pos"]) == 1
    assert "split 'train': it returned NoneType" in " ".join(capsys.readouterr().err.split())


FORMAT = """
import labelkit
def read(path, ctx):
    for number, line in ctx.lines(path):
        yield {record}
@labelkit.hookimpl
def labelkit_formats():
    yield labelkit.Format(name="odd", kinds=("token",), suffixes=(".odd",), read=read)
"""
RECORDS = {
    "a label too few": (
        "labelkit.Example(id=str(number), words=tuple(line.split()), labels={ctx.layer: ('NOUN',)})",
        "2 words have 1 labels of 'pos'",
    ),
    "a list of words": (
        "labelkit.Example(id=str(number), words=line.split(), labels={ctx.layer: ('NOUN', 'VERB')})",
        "words= is a list; give a tuple of str",
    ),
    "a dict": ("{'words': line}", "is a dict; yield labelkit.Example"),
    "raises": ("line[99]", "it failed with IndexError: string index out of range"),
}


@pytest.mark.parametrize("fault", RECORDS)
def test_a_format_with_invalid_records_is_refused(
    install: Install, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, message = RECORDS[fault]
    install("odd", FORMAT.format(record=record))
    path = tmp_path / "train.odd"
    path.write_text("Tom purrs\n", encoding="utf-8")
    assert main(["data", "show", str(path), "--layer", "pos"]) == 1
    shown = " ".join(capsys.readouterr().err.split())
    assert "error: format 'odd' (package odd), " in shown
    assert message in shown


def test_inputs_to_label_are_read_by_formats_of_plugins_as_they_are(tmp_path: Path) -> None:
    def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
        yield Example(id="1", words=())
        yield Example(id="2", words=("a", "b"), labels={"pos": ("NOUN",)})
        raise KeyError("column")

    chosen = Format(name="odd", kinds=("token",), suffixes=(".odd",), read=read)
    ctx = LoadContext(policy=ReadingPolicy(labels="ignored"))
    found = iter(read_format(chosen, tmp_path / "x.odd", ctx))
    assert [next(found).id, next(found).id] == ["1", "2"]
    message = (
        r"format 'odd' \(package test_source_records\), .*x\.odd: it failed after record 2 with KeyError: 'column'"
    )
    with pytest.raises(DataError, match=message):
        next(found)


def test_several_labels_are_refused_of_files_too() -> None:
    """A format of a plugin may read what its file has."""
    example = Example(id="1", text="so so", labels={"label": ("good", "bad")})
    with pytest.raises(DataError, match="example '1': a text of train has 2 labels of 'label'"):
        check_examples("train", [example], "label", "text")
    check_examples("train", [example], "label", "text", multilabel=True)
    assert label_count_fault(example, "label") == "one text, 2 labels"
    assert label_count_fault(example, "label", multilabel=True) is None
    assert label_count_fault(replace(example, labels={"label": "good"}), "label") is None


def test_a_multilabel_schema_may_have_several(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    schema = "labelkit.Schema(name='label', kind='text', labels=('bad', 'good'), multilabel=True)"
    install("mood-swings", plugin("text", TEXT.replace("[n % 2]", ""), schema=schema))
    assert main(["data", "check", "moods", "--json"]) in (0, 1)
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert not [one for one in findings if one["check"] in ("reading", "labels")]


# -- labels of many examples in one array -----------------------------------------------------------------------------

UNEVEN = {
    "a text with several": (CLASSES, Example(id="7", text="so so", labels={"x": ("good", "bad")})),
    "a word without": (TAGS, Example(id="7", words=("Tom", "purrs"), labels={"x": ("NOUN",)})),
    "one for all words": (TAGS, Example(id="7", words=("Tom", "purrs"), labels={"x": "NOUN"})),
}


@pytest.mark.parametrize("name", UNEVEN)
def test_labels_are_never_shifted_against_each_other(name: str) -> None:
    schema, example = UNEVEN[name]
    for flatten in (
        lambda: gold_ids([example], "x", schema),
        lambda: LabelTarget("x", schema, label_all_tokens=False).label_ids([example]),
    ):
        with pytest.raises(DataError, match=r"example '7': (one text has|2 words have) . labels of 'x'"):
            flatten()


def test_predictions_and_gold_labels_are_as_many() -> None:
    found = WordScores(np.zeros((2, 2), np.float32), np.array([2]), np.ones(2, np.bool_))
    assert ScoredPredictions(found, np.zeros(2, np.int64), np.zeros(2, np.int64), TAGS).predictions
    for gold, ids in ((3, 2), (2, 3), (1, 1)):
        with pytest.raises(ValueError, match="differ in number"):
            ScoredPredictions(found, np.zeros(gold, np.int64), np.zeros(ids, np.int64), TAGS)


def test_evaluation_modules_get_as_many_predictions_as_gold_labels() -> None:
    given = Predictions(
        references=[("NOUN", "VERB"), ("NOUN",)], predictions=[("NOUN",), ("NOUN", "VERB")], schema=TAGS
    )
    with pytest.raises(LabelkitError, match="gold and predicted labels differ in number"):
        column("predictions", SimpleNamespace(dtype="string"), given, "token")
