"""The recipe ``best``, batches planned by sub-tokens: killed, resumed, repeated, it gives the same to the last bit."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

import labelkit
from labelkit.config.environment import Environment
from labelkit.events import CheckpointSaved, Event, Scored, StepDone, TrainingStarted
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, Registry, RunDetails
from labelkit.train.reproduction import reproduce
from labelkit.train.sampling import TokenBatchSampler

EPOCHS = 2
#: a state after every step; dropout, that random numbers are drawn too
SETTINGS = {"train.batch_tokens": 64, "train.save_minutes": 0, "train.dropout": 0.1, "data.mark_case": True}
Work = Callable[..., labelkit.RunResult]
FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["labelkit.train.run"])


@pytest.fixture(scope="module")
def train(tiny: Path, corpus: Path) -> Work:
    """Return ``labelkit.run("ner", recipe="best")`` with small batches."""
    given: dict[str, Any] = {"data": str(corpus), "model": str(tiny), "recipe": "best", "epochs": EPOCHS, "lr": 5e-3}
    return partial(labelkit.run, "ner", **given, settings=SETTINGS)


@pytest.fixture(scope="module")
def heard() -> list[Event]:
    """Return the events of :func:`whole`."""
    return []


@pytest.fixture(scope="module")
def planned() -> list[list[list[int]]]:
    """Return the batches of each epoch of :func:`whole`."""
    return []


@pytest.fixture(scope="module")
def whole(
    train: Work, heard: list[Event], planned: list[list[list[int]]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the home of a run that nothing stopped."""
    home, plan = tmp_path_factory.mktemp("whole") / "home", TokenBatchSampler.__iter__

    def watched(batches: TokenBatchSampler) -> Iterator[list[int]]:
        planned.append(list(plan(batches)))
        return iter(planned[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TokenBatchSampler, "__iter__", watched)
        train(home=home, listeners=[heard.append])
    return home


def recorded(home: Path) -> RunDetails:
    with Registry.open(Home(root=home), create=False) as registry:
        return registry.runs.get(registry.runs.find("latest").id)


def outcome(home: Path) -> dict[str, Any]:
    """Return everything that must be the same, the hashes of all weights among it, also of checkpoints that went."""
    details = recorded(home)
    return {
        "status": details.status,
        "metrics": {(one.split, one.step, one.type, one.name): (one.value, one.text) for one in details.metrics},
        "weights": {(one.step, one.files["model.safetensors"]) for one in details.checkpoints},
        "best": details.best and details.best.step,
    }


def work_until(work: Work, kind: type[Event], count: int, more: dict[str, Any]) -> None:
    """Do ``work`` on one thread, as the tests do, and kill this process at the ``count``-th event of a kind."""
    import torch

    torch.set_num_threads(1)
    seen: list[Event] = []

    def listen(event: Event) -> None:
        seen.extend([event] if isinstance(event, kind) else [])
        if len(seen) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    work(listeners=[listen], **more)


def killed(work: Work, kind: type[Event], count: int, **more: Any) -> bool:
    """Do ``work`` in a process that is killed at its ``count``-th event of a kind; return whether it came so far.

    The process is forked by a server that has imported labelkit and done nothing: one that is forked by a process
    whose libraries have threads waits for them for ever.
    """
    process = FORKSERVER.Process(target=work_until, args=(work, kind, count, more))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_the_runs_below_are_what_they_are_meant_to_be(
    whole: Path, heard: list[Event], planned: list[list[list[int]]]
) -> None:
    steps = [event.step for event in heard if isinstance(event, StepDone)]
    scored = [event.step for event in heard if isinstance(event, Scored) and event.split == "validation"]
    assert len(steps) >= 16
    assert len(steps) % EPOCHS == 0
    assert scored == [len(steps) // 4, len(steps) // 2, 3 * len(steps) // 4, len(steps)]  # twice an epoch
    first, second = planned
    assert first != second
    assert len(first) == len(second)
    plan = {one.key: one.text for one in recorded(whole).record.plan}
    assert (plan["train.batch_tokens"], plan["train.freeze_embeddings"]) == ("64", "true")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        pytest.param(StepDone, 3, marks=pytest.mark.slow),
        pytest.param(StepDone, 7, marks=pytest.mark.slow),
        (StepDone, 13),
        pytest.param(Scored, 1, marks=pytest.mark.slow),
        pytest.param(CheckpointSaved, 3, marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_within_an_epoch_ends_as_if_nothing_had_happened(
    train: Work, whole: Path, tmp_path: Path, kind: type[Event], count: int
) -> None:
    home = tmp_path / "home"
    assert killed(train, kind, count, home=home)
    heard: list[Event] = []
    labelkit.resume("latest", home=home, listeners=[heard.append])
    (begun,) = (event for event in heard if isinstance(event, TrainingStarted))
    assert 0 < begun.done < begun.steps
    assert begun.done % (begun.steps // EPOCHS)  # within an epoch
    assert outcome(home) == outcome(whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_again_and_again_at_random_steps_ends_the_same(
    train: Work, whole: Path, tmp_path: Path, seed: int
) -> None:
    home, chance = tmp_path / "home", Random(seed)
    kills = int(killed(train, StepDone, chance.randint(2, 6), home=home))
    while killed(partial(labelkit.resume, "latest", home=home), StepDone, chance.randint(2, 6)):
        kills += 1
    assert kills > 2
    assert outcome(home) == outcome(whole)


def test_a_run_that_was_killed_and_resumed_repeats_to_the_last_bit(train: Work, whole: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert killed(train, StepDone, 5, home=home)
    labelkit.resume("latest", home=home)
    found = reproduce("latest", Catalog.load(), Environment.read(), Home(root=home))
    assert found.differing == []
    assert found.weights.compared == 4
    assert outcome(home) == outcome(whole)
