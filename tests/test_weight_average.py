"""The moving average of the weights: which weights a checkpoint holds, and that it is resumed bit by bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import labelkit
from labelkit.config.plan import Request, make_plan
from labelkit.errors import LabelkitError
from labelkit.events import Event, Scored, StepDone
from labelkit.models.checkpoint import read_checkpoint
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, Registry
from labelkit.train.weight_average import WeightAverage, check_average, decay_after
from test_processes import launched

PLAIN = str(Path(__file__).parent / "plain.toml")
Train = Callable[..., labelkit.RunResult]


@pytest.fixture
def train(tiny: Path, corpus: Path) -> Train:
    """Return ``labelkit.run("ner")`` for two epochs of three steps, a state kept after every step."""

    def run(home: Path, *, ema: float | None = 0.9, **options: Any) -> labelkit.RunResult:
        settings = {"train.save_minutes": 0, "train.ema_decay": ema, "train.onnx": False, **options.pop("settings", {})}
        given: dict[str, Any] = {"task": "ner", "data": str(corpus), "model": str(tiny), "recipe": PLAIN, "epochs": 2}
        return labelkit.run(**{**given, "lr": 5e-3, **options}, settings=settings, home=home)

    return run


@pytest.fixture
def prefer(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Return a function that decides that validation always prefers the average, or never."""
    return lambda averaged: monkeypatch.setattr("labelkit.train.fit.is_better", lambda new, old, *, higher: averaged)


def weights_of(result: labelkit.RunResult) -> bytes:
    return (result.checkpoint / "model.safetensors").read_bytes()


# -- the average ------------------------------------------------------------------------------------------------------


def a_model() -> torch.nn.Sequential:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    dict(model.named_parameters())["0.bias"].requires_grad_(False)
    return model


def test_an_average_follows_the_weights_slower_the_later_it_is() -> None:
    model = a_model()
    average = WeightAverage(model, 0.8)
    expected = {name: weight.detach().double().clone() for name, weight in model.named_parameters()}
    for step in range(1, 60):
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight))
        average.update(step)
        decay = min(0.8, (1 + step) / (10 + step))
        for name, weight in model.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * weight.detach().double()
    found = average.tensors()
    assert found.keys() == {f"average.{name}" for name in expected} - {"average.0.bias"}
    for name, tensor in found.items():
        torch.testing.assert_close(tensor.double(), expected[name.removeprefix("average.")])


def test_the_decay_grows_to_what_the_user_gives() -> None:
    decays = [decay_after(step, 0.99) for step in range(1, 2000)]
    assert decays == sorted(decays)
    assert decays[-1] == 0.99
    assert decay_after(1, 0.1) == 0.1


def test_a_model_has_its_own_weights_again_after_an_error_too() -> None:
    model = a_model()
    average, weights = WeightAverage(model, 0.5), dict(model.named_parameters())
    with torch.no_grad():
        weights["1.weight"].add_(1)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    places = [weight.data_ptr() for weight in model.parameters()]

    def fail() -> None:
        assert not weights["1.weight"].equal(before["1.weight"])
        assert weights["0.bias"].equal(before["0.bias"])
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"), average.applied():
        fail()
    assert all(weight.equal(before[name]) for name, weight in model.named_parameters())
    assert [weight.data_ptr() for weight in model.parameters()] == places


# -- runs -------------------------------------------------------------------------------------------------------------


def test_validation_decides_and_the_run_says_what(train: Train, tmp_path: Path) -> None:
    events: list[Event] = []
    result = train(tmp_path, listeners=[events.append], settings={"train.evaluations_per_epoch": 3})
    scored = [event for event in events if isinstance(event, Scored) and event.split == "validation"]
    assert len(scored) == 6
    for event in scored:
        both = event.metrics["weights"]
        assert event.metrics["f1"] == max(both["raw"], both["averaged"])
    best = result.metrics["validation"]["ner"]
    assert read_checkpoint(result.checkpoint).averaged == (best["weights"]["averaged"] > best["weights"]["raw"])
    with Registry.open(Home(root=tmp_path), create=False) as registry:
        recorded = [row for row in registry.runs.get(result.run).metrics if row.name == "weights"]
    assert [row.original for row in recorded] == [event.metrics["weights"] for event in scored]


def test_raw_weights_are_those_of_a_run_that_averages_nothing(
    train: Train, tmp_path: Path, prefer: Callable[[bool], None]
) -> None:
    prefer(False)
    plain, averaging = train(tmp_path, ema=None), train(tmp_path)
    assert weights_of(averaging) == weights_of(plain)
    assert not read_checkpoint(averaging.checkpoint).averaged
    assert "weights" not in plain.metrics["validation"]["ner"]


@pytest.mark.parametrize("adapters", [{}, {"train.lora_rank": 4, "train.lora_dropout": 0.1}], ids=["all", "lora"])
def test_the_checkpoint_holds_the_average_that_was_scored(
    train: Train, tmp_path: Path, prefer: Callable[[bool], None], adapters: dict[str, Any], corpus: Path
) -> None:
    prefer(True)
    settings = {"train.precision": "fp32", **adapters}
    plain, averaging = train(tmp_path, ema=None, settings=settings), train(tmp_path, settings=settings)
    assert weights_of(averaging) != weights_of(plain)
    assert read_checkpoint(averaging.checkpoint).averaged
    again = labelkit.evaluate(averaging.run, split="validation", home=tmp_path)
    for name in ("f1", "loss"):
        assert again.metrics[name] == pytest.approx(averaging.metrics["validation"]["ner"][name], rel=1e-5)


@pytest.mark.parametrize(
    ("event", "count"), [(StepDone, 2), (StepDone, 3), (Scored, 1)], ids=["in an epoch", "before a score", "after it"]
)
def test_a_resumed_run_has_the_same_average(
    train: Train, tmp_path: Path, prefer: Callable[[bool], None], event: type[Event], count: int
) -> None:
    prefer(True)
    heard: list[Event] = []

    def stop(one: Event) -> None:
        heard.append(one)
        if isinstance(one, event) and sum(isinstance(past, event) for past in heard) == count:
            raise KeyboardInterrupt

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", listeners=[stop])
    resumed = labelkit.resume("latest", home=tmp_path / "stopped")
    assert weights_of(resumed) == weights_of(whole)
    assert resumed.metrics == whole.metrics


def test_several_tasks_have_one_average(train: Train, tmp_path: Path, prefer: Callable[[bool], None]) -> None:
    prefer(True)
    result = train(tmp_path, task="ner+pos", data="sample", max_steps=4, settings={"train.evaluations_per_epoch": 1})
    both = result.metrics["validation"]["ner+pos"]["weights"]
    assert both["averaged"] == result.metrics["validation"]["ner+pos"]["mean"]
    info = read_checkpoint(result.checkpoint)
    assert all(one.averaged for one in info.of_tasks.values())


@pytest.mark.slow
def test_two_processes_average_as_one_does(train: Train, tiny: Path, corpus: Path, tmp_path: Path) -> None:
    same = {"train.precision": "fp32", "train.dropout": 0.0, "train.train_sampling_strategy": "random"}
    alone = train(tmp_path / "one", settings=same)
    given = ["--data", str(corpus), "--model", str(tiny), "--recipe", PLAIN, "--epochs", "2", "--lr", "5e-3"]
    split = {**same, "train.per_device_train_batch_size": 8, "train.ema_decay": 0.9, "train.onnx": "false"}
    process = launched("torchrun", tmp_path / "two", *given, *(f"--set={key}={split[key]}" for key in split), "--json")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    together = json.loads(out)["metrics"]["validation"]["ner"]["weights"]
    assert together == pytest.approx(alone.metrics["validation"]["ner"]["weights"], rel=1e-3)


@pytest.mark.parametrize("name", ["fsdp", "deepspeed"])
def test_weights_that_no_process_has_all_of_are_not_averaged(name: str) -> None:
    make = partial(make_plan, catalog=Catalog.load())
    plan = make(Request(task="ner", sets=("train.ema_decay=0.99", f"train.{name}=full_shard")))
    with pytest.raises(LabelkitError, match=rf"train\.ema_decay cannot be combined with train\.{name}"):
        check_average(plan)
    check_average(make(Request(task="ner", sets=(f"train.{name}=full_shard",))))


# -- epochs by the size of train --------------------------------------------------------------------------------------


def test_a_small_corpus_is_read_eight_times(train: Train, tmp_path: Path) -> None:
    result = train(tmp_path, ema=None, epochs=None, max_steps=1, settings={"train.num_train_epochs": "auto"})
    with Registry.open(Home(root=tmp_path), create=False) as registry:
        plan = {value.key: (value.text, value.origin) for value in registry.runs.get(result.run).record.plan}
    value, origin = plan["train.num_train_epochs"]
    assert value == "8.0"
    assert origin.startswith("automatic: train has ")


def test_texts_are_counted_and_not_their_words(tmp_path: Path, tiny: Path) -> None:
    result = labelkit.run("textcls", recipe="best", data="sample-reviews", model=str(tiny), max_steps=1, home=tmp_path)
    with Registry.open(Home(root=tmp_path), create=False) as registry:
        plan = {value.key: (value.text, value.origin) for value in registry.runs.get(result.run).record.plan}
    value, origin = plan["train.num_train_epochs"]
    assert value == "8.0"
    assert origin.endswith(" texts")
