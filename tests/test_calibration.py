"""Scores mean something: one temperature, fitted on validation, recorded, and applied when labels are shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import labelkit
from labelkit.cli import main
from labelkit.errors import LabelkitError
from labelkit.inference import score_blocks
from labelkit.inference.calibration import COLDEST, HOTTEST, apply_temperature, calibration_error, fit_temperature
from labelkit.inference.decoding import decode
from labelkit.inference.engine import WordScores
from labelkit.inference.label_ids import LabelSequences
from labelkit.inference.prediction import ScoringOptions, score_split
from labelkit.records import Decoder, Example, Metric, Schema
from labelkit.registry import Home, Registry, nested

Floats = NDArray[np.float32]
LABELS = 5
TEXT = "Ada Lovelace lives in New York . Bob met Tim ."


def log_softmax(logits: NDArray[Any]) -> Floats:
    result: Floats = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
    return result


def a_model(sharpness: float, words: int = 20_000, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Return scores and gold labels drawn from them, after which the scores are made ``sharpness`` times as sure."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(words, LABELS)) * 2
    chances = np.exp(log_softmax(logits).astype(np.float64))
    gold = (chances.cumsum(axis=1) < random.random((words, 1))).sum(axis=1).clip(max=LABELS - 1)
    return log_softmax(logits * sharpness), gold


def error_of(values: Floats, gold: NDArray[np.int64]) -> float:
    return calibration_error(np.exp(values.max(axis=1)), values.argmax(axis=1) == gold)


# -- fitting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sharpness", [0.25, 0.5, 1.0, 3.0, 8.0])
def test_a_model_that_is_too_sure_by_some_factor_gets_that_temperature(sharpness: float) -> None:
    values, gold = a_model(sharpness)
    assert fit_temperature(values, gold) == pytest.approx(sharpness, rel=0.05)


def test_the_error_of_an_over_confident_model_falls_also_on_words_it_was_not_fitted_on() -> None:
    temperature = fit_temperature(*a_model(3.0))
    assert temperature > 1
    values, gold = a_model(3.0, seed=1)
    before, after = error_of(values, gold), error_of(apply_temperature(values, temperature), gold)
    assert before > 0.1
    assert after < 0.02


def test_the_fit_is_where_the_gold_labels_are_likeliest(monkeypatch: pytest.MonkeyPatch) -> None:
    values, gold = a_model(2.5, words=500)
    monkeypatch.setattr(score_blocks, "WORDS", 64)
    fitted = fit_temperature(values, gold)

    def loss(temperature: float) -> float:
        doubt = 1 / (len(gold) + 1)
        cooled = log_softmax(values.astype(np.float64) / temperature).astype(np.float64)
        likely = (1 - doubt) * cooled[np.arange(len(gold)), gold] + doubt * cooled.mean(axis=1)
        return float(-likely.mean())

    assert loss(fitted) < min(loss(fitted * 1.02), loss(fitted / 1.02))


def test_a_few_words_that_are_all_right_do_not_make_every_score_a_one() -> None:
    gold = np.arange(20) % LABELS
    values = log_softmax(np.eye(LABELS)[gold] * 3.0)
    sure = np.exp(apply_temperature(values, fit_temperature(values, gold)).max(axis=1))
    assert 0.9 < sure.min() < 0.99


def test_what_is_always_wrong_is_never_hotter_than_the_bound() -> None:
    gold = np.zeros(50, np.int64)
    values = log_softmax(np.eye(LABELS)[gold + 1] * 30.0)
    assert fit_temperature(values, gold) == pytest.approx(HOTTEST)


def test_without_words_or_with_scores_that_are_no_numbers_nothing_is_changed() -> None:
    assert fit_temperature(np.zeros((0, LABELS), np.float32), np.zeros(0, np.int64)) == 1
    assert fit_temperature(np.full((3, LABELS), np.nan, np.float32), np.zeros(3, np.int64)) == 1


@given(st.integers(0, 2**32), st.integers(1, 30), st.floats(0, 40))
@settings(deadline=None)
def test_a_temperature_is_within_bounds_whatever_the_scores(seed: int, words: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    values = log_softmax(random.normal(size=(words, LABELS)) * scale)
    assert COLDEST * 0.999 <= fit_temperature(values, random.integers(0, LABELS, words)) <= HOTTEST * 1.001


# -- applying ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.floats(COLDEST, HOTTEST))
@settings(deadline=None)
def test_tempered_scores_are_log_probabilities_in_the_same_order(seed: int, temperature: float) -> None:
    values = log_softmax(np.random.default_rng(seed).normal(size=(20, LABELS)) * 4)
    found = apply_temperature(values, temperature)
    assert found.dtype == np.float32
    assert np.allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == values.argmax(axis=1)).all()
    assert np.allclose(found, log_softmax(values.astype(np.float64) / temperature), rtol=1e-3, atol=1e-3)


def test_a_temperature_of_one_is_no_change() -> None:
    values, _ = a_model(1.0, words=3)
    assert apply_temperature(values, 1.0) is values
    assert apply_temperature(values[:0], 2.0).shape == (0, LABELS)


# -- the error --------------------------------------------------------------------------------------------------------


def test_the_error_is_the_gap_within_ranges_of_confidence() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.5, 0.5, 1.0], np.float32)
    right = np.array([True, True, True, False, True, False, True])
    # 0.95 and 1.0 share the last fifteenth: 5 words of 4.8 expected and 4 right ones; 0.5 is right half of the time
    assert calibration_error(confidence, right) == pytest.approx(abs(4.8 - 4) / 7)
    assert calibration_error(confidence[4:6], right[4:6]) == 0
    assert calibration_error(confidence[:0], right[:0]) == 0
    assert np.isnan(calibration_error(np.array([np.nan], np.float32), right[:1]))


# -- a split ----------------------------------------------------------------------------------------------------------

SCHEMA = Schema(name="tags", kind="token", labels=tuple("abcde"))
DECODER = Decoder(name="argmax", kind="token", decode=lambda scores: scores.values.argmax(axis=1))


class StoredScores:
    """An engine that has computed before; the last word of all is one that no window covers."""

    def __init__(self, values: Floats, gold: NDArray[np.int64]) -> None:
        self._values = values
        self.examples = [
            Example(id=str(n), words=("w",) * 4, labels={"tags": tuple(SCHEMA.labels[i] for i in gold[n : n + 4])})
            for n in range(0, len(gold), 4)
        ]

    def score(self, windows: object, words: list[int]) -> WordScores:
        covered = np.ones(len(self._values), np.bool_)
        covered[-1] = False
        return WordScores(self._values, np.array(words), covered)


def scored(engine: StoredScores, metric: Callable[..., Any] = lambda p: {"x": 1.0}, **changes: Any) -> Any:
    metrics = [Metric(name="m", kind="token", compute=metric, key="x")]
    scoring = ScoringOptions("tags", SCHEMA, DECODER, metrics, **changes)
    return score_split(engine, [], engine.examples, scoring)  # type: ignore[arg-type]


def test_a_split_is_calibrated_on_the_words_that_were_seen_and_its_loss_is_not() -> None:
    values, gold = a_model(3.0, words=4000)
    figures, temperature, _ = scored(StoredScores(values, gold))
    seen, wanted = values[:-1], gold[:-1]
    assert temperature == figures["temperature"] == fit_temperature(seen, wanted)
    assert figures["loss"] == pytest.approx(-seen[np.arange(3999), wanted].mean())
    assert figures["ece"] == error_of(seen, wanted)
    assert figures["ece_calibrated"] == error_of(apply_temperature(seen, temperature), wanted)
    assert figures["ece_calibrated"] < 0.05 < figures["ece"]


def test_a_temperature_that_is_given_is_taken() -> None:
    values, gold = a_model(3.0, words=400)
    figures, temperature, _ = scored(StoredScores(values, gold), temperature=1.0)
    assert (temperature, figures["temperature"], figures["ece"]) == (1.0, 1.0, figures["ece_calibrated"])


def test_a_metrics_own_figure_keeps_its_name() -> None:
    values, gold = a_model(3.0, words=400)
    figures, temperature, _ = scored(StoredScores(values, gold), lambda p: {"x": 0.5, "ece": 7.0, "temperature": 9.0})
    assert (figures["ece"], figures["temperature"]) == (7.0, 9.0)
    assert temperature == pytest.approx(3, rel=0.3)


def test_metrics_are_given_labels_by_sentence() -> None:
    values, gold = a_model(1.0, words=8)
    engine = StoredScores(values, gold)
    given: list[Any] = []

    def keep(predictions: Any) -> dict[str, float]:
        given.append(predictions)
        return {"x": 1.0}

    scored(engine, keep)
    (predictions,) = given
    assert list(predictions.references) == [example.labels["tags"] for example in engine.examples]
    assert predictions.references[-1] == engine.examples[1].labels["tags"]
    assert predictions.references[:1] == [engine.examples[0].labels["tags"]]
    assert [len(row) for row in predictions.predictions] == [4, 4]
    with pytest.raises(IndexError):
        predictions.references[2]


def test_rows_of_texts_are_single_labels() -> None:
    schema = Schema(name="x", kind="text", labels=("no", "yes"))
    assert list(LabelSequences(np.array([1, 0]), np.ones(2, np.int64), schema)) == ["yes", "no"]


# -- a run and its checkpoint -----------------------------------------------------------------------------------------


def with_temperature(trained: labelkit.RunResult, folder: Path, temperature: float | None) -> labelkit.Labeller:
    """Return the labeller of a copy of the checkpoint with another temperature; None for one that has none."""
    shutil.copytree(trained.checkpoint, folder)
    content = json.loads((folder / "labelkit.json").read_text(encoding="utf-8"))
    content.pop("temperature")
    if temperature is not None:
        content["temperature"] = temperature
    (folder / "labelkit.json").write_text(json.dumps(content), encoding="utf-8")
    return labelkit.load(str(folder))


def test_the_checkpoint_has_the_temperature_that_was_fitted_on_validation(trained: labelkit.RunResult) -> None:
    labeller = labelkit.load(str(trained.checkpoint))
    validation, test = (trained.metrics[split]["ner"] for split in ("validation", "test"))
    assert labeller.info.temperature == validation["temperature"] == test["temperature"] != 1
    assert {"ece", "ece_calibrated"} <= validation.keys() & test.keys()


def test_the_registry_has_the_error_before_and_after(trained: labelkit.RunResult, home: Path) -> None:
    with Registry.open(Home(root=home), create=False) as registry:
        recorded = nested(registry.runs.get(trained.run).scores)["validation"]["ner"]
    for name in ("ece", "ece_calibrated", "temperature"):
        assert recorded[name] == trained.metrics["validation"]["ner"][name]


def test_only_scores_change_with_the_temperature(trained: labelkit.RunResult, tmp_path: Path) -> None:
    plain, hot = (with_temperature(trained, tmp_path / str(t), t) for t in (1.0, 4.0))
    one, two = plain.label(TEXT), hot.label(TEXT)
    assert one.spans
    assert two.spans
    assert one.labels == two.labels
    assert [replace(span, score=None) for span in one.spans] == [replace(span, score=None) for span in two.spans]
    assert all((a.score or 0) > (b.score or 0) > 0 for a, b in zip(one.spans, two.spans, strict=True))
    assert replace(one, spans=()) == replace(two, spans=())


def test_an_older_checkpoint_has_a_temperature_of_one(trained: labelkit.RunResult, tmp_path: Path) -> None:
    assert with_temperature(trained, tmp_path / "old", None).info.temperature == 1


@pytest.mark.parametrize("odd", [0, -1.0, float("nan"), float("inf"), "hot"])
def test_an_odd_temperature_is_damage(trained: labelkit.RunResult, tmp_path: Path, odd: Any) -> None:
    with pytest.raises(LabelkitError, match="is damaged: temperature must be a number above 0"):
        with_temperature(trained, tmp_path / "odd", odd)


# -- another decoder --------------------------------------------------------------------------------------------------


def test_another_decoder_labels_and_evaluates(
    trained: labelkit.RunResult, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    used: list[str] = []

    def spy(decoder: Decoder, scores: Any) -> Any:
        used.append(decoder.name)
        return decode(decoder, scores)

    monkeypatch.setattr("labelkit.inference.prediction.decode", spy)
    monkeypatch.setattr("labelkit.label.assembly.decode", spy)
    assert main(["evaluate", "shared", "--decoder", "argmax", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["test"]["ner"]["decoder"] == "argmax"
    assert main(["label", "shared", "--decoder", "argmax", "--text", TEXT, "--json"]) == 0
    labelkit.load("shared").label(TEXT)
    labelkit.load("shared", decoder="argmax").label(TEXT)
    assert used == ["argmax", "argmax", "viterbi", "argmax"]


def test_a_decoder_of_another_kind_is_refused(trained: labelkit.RunResult) -> None:
    with pytest.raises(LabelkitError, match="decoder 'argmax-text' is for kind text, the labeller is of kind token"):
        labelkit.load(str(trained.checkpoint), decoder="argmax-text")
