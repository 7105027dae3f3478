"""Runs that stop and go on: whatever stopped them, wherever, the end is the same to the last bit."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.errors import LabelkitError, RegistryError, StorageError
from labelkit.events import CheckpointRemoved, CheckpointSaved, Event, Scored, Stage, StepDone, TrainingStarted
from labelkit.registry import Home, Registry, RunDetails
from labelkit.registry.run_lock import LockState, hold_lock
from labelkit.train import training_state as states

Train = Callable[..., labelkit.RunResult]
PLAIN = Path(__file__).parent / "plain.toml"
EPOCH = 3  # steps: 48 sentences in batches of 16


@pytest.fixture
def train(tiny: Path, corpus: Path) -> Train:
    """Return ``labelkit.run("ner")`` for three epochs, a state kept after every step."""
    settings = {"train.save_minutes": 0, "train.warmup_steps": 2, "train.train_sampling_strategy": "group_by_length"}
    given: dict[str, Any] = {"data": str(corpus), "model": str(tiny), "recipe": str(PLAIN), "epochs": 3, "lr": 5e-3}
    return partial(labelkit.run, "ner", **given, settings=settings)


class StoppedError(BaseException):
    """What stops a run in these tests."""


def stop_at(kind: type[Event], count: int = 1, **wanted: Any) -> Callable[[Event], None]:
    """Return a listener that stops the run at its ``count``-th event of a kind."""
    seen = []

    def listen(event: Event) -> None:
        if isinstance(event, kind) and all(getattr(event, name) == value for name, value in wanted.items()):
            seen.append(event)
            if len(seen) == count:
                raise StoppedError

    return listen


def recorded(home: Path) -> RunDetails:
    with Registry.open(Home(root=home), create=False) as registry:
        return registry.runs.get(registry.runs.find("latest").id)


def outcome(home: Path) -> dict[str, Any]:
    """Return everything that must not depend on whether the run was stopped."""
    details = recorded(home)
    live = [one for one in details.checkpoints if not one.removed]
    folders = sorted(path.name for path in home.glob("runs/*/checkpoints/*"))
    assert folders == sorted(Path(one.path).name for one in live)
    return {
        "status": details.status,
        "metrics": {(one.split, one.step, one.type, one.name): (one.value, one.text) for one in details.metrics},
        "scores": details.scores,
        "checkpoints": [(Path(one.path).name, one.best, one.last, one.epoch) for one in live],
        "weights": [one.files["model.safetensors"] for one in live],
    }


@pytest.fixture(scope="module")
def whole(tiny: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Return the outcome of the run that nothing stops, by its settings."""
    known: dict[str, dict[str, Any]] = {}

    def find(train: Train, **settings: Any) -> dict[str, Any]:
        key = json.dumps(settings)
        if key not in known:
            home = tmp_path_factory.mktemp("whole") / "home"
            _run(train, home, settings)
            known[key] = outcome(home)
        return known[key]

    return find


def _run(train: Train, home: Path, settings: dict[str, Any], **more: Any) -> labelkit.RunResult:
    return train(home=home, **{**more, "settings": {**train.keywords["settings"], **settings}})  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def stopped_once(tiny: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a run that was stopped at its second step."""
    home = tmp_path_factory.mktemp("stopped") / "home"
    settings = {"train.save_minutes": 0, "train.warmup_steps": 2, "train.train_sampling_strategy": "group_by_length"}
    with pytest.raises(StoppedError):
        labelkit.run(
            "ner", data=str(corpus), model=str(tiny), recipe=str(PLAIN), epochs=3, lr=5e-3, settings=settings,
            home=home, listeners=[stop_at(StepDone, 2)],
        )  # fmt: skip
    return home


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that gives a copy of that home."""
    return lambda: Path(shutil.copytree(stopped_once, tmp_path / "stopped"))


STOPS = {
    "before training": (TrainingStarted, 1, {}),
    "first step": (StepDone, 1, {}),
    "middle of an epoch": (StepDone, EPOCH + 2, {}),
    "last step of an epoch": (StepDone, EPOCH, {}),
    "last step of all": (StepDone, 3 * EPOCH, {}),
    "validation scored": (Scored, 2, {"split": "validation"}),
    "checkpoint saved": (CheckpointSaved, 2, {}),
    "last checkpoint saved": (CheckpointSaved, 3, {}),
    "before test": (Stage, 1, {"name": "testing"}),
    "test scored": (Scored, 1, {"split": "test"}),
}


FAST = {"middle of an epoch", "before test"}


@pytest.mark.parametrize("every", [0, pytest.param(1000, marks=pytest.mark.slow)], ids=["state each step", "no state"])
@pytest.mark.parametrize(
    "where", [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in STOPS]
)
def test_a_resumed_run_ends_like_one_that_nothing_stopped(
    train: Train, whole: Callable[..., dict[str, Any]], tmp_path: Path, where: str, every: int
) -> None:
    kind, count, wanted = STOPS[where]
    home = tmp_path / "home"
    with pytest.raises(StoppedError):
        _run(train, home, {"train.save_minutes": every}, listeners=[stop_at(kind, count, **wanted)])
    assert recorded(home).status == "failed"
    result = labelkit.resume("latest", home=home)
    assert outcome(home) == whole(train)
    assert result.metrics["test"]["ner"]["f1"] == recorded_f1(home)
    assert not list(home.glob("runs/*/resume"))
    details = recorded(home)
    assert [(one.number, one.status) for one in details.attempts] == [(1, "failed")]


def recorded_f1(home: Path) -> float | None:
    return next(one.value for one in recorded(home).scores if (one.split, one.name, one.type) == ("test", "f1", None))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"train.optim": "adafactor", "train.lr_scheduler_type": "cosine"},
        {"train.optim": "sgd", "train.gradient_accumulation_steps": 2, "train.per_device_train_batch_size": 4},
        {"train.optim": "adamw_torch", "train.train_sampling_strategy": "random", "train.precision": "bf16"},
        {"train.max_steps": 5},
    ],
    ids=lambda settings: ",".join(str(value) for value in settings.values()),
)
def test_every_optimizer_schedule_and_order_goes_on_where_it_was(
    train: Train, whole: Callable[..., dict[str, Any]], tmp_path: Path, settings: dict[str, Any]
) -> None:
    home = tmp_path / "home"
    with pytest.raises(StoppedError):
        _run(train, home, settings, listeners=[stop_at(StepDone, 4)])
    labelkit.resume("latest", home=home)
    assert outcome(home) == whole(train, **settings)


def test_a_state_holds_no_pickle_and_is_replaced_whole(train: Train, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(StoppedError):
        train(home=home, listeners=[stop_at(StepDone, 2)])
    (state,) = home.glob("runs/*/resume/*")
    assert sorted(file.name for file in state.iterdir()) == [
        "model.safetensors",
        "state.json",
        "tensors.safetensors",
        "trainer_state.json",
    ]
    assert json.loads((state / "state.json").read_text())["step"] == 1
    assert state.name == "step-000000001-scored"


def test_a_run_may_be_stopped_and_resumed_often(
    train: Train, whole: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with pytest.raises(StoppedError):
        train(home=home, listeners=[stop_at(StepDone, 2)])
    for count in (2, 3):
        with pytest.raises(StoppedError):
            labelkit.resume("latest", home=home, listeners=[stop_at(StepDone, count)])
    heard: list[Event] = []
    labelkit.resume("latest", home=home, listeners=[heard.append])
    assert [event.done for event in heard if isinstance(event, TrainingStarted)] == [4]
    assert outcome(home) == whole(train)
    details = recorded(home)
    assert [one.number for one in details.attempts] == [1, 2, 3]
    assert details.seconds is not None
    assert details.seconds > 0


def test_a_run_that_finished_is_not_resumed(trained: labelkit.RunResult, home: Path) -> None:
    with pytest.raises(LabelkitError, match="is finished"):
        labelkit.resume(trained.run, home=home)


def test_a_run_that_lives_is_not_resumed(train: Train, tmp_path: Path) -> None:
    home = tmp_path / "home"

    def again(event: Event) -> None:
        if isinstance(event, StepDone):
            with pytest.raises(LabelkitError, match=f"is running \\(process {os.getpid()} on"):
                labelkit.resume("latest", home=home)
            raise StoppedError

    with pytest.raises(StoppedError):
        train(home=home, listeners=[again])


def test_a_run_whose_data_changed_is_not_resumed(train: Train, corpus: Path, tmp_path: Path) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    data.mkdir()
    for file in corpus.iterdir():
        (data / file.name).write_bytes(file.read_bytes())
    with pytest.raises(StoppedError):
        train(home=home, data=str(data), listeners=[stop_at(StepDone, 1)])
    (data / "test.conll").write_text("Ada B-PER\n\n", encoding="utf-8")
    before = recorded(home)
    with pytest.raises(LabelkitError, match="has changed since it began: test"):
        labelkit.resume("latest", home=home)
    assert recorded(home) == before


@pytest.mark.parametrize("name", ["state.json", "trainer_state.json", "model.safetensors", "tensors.safetensors"])
@pytest.mark.parametrize("gone", [True, False], ids=["gone", "cut off"])
def test_a_damaged_state_is_refused_and_changes_nothing(stopped: Callable[[], Path], name: str, gone: bool) -> None:
    home = stopped()
    (state,) = home.glob("runs/*/resume/*")
    content = (state / name).read_bytes()
    (state / name).unlink() if gone else (state / name).write_bytes(content[: len(content) // 2])
    before = recorded(home)
    with pytest.raises(LabelkitError, match="is damaged") as caught:
        labelkit.resume("latest", home=home)
    assert "delete that folder" in (caught.value.hint or "")
    assert recorded(home) == before


@pytest.mark.slow
def test_without_its_state_a_run_begins_anew_and_says_so(
    train: Train, stopped: Callable[[], Path], whole: Callable[..., dict[str, Any]]
) -> None:
    home = stopped()
    shutil.rmtree(next(home.glob("runs/*/resume")))
    with pytest.warns(UserWarning, match="it starts from its beginning"):
        labelkit.resume("latest", home=home)
    assert outcome(home) == whole(train)


@pytest.mark.slow
def test_what_differs_from_the_run_that_began_is_said(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    with pytest.raises(StoppedError):
        train(home=home, listeners=[stop_at(StepDone, 2)])
    monkeypatch.setattr("labelkit.__version__", "9.9", raising=False)
    with pytest.warns(UserWarning, match=r"labelkit was 0\.\S+, now it is 9\.9"):
        labelkit.resume("latest", home=home)


def test_two_processes_cannot_resume_one_run(train: Train, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(StoppedError):
        train(home=home, listeners=[stop_at(StepDone, 2)])
    run = recorded(home).record.id
    place = Home(root=home)
    with (
        Registry.open(place, create=True) as one,
        Registry.open(place, create=True) as other,
        hold_lock(place.runs / run) as lock,
    ):
        one.recorder.resume(run, lock=lock.before)
        with pytest.raises(RegistryError, match="is running"):
            other.recorder.resume(run)
        with pytest.raises(RegistryError, match=f"is running \\(process {os.getpid()} on"), hold_lock(lock.folder):
            """Nobody else gets the lock."""


@pytest.mark.slow
def test_an_attempt_that_another_process_took_over_ends_before_it_writes(train: Train, tmp_path: Path) -> None:
    home = tmp_path / "home"
    before: dict[Path, float] = {}

    def take_over(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            with Registry.open(Home(root=home), create=False) as other:
                other.recorder.resume(event.run, lock=LockState.FREE)  # as of a process that was taken for dead
            before.update({path: path.stat().st_mtime for path in (home / "runs").rglob("*")})

    with pytest.raises(RegistryError, match="was resumed by another process"):
        train(home=home, listeners=[take_over])
    assert {path: path.stat().st_mtime for path in (home / "runs").rglob("*")} == before
    assert recorded(home).status == "running"  # as the newer attempt left it


@pytest.mark.slow
def test_a_home_that_moves_while_a_run_trains_is_noticed_before_anything_is_written(
    train: Train, tmp_path: Path
) -> None:
    home = tmp_path / "home"

    def move(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            home.rename(tmp_path / "moved")

    with pytest.raises(StorageError, match="the folder of the run was moved or deleted while it trained"):
        train(home=home, listeners=[move])
    assert not home.exists()


@pytest.mark.slow
@pytest.mark.parametrize("replaced", [False, True])
def test_a_registry_that_goes_while_a_run_trains_is_told_at_its_end(
    train: Train, tmp_path: Path, replaced: bool
) -> None:
    home = tmp_path / "home"

    def delete(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            for file in home.glob("registry.db*"):
                file.unlink()
            if replaced:
                Registry.open(Home(root=home), create=True).close()

    with pytest.raises(RegistryError, match="was deleted, moved or replaced while it was in use") as caught:
        train(home=home, listeners=[delete])
    (best, *_) = sorted(home.glob("runs/*/checkpoints/step-*"))
    assert str(best.parent) in (caught.value.hint or "")


def test_a_live_run_shows_that_it_lives_also_while_nothing_is_recorded(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelkit.train.run.BEAT_SECONDS", 0.01)
    home = tmp_path / "home"
    beats: set[Any] = set()

    def look(event: Event) -> None:
        if isinstance(event, TrainingStarted):
            deadline = time.monotonic() + 60
            while len(beats) < 3 and time.monotonic() < deadline:
                beats.add(recorded(home).heartbeat)
            raise StoppedError

    with pytest.raises(StoppedError):
        train(home=home, listeners=[look])
    assert len(beats) == 3


# -- real processes ---------------------------------------------------------------------------------------------------

COMMAND = """
import sys
from labelkit.cli import main
sys.exit(main())
"""


@pytest.fixture
def command(tiny: Path, corpus: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Return ``labelkit run …`` as a process of its own."""
    environment = {**os.environ, "LABELKIT_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    fixed = ["ner", "--data", str(corpus), "--model", str(tiny), "--epochs", "200", "--lr", "5e-3"]

    def start(*arguments: str) -> subprocess.Popen[str]:
        given = arguments or (*fixed, "--set", "train.save_minutes=0.02")
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "run", *given], env=environment, stderr=subprocess.PIPE, text=True
        )

    return start


def wait_for(what: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(LabelkitError):
            if what():
                return
        time.sleep(0.05)
    raise AssertionError("it never happened")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_keeps_the_step_at_hand(
    command: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: int
) -> None:
    home = tmp_path / "home"
    process = command()
    wait_for(lambda: list(home.glob("runs/*/checkpoints/step-*")))
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    details = recorded(home)
    assert details.status == "interrupted"
    assert f"labelkit run --resume {details.record.id} resumes it where it stopped" in said
    (folder,) = home.glob("runs/*/resume")
    state = states.TrainingStateStore(folder, 0).latest()
    assert state is not None
    assert state.step >= max(row.step for row in details.metrics)


@pytest.mark.slow
@pytest.mark.parametrize("moment", [CheckpointSaved, CheckpointRemoved])
def test_an_interrupt_while_checkpoints_are_recorded_is_an_interrupt(
    moment: type[Event], train: Train, whole: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    home, seen = tmp_path / "home", 0

    def interrupt(event: Event) -> None:  # called after the registry
        nonlocal seen
        seen += isinstance(event, moment)
        if isinstance(event, moment) and seen == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(home=home, listeners=[interrupt])
    with Registry.open(Home(root=home), create=False) as registry:
        (run,) = registry.runs.search()
        assert (run.status, registry.runs.get(run.id).error) == ("interrupted", "interrupted")
    labelkit.resume(run.id, home=home)
    assert outcome(home) == whole(train)


@pytest.mark.slow
def test_an_interrupt_while_validation_is_scored_costs_nothing(
    train: Train, whole: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    home = tmp_path / "home"

    def interrupt(event: Event) -> None:
        if isinstance(event, Scored) and event.step == 2 * EPOCH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(train, home, {"train.save_minutes": 1000}, listeners=[interrupt])
    (folder,) = home.glob("runs/*/resume")
    state = states.TrainingStateStore(folder, 0).latest()
    assert state is not None
    assert (state.step, state.pending is None) == (2 * EPOCH, False)
    labelkit.resume("latest", home=home)
    assert outcome(home) == whole(train)


@pytest.mark.slow
def test_options_do_not_go_with_resume(command: Callable[..., subprocess.Popen[str]]) -> None:
    for arguments, says in (
        (("--resume", "latest", "--epochs", "3"), "--epochs cannot be combined with --resume"),
        (("--resume", "latest", "--set", "train.seed=1"), "--set cannot be combined with --resume"),
        (("--resume", "nothing"), "no run 'nothing'"),
    ):
        process = command(*arguments)
        assert says in process.communicate(timeout=60)[1]
        assert process.returncode in (1, 2)


@pytest.mark.slow
def test_a_stopped_run_cannot_be_reaped_collected_or_resumed_and_then_ends_well(
    tiny: Path, corpus: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    environment = {**os.environ, "LABELKIT_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "labelkit"]
    given = ["run", "ner", "--data", str(corpus), "--model", str(tiny), "--epochs", "60", "--set=train.save_minutes=0"]
    process = subprocess.Popen([*command, *given], env=environment, stderr=subprocess.PIPE, text=True)
    while not list(home.glob("runs/*/resume/step-*")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGSTOP)
    with contextlib.closing(sqlite3.connect(home / "registry.db")) as connection, connection:
        connection.execute("UPDATE runs SET heartbeat = '2026-01-01 00:00:00.000000'")
    run = recorded(home).record.id
    files = {path for path in (home / "runs").rglob("*") if path.is_file()}

    def labelkit_says(*arguments: str) -> str:
        return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True).stderr

    labelkit_says("runs", "reap")
    labelkit_says("runs", "gc", "--unfinished")
    assert f"the run '{run}' is running (process {process.pid}" in labelkit_says("run", "--resume", run)
    assert {path for path in (home / "runs").rglob("*") if path.is_file()} == files
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert (recorded(home).status, recorded(home).attempts) == ("finished", ())
