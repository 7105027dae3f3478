"""A recorded run trained again: what agrees with the first time, and what is said of what does not."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.cli import main
from labelkit.config.environment import Environment
from labelkit.errors import LabelkitError
from labelkit.events import Event, StepDone
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, PlanValue, Registry, RunDetails
from labelkit.train.reproduction import Reproduction, compare_versions, reproduce
from labelkit.train.resumption import recorded_value

PLAIN = Path(__file__).parent / "plain.toml"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def first(tiny: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the home of a short run, its data and its encoder."""
    folder = tmp_path_factory.mktemp("first")
    shutil.copytree(corpus, folder / "data")
    shutil.copytree(tiny, folder / "encoder")
    labelkit.run(
        "ner", data=str(folder / "data"), model=str(folder / "encoder"), recipe=str(PLAIN), name="first",
        epochs=2, lr=1e-2, home=folder / "home",
    )  # fmt: skip
    return folder


@pytest.fixture
def home(first: Path, tmp_path: Path) -> Path:
    """Return a copy of that home."""
    return Path(shutil.copytree(first / "home", tmp_path / "home"))


def repeat(reference: str, home: Path, **options: Any) -> Reproduction:
    environment = Environment.read()
    return reproduce(reference, Catalog.load(), environment, Home(root=home), **options)


def shown(home: Path, run: str) -> RunDetails:
    with Registry.open(Home(root=home), create=False) as registry:
        return registry.runs.get(registry.runs.find(run).id)


def change(home: Path, sql: str) -> None:
    connection = sqlite3.connect(home / "registry.db")
    assert connection.execute(sql).rowcount > 0
    connection.commit()
    connection.close()


@pytest.fixture
def command(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return ``labelkit runs repeat first``."""
    monkeypatch.setenv("LABELKIT_HOME", str(home))

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["runs", "repeat", "first", *arguments])
        return status, *capsys.readouterr()

    return run


@pytest.mark.slow
def test_a_run_repeats_to_the_last_bit_from_its_record_alone(command: Command, home: Path) -> None:
    before = shown(home, "first")
    status, out, _ = command("--json")
    document = json.loads(out)
    assert status == 0
    assert document["agrees"]
    assert document["repeats"] == before.record.id
    after = shown(home, document["run"])
    assert after.record.id != before.record.id
    assert (after.status, after.record.name) == ("finished", None)
    assert after.record.plan == before.record.plan
    assert [note.text for note in after.notes] == [f"repeats {before.record.id}"]
    for part in ("data", "versions", "metrics", "weights"):
        assert document[part]["agrees"]
        assert document[part]["compared"] > 0
        assert document[part]["differences"] == []
    assert (document["data"]["compared"], document["weights"]["compared"]) == (4, 2)
    assert document["metrics"]["compared"] == len(before.metrics)


def test_the_link_is_shown(command: Command, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = command()
    assert status == 0
    before = shown(home, "first").record.id
    assert f"repeats {before}" in out.splitlines()[0]
    assert [line.split()[:2] for line in out.splitlines()[2:]] == [
        ["data", "agree"],
        ["versions", "agree"],
        ["metrics", "agree"],
        ["weights", "agree"],
    ]
    main(["runs", "show", "latest"])
    assert f"repeats {before}" in capsys.readouterr().out


@pytest.mark.slow
def test_other_versions_alone_are_told_and_no_failure(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelkit.__version__", "9.9", raising=False)
    status, out, _ = command("--json")
    document = json.loads(out)
    assert (status, document["agrees"], document["versions"]["agrees"]) == (0, True, False)
    differences = document["versions"]["differences"]
    assert "labelkit" in [line.split()[0] for line in differences]
    assert all(line.endswith("now it is 9.9") for line in differences)


@pytest.mark.slow
def test_other_weights_are_a_failure(command: Command, home: Path) -> None:
    change(home, "UPDATE checkpoint_files SET sha256 = 'feed' WHERE name = 'model.safetensors'")
    status, out, err = command()
    assert status == 1
    assert "weights   2 differ" in out
    assert "model.safetensors at step 3 was feed, now it is " in out
    assert "differs: weights" in err
    assert "GPU" in err


@pytest.mark.slow
def test_other_metrics_are_a_failure_that_versions_explain(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(home, "UPDATE metrics SET value = value + 1 WHERE name = 'f1' AND type = '' AND split = 'test'")
    monkeypatch.setattr("labelkit.__version__", "9.9", raising=False)
    status, out, err = command("--json")
    document = json.loads(out)
    assert (status, document["agrees"], document["weights"]["agrees"]) == (1, False, True)
    (line,) = document["metrics"]["differences"]
    assert line.startswith("test.f1 at step ")
    assert "differs: metrics" in err
    assert "versions, processor or threads differ" in err


@pytest.mark.parametrize("text", ["out of memory with 64 sub-tokens at once: …", "2 processes train together"])
def test_what_happened_only_once_is_told_for_it_explains_other_weights(home: Path, text: str) -> None:
    with Registry.open(Home(root=home), create=True) as registry:
        run = registry.runs.find("first").id
        registry.annotations.add_note(run, "my own words")
        registry.annotations.add_note(run, text)
    found = repeat("first", home)
    assert found.versions.differences == (f"the first time: {text}",)
    assert found.differing == []
    assert found.run is not None
    with Registry.open(Home(root=home), create=True) as registry:
        registry.annotations.add_note(found.run, "out of memory with 8 sub-tokens at once: …")
        registry.annotations.add_note(found.run, text)
        before, after = registry.runs.get(run), registry.runs.get(found.run)
    assert compare_versions(before, after).differences == ("this time: out of memory with 8 sub-tokens at once: …",)


def test_another_seed_would_not_agree(home: Path) -> None:
    change(home, "UPDATE plan_values SET text = '43', number = 43 WHERE key = 'train.seed'")
    found = repeat("first", home)
    assert found.differing == ["metrics", "weights"]
    assert len(found.weights.differences) == 2


def test_with_changed_data_nothing_is_trained(first: Path, home: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(first / "data", tmp_path / "data"))
    (data / "test.conll").write_text("Ada B-PER\n\n", encoding="utf-8")
    change(home, f"UPDATE plan_values SET text = '{data}' WHERE key = 'data'")
    found = repeat("first", home)
    assert (found.run, found.differing) == (None, ["data", "metrics", "weights"])
    (line,) = found.data.differences
    assert line.startswith("test data was ")
    with Registry.open(Home(root=home), create=False) as registry:
        assert len(registry.runs.search()) == 1


def test_with_another_encoder_nothing_is_trained(first: Path, home: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    encoder = Path(shutil.copytree(first / "encoder", tmp_path / "encoder"))
    content = {name: value + 1 for name, value in load_file(encoder / "model.safetensors").items()}
    save_file(content, encoder / "model.safetensors", metadata={"format": "pt"})
    change(home, f"UPDATE plan_values SET text = '{encoder}' WHERE key = 'model'")
    found = repeat("first", home)
    assert found.run is None
    assert [line.split()[0] for line in found.data.differences] == ["encoder"]


def test_a_run_that_did_not_finish_is_not_repeated(home: Path) -> None:
    change(home, "UPDATE runs SET status = 'failed'")
    with pytest.raises(LabelkitError, match="did not finish") as caught:
        repeat("first", home)
    assert "--resume" in (caught.value.hint or "")


def test_checkpoints_that_were_deleted_since_are_compared_by_their_record(home: Path) -> None:
    with Registry.open(Home(root=home), create=True) as registry:
        registry.storage.delete_runs(registry.runs.find("first").id, checkpoints_only=True)
    found = repeat("first", home)
    assert found.differing == []
    assert found.weights.compared == 2


def test_a_run_that_a_limit_of_time_stopped_is_repeated_to_the_same_step(first: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    passed = {"seconds": 0.0}

    def tick(event: Event) -> None:
        passed["seconds"] += 60 * isinstance(event, StepDone)

    run = partial(
        labelkit.run, "ner", data=str(first / "data"), model=str(first / "encoder"), epochs=3, lr=1e-2, home=home,
        recipe=str(PLAIN), max_minutes=4.5,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labelkit.train.guards.monotonic", lambda: passed["seconds"])
        result = run(listeners=[tick])
    assert shown(home, result.run).checkpoints[-1].step == 5
    found = repeat(result.run, home)
    assert found.differing == []
    assert found.run is not None
    after = shown(home, found.run)
    assert after.checkpoints[-1].step == 5
    assert any("where the run that it repeats was stopped: step 5 of 9" in note.text for note in after.notes)
    assert repeat(found.run, home).differing == []


def test_a_run_of_several_seeds_is_repeated_on_the_split_it_had(first: Path, tmp_path: Path) -> None:
    home, data = tmp_path / "home", first / "data"
    reference = f"train={data / 'train.conll'},test={data / 'test.conll'}"
    result = labelkit.run("ner", data=reference, model=str(first / "encoder"), epochs=1, lr=1e-2, home=home, seeds=2)
    assert result.group is not None
    found = repeat(result.group.runs[1], home)
    assert found.differing == []
    assert found.run is not None
    assert shown(home, found.run).record.group is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.path", "2024"), ("data.path", "null.conll"), ("data.path", None), ("data.config", "true"), ("data", "7"),
        ("data.separator", "1"), ("train.optim_args", "5"), ("data.max_length", 128), ("data.max_length", "auto"),
        ("train.class_weights", {"B-PER": 2.0}), ("train.class_weights", "balanced"),
    ],
)  # fmt: skip
def test_settings_come_back_from_the_record_as_they_were(key: str, value: object) -> None:
    found = recorded_value(PlanValue.of(key, value))
    assert (found, type(found)) == (value, type(value))
