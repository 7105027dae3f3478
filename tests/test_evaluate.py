"""``labelkit evaluate`` on spans: the same figures as the run's own, and clear lines for data that does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main
from labelkit.registry import Home, Registry, RunDetails, nested


@pytest.fixture(autouse=True)
def at_home(home: Path, trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["evaluate", *arguments, "--json"]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["evaluate", *arguments]) == 1
    return capsys.readouterr().err


def test_without_data_it_scores_the_runs_own_test(
    trained: labelkit.RunResult, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(capsys, "shared")
    assert answer["metrics"] == {"test": trained.metrics["test"]}


def test_each_scoring_is_recorded_with_the_run(
    trained: labelkit.RunResult, home: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown() -> RunDetails:
        with Registry.open(Home(root=home), create=False) as registry:
            return registry.show(trained.run)

    before = shown()
    answer = ask(capsys, "shared", "--data", str(corpus / "test.conll"))
    after = shown()
    new = after.evaluations[len(before.evaluations) :]
    assert answer["split"] == "all"
    assert [(one.source, one.split, one.ref, one.examples) for one in new] == [
        ("evaluate", "all", str(corpus / "test.conll"), 12)
    ]
    assert nested(new[0].figures) == answer["metrics"]
    assert before.evaluations[0].source == "run"
    assert after.test_scored == before.test_scored + 1


def test_a_split_is_chosen_by_name(trained: labelkit.RunResult, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(capsys, "shared", "--split", "validation")
    assert answer["metrics"] == {"validation": trained.metrics["validation"]}


def test_one_file_without_train_is_enough_in_any_scheme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gold.conll"
    file.write_text("Bob S-PER\nmet O\nMarie B-PER\nCurie E-PER\n\nRome S-LOC\n", encoding="utf-8")
    answer = ask(capsys, "shared", "--data", str(file))
    metrics = answer["metrics"]
    assert isinstance(metrics, dict)
    assert list(metrics) == ["all"]
    (figures,) = metrics["all"].values()
    assert figures["support"] == 3
    assert {name: row["support"] for name, row in figures["per_type"].items()} == {"PER": 2, "LOC": 1}


def test_only_a_file_that_nothing_calls_a_split_is_all(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "corpora" / "one" / "train.conll"
    file.parent.mkdir(parents=True)
    file.write_text((corpus / "train.conll").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("LABELKIT_DATA", str(tmp_path / "corpora"))
    for reference in (str(file.parent), "one", f"train={file}"):
        assert ask(capsys, "shared", "--data", reference)["split"] == "train"
    assert ask(capsys, "shared", "--data", str(corpus))["split"] == "test"
    assert ask(capsys, "shared", "--data", str(file), "--split", "all")["split"] == "all"
    assert "it has: all" in refused(capsys, "shared", "--data", str(file), "--split", "test")


def test_a_label_that_the_labeller_lacks_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gold.conll"
    file.write_text("It O\n\nthe O\nOscar B-EVENT\n", encoding="utf-8")
    assert f"error: {file}:4: the labeller does not know 'B-EVENT'" in refused(capsys, "shared", "--data", str(file))


def test_a_split_that_is_not_there(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no extra split" in refused(capsys, "shared", "--data", str(corpus), "--split", "extra")


def test_a_folder_needs_data(trained: labelkit.RunResult, capsys: pytest.CaptureFixture[str]) -> None:
    assert "add --data REF" in refused(capsys, str(trained.checkpoint))


def test_the_table_shows_every_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "shared"]) == 0
    shown = capsys.readouterr().out
    assert "PER" in shown
    assert "LOC" in shown


def test_what_the_run_learned_from_is_not_scored_unasked(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(corpus / "train.conll")
    labelkit.run("ner", data=file, model=str(tiny), max_steps=1, home=tmp_path, settings={"train.precision": "fp32"})
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path))
    assert "has only what the run learned from" in refused(capsys, "latest")
    assert ask(capsys, "latest", "--split", "train")["split"] == "train"
