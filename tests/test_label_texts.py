"""``labelkit label`` with a labeller of whole texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.cli import main


@pytest.fixture(scope="module")
def reviewer(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> labelkit.RunResult:
    """Return a run on short reviews, good and bad."""
    folder = tmp_path_factory.mktemp("reviews")
    rows = [(f"{word} film", label) for word, label in (("good", "good"), ("dull", "bad")) for _ in range(24)]
    for split in ("train", "dev", "test"):
        lines = "".join(f"{text},{label}\n" for text, label in rows)
        (folder / f"{split}.csv").write_text("text,label\n" + lines, encoding="utf-8")
    settings = {"train.precision": "fp32"}
    return labelkit.run(
        "textcls", data=str(folder), model=str(tiny), epochs=6, lr=5e-3, home=folder / "home", settings=settings
    )


@pytest.fixture
def label(reviewer: labelkit.RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """Return a function that labels with :func:`reviewer` and returns stdout."""
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["label", str(reviewer.checkpoint), *arguments]) == 0
        return str(capsys.readouterr().out)

    return run


def records(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_label_score_and_all_scores_of_each_text(label: Any) -> None:
    Path("a.csv").write_text("id,text,label,score,by\nx,good film,bad,3,me\ny,dull film,,4,you\n")
    label("a.csv", "-o", "o.jsonl")
    one, two = records("o.jsonl")
    assert list(one) == ["id", "text", "label", "score", "scores", "coverage", "input_score", "by", "input_label"]
    assert (one["id"], one["label"], one["by"], one["input_score"]) == ("x", "good", "me", "3")
    assert (one["input_label"], two["input_label"]) == ("bad", None)
    assert one["scores"].keys() == {"good", "bad"}
    assert one["score"] == max(one["scores"].values())
    assert (two["label"], two["coverage"]["words"]) == ("bad", 1)


def test_words_are_read_as_the_text_that_they_make(label: Any) -> None:
    Path("a.conll").write_text("good O\nfilm O\n\n")
    Path("b.jsonl").write_text('{"words": ["dull", "film"]}\n{"text": "good film", "entities": [[0, 4, "X"]]}\n')
    label("a.conll", "b.jsonl", "-o", "o.jsonl")
    assert [(r["text"], r["label"]) for r in records("o.jsonl")] == [
        ("good film", "good"), ("dull film", "bad"), ("good film", "good"),
    ]  # fmt: skip


def test_a_label_below_the_lowest_score_is_none(label: Any) -> None:
    Path("a.txt").write_text("good film\n")
    label("a.txt", "-o", "o.csv", "--min-score", "1")
    assert Path("o.csv").read_text().splitlines()[1].startswith("1,good film,,0.")
    document = json.loads(label("a.txt", "-o", "o.jsonl", "--min-score", "1", "--json"))
    (record,) = records("o.jsonl")
    assert (record["label"], record["coverage"]["below_min_score"]) == (None, 1)
    assert record["score"] == max(record["scores"].values()) < 1
    assert (document["below_min_score"], document["words"]) == (1, 2)


def test_in_a_terminal_each_text_stands_over_its_scores(label: Any) -> None:
    Path("a.txt").write_text("good film\ndull film\n")
    label("a.txt", "--to", "terminal", "-o", "o.txt")
    shown = Path("o.txt").read_text().splitlines()
    assert (shown[0], shown[4]) == ("good film", "dull film")
    assert len(shown) == 8
