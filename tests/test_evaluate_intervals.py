"""How sure a score is: the bootstrap over sentences, against the metric itself on the very same samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from labelkit.metrics import intervals
from labelkit.metrics.classification import METRICS as CLASSES
from labelkit.metrics.intervals import bootstrap_weights, recomputed_intervals, resample, roc_auc_interval
from labelkit.metrics.scoring import score
from labelkit.metrics.seqeval_metrics import METRICS as SPANS
from labelkit.records import Example, Metric, Predictions, Schema

SCHEMA = Schema.bio("x", "PER", "LOC", "RARE")


def sentences(count: int = 40) -> Predictions:
    """Return random sentences and predictions that are often right; one type stands in a single sentence."""
    random = Random(0)
    tags = ("O", "O", "B-PER", "I-PER", "B-LOC")
    gold = [tuple(random.choices(tags, k=random.randrange(1, 8))) for _ in range(count - 1)] + [("B-RARE",)]
    guess = [tuple(tag if random.random() < 0.8 else random.choice(tags) for tag in row) for row in gold]
    examples = [
        Example(id=str(place), words=tuple(random.choices("abcdef", k=len(row)))) for place, row in enumerate(gold)
    ]
    known = frozenset({("a",), ("b",), ("c", "d")})
    return Predictions(
        references=gold, predictions=guess, schema=SCHEMA, examples=examples, train_mentions=lambda: known
    )


def texts(count: int, right: float) -> Predictions:
    random = np.random.default_rng(0)
    hit = random.random(count) < right
    scores = np.log(np.where(hit[:, None], [[0.1, 0.9]], [[0.6, 0.4]])).astype(np.float32)
    return Predictions(
        references=["b"] * (count // 2) + ["a"] * (count - count // 2),
        predictions=["b" if fine == (place < count // 2) else "a" for place, fine in enumerate(hit)],
        schema=Schema(name="y", kind="text", labels=("a", "b")),
        scores=scores,
    )


def flat(figures: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in figures.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found


@pytest.mark.parametrize("metric", [*SPANS, *CLASSES], ids=lambda metric: metric.name)
def test_sums_over_sentences_give_the_figures_of_the_resampled_sentences(metric: Metric) -> None:
    given = sentences() if metric.kind == "token" else texts(40, 0.7)
    assert metric.counts is not None
    counts = metric.counts(given)
    (drawn,) = bootstrap_weights(len(given.references), resamples=20)
    found = flat(counts.figures(drawn @ counts.rows))
    absent = 0
    for number, row in enumerate(drawn.astype(int)):
        chosen = np.repeat(np.arange(len(row)), row)
        real = flat(metric.compute(resample(given, chosen)))
        for name, values in found.items():
            if np.isnan(values[number]):
                absent += 1
                assert real.get(name, 0.0) == 0.0
            else:
                assert values[number] == pytest.approx(real[name], abs=1e-12)
    assert absent or not any(name.startswith("per_type") for name in found) or metric.kind == "text"


def test_the_interval_of_a_share_is_about_what_the_binomial_says() -> None:
    given = texts(1000, 0.8)
    figures = score([CLASSES[1]], given)
    low, high = figures["intervals"]["accuracy"]
    half = 1.96 * (figures["accuracy"] * (1 - figures["accuracy"]) / 1000) ** 0.5
    assert low == pytest.approx(figures["accuracy"] - half, abs=0.004)
    assert high == pytest.approx(figures["accuracy"] + half, abs=0.004)


def test_every_score_has_an_interval_around_it_and_the_same_one_each_time() -> None:
    figures = score([SPANS[0]], sentences())
    sure = flat(figures["intervals"])
    assert {"precision", "recall", "f1", "accuracy", "macro_f1", "span_f1"} <= sure.keys()
    assert "per_type.PER.f1" in sure
    assert all(low <= flat(figures)[name] <= high for name, (low, high) in sure.items())
    assert sure["f1"][0] < sure["f1"][1]
    assert figures == score([SPANS[0]], sentences())


def test_sentences_are_drawn_not_words() -> None:
    """All mistakes stand in one sentence of two: either it is drawn or not."""
    gold = [("B-PER",) * 50, ("B-PER",) * 50]
    guess = [("O",) * 50, ("B-PER",) * 50]
    figures = score([SPANS[0]], Predictions(references=gold, predictions=guess, schema=SCHEMA))
    assert figures["intervals"]["recall"] == [0.0, 1.0]


def test_draws_come_in_blocks_of_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(bootstrap_weights(7, resamples=50)))
    assert whole.shape == (50, 7)
    assert (whole.sum(axis=1) == 7).all()
    assert len({tuple(row) for row in whole.tolist()}) > 40
    monkeypatch.setattr(intervals, "BLOCK", 21)
    blocks = list(bootstrap_weights(7, resamples=50))
    assert [len(block) for block in blocks] == [3] * 16 + [2]
    assert np.array_equal(np.concatenate(blocks), whole)


def test_a_metric_without_counts_is_computed_anew_only_for_the_patient() -> None:
    given = texts(300, 0.8)
    plain = replace(CLASSES[1], counts=None, name="plain")
    assert "intervals" not in score([plain], given)
    figures = score([plain], given, recompute_intervals=True)
    slow, quick = figures["intervals"]["accuracy"], score([CLASSES[1]], given)["intervals"]["accuracy"]
    assert slow == pytest.approx(quick, abs=0.02)


def test_samples_for_which_a_metric_fails_are_left_out() -> None:
    def moody(given: Predictions) -> dict[str, float]:
        if given.references[0] == "a":
            raise ValueError("not today")
        return {"points": 1.0}

    metric = Metric(name="moody", kind="text", compute=moody, key="points")
    assert recomputed_intervals(metric, texts(20, 0.5)) == {"points": [1.0, 1.0]}


def test_scores_go_with_the_words_of_their_sentence() -> None:
    given = replace(sentences(), scores=np.arange(0).reshape(0, 7).astype(np.float32))
    lengths = [len(row) for row in given.references]
    given = replace(given, scores=np.arange(sum(lengths), dtype=np.float32)[:, None])
    part = resample(given, np.array([2, 0]))
    starts = np.concatenate(([0], np.cumsum(lengths)))
    assert part.scores is not None
    expected = [*range(starts[2], starts[3]), *range(starts[0], starts[1])]
    assert part.scores[:, 0].tolist() == expected


def test_nothing_at_all_has_no_interval() -> None:
    empty = Predictions(references=[], predictions=[], schema=SCHEMA)
    assert "intervals" not in score([SPANS[0]], empty)


def test_the_area_under_the_curve_has_one() -> None:
    found = roc_auc_interval(texts(200, 0.7))
    low, high = found["roc_auc"]
    assert 0 <= low < high <= 1
