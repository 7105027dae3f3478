"""Whether a difference is more than chance: paired randomisation against all swaps there are, and the command."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelkit
from labelkit.cli import main
from labelkit.evaluation.comparison import align_schemas
from labelkit.metrics.classification import METRICS as CLASSES
from labelkit.metrics.entities import entity_scores
from labelkit.metrics.seqeval_metrics import METRICS as SPANS
from labelkit.metrics.significance import ScoreDifference, paired_randomisation_test
from labelkit.records import Metric, Predictions, Schema
from labelkit.registry import Home, Registry

SCHEMA = Schema.bio("x", "PER", "LOC")


def predictions(*rows: tuple[str, ...], schema: Schema = SCHEMA) -> Callable[[Any], Predictions]:
    return lambda guess: Predictions(references=list(rows), predictions=list(guess), schema=schema)


def by_name(found: list[ScoreDifference], type_: str | None = None) -> dict[str, ScoreDifference]:
    return {one.name: one for one in found if one.type == type_}


GOLD: list[tuple[str, ...]] = [("B-PER", "O", "B-LOC"), ("B-LOC", "I-LOC"), ("O", "B-PER")] * 3
ONE: list[tuple[str, ...]] = [
    *(("B-PER", "O", "O"), ("B-LOC", "I-LOC"), ("O", "O")),
    *(("B-PER", "O", "B-LOC"), ("B-LOC", "O"), ("O", "B-PER")),
    *(("O", "O", "O"), ("B-LOC", "I-LOC"), ("O", "B-PER")),
]
OTHER: list[tuple[str, ...]] = [
    *(("B-PER", "O", "B-LOC"), ("B-LOC", "I-LOC"), ("O", "B-PER")),
    *(("B-PER", "O", "B-LOC"), ("B-LOC", "I-LOC"), ("O", "O")),
    *(("B-PER", "O", "O"), ("B-LOC", "I-LOC"), ("O", "B-PER")),
]


@pytest.mark.slow
def test_the_p_value_is_the_share_of_all_swaps_with_so_large_a_difference() -> None:
    real = entity_scores(GOLD, OTHER)["f1"] - entity_scores(GOLD, ONE)["f1"]
    larger = 0
    for swaps in itertools.product((False, True), repeat=len(GOLD)):
        sides = [
            [(other if swap else one) for one, other, swap in zip(*pair, swaps, strict=True)]
            for pair in ((ONE, OTHER), (OTHER, ONE))
        ]
        change = entity_scores(GOLD, sides[1])["f1"] - entity_scores(GOLD, sides[0])["f1"]
        larger += abs(change) >= abs(real) - 1e-12
    make = predictions(*GOLD)
    found = by_name(paired_randomisation_test(SPANS[0], make(ONE), make(OTHER)))["f1"]
    assert found.difference == pytest.approx(real)
    assert (found.first, found.second) == (entity_scores(GOLD, ONE)["f1"], entity_scores(GOLD, OTHER)["f1"])
    assert found.p_value == pytest.approx(larger / 2 ** len(GOLD), abs=0.015)
    assert found.interval[0] < real < found.interval[1]


def test_no_difference_is_never_significant() -> None:
    make = predictions(*GOLD)
    for one in paired_randomisation_test(SPANS[0], make(ONE), make(ONE)):
        assert (one.difference, one.p_value, one.interval) == (0.0, 1.0, (0.0, 0.0))


def test_many_sentences_that_agree_make_it_sure() -> None:
    gold = [("B-PER",)] * 200
    worse = [("O",)] * 40 + gold[40:]
    make = predictions(*gold)
    found = by_name(paired_randomisation_test(SPANS[0], make(worse), make(gold)))["f1"]
    assert found.p_value == pytest.approx(1 / 10_001)
    assert found.interval[0] > 0
    back = by_name(paired_randomisation_test(SPANS[0], make(gold), make(worse)))["f1"]
    assert back.difference == -found.difference
    assert back.p_value == found.p_value


def test_types_are_compared_too_by_the_same_columns() -> None:
    """A type that only one of the two ever gives does not shift the columns of the others."""
    gold = [("B-PER", "B-LOC")] * 30
    one, other = [("B-PER", "O")] * 30, [("B-PER", "B-PER")] * 30
    make = predictions(*gold)
    found = paired_randomisation_test(SPANS[0], make(one), make(other))
    assert by_name(found, "PER")["precision"].second == 0.5
    assert by_name(found, "PER")["recall"].difference == 0
    assert by_name(found, "LOC")["recall"].first == 0


def test_a_metric_without_counts_is_computed_anew() -> None:
    schema = Schema(name="y", kind="text", labels=("a", "b"))
    random = np.random.default_rng(0)
    gold = [("a", "b")[index] for index in random.integers(0, 2, 60)]
    flip = {"a": "b", "b": "a"}
    worse = [flip[label] if place % 3 == 0 else label for place, label in enumerate(gold)]
    better = [flip[label] if place % 12 == 0 else label for place, label in enumerate(gold)]
    one, other = (Predictions(references=gold, predictions=rows, schema=schema) for rows in (worse, better))
    quick = by_name(paired_randomisation_test(CLASSES[1], one, other))["accuracy"]
    slow = by_name(paired_randomisation_test(replace(CLASSES[1], counts=None), one, other))["accuracy"]
    assert slow.difference == pytest.approx(quick.difference)
    assert slow.p_value == pytest.approx(quick.p_value, abs=0.02)
    assert slow.interval == pytest.approx(quick.interval, abs=0.05)


def test_runs_in_other_schemes_and_with_other_types_are_compared() -> None:
    bioes = Schema(name="x", kind="token", types=("LOC", "MISC"), scheme="BIOES")
    one = Predictions(references=[("B-PER", "I-PER", "B-LOC")], predictions=[("B-PER", "I-PER", "O")], schema=SCHEMA)
    other = Predictions(references=one.references, predictions=[("B-LOC", "E-LOC", "S-MISC")], schema=bioes)
    first, second = align_schemas(one, other, SCHEMA)
    assert second.predictions == [("B-LOC", "I-LOC", "B-MISC")]
    assert first.schema == second.schema
    assert first.schema.types == ("PER", "LOC", "MISC")


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(
    tiny: Path, corpus: Path, trained: labelkit.RunResult, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a home with the shared run, a run of one step called ``short``, and one on other test data, ``other``."""
    place = tmp_path_factory.mktemp("two") / "home"
    shutil.copytree(home, place)
    fp32: dict[str, Any] = {"train.precision": "fp32"}
    labelkit.run("ner", data=str(corpus), model=str(tiny), name="short", max_steps=1, home=place, settings=fp32)
    test = tmp_path_factory.mktemp("data") / "test.conll"
    test.write_text("Bob B-PER\nslept O\n\n", encoding="utf-8")
    data = f"train={corpus / 'train.conll'},validation={corpus / 'dev.conll'},test={test}"
    labelkit.run("ner", data=data, model=str(tiny), name="other", max_steps=1, home=place, settings=fp32)
    return place


def ask(two: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setenv("LABELKIT_HOME", str(two))
    return main(["runs", "compare", *arguments])


def scored(two: Path, *runs: str) -> list[tuple[int, int]]:
    """Return how often the test data of each run was scored, and how often comparing it was recorded with the run."""
    with Registry.open(Home(root=two), create=False) as registry:
        found = [registry.runs.get(registry.runs.find(run).id) for run in runs]
    return [(run.test_scored, sum(one.source == "compare" for one in run.evaluations)) for run in found]


def test_the_test_data_is_labelled_anew_and_compared(
    two: Path, trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = scored(two, "short", "shared")
    assert ask(two, monkeypatch, "short", "shared", "--significance", "--json") == 0
    assert scored(two, "short", "shared") == [(times + 2, looks + 1) for times, looks in before]
    (found,) = json.loads(capsys.readouterr().out)["significance"]
    key = found["differences"][0]
    assert (key["name"], key["type"]) == ("f1", None)
    assert key["second"] == pytest.approx(trained.metrics["test"]["ner"]["f1"])
    assert key["difference"] == pytest.approx(key["second"] - key["first"])
    assert 0 < key["p_value"] <= 1
    assert found["second"] == trained.run
    assert found["examples"] == 12
    assert found["notes"] == []
    assert {one["type"] for one in found["differences"]} == {None, "PER", "LOC"}


def test_the_table_shows_the_difference_and_its_p_value(
    two: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(two, monkeypatch, "short", "shared", "--significance") == 0
    shown = capsys.readouterr().out
    assert "p-value" in shown
    assert "95% CI of the difference" in shown
    assert "PER.f1" not in shown
    assert ["figure", "A", "B", "difference"] in [line.split()[:4] for line in shown.splitlines()]
    assert re.search(r"^B \(\S+\) against A \(\S+\) on test \(12 examples\)$", shown, re.MULTILINE)


def test_other_test_data_is_refused(
    two: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(two, monkeypatch, "short", "other", "--significance") == 1
    assert "test data of" in capsys.readouterr().err


def test_without_the_option_nothing_is_labelled(
    two: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(two, monkeypatch, "short", "shared", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert "significance" not in document
    assert not {"intervals", "confusion"} & {row["name"] for row in document["scores"]}


def test_a_metric_may_be_wrapped() -> None:
    metric = Metric(name="len", kind="token", compute=lambda given: {"n": len(given.references)}, key="n")
    make = predictions(*GOLD)
    (found,) = paired_randomisation_test(metric, make(ONE), make(OTHER))
    assert (found.difference, found.p_value) == (0, 1)
