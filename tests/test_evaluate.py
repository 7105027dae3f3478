"""``labelkit evaluate`` on spans: the same figures as the run's own, and clear lines for data that does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import labelkit
from conftest import as_conll
from labelkit.cli import main
from labelkit.registry import Home, Registry, RunDetails, nested


@pytest.fixture(autouse=True)
def at_home(home: Path, trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["evaluate", *arguments, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
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
            return registry.runs.get(trained.run)

    before = shown()
    answer = ask(capsys, "shared", "--data", str(corpus / "test.conll"))
    after = shown()
    new = after.evaluations[len(before.evaluations) :]
    assert answer["split"] == "all"
    assert [(one.source, one.split, one.ref, one.examples) for one in new] == [
        ("evaluate", "all", str(corpus / "test.conll"), 12)
    ]
    recorded = nested(new[0].figures)
    facts = {name: recorded["all"]["ner"].pop(name) for name in ("seen_train", "seen_validation", "test_score")}
    assert recorded == answer["metrics"]
    assert facts["test_score"] == float(bool(answer["test_score"]))
    assert {"train": facts["seen_train"], "validation": facts["seen_validation"]}.items() <= answer["seen"].items()
    assert before.evaluations[0].source == "run"
    assert after.test_scored == before.test_scored + 1


def test_a_split_is_chosen_by_name(trained: labelkit.RunResult, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(capsys, "shared", "--split", "validation")
    assert answer["metrics"] == {"validation": trained.metrics["validation"]}


def test_the_runs_own_data_is_read_as_the_run_read_it(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    emoji = "\N{FACE WITH TEARS OF JOY}"
    record = {"text": f"{emoji} Bob met Tim", "label": [[3, 6, "PER"], [11, 14, "PER"]]}  # in UTF-16 units
    for name in ("train", "test"):
        gold_file(tmp_path, json.dumps(record) + "\n" + json.dumps({**record, "id": name}) + "\n", f"{name}.jsonl")
    settings = {"data.format": "doccano", "data.utf16": True, "data.validation_fraction": 0.5}
    home = tmp_path / "home"
    done = labelkit.run("ner", data=str(tmp_path), model=str(tiny), max_steps=1, home=home, settings=settings)
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    (figures,) = ask(capsys, "latest")["metrics"]["test"].values()
    assert figures == done.metrics["test"]["ner"]


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


@pytest.mark.slow
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
    file.write_text("It O\n\nthe O\nOscar I-EVENT\n", encoding="utf-8")
    message = refused(capsys, "shared", "--data", str(file))
    assert f"error: {file}:4: the labeller does not know the type 'EVENT'\n" in message
    assert 'it knows: LOC, PER; --map FILE, a TOML file with lines such as "EVENT" = "LOC", maps others' in message
    assert main(["errors", "shared", "--data", str(file)]) == 1
    message = capsys.readouterr().err
    assert "it knows: LOC, PER" in message
    assert "--map" not in message  # which this command does not have


def test_all_labels_that_the_labeller_lacks_are_named_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["Zoe B-PER", *(f"x B-T{number}\nx I-T{number}" for number in range(23))]
    file = gold_file(tmp_path, "\n".join(lines) + "\n")
    message = refused(capsys, "shared", "--data", file)
    assert f"error: {file}:2: the labeller does not know the types 'T0', 'T1', " in message
    assert "'T19' and 3 more\n" in message


def test_a_split_that_is_not_there(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no extra split" in refused(capsys, "shared", "--data", str(corpus), "--split", "extra")


def test_a_folder_needs_data(trained: labelkit.RunResult, capsys: pytest.CaptureFixture[str]) -> None:
    assert "add --data REF" in refused(capsys, str(trained.checkpoint))


def test_the_table_shows_every_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "shared"]) == 0
    shown = capsys.readouterr().out
    assert "PER" in shown
    assert "LOC" in shown


@pytest.mark.slow
def test_what_the_run_learned_from_is_not_scored_unasked(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(corpus / "train.conll")
    labelkit.run("ner", data=file, model=str(tiny), max_steps=1, home=tmp_path, settings={"train.precision": "fp32"})
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path))
    assert "has only data that the run was trained on" in refused(capsys, "latest")
    assert ask(capsys, "latest", "--split", "train")["split"] == "train"


def gold_file(folder: Path, text: str, name: str = "gold.conll") -> str:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


NEW = as_conll([[("Zoe", "B-PER"), ("sleeps", "O")], [("Oslo", "B-LOC"), ("shines", "O")], [("Zoe", "B-PER")]])


# -- how sure ---------------------------------------------------------------------------------------------------------


def test_scores_come_with_intervals_and_a_confusion(capsys: pytest.CaptureFixture[str]) -> None:
    (figures,) = ask(capsys, "shared")["metrics"]["test"].values()
    low, high = figures["intervals"]["f1"]
    assert low <= figures["f1"] <= high
    assert "PER" in figures["intervals"]["per_type"]
    assert set(figures["confusion"]) <= {"PER", "LOC", "O"}
    assert sum(figures["confusion"]["PER"].values()) == figures["per_type"]["PER"]["support"]


def test_intervals_are_shown_with_the_scores_and_with_the_run(
    trained: labelkit.RunResult, capsys: pytest.CaptureFixture[str]
) -> None:
    (figures,) = trained.metrics["test"].values()
    shown = "[{:.4f}, {:.4f}]".format(*figures["intervals"]["f1"])
    for command in (["evaluate", "shared"], ["runs", "show", "shared"]):
        assert main(command) == 0
        out = capsys.readouterr().out
        assert "F1 95% CI" in out
        assert shown in out


# -- what the run has seen --------------------------------------------------------------------------------------------


def test_data_that_training_saw_is_no_test(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "shared", "--data", str(corpus / "train.conll"), "--json"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert answer["test_score"] is False
    assert answer["seen"]["train"] == answer["seen"]["examples"] == 48
    assert "not a test score: the run was trained or selected on 48 of 48 examples: 48 in train" in err


def test_one_shared_sentence_is_enough_and_only_words_count(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = (corpus / "train.conll").read_text(encoding="utf-8").partition("\n\n")[0]
    other_labels = "".join(f"{line.split()[0]} O\n" for line in first.splitlines())
    answer = ask(capsys, "shared", "--data", gold_file(tmp_path, NEW + other_labels + "\n"))
    assert answer["test_score"] is False
    assert answer["seen"]["examples"] == 1


def test_data_that_nobody_saw_is_a_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "shared", "--data", gold_file(tmp_path, NEW), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["test_score"] is True
    assert json.loads(out)["seen"] == {"train": 0, "validation": 0, "examples": 0}
    assert err.splitlines()[-1] == "a test score: the run was trained or selected on none of 3 examples"


def test_selection_counts_as_seeing(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(capsys, "shared", "--split", "validation")
    assert answer["test_score"] is False
    assert answer["seen"]["validation"] == 12


@pytest.mark.slow
def test_a_run_keeps_its_own_test_while_most_of_it_is_new(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = (corpus / "train.conll").read_text(encoding="utf-8")
    seen = "".join(f"{sentence}\n\n" for sentence in train.split("\n\n")[:2])
    gold_file(tmp_path, train, "train.conll")
    gold_file(tmp_path, (corpus / "dev.conll").read_text(encoding="utf-8"), "dev.conll")
    gold_file(tmp_path, NEW + seen, "test.conll")
    labelkit.run("ner", data=str(tmp_path), model=str(tiny), max_steps=1, home=tmp_path / "home")
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    assert main(["evaluate", "latest", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["test_score"] is True
    assert json.loads(out)["seen"]["examples"] == 2
    assert "a test score: the run was trained or selected on 2 of 5 examples: 2 in train and 2 in validation; it" in err
    assert "note: a test score" not in err
    # the order of its examples changes nothing: it is a test score, and a look at test
    backwards = "".join(f"{sentence}\n\n" for sentence in reversed((NEW + seen).strip().split("\n\n")))
    assert ask(capsys, "latest", "--data", gold_file(tmp_path, backwards, "backwards.conll"))["test_score"] is True
    main(["runs", "show", "latest"])
    assert "the test split was scored 3 times" in capsys.readouterr().out
    # the same sentences under another name are no longer what the run set apart
    copied = gold_file(tmp_path, NEW + seen + NEW, "copy.conll")
    assert ask(capsys, "latest", "--data", copied)["test_score"] is False
    main(["runs", "show", "latest"])
    assert "all (seen)" in capsys.readouterr().out
    # what cannot be read any more cannot be compared
    (tmp_path / "train.conll").unlink()
    answer = ask(capsys, "latest", "--data", copied)
    assert (answer["test_score"], answer["seen"]) == (None, None)


@pytest.mark.slow
def test_what_the_encoder_learned_in_another_run_was_seen_too(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    first = labelkit.run("ner", data=str(corpus), model=str(tiny), max_steps=1, home=home)
    fresh = gold_file(tmp_path, NEW, "train.conll")
    labelkit.run("ner", data=f"train={fresh}", model=str(first.checkpoint), max_steps=1, home=home, name="second")
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    assert main(["evaluate", "second", "--data", str(corpus / "train.conll"), "--json"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert (answer["test_score"], answer["seen"]["train"]) == (False, 48)
    assert "the run, or one that its encoder came from, was trained or selected on 48 of 48 examples: 48 in" in err
    unseen = gold_file(tmp_path, as_conll([[("Zoe", "B-PER"), ("met", "O"), ("nobody", "O")]]), "unseen.conll")
    assert ask(capsys, "second", "--data", unseen)["test_score"] is True


@pytest.mark.slow
def test_a_test_split_that_is_validation_once_more_is_no_test(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sentences = (corpus / "dev.conll").read_text(encoding="utf-8").strip().split("\n\n")
    copied = gold_file(tmp_path, "\n\n".join(reversed(sentences)) + "\n\n", "copy.conll")  # in another order
    data = f"train={corpus / 'train.conll'},validation={corpus / 'dev.conll'},test={copied}"
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    assert main(["run", "ner", "--data", data, "--model", str(tiny), "--max-steps", "1", "--name", "copied"]) == 0
    assert "test and validation are the same 12 examples: scores on them are not test scores" in "".join(
        capsys.readouterr()
    )
    assert ask(capsys, "copied")["test_score"] is False
    main(["runs", "show", "copied"])
    assert "test (ner, not a test: it is the validation split)" in capsys.readouterr().out
    assert main(["runs", "compare", "copied", "copied", "--significance"]) == 1
    assert "is its validation split" in capsys.readouterr().err


def test_a_carved_validation_split_can_be_scored(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(corpus / "train.conll")
    done = labelkit.run(
        "ner", data=file, model=str(tiny), max_steps=1, home=tmp_path, settings={"train.precision": "fp32"}
    )
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path))
    answer = ask(capsys, "latest", "--split", "validation")
    assert answer["metrics"] == {"validation": done.metrics["validation"]}


# -- other labels, other metrics, predictions -------------------------------------------------------------------------

OTHER = as_conll([
    [("Zoe", "B-person"), ("sleeps", "O"), ("in", "O"), ("Oslo", "B-place")],
    [("Games", "B-event"), ("of", "I-event"), ("Oslo", "B-place")],
])  # fmt: skip


def test_a_mapping_file_makes_other_labels_comparable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = gold_file(tmp_path, OTHER)
    mapping = gold_file(tmp_path, 'person = "PER"\nplace = "LOC"\nevent = ""\n', "map.toml")
    assert "--map FILE" in refused(capsys, "shared", "--data", data)
    answer = ask(capsys, "shared", "--data", data, "--map", mapping)
    (figures,) = answer["metrics"]["all"].values()
    supports = {name: row["support"] for name, row in figures["per_type"].items() if row["support"]}
    assert supports == {"PER": 1, "LOC": 2}
    assert "loss" in figures


def test_labels_of_the_labeller_can_be_mapped_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = gold_file(tmp_path, as_conll([[("Zoe", "B-name"), ("met", "O"), ("Rome", "B-name")]]))
    mapping = gold_file(tmp_path, '[predicted]\nPER = "name"\nLOC = "name"\n', "map.toml")
    answer = ask(capsys, "shared", "--data", data, "--map", mapping)
    (figures,) = answer["metrics"]["all"].values()
    assert list(figures["per_type"]) == ["name"]
    assert figures["support"] == 2
    assert "loss" not in figures


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("person = 3\n", "invalid label for 'person'"),
        ("person =\n", "cannot be read as a mapping"),
        ('[predicted]\nPERS = "name"\n', "which the labeller does not have"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = gold_file(tmp_path, text, "map.toml")
    assert told in refused(capsys, "shared", "--data", gold_file(tmp_path, OTHER), "--map", mapping)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["jsonl", "conll"])
def test_predictions_are_written_in_any_format(
    suffix: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"out.{suffix}"
    ask(capsys, "shared", "-o", str(file))
    labeller = labelkit.load("shared", home=home)
    from labelkit.files.reading import read_lines

    if suffix == "conll":
        words = [tuple(line.split()) for _, line in read_lines(file, "utf-8") if line]
        assert len(words) > 12
        return
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(records) == 12
    for record in records:
        assert record["labels"] == list(labeller.label(record["words"]).labels or ())
        assert len(record["gold"]) == len(record["words"])
    assert "exists already" in refused(capsys, "shared", "-o", str(file))
    with Registry.open(Home(root=home), create=False) as registry:
        outputs = registry.runs.get(labeller.info.run).outputs
    assert outputs[-1].kind == "predictions"


def test_the_format_alone_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "shared", "--to", "conll"]) == 2


def test_more_metrics_are_scored_by_name_and_by_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = """
import datasets
import evaluate


class Wordy(evaluate.Metric):
    def _info(self):
        words = datasets.Value("string")
        features = datasets.Features({"predictions": words, "references": words})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"words": len(references)}
"""
    path = gold_file(tmp_path, module, "wordy.py")
    (figures,) = ask(capsys, "shared", "--metric", "seqeval-strict", "--metric", path)["metrics"]["test"].values()
    assert figures["seqeval-strict.mode"] == "strict"
    assert figures["words"] > 12
    assert "is for kind text" in refused(capsys, "shared", "--metric", "classification")


@pytest.mark.slow
def test_every_command_says_what_it_assumed_of_the_data(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.annotated"
    path.write_text((corpus / "train.conll").read_text(encoding="utf-8"), encoding="utf-8")
    said = f"{path} is read as conll, by its content"
    monkeypatch.chdir(tmp_path)
    for command in (
        ["data", "show", str(path)],
        ["data", "check", str(path), "--skip", "subtokens", "--skip", "windows"],
        ["data", "convert", str(path), "out.jsonl", "--to", "jsonl"],
        ["evaluate", "shared", "--data", str(path)],
        ["errors", "shared", "--data", str(path)],
        ["label", "shared", str(path), "-o", "labelled.jsonl"],
    ):
        assert main([*command, "--json"]) == 0
        out, err = capsys.readouterr()
        assert any(said in line for line in json.loads(out)["assumptions"])
        if command[0] == "data":
            assert main([*command, *(["--force"] if "convert" in command else [])]) == 0
            err = "".join(capsys.readouterr())
        assert f"assumed: {said}" in err
    main(["runs", "show", "shared"])
    assert "assumed      two columns: words in column 0" in capsys.readouterr().out
