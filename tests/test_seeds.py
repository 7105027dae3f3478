"""Several seeds: one run each, recorded as a group with the mean and spread of what they scored."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import labelkit
from failing_runs import stop_by
from labelkit.cli import main
from labelkit.data.corpus import load_corpus
from labelkit.encode import cache as store
from labelkit.errors import LabelkitError, RegistryError
from labelkit.events import Event, RunStarted, StepDone
from labelkit.registry import Home, Registry, RunDetails, RunRecord
from labelkit.registry.seed_groups import spread
from labelkit.train import corpora
from labelkit.train.seeds import SeedsFailedError

Train = Callable[..., labelkit.RunResult]
PLAIN = Path(__file__).parent / "plain.toml"
FP32 = {"train.precision": "fp32"}


@pytest.fixture(scope="module")
def data(corpus: Path) -> str:
    """Return a data reference without validation, which is then carved by seed."""
    return f"train={corpus / 'train.conll'},test={corpus / 'test.conll'}"


@pytest.fixture(scope="module")
def train(tiny: Path, data: str) -> Train:
    given: dict[str, Any] = {"data": data, "model": str(tiny), "recipe": str(PLAIN), "epochs": 2, "lr": 1e-2}
    return partial(labelkit.run, "ner", **given, seed=7, settings=FP32)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of :func:`trio`; whoever writes there takes a copy."""
    return tmp_path_factory.mktemp("trio") / "home"


class Counted:
    """Counts the calls of a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.calls = 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        return self._function(*arguments, **options)


@pytest.fixture(scope="module")
def counted() -> dict[str, Counted]:
    """Return how often :func:`trio` read data and encoded a split."""
    return {"read": Counted(load_corpus), "encoded": Counted(store.write_windows)}


@pytest.fixture(scope="module")
def trio(train: Train, place: Path, counted: dict[str, Counted]) -> labelkit.RunResult:
    """Return what training with three seeds gave."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "load_corpus", counted["read"])
        patch.setattr(store, "write_windows", counted["encoded"])
        return train(home=place, name="trio", seeds=3)


def recorded(home: Path, **asked: Any) -> list[RunDetails]:
    """Return runs, oldest first."""
    with Registry.open(Home(root=home), create=False) as registry:
        return [registry.runs.get(run.id) for run in reversed(registry.runs.search(**asked))]


def figure(run: RunDetails, split: str, name: str) -> float:
    (found,) = (one.value for one in run.scores if (one.split, one.name, one.type) == (split, name, None))
    assert found is not None
    return found


def weights(run: RunDetails) -> str:
    assert run.best is not None
    return run.best.files["model.safetensors"][1]


# -- a group ----------------------------------------------------------------------------------------------------------


def test_each_seed_is_a_run_of_the_group_on_the_same_validation_split(trio: labelkit.RunResult, place: Path) -> None:
    runs = recorded(place)
    assert [(run.record.seed, run.record.name, run.record.group, run.status) for run in runs] == [
        (7 + index, f"trio-{index + 1}", "trio", "finished") for index in range(3)
    ]
    hashes = [{split.split: split.content_hash for split in run.record.splits} for run in runs]
    assert len(hashes[0]) == 3
    assert hashes[1] == hashes[2] == hashes[0]
    assert len({weights(run) for run in runs}) == 3
    assert trio.group is not None
    assert trio.group.runs == tuple(run.record.id for run in runs)
    assert (trio.group.id, trio.group.seeds, trio.group.others) == ("trio", (7, 8, 9), ())


def test_data_is_read_and_encoded_once(trio: labelkit.RunResult, counted: dict[str, Counted]) -> None:
    assert (counted["read"].calls, counted["encoded"].calls) == (1, 3)


def test_the_best_by_validation_is_returned(trio: labelkit.RunResult, place: Path) -> None:
    runs = recorded(place)
    best = max(runs, key=lambda run: figure(run, "validation", "f1"))
    assert trio.run == best.record.id
    assert best.best is not None
    assert trio.checkpoint == best.best.folder


def test_mean_and_spread_are_those_of_the_runs(trio: labelkit.RunResult, place: Path) -> None:
    runs = recorded(place)
    assert trio.group is not None
    for split in ("validation", "test"):
        figures = trio.group.metrics[split]["ner"]
        for name in ("f1", "precision", "loss"):
            values = [figure(run, split, name) for run in runs]
            assert figures[name].mean == pytest.approx(statistics.fmean(values))
            assert figures[name].std == pytest.approx(statistics.stdev(values))
            assert (figures[name].min, figures[name].max, figures[name].runs) == (min(values), max(values), 3)
        assert {"LOC", "PER"} == set(figures["per_type"])
        assert figures["per_type"]["PER"]["f1"].runs == 3
        assert "scheme" not in figures


@pytest.mark.slow
def test_a_run_of_a_group_is_the_run_of_its_seed_to_the_last_bit(
    trio: labelkit.RunResult, train: Train, place: Path, tmp_path: Path
) -> None:
    alone = train(home=tmp_path / "home", seed=8, settings={**FP32, "data.validation_seed": 7})
    (run,) = recorded(tmp_path / "home")
    assert weights(run) == weights(recorded(place)[1])
    assert alone.group is None
    assert "group" not in alone.to_json()


@pytest.mark.slow
def test_a_validation_seed_of_ones_own_stays(train: Train, tmp_path: Path) -> None:
    train(home=tmp_path / "home", epochs=0.1, seeds=2, settings={**FP32, "data.validation_seed": 3})
    plans = [{one.key: one.text for one in run.record.plan} for run in recorded(tmp_path / "home")]
    assert [(plan["train.seed"], plan["data.validation_seed"]) for plan in plans] == [("7", "3"), ("8", "3")]


# -- when one of them does not finish ---------------------------------------------------------------------------------


def stop_in_run(number: int, error: BaseException) -> Callable[[Event], None]:
    """Return a listener that raises ``error`` at the first step of the run with this number, counted from 1."""
    begun: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, RunStarted):
            begun.append(event.run)
        if isinstance(event, StepDone) and len(begun) == number:
            raise error

    return listen


@pytest.mark.slow
def test_a_seed_that_fails_does_not_keep_the_others_from_being_trained(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    stop_by(monkeypatch, stop_in_run(2, LabelkitError("the second one", hint="help")))
    with pytest.warns(UserWarning, match="seed 8: the second one"), pytest.raises(SeedsFailedError) as caught:
        train(home=home, epochs=1, seeds=3)
    assert caught.value.message == "1 of 3 runs failed: seed 8: the second one"
    assert caught.value.hint == "help"
    runs = recorded(home)
    assert [run.status for run in runs] == ["finished", "failed", "finished"]
    found = caught.value.result.group
    assert found is not None
    assert (found.seeds, found.others) == ((7, 9), (runs[1].record.id,))
    assert found.metrics["test"]["ner"]["f1"].runs == 2


@pytest.mark.slow
def test_where_all_fail_the_first_says_why(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class BrokenError(Exception):
        pass

    def listen(event: Event) -> None:
        if isinstance(event, StepDone):
            raise BrokenError

    stop_by(monkeypatch, listen)
    with pytest.warns(UserWarning, match="seed [78]: BrokenError"), pytest.raises(BrokenError):
        train(home=tmp_path / "home", seeds=2)
    assert [run.status for run in recorded(tmp_path / "home")] == ["failed", "failed"]


@pytest.mark.slow
def test_an_interrupt_keeps_the_runs_that_finished_and_the_other_is_resumed(train: Train, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.warns(UserWarning, match="1 of 3 runs finished"), pytest.raises(KeyboardInterrupt):
        train(home=home, epochs=1, seeds=3, listeners=[stop_in_run(2, KeyboardInterrupt())])
    first, second = recorded(home)
    assert (first.status, second.status, second.record.group) == ("finished", "interrupted", first.record.group)
    assert second.group is not None
    assert second.group.seeds == (7,)
    labelkit.resume(second.record.id, home=home)
    found = recorded(home)[0].group
    assert found is not None
    assert found.seeds == (7, 8)
    assert found.others == ()


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("trio", "there is a group 'trio' already"),
        ("tri", "there is a run called 'tri-2' already"),
        ("Trio", "cannot be"),
    ],
)
def test_names_are_checked_before_anything_is_trained(
    trio: labelkit.RunResult, train: Train, place: Path, tmp_path: Path, name: str, says: str
) -> None:
    home = Path(shutil.copytree(place, tmp_path / "home"))
    with Registry.open(Home(root=home), create=True) as registry:
        registry.storage.delete_runs(*(run.record.id for run in recorded(home)[:2]), force=True)
        registry.recorder.start(record("else", name="tri-2"))
    with pytest.raises(LabelkitError, match=says):
        train(home=home, name=name, seeds=2)
    assert len(recorded(home)) == 2


def test_seeds_that_are_too_great_are_refused(train: Train, tmp_path: Path) -> None:
    with pytest.raises(LabelkitError, match=r"invalid train\.seed: 4294967296"):
        train(home=tmp_path / "home", seed=2**32 - 2, seeds=3)
    assert not (tmp_path / "home").exists()


# -- the registry -----------------------------------------------------------------------------------------------------


def record(id_: str, **facts: Any) -> RunRecord:
    given: dict[str, Any] = {
        "task": "ner",
        "kind": "token",
        "data": "d",
        "model": "m",
        "metric": "s",
        "metric_key": "f1",
    }
    return RunRecord(id=id_, labelkit="0", **{**given, "seed": 1, **facts})


@pytest.fixture
def registry(registry_home: Home) -> Iterator[Registry]:
    with Registry.open(registry_home, create=True) as registry:
        yield registry


def finish(registry: Registry, id_: str, seed: int, metrics: dict[str, Any], group: str = "g") -> None:
    registry.recorder.start(record(id_, seed=seed, group=group))
    registry.recorder.log_metrics(id_, task="ner", split="test", metrics=metrics, step=1, epoch=1.0, chosen=True)


def test_a_group_is_what_its_finished_runs_scored(registry: Registry) -> None:
    for id_, seed, score in (("b", 2, 0.75), ("a", 1, 0.25), ("c", 3, float("nan"))):
        finish(registry, id_, seed, {"f1": score, "mode": "strict", "per_type": {"x": {"f1": score}}})
        registry.recorder.finish(id_, "finished", seconds=1.0)
    finish(registry, "d", 4, {"f1": 1.0})
    finish(registry, "other", 5, {"f1": 1.0}, group="h")
    found = registry.runs.group("g")
    assert (found.id, found.metric_key, found.runs, found.seeds, found.others) == (
        "g",
        "f1",
        ("a", "b", "c"),
        (1, 2, 3),
        ("d",),
    )
    expected = spread([0.25, 0.75])
    assert found.metrics == {"test": {"ner": {"f1": expected, "per_type": {"x": {"f1": expected}}}}}
    assert registry.runs.get("d").group == found
    assert registry.runs.group("h").metrics == {}
    with pytest.raises(RegistryError, match="no group 'i'"):
        registry.runs.group("i")


def test_the_spread_of_one_value_has_no_deviation() -> None:
    assert spread([0.5]).std is None
    assert (spread([0.5]).mean, spread([0.5]).runs) == (0.5, 1)
    assert spread([0.0, 1.0]).std == pytest.approx(0.5**0.5)


# -- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs ``labelkit`` in a home, by default one that is not there."""

    def run(*arguments: str, home: Path = tmp_path / "home") -> tuple[int, str, str]:
        monkeypatch.setenv("LABELKIT_HOME", str(home))
        capsys.readouterr()
        status = main(arguments)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def begin(command: Callable[..., tuple[int, str, str]], tiny: Path, data: str) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs ``labelkit run ner`` for an epoch."""
    return partial(command, "run", "ner", "--data", data, "--model", str(tiny), "--epochs", "1", "--lr", "1e-2")


def test_the_command_prints_the_best_run_and_the_group(begin: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = begin("--seeds", "2", "--seed", "3", "--name", "pair", "--json")
    document = json.loads(out)
    assert status == 0
    assert {"run", "task", "status", "metrics", "checkpoint", "seconds", "group"} <= document.keys()
    group = document["group"]
    assert document["run"] in group["runs"]
    assert (group["id"], group["seeds"]) == ("pair", [3, 4])
    assert set(group["metrics"]["test"]["ner"]["f1"]) == {"mean", "std", "min", "max", "runs"}


@pytest.mark.slow
def test_a_failing_seed_fails_the_command_after_the_result(
    begin: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_by(monkeypatch, stop_in_run(2, LabelkitError("no more", hint="wait")))
    status, out, err = begin("--seeds", "2", "--json")
    assert status == 1
    assert len(json.loads(out)["group"]["runs"]) == 1
    assert err.splitlines()[-2:] == ["error: 1 of 2 runs failed: seed 43: no more", "  wait"]


def test_a_table_shows_mean_and_spread(
    trio: labelkit.RunResult, place: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    assert trio.group is not None
    one = trio.group.metrics["test"]["ner"]["f1"]
    shown = command("runs", "show", "trio-2", home=place)[1]
    assert "group trio: 3 runs, seeds 7, 8, 9" in shown
    row = next(line.split() for line in shown.splitlines() if line.startswith("test.f1 *"))
    assert row[2:] == [f"{value:.4f}" for value in (one.mean, one.std, one.min, one.max)]


def test_the_registry_is_asked_by_group(
    trio: labelkit.RunResult, place: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    ask = partial(command, home=place)
    header, *rows = ask("runs", "list")[1].splitlines()
    assert "group" in header.split()
    assert all("trio" in row.split() for row in rows)
    assert len(json.loads(ask("runs", "list", "--where", "group = trio", "--json")[1])) == 3
    (row,) = json.loads(ask("runs", "query", "SELECT group_id, count(*) AS runs FROM v_runs GROUP BY 1", "--json")[1])
    assert row == {"group_id": "trio", "runs": 3}
    assert json.loads(ask("runs", "show", "trio-1", "--json")[1])["group"]["seeds"] == [7, 8, 9]


@pytest.mark.slow
def test_groups_are_compared_by_their_means(
    trio: labelkit.RunResult, train: Train, place: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    home = Path(shutil.copytree(place, tmp_path / "home"))
    other = train(home=home, name="pair", seeds=2, epochs=1).group
    assert other is not None
    assert trio.group is not None
    ask = partial(command, "runs", "compare", "--groups", "trio", "pair", home=home)
    first, second = trio.group.metrics["test"]["ner"]["f1"], other.metrics["test"]["ner"]["f1"]
    shown = next(line for line in ask()[1].splitlines() if line.startswith("test.f1 *"))
    assert f"{first.mean:.4f} ± {first.std:.4f}" in shown
    assert f"{second.mean:.4f} ± {second.std:.4f} ({second.mean - first.mean:+.4f})" in shown
    assert [one["id"] for one in json.loads(ask("--json")[1])["groups"]] == ["trio", "pair"]
    assert command("runs", "compare", "--groups", "trio", "none", home=home)[0] == 1


def test_a_dry_run_names_the_seeds_and_writes_nothing(
    begin: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, _, err = begin("--seeds", "3", "--name", "x", "--dry-run")
    assert status == 0
    assert "3 runs with the seeds 42, 43, 44" in err
    assert not (tmp_path / "home" / "registry.db").exists()


@pytest.mark.parametrize("arguments", [("--resume", "latest", "--seeds", "2"), ("ner", "--seeds", "0")])
def test_seeds_that_make_no_sense_are_wrong_usage(
    command: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...]
) -> None:
    assert command("run", *arguments)[0] == 2
