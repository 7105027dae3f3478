"""Both observers keep the contract, and what they log is what MLflow and TensorBoard read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit import events
from labelkit.testing import contract
from labelkit_trackers import mlflow_observer, tensorboard_observer
from labelkit_trackers.mlflow_observer import MlflowSettings
from labelkit_trackers.tensorboard_observer import TensorboardSettings

RUN = "ner-20240101-000000-abcd"
STEP: dict[str, Any] = {"run": RUN, "epoch": 1.0, "task": "ner", "split": "validation"}
SCORES = {"f1": 0.5, "per_type": {"PER/x": {"f1": 0.25}}, "scheme": "IOB2", "ece": float("nan")}
PLAN = {"train.seed": {"value": 42, "from": "default"}, "preprocess": {"value": [], "from": "default"}}


@contract("mlflow-tracker")
def test_contract_of_mlflow(check: Any) -> None:
    check()


@contract("tensorboard-tracker")
def test_contract_of_tensorboard(check: Any) -> None:
    check()


def a_run(status: events.Status, *steps: int) -> Iterator[events.Event]:
    yield events.RunStarted(run=RUN, task="ner", plan=PLAN)
    for step in steps:
        yield events.Scored(**STEP, step=step, metrics=SCORES, train_loss=1.0 / step)
    yield events.RunEnded(run=RUN, status=status, seconds=1.0)


def context(folder: Path, **more: Any) -> labelkit.RunContext:
    settings = (
        MlflowSettings(tracking_uri=f"sqlite:///{folder}/mlflow.db"),
        TensorboardSettings(folder=folder / "board"),
    )
    return labelkit.RunContext(folder=folder / "run", plugin_settings=settings, **more)


def test_mlflow_reads_what_was_logged_and_a_resumed_run_goes_on(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    for event in (*a_run("interrupted", 1), *a_run("finished", 2)):
        mlflow_observer.labelkit_event(event, context(tmp_path))
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("labelkit")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == (RUN, "FINISHED")
    assert run.data.params == {"train.seed": "42", "preprocess": "[]"}
    assert run.data.metrics == {"train/loss": 0.5, "validation/f1": 0.5, "validation/per_type/PER_x/f1": 0.25}
    assert [one.step for one in client.get_metric_history(run.info.run_id, "validation/f1")] == [1, 2]


def test_tensorboard_reads_what_was_logged(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for event in a_run("finished", 1, 2):
        tensorboard_observer.labelkit_event(event, context(tmp_path))
    board = EventAccumulator(str(tmp_path / "board" / RUN)).Reload()
    assert set(board.Tags()["scalars"]) == {"train/loss", "validation/f1", "validation/per_type/PER_x/f1"}
    assert [(one.step, one.value) for one in board.Scalars("train/loss")] == [(1, 1.0), (2, 0.5)]


@pytest.mark.parametrize("observe", [mlflow_observer.labelkit_event, tensorboard_observer.labelkit_event])
def test_made_up_events_and_runs_without_settings_leave_nothing(observe: Any, tmp_path: Path) -> None:
    for event in a_run("finished", 1):
        observe(event, context(tmp_path, trial=True))
        observe(event, labelkit.RunContext(folder=tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_a_server_is_refused() -> None:
    with pytest.raises(ValueError, match="is no SQLite file"):
        MlflowSettings(tracking_uri="https://mlflow.example.org")
