"""Metrics see the examples that they score: ids, documents, words or texts, extra fields and places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from broken_plugins import a_catalog
from labelkit.data.gold import Gold
from labelkit.evaluation.comparison import align_schemas
from labelkit.evaluation.evaluation import evaluate
from labelkit.evaluation.label_mapping import LabelMap
from labelkit.inference.engine import WordScores
from labelkit.inference.prediction import ScoringOptions, decode_scores, score_split
from labelkit.metrics.intervals import recomputed_intervals, resample
from labelkit.metrics.significance import paired_randomisation_test
from labelkit.records import Decoder, Example, Metric, Place, Predictions, Schema
from labelkit.testing import check_plugin

SCHEMA = Schema(name="pos", kind="token", labels=("NOUN", "VERB"))
EXAMPLES = [
    Example(
        id=f"s{number}",
        words=(f"word{number}", "runs")[: 1 + number % 2],
        labels={"pos": ("NOUN", "VERB")[: 1 + number % 2]},
        document=f"d{number // 3}",
        extra={"row": number},
        place=Place(file="a.conll", line=number + 1),
    )
    for number in range(9)
]
GOLD = [cast("tuple[str, ...]", example.labels["pos"]) for example in EXAMPLES]
GUESS = [tuple("NOUN" for _ in row) for row in GOLD]


def by_document(given: Predictions) -> Mapping[str, Any]:
    """Return the share of documents without a mistake, the metric that could not be written before."""
    right: dict[str | None, bool] = {}
    for document, gold, guess in zip(given.documents, given.references, given.predictions, strict=True):
        right[document] = right.get(document, True) and tuple(gold) == tuple(guess)
    return {"documents": sum(right.values()) / len(right) if right else 0.0}


DOCUMENTS = Metric(name="documents", kind="token", compute=by_document, key="documents", summary="whole documents")


class Seen:
    """A metric that keeps what it is given, and checks that labels and examples belong to each other."""

    def __init__(self) -> None:
        self.given: list[Predictions] = []

    @property
    def metric(self) -> Metric:
        return Metric(name="seen", kind="token", compute=self.compute, key="x")

    def compute(self, given: Predictions) -> Mapping[str, Any]:
        assert given.examples
        assert [len(row) for row in given.references] == [len(words) for words in given.words]
        self.given.append(given)
        return {"x": float(len(set(given.ids)))}


def predictions(**changes: Any) -> Predictions:
    return replace(Predictions(references=GOLD, predictions=GUESS, schema=SCHEMA, examples=EXAMPLES), **changes)


def test_the_fields_are_those_of_the_examples() -> None:
    given = predictions()
    assert given.ids == [f"s{number}" for number in range(9)]
    assert given.documents == ["d0"] * 3 + ["d1"] * 3 + ["d2"] * 3
    assert given.words[:2] == [("word0",), ("word1", "runs")]
    assert given.texts[:2] == ["word0", "word1 runs"]
    assert given.extra[3] == {"row": 3}
    assert str(given.places[4]) == "a.conll:5"
    unknown = predictions(examples=())
    assert (unknown.ids, unknown.documents, unknown.words, unknown.extra) == ([], [], [], [])
    text = Predictions(references=["a"], predictions=["a"], schema=SCHEMA, examples=[Example(id="1", text="so so")])
    assert (text.texts, text.words) == (["so so"], [()])


def test_there_are_as_many_examples_as_references() -> None:
    with pytest.raises(ValueError, match="9 references have 8 examples"):
        predictions(examples=EXAMPLES[1:])


DECODER = Decoder(name="argmax", kind="token", decode=lambda scores: scores.values.argmax(axis=1))


class StoredScores:
    """An engine, and a labeller, that has computed before: every word is a noun."""

    info = SimpleNamespace(schema=SCHEMA, layer="pos", task="pos", temperature=1.0)
    decoder = DECODER
    operating_points: Mapping[str, Any] = {}

    def score(self, windows: object, words: list[int]) -> WordScores:
        values = np.tile(np.log(np.array([0.9, 0.1], np.float32)), (sum(words), 1))
        return WordScores(values, np.array(words), np.ones(sum(words), np.bool_))

    def decode(self, found: WordScores) -> Any:
        return decode_scores(found, DECODER, SCHEMA, {})

    def scores(self, examples: list[Example]) -> tuple[WordScores, list[Any]]:
        return self.score(None, [len(example.words or ()) for example in examples]), []


def test_a_run_gives_them() -> None:
    seen = Seen()
    scoring = ScoringOptions("pos", SCHEMA, DECODER, [seen.metric, DOCUMENTS])
    figures = score_split(StoredScores(), [], EXAMPLES, scoring).figures  # type: ignore[arg-type]
    assert figures["x"] == 9
    assert figures["documents"] == 0
    assert seen.given[0].ids == [example.id for example in EXAMPLES]


@pytest.mark.parametrize("mapping", [None, LabelMap(predicted={"NOUN": "VERB"})], ids=["plain", "mapped"])
def test_evaluate_gives_them(mapping: LabelMap | None) -> None:
    seen = Seen()
    gold = Gold(split="test", examples=EXAMPLES, ref="a.conll", content_hash="")
    result = evaluate(StoredScores(), gold, [seen.metric], mapping)  # type: ignore[arg-type]
    assert result.figures["x"] == 9
    low, high = result.figures["intervals"]["x"]
    assert low <= high < 9
    assert len(seen.given) > 100  # for the whole, and for each sample of the interval


def test_samples_keep_labels_and_examples_together() -> None:
    chosen = resample(predictions(), np.array([3, 3, 0]))
    assert (chosen.ids, chosen.documents) == (["s3", "s3", "s0"], ["d1", "d1", "d0"])
    assert chosen.examples[1:] == [EXAMPLES[3], EXAMPLES[0]]
    seen = Seen()
    for examples in (EXAMPLES, tuple(EXAMPLES)):
        assert recomputed_intervals(seen.metric, predictions(examples=examples))["x"][1] < 9
    assert recomputed_intervals(DOCUMENTS, predictions(predictions=GOLD)) == {"documents": [1.0, 1.0]}


def test_significance_tests_keep_labels_and_examples_together() -> None:
    seen = Seen()
    assert paired_randomisation_test(seen.metric, predictions(), predictions(predictions=GOLD))
    assert len({tuple(given.ids) for given in seen.given}) > 10
    (found,) = paired_randomisation_test(DOCUMENTS, predictions(), predictions(predictions=GOLD))
    assert (found.first, found.second) == (0.0, 1.0)


def test_schemas_are_aligned_with_the_examples() -> None:
    iob2, bioes = Schema.bio("x", "A"), replace(Schema.bio("x", "A"), scheme="BIOES")
    gold = [("B-A",) * len(row) for row in GOLD]
    one = predictions(references=gold, predictions=gold, schema=iob2)
    other = replace(one, predictions=[("S-A",) * len(row) for row in GOLD], schema=bioes)
    assert [each.ids for each in align_schemas(one, other, iob2)] == [one.ids, one.ids]


def test_the_contract_kit_gives_a_metric_of_documents_what_it_needs() -> None:
    outcomes = [one for one in check_plugin("mine", catalog=a_catalog(DOCUMENTS)) if one.check.startswith("metric-")]
    assert {one.check for one in outcomes if one.failed} == set()
    assert any(one.check == "metric-documents-order" and one.status == "ok" for one in outcomes)
