"""Guards: losses that run away, memory and disks that do not suffice, limits of time, clipped gradients."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

import labelkit
from labelkit.cli import main
from labelkit.errors import LabelkitError, StorageError, TrainingError
from labelkit.events import Event, Noted, Scored, StepDone
from labelkit.hardware import is_out_of_memory
from labelkit.registry import Home, Registry, RunDetails
from labelkit.train import disk_space as room
from labelkit.train import guards
from labelkit.train import oom_recovery as memory
from labelkit.train.guards import WINDOW, LossGuard, TimeLimit
from labelkit.train.trainer import WordLevelTrainer

Train = Callable[..., labelkit.RunResult]
PLAIN = Path(__file__).parent / "plain.toml"
EPOCH = 3  # steps: 48 sentences in batches of 16


@pytest.fixture
def train(tiny: Path, corpus: Path, tmp_path: Path) -> Train:
    """Return ``labelkit.run("ner")`` with the tiny encoder, the small corpus and a home in ``tmp_path``."""
    given: dict[str, Any] = {"data": str(corpus), "model": str(tiny), "recipe": str(PLAIN), "epochs": 1, "lr": 5e-3}
    return partial(labelkit.run, "ner", **given, home=tmp_path / "home")


def recorded(home: Path) -> RunDetails:
    with Registry.open(Home(root=home), create=False) as registry:
        return registry.runs.get(registry.runs.find("latest").id)


def weights(result: labelkit.RunResult) -> dict[str, torch.Tensor]:
    return load_file(result.checkpoint / "model.safetensors")


# -- a loss that runs away --------------------------------------------------------------------------------------------


class Losses:
    """Sums up losses as training does."""

    def __init__(self) -> None:
        self.total, self.steps = 0.0, 0

    def to_json(self) -> list[float]:
        return [self.total, self.steps]


def watch(losses: Iterator[float] | list[float], every: int = 1, epoch: int = 10**9) -> int | None:
    """Return the step at which the guard stops, None where it does not."""
    guard, summed = LossGuard(every, "advice"), Losses()
    for step, loss in enumerate(losses, 1):
        summed.total, summed.steps = summed.total + loss, summed.steps + 1
        try:
            guard.step(step, summed)
            if step % epoch == 0:
                guard.epoch(step, summed.total / summed.steps)
                summed = Losses()
        except TrainingError:
            return step
    return None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("every", "stops"), [(1, 7), (10, 10)])
def test_a_loss_that_is_no_number_stops_training_at_the_next_look(value: float, every: int, stops: int) -> None:
    assert watch([1.0] * 6 + [value] + [1.0] * 20, every) == stops


def test_the_loss_of_an_epoch_is_looked_at_too() -> None:
    guard = LossGuard(10, "lower --lr")
    guard.epoch(3, 1.0)
    guard.epoch(3, None)
    with pytest.raises(TrainingError, match="NaN or infinite at step 1,234") as caught:
        guard.epoch(1234, math.nan)
    assert caught.value.hint == "lower --lr"


@pytest.mark.parametrize("every", [1, 10])
def test_a_loss_that_runs_away_stops_training(every: int) -> None:
    falling = [2.0 * 0.99**step + 0.2 for step in range(300)]
    rising = [min(5.0, 0.3 * 1.05**step) for step in range(300)]
    stopped = watch(falling + rising, every)
    assert stopped is not None
    assert 300 < stopped < 300 + 2 * WINDOW
    assert watch(falling + [2.0] * WINDOW, every) is not None


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    noise=st.floats(0, 0.8),
    floor=st.floats(1e-4, 1.0),
    speed=st.floats(0.0, 0.05),
    every=st.sampled_from([1, 10]),
    epoch=st.integers(3, 400),
)
@example(seed=227, noise=0.75, floor=1.0, speed=0.0, every=10, epoch=3)  # the first batch is an easy one
def test_noisy_losses_raise_no_alarm(
    seed: int, noise: float, floor: float, speed: float, every: int, epoch: int
) -> None:
    chance = random.Random(seed)
    losses = [
        (2.0 * math.exp(-speed * step) + floor) * chance.lognormvariate(0, noise) * (40 if step % 97 == 5 else 1)
        for step in range(1000)
    ]
    assert watch(losses, every, epoch) is None


@pytest.mark.parametrize("every", [1, 10])
def test_a_loss_that_runs_away_from_the_start_stops_training(every: int) -> None:
    assert watch([2.0] + [40.0] * 300, every) == WINDOW
    assert watch([2.0] + [5.9] * 300, every) is None  # not three times as much
    assert watch([0.2] + [4.9] * 300, every) is None  # a hundred labels would lose as much untrained
    assert watch([9.0] * 10 + [5.5] * 300, every) is None  # a random head that began badly


def test_a_loss_that_gets_worse_but_stays_below_its_start_is_left_alone() -> None:
    assert watch([2.0] * WINDOW + [0.1] * WINDOW + [1.5] * (3 * WINDOW)) is None


@pytest.mark.parametrize("every", [1, 7])
def test_a_guard_goes_on_where_it_was(every: int) -> None:
    summed, guard = Losses(), LossGuard(every, "advice")
    for step in range(1, 250):
        summed.total, summed.steps = summed.total + (1.0 if step < 110 else 0.1), summed.steps + 1
        guard.step(step, summed)
    assert guard.to_json()["start"] == 1.0
    other = LossGuard(every, "advice")
    other.load(json.loads(json.dumps(guard.to_json())))
    assert other.to_json() == guard.to_json()
    with pytest.raises(TrainingError, match=r"diverges: about [\d.]+ at step \d+, it was 0.1"):
        _go_on(other, summed, 3.0)


def _go_on(guard: LossGuard, summed: Losses, loss: float) -> None:
    for step in range(250, 250 + 2 * WINDOW):
        summed.total, summed.steps = summed.total + loss, summed.steps + 1
        guard.step(step, summed)


def test_losses_count_that_were_not_looked_at_before_an_epoch_ended() -> None:
    guard, summed = LossGuard(5, "advice"), Losses()
    for step in range(1, 22):
        summed.total, summed.steps = summed.total + step, summed.steps + 1
        guard.step(step, summed)
        if step % 7 == 0:
            guard.epoch(step, summed.total / summed.steps)
            summed = Losses()
    assert guard.to_json()["recent"] == [3.0, 8.0, 13.0, 18.0]


def test_a_look_can_be_had_at_once() -> None:
    guard, summed = LossGuard(10, "advice"), Losses()
    summed.total, summed.steps = math.nan, 1
    guard.step(1, summed)
    with pytest.raises(TrainingError):
        guard.step(2, SimpleNamespace(to_json=lambda: [math.nan, 2]), now=True)


def lossy(monkeypatch: pytest.MonkeyPatch, factor: Callable[[int], float]) -> None:
    """Multiply the training loss after so many steps."""
    compute = WordLevelTrainer.compute_loss

    def spoilt(trainer: Any, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
        before, steps = trainer.losses.to_json()
        loss = compute(trainer, model, inputs, *rest, **options)
        times = factor(trainer.state.global_step)
        if model.training and times != 1:
            trainer.losses.load([before + loss.item() * times, steps])
        return loss * times

    monkeypatch.setattr(WordLevelTrainer, "compute_loss", spoilt)


def test_a_run_whose_loss_is_no_number_is_recorded_as_failed_with_advice(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lossy(monkeypatch, lambda step: math.nan if step == EPOCH + 1 else 1)
    scored: list[Event] = []

    def listen(event: Event) -> None:
        scored.extend([event] if isinstance(event, Scored) else [])

    changed = {"train.save_minutes": 0, "train.precision": "bf16", "train.max_grad_norm": 0, "train.warmup_steps": 0}
    with pytest.raises(TrainingError, match="NaN or infinite at step 5"):
        train(epochs=3, settings=changed, listeners=[listen])
    details = recorded(tmp_path / "home")
    assert (details.status, details.error) == ("failed", "the training loss is NaN or infinite at step 5")
    hint = details.hint or ""
    for advice in ("lower --lr (it is 0.005)", "warmup_steps=0.1", "precision=fp32", "max_grad_norm=1"):
        assert advice in hint
    assert len(scored) == 1
    (state,) = (tmp_path / "home").glob("runs/*/resume/*")
    assert state.name == "step-000000004-scored"
    assert all(value.isfinite().all() for value in load_file(state / "model.safetensors").values())


def test_weights_that_the_very_last_step_spoilt_become_no_checkpoint(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = WordLevelTrainer.compute_loss

    def spoilt(trainer: Any, *arguments: Any, **options: Any) -> Any:
        loss = compute(trainer, *arguments, **options)
        if trainer.state.global_step == EPOCH - 1:
            loss.register_hook(lambda gradient: gradient * math.nan)
        return loss

    monkeypatch.setattr(WordLevelTrainer, "compute_loss", spoilt)
    with pytest.raises(TrainingError, match="the validation loss is NaN or infinite at step 3") as caught:
        train()
    assert "lower --lr" in (caught.value.hint or "")
    details = recorded(tmp_path / "home")
    assert (details.status, details.checkpoints) == ("failed", ())


@pytest.mark.slow
def test_a_run_whose_loss_runs_away_is_stopped_also_after_it_was_resumed(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "WINDOW", 3)
    lossy(monkeypatch, lambda step: 100 if step >= 7 else 1)

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(epochs=5, listeners=[stop])
    with pytest.raises(TrainingError, match=r"diverges: about .* at step 9"):
        labelkit.resume("latest", home=tmp_path / "home")
    assert recorded(tmp_path / "home").status == "failed"


def test_the_command_does_not_advise_to_resume_what_would_fail_again(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lossy(monkeypatch, lambda step: math.nan)
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    assert main(["run", "ner", "--data", str(corpus), "--model", str(tiny), "--epochs", "1"]) == 1
    said = capsys.readouterr().err
    assert "error: the training loss is NaN or infinite at step 1\n  lower --lr" in said
    assert "--resume" not in said


# -- memory that does not suffice -------------------------------------------------------------------------------------


@pytest.fixture
def exact(tiny: Path, tmp_path: Path) -> Path:
    """Return the tiny encoder without dropout: whatever is computed in parts must then come out the same."""
    folder = Path(shutil.copytree(tiny, tmp_path / "exact"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


class Scarce:
    """Has training fail as a GPU does whenever more than ``most`` sub-tokens are computed at once.

    :param backward: when the gradients are computed, and not before.
    :param after: batches that do not count: only then does somebody else take the memory.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int, *, backward: bool = False, after: int = 0) -> None:
        from transformers import BertForTokenClassification

        self.most, self.sizes, self.failed = most, list[int](), 0
        forward = BertForTokenClassification.forward

        def scarce(model: Any, *arguments: Any, **options: Any) -> Any:
            size = options["input_ids"].numel()
            if not model.training:
                return forward(model, *arguments, **options)
            self.sizes.append(size)
            if len(self.sizes) <= after:
                return forward(model, *arguments, **options)
            if size > self.most and not backward:
                self.fail()
            outputs = forward(model, *arguments, **options)
            if size > self.most:
                model.bert.embeddings.word_embeddings.weight.register_hook(self.fail_once)
            return outputs

        monkeypatch.setattr(BertForTokenClassification, "forward", scarce)

    def fail(self) -> None:
        self.failed += 1
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")

    def fail_once(self, gradient: torch.Tensor) -> torch.Tensor:
        """Fail where all other gradients are there already."""
        if self.sizes[-1] > self.most:
            self.fail()
        return gradient


FP32: dict[str, Any] = {"train.precision": "fp32", "train.per_device_train_batch_size": 8}


@pytest.mark.slow
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize(("accumulated", "after"), [(1, 0), (3, 1), (3, 2)])
def test_a_batch_that_does_not_fit_is_computed_in_parts_with_the_same_result(
    train: Train,
    exact: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    accumulated: int,
    after: int,
    backward: bool,
) -> None:
    # not clipped: twice the gradient would then be the same step
    changed = {**FP32, "train.gradient_accumulation_steps": accumulated, "train.optim": "sgd", "train.max_grad_norm": 0}
    given: dict[str, Any] = {"model": str(exact), "epochs": 2, "settings": changed, "lr": 0.2}
    whole = train(**given, home=tmp_path / "whole")
    scarce = Scarce(monkeypatch, 40, backward=backward, after=after)
    heard: list[Event] = []
    parts = train(**given, home=tmp_path / "parts", listeners=[heard.append])
    assert scarce.failed
    assert scarce.failed < 4
    assert max(scarce.sizes[-20:]) <= 40
    assert weights(parts).keys() == weights(whole).keys()
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(parts)[name], value, rtol=1e-4, atol=1e-6)
    losses = [
        [one.value for one in recorded(home).metrics if (one.split, one.name) == ("train", "loss")]
        for home in (tmp_path / "whole", tmp_path / "parts")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    steps = [event.step for event in heard if isinstance(event, StepDone)]
    assert steps == list(range(1, len(steps) + 1))


@pytest.mark.slow
def test_a_shortage_is_told_and_recorded(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Scarce(monkeypatch, 60)
    heard: list[str] = []

    def listen(event: Event) -> None:
        heard.extend([event.text] if isinstance(event, Noted) else [])

    train(settings=FP32, listeners=[listen])
    assert heard
    assert all("out of memory with " in text and "computed in parts of " in text for text in heard)
    details = recorded(tmp_path / "home")
    assert details.status == "finished"
    assert [note.text for note in details.notes] == heard


@pytest.mark.slow
def test_a_resumed_run_knows_how_much_fits(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scarce = Scarce(monkeypatch, 60)

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(settings=FP32, listeners=[stop])
    before = scarce.failed
    labelkit.resume("latest", home=tmp_path / "home")
    assert scarce.failed == before


@pytest.mark.slow
def test_a_window_that_does_not_fit_alone_stops_the_run_with_advice(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Scarce(monkeypatch, 2)
    with pytest.raises(TrainingError, match=r"for one window of \d+ subwords: CUDA out of memory") as caught:
        train(settings=FP32)
    assert "smaller --model" in (caught.value.hint or "")
    assert "\n" not in caught.value.message
    assert recorded(tmp_path / "home").status == "failed"


def test_other_errors_are_not_taken_for_a_shortage(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(WordLevelTrainer, "compute_loss", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        train()


def test_a_shortage_outside_of_a_step_is_said_in_plain_words(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr("labelkit.train.scoring.score_split", short)
    with pytest.raises(TrainingError, match=r"out of memory: .*DefaultCPUAllocator"):
        train()
    assert recorded(tmp_path / "home").status == "failed"


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("out of memory."), False),
    ],
)
def test_a_shortage_of_memory_is_told_from_other_errors(error: Exception, is_one: bool) -> None:
    assert is_out_of_memory(error) is is_one


@given(rows=st.integers(1, 40), length=st.integers(1, 30), most=st.none() | st.integers(1, 1500))
def test_parts_hold_every_row_once_and_are_no_larger_than_asked(rows: int, length: int, most: int | None) -> None:
    batch = {
        "input_ids": torch.arange(rows * length).reshape(rows, length),
        "labels": torch.arange(rows),
    }
    parts = memory.split_batch(batch, most)
    for name, value in batch.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), value)
    for part in parts:
        assert len(part["input_ids"]) == len(part["labels"])
        assert most is None or part["input_ids"].numel() <= most or len(part["input_ids"]) == 1


# -- a disk without room ----------------------------------------------------------------------------------------------


def free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=size))


def test_a_run_that_does_not_fit_the_disk_says_so_before_it_starts(
    train: Train, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    size = sum(value.numel() for value in load_file(tiny / "model.safetensors").values()) * 4
    wanted = 3 * size + 3 * size  # three checkpoints; weights and two moments
    free(monkeypatch, wanted)  # the cache is then too much
    with pytest.raises(StorageError, match=r"\d+ MiB free, up to \d+ MiB needed: \d+ MiB a checkpoint"):
        train()
    assert not home.exists()
    free(monkeypatch, wanted + 100_000)
    assert train().status == "finished"


def test_several_seeds_need_room_for_all_checkpoints(train: Train, tmp_path: Path) -> None:
    needs = room.DiskSpaceEstimate(checkpoint=100, state=300, cache=7)
    assert [needs.total(), needs.total(2), needs.total(3)] == [607, 807, 1007]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room.DiskSpaceEstimate, "total", lambda needs, runs=1: 10**18 if runs == 3 else 0)
        with pytest.raises(StorageError, match="3 runs"):
            train(seeds=3)
        assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("optimizer", "moments"),
    [("adamw_torch", 2), ("adamw_torch_fused", 2), ("adamw_8bit", 0), ("sgd", 0), ("lion_32bit", 1)],
)
def test_what_resuming_needs_depends_on_the_optimizer(optimizer: str, moments: int) -> None:
    assert room.optimizer_moments(optimizer) == moments


# -- a limit of time --------------------------------------------------------------------------------------------------


class Clock:
    """Time that passes a minute with each optimizer step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        monkeypatch.setattr(guards, "monotonic", lambda: self.seconds)

    def __call__(self, event: Event) -> None:
        self.seconds += 60 * isinstance(event, StepDone)


@pytest.mark.slow
def test_training_stops_after_so_many_minutes_and_the_run_finishes(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Event] = []
    result = train(epochs=4, max_minutes=EPOCH + 2, listeners=[Clock(monkeypatch), heard.append])
    assert result.status == "finished"
    assert [(one.split, one.step) for one in heard if isinstance(one, Scored)][:2] == [
        ("validation", EPOCH),
        ("validation", EPOCH + 2),
    ]
    assert [one.split for one in heard if isinstance(one, Scored)][2:] == ["test"]
    details = recorded(tmp_path / "home")
    assert (details.status, details.error) == ("finished", None)
    assert [note.text for note in details.notes] == [
        "training was stopped after 5 minutes: step 5 of 12 (train.max_minutes)"
    ]
    assert {one.key: one.origin for one in details.record.plan}["train.max_minutes"] == "--max-minutes"


@pytest.mark.slow
def test_a_limit_that_is_not_reached_changes_nothing(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = train(max_minutes=EPOCH, listeners=[Clock(monkeypatch)], home=tmp_path / "limited")
    plain = train()
    assert recorded(tmp_path / "limited").notes == ()
    assert all(torch.equal(value, weights(plain)[name]) for name, value in weights(limited).items())


@pytest.mark.slow
@pytest.mark.parametrize("save", [0, 1000], ids=["state each step", "state at the end"])
def test_time_that_was_spent_before_a_run_stopped_counts(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: int
) -> None:
    clock = Clock(monkeypatch)

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(epochs=4, max_minutes=6, listeners=[clock, stop], settings={"train.save_minutes": save})
    labelkit.resume("latest", home=tmp_path / "home", listeners=[clock])
    details = recorded(tmp_path / "home")
    assert details.checkpoints[-1].step == 6
    assert details.status == "finished"


@pytest.mark.slow
def test_a_run_stopped_while_its_last_score_is_computed_is_scored_and_not_trained_further(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)

    def stop(event: Event) -> None:
        if isinstance(event, Scored) and event.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(epochs=4, max_minutes=5, listeners=[clock, stop])
    heard: list[Event] = []
    labelkit.resume("latest", home=tmp_path / "home", listeners=[clock, heard.append])
    assert not [one for one in heard if isinstance(one, StepDone)]
    assert next((one.split, one.step) for one in heard if isinstance(one, Scored)) == ("validation", 5)
    assert recorded(tmp_path / "home").checkpoints[-1].step == 5


def test_a_limit_counts_from_the_beginning_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    limit = TimeLimit(2, spent=30)
    clock.seconds = 1000
    assert (limit.seconds, limit.reached(1)) == (30, False)
    limit.start()
    clock.seconds += 89
    assert not limit.reached(1)
    clock.seconds += 1
    assert limit.reached(1)
    assert not TimeLimit(None).reached(10**6)
    by_step = TimeLimit(0, at_step=3)
    assert [by_step.reached(step) for step in (2, 3, 4)] == [False, True, True]


def test_a_negative_limit_is_refused(train: Train) -> None:
    with pytest.raises(LabelkitError, match=r"invalid train\.max_minutes: -1"):
        train(max_minutes=-1)


# -- gradient clipping ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_gradients_are_clipped_to_the_norm_in_the_plan(train: Train, tmp_path: Path) -> None:
    base = {
        "train.optim": "sgd",
        "train.weight_decay": 0,
        "train.lr_scheduler_type": "constant",
        "train.warmup_steps": 0,
    }

    def after_a_step(norm: float, rate: float = 1.0) -> dict[str, torch.Tensor]:
        changed = {**base, "train.precision": "fp32", "train.max_grad_norm": norm}
        return weights(train(home=tmp_path / f"{norm}-{rate}", max_steps=1, lr=rate, settings=changed))

    start = after_a_step(0, rate=0.0)
    moved = {
        norm: math.sqrt(sum(float((value - start[name]).square().sum()) for name, value in after_a_step(norm).items()))
        for norm in (0, 0.1)
    }
    assert moved[0] > 0.2
    assert moved[0.1] == pytest.approx(0.1, rel=1e-2)
    plan = {one.key: one.text for one in recorded(tmp_path / "0.1-1.0").record.plan}
    assert plan["train.max_grad_norm"] == "0.1"
