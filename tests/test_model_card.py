"""Model cards: from the record alone, as the Hub reads them, without names of this machine."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard as HubCard

import labelkit
from hub_server import serving, use
from hub_writing import errors_of_card
from labelkit.cli import main
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.publish.card_text import END, START, merge_card, parse_card, without_comments
from labelkit.publish.model_card import ModelCard
from labelkit.publish.names import data_name
from labelkit.publish.push import card_of_run, find_run
from labelkit.registry import Home

SECTIONS = ("Scores", "Data", "Leakage", "Training", "Calibration", "Coverage", "Limits", "Use", "Reproduce")


@pytest.fixture(scope="module")
def card(trained: labelkit.RunResult, home: Path) -> ModelCard:
    return card_of_run(find_run("shared", Home(root=home)), Catalog.load(), repository="me/shared")


def test_the_hub_reads_its_metadata_and_its_scores(card: ModelCard, trained: labelkit.RunResult) -> None:
    read: Any = HubCard(card.text()).data
    assert (read.pipeline_tag, read.library_name) == ("token-classification", "transformers")
    assert read.model_name == "shared"
    scores = {one.metric_name.split(" (")[0]: one for one in read.eval_results}
    f1 = trained.metrics["test"]["ner"]["f1"]
    assert scores["F1"].metric_value == pytest.approx(f1, abs=1e-6)
    assert (scores["F1"].dataset_name, scores["F1"].dataset_split) == ("test.conll", "test")
    assert "seqeval" in scores["F1"].metric_name


def test_the_hub_s_own_types_keep_all_of_its_metadata(card: ModelCard) -> None:
    from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

    metadata = {**replace(card, licence="mit", language=("en",)).metadata()}
    index = metadata["model-index"]
    name, results = model_index_to_eval_results(index)  # which raises for an entry without its fields
    assert eval_results_to_model_index(name, results) == index
    for one in results:
        assert one.dataset_type
        assert one.task_type == metadata["pipeline_tag"]
        assert isinstance(one.metric_value, float)
    assert {one.metric_type for one in results} <= set(metadata["metrics"])
    data: Any = HubCard(replace(card, licence="mit", language=("en",)).text()).data
    read: dict[str, Any] = data.to_dict()
    assert read == {key: value for key, value in metadata.items() if key != "language"} | {"language": ["en"]}
    assert all(re.fullmatch(r"[a-z_-]+", key) for key in metadata)


def test_the_hub_s_check_of_cards_accepts_it(card: ModelCard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving() as hub:
        use(hub, monkeypatch, tmp_path / "cache")
        text = replace(card, licence="mit").text()
        HubCard(text).validate(repo_type="model")
        assert json.loads(hub.bodies[-1]) == {"repoType": "model", "content": text}
    (error,) = set(errors_of_card(text.replace("      type: test.conll\n", "")))  # what the stand-in would refuse
    assert error == '"results[].dataset.type" is required'


def test_it_has_what_people_ask_and_nothing_of_this_machine(
    card: ModelCard, trained: labelkit.RunResult, corpus: Path, home: Path, tiny: Path
) -> None:
    text = card.text()
    for section in SECTIONS:
        assert f"\n## {section}\n" in text
    assert all(one.content_hash in text for one in card.details.record.splits)
    assert "| PER |" in text
    assert trained.run in text
    for private in (corpus, home, tiny.parent):
        assert str(private) not in text
    assert "needed" not in text.replace("not needed", "")
    assert card.details.record.host not in text.replace("## ", "")


def test_it_says_where_its_labels_differ_from_those_of_transformers(card: ModelCard) -> None:
    assert card.info is not None
    assert "decodes with `viterbi`" in card.text()
    assert "decodes with" not in replace(card, info=replace(card.info, decoder="argmax")).text()


def test_a_test_split_that_was_trained_on_is_not_listed(card: ModelCard) -> None:
    record = card.details.record
    test = next(one for one in record.splits if one.split == "test")
    splits = tuple(replace(one, content_hash=test.content_hash) for one in record.splits)
    seen = replace(card, details=replace(card.details, record=replace(record, splits=splits)))
    assert "model-index" not in seen.metadata()
    assert "are not test scores" in seen.body()


def test_own_text_stays_under_its_heading_and_goes_last_without_it() -> None:
    body = "# M\n\n## A\n\na\n\n## B\n\nb"
    card = merge_card({"tags": ["x"]}, body, None)
    assert card.count(START) == 2
    mine = f"{START}\n```\n## C\n```\n{END}"
    edited = card.replace("a\n\n## B", f"a\n\n{mine}\n\n## B").replace("- x", "- x\n- mine")
    again = merge_card({"tags": ["x"]}, body, edited)
    assert mine in again.partition("## B")[0]
    assert "- mine" in again
    assert merge_card({"tags": ["x"]}, body, again) == again
    moved = merge_card({}, "# M\n\n## B\n\nb", again)
    assert mine in moved.partition("## B")[2]
    assert mine.splitlines()[1] in without_comments(moved)
    assert START not in without_comments(moved)


def test_generated_text_that_was_edited_and_broken_cards_are_errors() -> None:
    card = merge_card({}, "# M\n\nText.", None)
    assert not parse_card(card.replace("\n", "\r\n")).edited
    with pytest.raises(LabelkitError, match="edited outside of its markers"):
        merge_card({}, "# M\n\nText.", card.replace("Text", "Words"))
    with pytest.raises(LabelkitError, match="without"):
        parse_card(card.replace(END, "", 1).replace(END, ""))
    with pytest.raises(LabelkitError, match="not valid YAML"):
        parse_card("---\na: [\n---\n# M\n")
    with pytest.raises(LabelkitError, match="nested too deeply"):
        parse_card(f"---\na: {'[' * 2000}\n---\n# M\n")


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("/home/ada/corpora/mine.conll", "mine.conll"),
        ("C:\\data\\mine.csv", "mine.csv"),
        ("train=../a/x.conll,test=/b/y.conll", "train=x.conll, test=y.conll"),
        ("hub:org/set@0123abc:test", "org/set"),
        ("sample:train", "sample"),
    ],
)
def test_data_is_named_without_its_folders(reference: str, name: str) -> None:
    assert data_name(reference).name == name


def test_the_command_prints_markdown_and_keeps_own_text_of_a_file(
    trained: labelkit.RunResult,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    assert main(["card", "shared"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("---\n")
    path = tmp_path / "README.md"
    path.write_text(text.replace(f"{START}\n\n{END}", f"{START}\nMine.\n{END}", 1), encoding="utf-8")
    assert main(["card", "shared", "-o", str(path), "--license", "mit", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["license"] == "mit"
    assert "\nMine.\n" in path.read_text(encoding="utf-8")
    assert "license: mit" in path.read_text(encoding="utf-8")
