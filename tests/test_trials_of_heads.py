"""Trials before training of heads that learn numbers, sets of labels, or have a module of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from broken_plugins import METRIC, SCHEMA, SOURCE, TASK, a_catalog
from labelkit.config.environment import Environment
from labelkit.config.plan import Plan, make_plan
from labelkit.config.requests import request_of
from labelkit.data.corpus import Corpus
from labelkit.errors import ErrorCollector, LabelkitError
from labelkit.models.head_trial import HeadTrial, try_head
from labelkit.models.heads import MULTILABEL, REGRESSION, BoundHead, cross_entropy
from labelkit.records import Decoder, Head, HeadContext, Metric, Predictions, Schema, Scores, Task
from labelkit.registry import Home
from labelkit.train.corpora import read_corpus
from labelkit.train.trials import try_parts

TEXTS = Task(
    name="reviews", summary="texts", kind="text", layer="label", source="sample-reviews", metrics=("mine",),
    decoder="mine",
)  # fmt: skip
#: the head → labels of the texts
LABELS: dict[str, list[Any]] = {
    "regression": [1.5, 2.0, -3.25, 4.0, 0.5, 7.0],
    "multilabel": [["art"], ["art", "law"], [], ["law"], ["sports", "art"], ["sports"]],
}


def prepared(head: str, decode: Callable[..., Any], compute: Callable[..., Any], folder: Path) -> tuple[Any, ...]:
    """Return plan, corpus and catalog of texts with a decoder and a metric."""
    flags: dict[str, Any] = {"numeric": head == "regression", "multilabel": head == "multilabel"}
    parts = (
        Decoder(name="mine", kind="text", decode=decode, **flags),
        Metric(name="mine", kind="text", compute=compute, key="share", **flags),
    )
    catalog = a_catalog(replace(TEXTS, head=head), *parts)
    rows = [{"text": f"text {number}", "label": label} for number, label in enumerate(LABELS[head] * 5)]
    data = folder / "train.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    plan = make_plan(request_of("reviews", recipe=None, name=None, sets=(), data=str(data)), catalog)
    return plan, read_corpus(plan, catalog, Environment(), Home(root=folder)), catalog


def faults(plan: Plan, corpus: Corpus, catalog: Any) -> list[str]:
    errors = ErrorCollector()
    try_parts(plan, corpus, catalog, errors)
    return [str(error) for error in errors.errors]


def numbers(scores: Scores) -> Any:
    return scores.values[:, 0]


def sets(scores: Scores) -> Any:
    return np.exp(scores.values) >= scores.thresholds


def fraction(given: Predictions) -> dict[str, float]:
    gold, guess = given.numbers if given.schema.numeric else given.sets
    return {"share": float((gold == guess).mean())}


GOOD = {"regression": numbers, "multilabel": sets}


@pytest.mark.parametrize("head", LABELS)
def test_good_parts_get_scores_near_the_gold_labels(head: str, tmp_path: Path) -> None:
    seen: list[Any] = []

    def decode(scores: Scores) -> Any:
        seen.append(scores)
        return GOOD[head](scores)

    def compute(given: Predictions) -> dict[str, float]:
        seen.append(given)
        return fraction(given)

    assert faults(*prepared(head, decode, compute, tmp_path)) == []
    scores, given, *_ = seen
    assert given.references != given.predictions
    if head == "regression":
        gold, guess = given.numbers
        assert scores.values.shape == (16, 1)
        assert (abs(gold - guess) <= 1).all()
    else:
        gold, guess = given.sets
        right = (gold == guess).all(axis=1)
        assert right.tolist() == [number % 3 != 2 for number in range(16)]
        assert (scores.values <= 0).all()
        assert scores.thresholds.shape == (3,)


@pytest.mark.parametrize(
    ("head", "decode", "said"),
    [
        ("regression", lambda scores: scores.values, "must return a number for each of 16 texts"),
        ("regression", lambda scores: scores.values[1:, 0], "must return a number for each of 16 texts"),
        ("multilabel", lambda scores: scores.values.argmax(axis=1), "a bool array of that shape"),
        ("multilabel", lambda scores: scores.values, "a bool array of that shape"),
        ("multilabel", lambda scores: [][1], "decoder 'mine' (package test_trials_of_heads) failed: IndexError"),
    ],
)
def test_a_broken_decoder_is_refused(head: str, decode: Callable[..., Any], said: str, tmp_path: Path) -> None:
    (fault,) = faults(*prepared(head, decode, fraction, tmp_path))
    assert fault.startswith("plugin 'mine': decoder 'mine'")
    assert said in fault


def by_name(given: Predictions) -> dict[str, float]:
    """Expect one label for each text."""
    return {"share": float(sum(label.startswith("a") for label in given.references))}  # type: ignore[union-attr]


def squared(given: Predictions) -> dict[str, float]:
    """Expect numbers of type float where there are texts that write them."""
    return {"share": sum(number**2 for number in given.references)}  # type: ignore[operator]


@pytest.mark.parametrize(("head", "compute"), [("multilabel", by_name), ("regression", squared)])
def test_a_metric_that_expects_other_labels_is_refused(head: str, compute: Any, tmp_path: Path) -> None:
    (fault,) = faults(*prepared(head, GOOD[head], compute, tmp_path))
    assert fault.startswith("plugin 'mine': metric 'mine' (package test_trials_of_heads) failed")
    assert "tried on 16 examples before training" in fault


# -- a head with a module ---------------------------------------------------------------------------------------------


class Scaled(torch.nn.Module):
    """A factor for each label."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.factors = torch.nn.Parameter(torch.ones(labels))

    def forward(self, outputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return outputs * self.factors


SCALED = Head(
    name="scaled", kinds=("token",), loss=cross_entropy, module=lambda ctx: Scaled(len(ctx.schema.label_names))
)
EXACT = replace(TASK, metrics=("exact",), preprocess=(), head="scaled", decoder="scaled")


def said_of(head: Head, decode: Callable[[Scores], Any]) -> list[str]:
    parts = (SCHEMA, SOURCE, METRIC, head, EXACT, Decoder(name="scaled", kind="token", decode=decode))
    catalog = a_catalog(*parts)
    plan = make_plan(request_of("pets", recipe=None, name=None, sets=(), data="tales"), catalog)
    return faults(plan, read_corpus(plan, catalog, Environment(), Home(root=Path("/nowhere"))), catalog)


def test_a_decoder_is_tried_with_the_parameters_of_the_head() -> None:
    seen: list[Any] = []

    def decode(scores: Scores) -> Any:
        seen.append(scores.parameters)
        return (scores.values * scores.parameters["factors"]).argmax(axis=1)

    assert said_of(SCALED, decode) == []
    assert [*seen[0]] == ["factors"]
    (fault,) = said_of(SCALED, lambda scores: scores.parameters["factor"])
    assert "decoder 'scaled' (package test_trials_of_heads) failed: KeyError: 'factor'" in fault


def test_a_module_that_cannot_be_made_is_an_error() -> None:
    def fails(ctx: HeadContext) -> Any:
        raise ValueError("no room")

    found = said_of(replace(SCALED, module=fails), lambda scores: scores.values.argmax(axis=1))
    assert found
    assert "module() of head 'scaled' (package test_trials_of_heads) failed: ValueError: no room" in found[0]


TAGS = HeadContext(schema=SCHEMA, hidden_size=4)


class Shortened(Scaled):
    """Drops the last word."""

    def forward(self, outputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return outputs[:, :-1]


class Failing(Scaled):
    """Always fails."""

    def forward(self, outputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        raise ValueError("no")


def detached(batch: Any, ctx: HeadContext) -> Any:
    return cross_entropy(batch, ctx).detach()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"module": lambda ctx: Failing(5)},
            r"forward\(\) of head 'scaled' \(package test_trials_of_heads\) failed: ValueError: no",
        ),
        ({"module": lambda ctx: Shortened(5)}, r"forward\(\) of head 'scaled' returned shape \(2, 4, 5\)"),
        ({"loss": detached}, r"loss\(\) of head 'scaled' \(package test_trials_of_heads\) failed"),
    ],
)
def test_a_module_or_loss_that_cannot_be_trained_is_found(changes: Any, said: str) -> None:
    with pytest.raises(LabelkitError, match=said):
        try_head(BoundHead(replace(SCALED, **changes), TAGS), [[1, 0, 0], [2]])


def test_a_good_module_passes_and_padding_is_masked() -> None:
    head = BoundHead(SCALED, TAGS)
    try_head(head, [[1, 0, 0], [2]])
    trial = HeadTrial.of(head, [[1, 0, 0], [2]])
    assert trial.labels.tolist() == [[-100, 1, 0, 0, -100], [-100, 2, -100, -100, -100]]
    assert trial.attention.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert trial.window(1).labels.tolist() == [[-100, 2, -100, -100, -100]]


def test_numbers_and_sets_are_given_to_a_loss_as_training_gives_them() -> None:
    topics = Schema(name="topics", kind="text", labels=("a", "b", "c"), multilabel=True)
    several = BoundHead(MULTILABEL, HeadContext(schema=topics, hidden_size=4))
    assert HeadTrial.of(several, [[0, 2], [], [1]]).labels.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    try_head(several, [[]])  # a text without labels is one to learn from
    stars = HeadContext(schema=Schema(name="stars", kind="text", numeric=True), hidden_size=4)
    labels = HeadTrial.of(BoundHead(REGRESSION, stars), [[1.5], [2.0]]).labels
    assert (labels.dtype, labels.tolist()) == (torch.float32, [1.5, 2.0])
    seen: list[Any] = []

    def spy(batch: Any, ctx: HeadContext) -> Any:
        seen.append(batch.labels)
        raise ValueError("no")

    with pytest.raises(
        LabelkitError, match=r"loss\(\) of head 'multilabel' \(package test_trials_of_heads\) failed: ValueError: no"
    ):
        try_head(replace(several, head=replace(MULTILABEL, loss=spy)), [[]])
    assert seen[0].tolist() == [[0, 0, 0]]


def test_a_loss_that_is_a_mean_is_refused_before_training() -> None:
    def mean(batch: Any, ctx: HeadContext) -> Any:
        return cross_entropy(batch, ctx).mean()

    with pytest.raises(LabelkitError, match=r"loss\(\) of head 'scaled' gives .* for a batch, and .* one by one"):
        try_head(BoundHead(replace(SCALED, loss=mean), TAGS), [[1, 0, 0], [2]])
