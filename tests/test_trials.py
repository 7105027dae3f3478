"""Metrics and decoders are tried on a few examples, so that a broken one costs seconds and not an epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from broken_plugins import EXAMPLES, FORMAT, METRIC, SCHEMA, SOURCE, TASK, a_catalog
from labelkit.config.environment import Environment
from labelkit.config.plan import make_plan
from labelkit.config.requests import request_of
from labelkit.data.corpus import Corpus
from labelkit.errors import ErrorCollector, PlanError
from labelkit.plugins.catalog import Catalog
from labelkit.records import Counts, Decoder, Example, Metric, Predictions, Scores
from labelkit.registry import Home
from labelkit.train import trials
from labelkit.train.corpora import read_corpus
from labelkit.train.preparation import prepare
from labelkit.train.trials import trial_examples, try_parts

TASK_OF_PARTS = dataclasses.replace(TASK, metrics=("exact",), preprocess=())
GOOD_DECODER = Decoder(name="likeliest", kind="token", decode=lambda scores: scores.values.argmax(axis=1))


def metric(compute: Callable[[Predictions], Any], **fields: Any) -> Metric:
    return dataclasses.replace(METRIC, compute=compute, counts=None, **fields)


def decoder(decode: Callable[[Scores], Any]) -> Decoder:
    return dataclasses.replace(GOOD_DECODER, decode=decode)


def faults(*parts: Any, task: Any = TASK_OF_PARTS, **flags: Any) -> list[str]:
    """Return what a trial says of a plan with these parts in place of the good ones."""
    kinds = {type(part) for part in parts}
    good = (part for part in (METRIC, GOOD_DECODER) if type(part) not in kinds)
    catalog = a_catalog(SCHEMA, SOURCE, task, *good, *parts)
    plan = make_plan(request_of("pets", recipe=None, name=None, sets=(), data="tales", **flags), catalog)
    errors = ErrorCollector()
    corpus = read_corpus(plan, catalog, Environment(), Home(root=Path("/nowhere")))
    try_parts(plan, corpus, catalog, errors)
    return [str(error) for error in errors.errors]


def wrong(given: Predictions) -> Mapping[str, Any]:
    raise RuntimeError("no such luck")


BROKEN_METRICS: dict[str, tuple[Metric, str]] = {
    "raises": (metric(wrong), "metric 'exact' (package test_trials) failed: RuntimeError: no such luck"),
    "no mapping": (metric(lambda given: 0.5), "metric 'exact': it returned float, not a mapping of names and figures"),
    "no key": (metric(lambda given: {"y": 1.0}), "returned no number called 'exact_match' (it returned: y; tried on"),
    "text": (metric(lambda given: {"exact_match": "1.0"}), "returned no number called 'exact_match'"),
    "NaN": (metric(lambda given: {"exact_match": float("nan")}), "returned NaN for 'exact_match', also for perfect"),
    "NumPy's NaN": (metric(lambda given: {"exact_match": np.float32("nan")}), "returned NaN for 'exact_match'"),
    "array": (metric(lambda given: {"exact_match": 1.0, "all": np.zeros(2)}), "not a number, text, list or mapping"),
    "types without figures": (
        metric(lambda given: {"exact_match": 1.0, "per_type": {"cat": 0.5}}), "not a number, text, list or mapping"
    ),
    "counts": (
        dataclasses.replace(METRIC, counts=lambda given: Counts(rows=np.zeros((1, 2)), figures=lambda sums: {})),
        "metric 'exact' (package broken_plugins) failed: ValueError",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("part", "said"), BROKEN_METRICS.values(), ids=BROKEN_METRICS)
def test_a_broken_metric_is_refused(part: Metric, said: str) -> None:
    (fault,) = faults(part)
    assert fault.startswith("plugin 'mine': metric 'exact'")
    assert said in fault
    assert "tried on 2 examples before training)" in fault


BROKEN_DECODERS: dict[str, tuple[Callable[[Scores], Any], str]] = {
    "raises": (lambda scores: [][1], "decoder 'likeliest' (package test_trials) failed: IndexError"),
    "a label short": (lambda scores: scores.values.argmax(axis=1)[1:], "label ids for each of 7 words"),
    "one for each sentence": (lambda scores: np.zeros(len(scores.lengths), int), "label ids for each of 7 words"),
    "names": (lambda scores: ["O"] * len(scores.values), "label ids for each of 7 words"),
    "parts of labels": (lambda scores: scores.values.max(axis=1) * 0, "label ids for each of 7 words"),
    "no such label": (lambda scores: np.full(len(scores.values), 5), "must return one of 5 label ids"),
    "nothing": (lambda scores: None, "label ids for each of 7 words"),
}


@pytest.mark.parametrize(("decode", "said"), BROKEN_DECODERS.values(), ids=BROKEN_DECODERS)
def test_a_broken_decoder_is_refused(decode: Callable[[Scores], Any], said: str) -> None:
    (fault,) = faults(decoder(decode))
    assert fault.startswith("plugin 'mine': decoder 'likeliest'")
    assert said in fault


def test_a_metric_may_be_undefined_for_some_predictions() -> None:
    def by_luck(given: Predictions) -> Mapping[str, Any]:
        return {"exact_match": 1.0 if given.references == given.predictions else float("nan")}

    assert faults(metric(by_luck)) == []


def test_all_faults_come_at_once() -> None:
    assert len(faults(metric(wrong), decoder(lambda scores: None))) == 2


def test_good_parts_see_what_they_will_see_and_can_spoil_nothing() -> None:
    seen: list[Any] = []

    def spoil(scores: Scores) -> Any:
        seen.append(scores)
        scores.values[:] = 0
        return np.zeros(len(scores.values), np.int64)

    def compute(given: Predictions) -> Mapping[str, Any]:
        seen.append(given)
        assert given.scores is not None
        assert np.allclose(np.exp(given.scores).sum(axis=1), 1, atol=1e-5)
        assert given.train_mentions
        given.scores[:] = 0
        return {"exact_match": 1, "note": "so so", "list": [1], "nothing": None, "many": {"a": {"b": 1}}}

    both = (metric(compute), dataclasses.replace(metric(compute), name="again"))
    assert faults(*both, decoder(spoil), task=dataclasses.replace(TASK_OF_PARTS, metrics=("exact", "again"))) == []
    scores, *given = seen
    assert scores.lengths.tolist() == [4, 3]
    assert [one.ids for one in given] == [["1", "2"]] * 2
    assert given[0].predictions != given[0].references


def test_parts_of_labelkit_are_tried_where_its_own_task_does_not_name_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.conll").write_text("Ada NOUN\nlives VERB\n\nBob NOUN\nmet VERB\n" * 5, encoding="utf-8")
    catalog = Catalog.load()

    def tried(metric: str) -> list[str]:
        errors = ErrorCollector()
        plan = make_plan(request_of("pos", recipe=None, name=None, sets=(), data=str(tmp_path), metric=metric), catalog)
        try_parts(plan, read_corpus(plan, catalog, Environment(), Home(root=tmp_path)), catalog, errors)
        return [str(error) for error in errors.errors]

    (fault,) = tried("seqeval")
    assert fault.startswith("plugin 'core': metric 'seqeval': 'NOUN' is not a tag")
    monkeypatch.setattr(trials, "trial_examples", None)
    assert tried("accuracy") == []


def corpus_of(*examples: Example) -> Corpus:
    plan = make_plan(request_of("pets", recipe=None, name=None, sets=(), data="tales"), CATALOG)
    read = read_corpus(plan, CATALOG, Environment(), Home(root=Path("/nowhere")))
    train = dataclasses.replace(read.splits["train"], examples=list(examples))
    return dataclasses.replace(read, splits={**read.splits, "train": train})


CATALOG = a_catalog(SCHEMA, SOURCE, METRIC, GOOD_DECODER, TASK_OF_PARTS)


def test_the_examples_are_the_tasks_own_or_have_many_labels() -> None:
    plain = [Example(id=str(number), words=("a",), labels={"pets": ("O",)}) for number in range(40)]
    odd = Example(id="odd", words=("Rex",), labels={"pets": ("B-dog",)})
    corpus = corpus_of(*plain, odd)
    assert trial_examples(TASK_OF_PARTS, corpus) == list(EXAMPLES)
    strange = dataclasses.replace(TASK_OF_PARTS, examples=(Example(id="1", words=("a",), labels={"pets": ("B-cow",)}),))
    for task in (strange, dataclasses.replace(TASK_OF_PARTS, examples=())):
        found = [example.id for example in trial_examples(task, corpus)]
        assert len(found) == trials.SIZE
        assert found[:3] == ["0", "odd", "1"]


def test_a_run_refuses_them_before_torch_is_loaded(tiny: Path, tmp_path: Path) -> None:
    catalog = a_catalog(SCHEMA, SOURCE, GOOD_DECODER, FORMAT, TASK_OF_PARTS, metric(wrong))
    request = request_of("pets", recipe=None, name=None, sets=(), data="tales", model=str(tiny))
    with pytest.raises(PlanError, match=r"plugin 'mine': metric 'exact' \(package test_trials\) failed"):
        prepare(request, catalog, Environment(), Home(root=tmp_path / "home"), on_stage=lambda *stage: None)
    assert not (tmp_path / "home").exists()
