"""Batches of train: planned by sub-tokens, every window once an epoch, as many batches in each."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import labelkit
from labelkit.config.plan import Request, make_plan
from labelkit.errors import LabelkitError
from labelkit.events import Scored, StepDone
from labelkit.models import loading as model
from labelkit.models.heads import BoundHead
from labelkit.records import Schema
from labelkit.train import trainer as training
from labelkit.train.sampling import TokenBatchSampler

PLAIN = Path(__file__).parent / "plain.toml"
lengths = st.lists(st.integers(1, 60), min_size=1, max_size=80)


@given(lengths, st.integers(1, 100), st.integers(0, 5))
def test_every_window_comes_once_an_epoch_within_the_budget(many: list[int], budget: int, epoch: int) -> None:
    batches = TokenBatchSampler(many, budget, seed=7)
    batches.set_epoch(epoch)
    seen = list(batches)
    assert Counter(window for batch in seen for window in batch) == Counter(range(len(many)))
    assert len(seen) == len(batches)
    assert all(len(batch) == 1 or max(many[window] for window in batch) * len(batch) <= budget for batch in seen)


@given(lengths, st.integers(1, 100))
def test_padding_is_small_because_lengths_are_alike(many: list[int], budget: int) -> None:
    seen = ([many[window] for window in batch] for batch in TokenBatchSampler(many, budget, 1))
    borders = sorted((min(batch), max(batch)) for batch in seen)
    assert all(high <= low for (_, high), (low, _) in pairwise(borders))


@given(lengths, st.integers(1, 40), st.integers(1, 4))
def test_processes_share_the_batches_evenly(many: list[int], budget: int, processes: int) -> None:
    if len(many) < processes:
        with pytest.raises(LabelkitError, match="fewer than the"):
            TokenBatchSampler(many, budget, 1, processes=processes)
        return
    batches = list(TokenBatchSampler(many, budget, 1, processes=processes))
    assert len(batches) % processes == 0
    assert Counter(window for batch in batches for window in batch) == Counter(range(len(many)))


def test_order_and_company_follow_from_seed_and_epoch_alone() -> None:
    many = [5] * 40 + [9] * 40

    def epoch(seed: int, number: int) -> list[list[int]]:
        batches = TokenBatchSampler(many, 45, seed)
        batches.set_epoch(number)
        return list(batches)

    assert epoch(1, 0) == epoch(1, 0)
    assert epoch(1, 0) != epoch(1, 1)
    assert epoch(1, 0) != epoch(2, 0)
    assert {frozenset(batch) for batch in epoch(1, 0)} != {frozenset(batch) for batch in epoch(1, 1)}
    assert len(epoch(1, 0)) == len(epoch(1, 1))


def test_the_longest_windows_come_first_so_that_memory_fails_at_once() -> None:
    many = [3] * 50 + [40, 41]
    for number in range(3):
        batches = TokenBatchSampler(many, 82, 1)
        batches.set_epoch(number)
        assert set(next(iter(batches))) == {50, 51}


class Lengths:
    """Notes which windows Trainer asks for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[int] = []
        plain = training.WordLevelTrainer.compute_loss

        def compute_loss(trainer: Any, network: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
            self.asked.append(inputs["input_ids"].numel())
            return plain(trainer, network, inputs, *rest, **more)

        monkeypatch.setattr(training.WordLevelTrainer, "compute_loss", compute_loss)


@pytest.mark.slow
def test_training_takes_batches_of_so_many_sub_tokens_in_every_epoch(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, events = Lengths(monkeypatch), list[Any]()
    labelkit.run(
        "ner", data=str(corpus), model=str(tiny), recipe=str(PLAIN), epochs=2, home=tmp_path / "home",
        settings={"train.batch_tokens": 100}, listeners=[events.append],
    )  # fmt: skip
    steps = [event for event in events if isinstance(event, StepDone)]
    assert len(seen.asked) == len(steps)
    assert all(size <= 100 for size in seen.asked)
    half = len(steps) // 2
    assert sorted(seen.asked[:half]) == sorted(seen.asked[half:])
    assert steps[half - 1].epoch == 1.0


@pytest.mark.slow
def test_validation_is_scored_so_many_times_an_epoch_and_at_the_end(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    events: list[Any] = []
    labelkit.run(
        "ner", data=str(corpus), model=str(tiny), recipe=str(PLAIN), home=tmp_path / "home", max_steps=16,
        settings={"train.per_device_train_batch_size": 4, "train.evaluations_per_epoch": 5}, listeners=[events.append],
    )  # fmt: skip
    scored = [event.step for event in events if isinstance(event, Scored) and event.split == "validation"]
    assert scored == [3, 5, 8, 10, 12, 15, 16]  # twelve steps an epoch


@pytest.mark.slow
def test_dropout_attention_and_frozen_embeddings_are_as_asked(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    during: list[tuple[str, float, bool]] = []
    plain = training.WordLevelTrainer.compute_loss

    def compute_loss(trainer: Any, network: Any, *rest: Any, **more: Any) -> Any:
        own = trainer.model
        frozen = not own.get_input_embeddings().weight.requires_grad
        during.append((own.config._attn_implementation, own.config.hidden_dropout_prob, frozen))
        return plain(trainer, network, *rest, **more)

    monkeypatch.setattr(training.WordLevelTrainer, "compute_loss", compute_loss)
    changed = {"train.dropout": 0.25, "train.freeze_embeddings": True, "train.attention": "eager"}
    result = labelkit.run(
        "ner",
        data=str(corpus),
        model=str(tiny),
        recipe=str(PLAIN),
        max_steps=2,
        settings=changed,
        home=tmp_path / "home",
    )
    assert during == [("eager", 0.25, True)] * 2
    schema = Schema.bio("any", "PER", "LOC")
    before = cast(torch.Tensor, model.load_classifier(tiny, BoundHead.linear(schema)).get_input_embeddings().weight)
    from safetensors.torch import load_file

    after = load_file(result.checkpoint / "model.safetensors")
    same = [name for name, value in after.items() if value.shape == before.shape and value.equal(before)]
    assert len(same) == 1


@pytest.mark.parametrize(("sets", "budget"), [((), 512), (("train.per_device_train_batch_size=8",), 0)])
def test_a_number_of_windows_that_is_asked_for_wins_over_the_budget_of_a_recipe(
    sets: tuple[str, ...], budget: int
) -> None:
    from labelkit.plugins.catalog import Catalog

    plan = make_plan(Request(task="ner", recipe="best", sets=sets), Catalog.load())
    assert plan.train.batch_tokens == budget
