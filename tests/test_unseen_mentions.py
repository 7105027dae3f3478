"""Scores of mentions that train has and of those that it has not, and where the mentions of train come from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Container
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelkit
from labelkit.cli import main
from labelkit.errors import LabelkitError, ModelError
from labelkit.labels.mentions import MentionHashes, mentions_of
from labelkit.metrics.entities import entity_scores
from labelkit.metrics.intervals import resample
from labelkit.metrics.scoring import score
from labelkit.metrics.seqeval_metrics import METRICS
from labelkit.metrics.significance import paired_randomisation_test
from labelkit.models.checkpoint import read_train_mentions
from labelkit.models.checkpoint_files import TRAIN_MENTIONS
from labelkit.records import Example, Metric, Predictions, Schema
from labelkit.registry import Home, Registry

(UNSEEN,) = (metric for metric in METRICS if metric.uses_train_mentions)
SCHEMA = Schema.bio("ner", "PER", "LOC")
TRAIN = frozenset({("Ada",), ("New", "York")})


def predictions(*rows: tuple[str, ...], train: Container[tuple[str, ...]] | None = TRAIN) -> Predictions:
    """Return predictions for rows of words, gold tags and predicted tags."""
    words, gold, guess = ([tuple(row[part].split()) for row in rows] for part in range(3))
    examples = [
        Example(id=str(number), words=row, labels={"ner": tags})
        for number, (row, tags) in enumerate(zip(words, gold, strict=True))
    ]
    mentions = None if train is None else (lambda: train)
    return Predictions(references=gold, predictions=guess, schema=SCHEMA, examples=examples, train_mentions=mentions)


GIVEN = predictions(
    ("Ada met Bob", "B-PER O B-PER", "B-PER O O"),  # seen and found; unseen and missed
    ("It rained", "O O", "O B-LOC"),  # unseen and spurious
    ("New York , York", "B-LOC I-LOC O B-LOC", "B-PER I-PER O B-LOC"),  # seen, of another type; unseen and found
)


def test_mentions_are_divided_by_their_words() -> None:
    figures = UNSEEN.compute(GIVEN)
    assert figures == {
        "seen_precision": 1 / 2, "seen_recall": 1 / 2, "seen_f1": 1 / 2, "seen_support": 2,
        "unseen_precision": 1 / 2, "unseen_recall": 1 / 2, "unseen_f1": 1 / 2, "unseen_support": 2,
    }  # fmt: skip
    assert UNSEEN.key in figures


def test_case_and_word_order_count() -> None:
    figures = UNSEEN.compute(predictions(("ada in York New", "B-PER O B-LOC I-LOC", "B-PER O B-LOC I-LOC")))
    assert (figures["seen_support"], figures["unseen_f1"]) == (0, 1.0)


TAGS = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), min_size=1, max_size=6)


@pytest.mark.slow
@given(st.lists(st.tuples(TAGS, TAGS, st.lists(st.sampled_from("abc"), min_size=6, max_size=6)), max_size=5))
def test_both_parts_together_are_seqevals(rows: list[tuple[list[str], list[str], list[str]]]) -> None:
    rows = [(gold, (guess + ["O"] * 6)[: len(gold)], words[: len(gold)]) for gold, guess, words in rows]
    known = frozenset({("a",), ("a", "b"), ("c",)})
    each = predictions(
        *(tuple(" ".join(part) for part in (words, gold, guess)) for gold, guess, words in rows), train=known
    )
    assert UNSEEN.counts
    counts = UNSEEN.counts(each)
    correct, predicted, gold_ = (counts.rows[:, at : at + 2].sum() for at in (0, 2, 4))
    expected = entity_scores(each.references, each.predictions)
    assert expected["support"] == gold_
    assert expected["precision"] == pytest.approx(correct / predicted if predicted else 0)
    assert expected["recall"] == pytest.approx(correct / gold_ if gold_ else 0)
    figures = UNSEEN.compute(each)
    assert {
        name: value for name, value in counts.figures(counts.rows.sum(axis=0)).items() if name.startswith("seen")
    } == {name: value for name, value in figures.items() if name.startswith("seen") and "support" not in name}


def test_samples_and_significance_tests_know_the_mentions() -> None:
    assert resample(GIVEN, np.array([2, 2])).train_mentions is GIVEN.train_mentions
    better = replace(GIVEN, predictions=GIVEN.references)
    found = {one.name: one for one in paired_randomisation_test(UNSEEN, GIVEN, better)}
    assert (found["unseen_f1"].first, found["unseen_f1"].second) == (0.5, 1.0)
    assert set(score([UNSEEN], GIVEN)["intervals"]) == {name for name in UNSEEN.compute(GIVEN) if "support" not in name}


def test_without_the_mentions_it_says_so_in_one_line() -> None:
    with pytest.raises(
        LabelkitError, match="metric 'seqeval-unseen': it needs words and the mentions of train"
    ) as error:
        score([UNSEEN], replace(GIVEN, train_mentions=None))
    assert error.value.hint
    assert "evaluate RUN --metric seqeval-unseen" in error.value.hint


WORDS = st.lists(st.lists(st.text(max_size=5), min_size=1, max_size=3).map(tuple), max_size=30)


@pytest.mark.slow
@given(WORDS, WORDS)
def test_hashes_hold_what_a_set_holds(known: list[tuple[str, ...]], others: list[tuple[str, ...]]) -> None:
    mentions = MentionHashes.from_bytes(MentionHashes.of(known).to_bytes())
    assert len(mentions) == len(set(known))
    assert all((words in mentions) == (words in set(known)) for words in (*known, *others))
    assert "a" not in mentions


def test_mentions_are_spans_or_words() -> None:
    example = Example(id="1", words=("Ada", "in", "New", "York"), labels={"ner": ("B-PER", "O", "B-LOC", "I-LOC")})
    assert list(mentions_of([example], "ner", SCHEMA)) == [("Ada",), ("New", "York")]
    plain = Schema(name="pos", kind="token", labels=("X",))
    assert list(mentions_of([replace(example, labels={"pos": ("X",) * 4})], "pos", plain))[2:] == [("New",), ("York",)]


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x93NUMPY\x01\x00", MentionHashes.of([("a",)]).to_bytes()[:-3]]
)
def test_a_damaged_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / TRAIN_MENTIONS).write_bytes(content)
    with pytest.raises(ModelError, match=r"train_mentions\.npy is damaged"):
        read_train_mentions(tmp_path)


# -- where they come from: the checkpoint, or the data of the run


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["evaluate", *arguments, "--metric", "seqeval-unseen", "--json"]) == 0
    (tasks,) = json.loads(capsys.readouterr().out)["metrics"].values()
    figures: dict[str, Any] = tasks["ner"]
    return figures


@pytest.mark.slow
def test_a_run_without_the_metric_reads_its_data_again(
    trained: labelkit.RunResult, home: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    gold = tmp_path / "gold.conll"
    gold.write_text("Bob B-PER\nmet O\nZoe B-PER\n", encoding="utf-8")
    figures = evaluated(capsys, "shared", "--data", str(gold))
    assert (figures["seen_support"], figures["unseen_support"]) == (1, 1)
    assert not (trained.checkpoint / TRAIN_MENTIONS).exists()
    assert main(["evaluate", "shared", "--data", str(gold), "--metric", "seqeval-unseen"]) == 0
    table = capsys.readouterr().out
    assert [line.split()[0] for line in table.splitlines() if line.startswith(("seen", "unseen"))] == ["seen", "unseen"]
    folder = shutil.copytree(trained.checkpoint, tmp_path / "copy")
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "elsewhere"))
    assert main(["evaluate", f"{folder}/", "--data", str(gold), "--metric", "seqeval-unseen"]) == 1
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert "the checkpoint keeps none, and its run is not in this registry" in error
    assert "--metric seqeval-unseen keeps them" in hint
    (folder / TRAIN_MENTIONS).write_bytes(MentionHashes.of([("Zoe",)]).to_bytes())
    figures = evaluated(capsys, f"{folder}/", "--data", str(gold))
    assert (figures["seen_support"], figures["unseen_support"]) == (1, 1)


@pytest.mark.slow
def test_a_run_with_the_metric_keeps_them(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(corpus, tmp_path / "corpus")
    home = tmp_path / "home"
    done = labelkit.run(
        "ner", data=str(data), model=str(tiny), metric="seqeval-unseen", epochs=1, name="names", home=home,
        settings={"train.precision": "fp32"},
    )  # fmt: skip
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    gold = shutil.copytree(data, tmp_path / "gold") / "test.conll"
    assert evaluated(capsys, "names") == done.metrics["test"]["ner"]
    shutil.rmtree(data)
    figures = evaluated(capsys, "names", "--data", str(gold))
    assert figures["unseen_support"] == done.metrics["test"]["ner"]["unseen_support"]
    with Registry.open(Home(root=home), create=False) as registry:
        details = registry.runs.get(done.run)
    assert details.best
    assert TRAIN_MENTIONS in details.best.files
    assert main(["runs", "report", "names", "-o", str(tmp_path / "report.html")]) == 0


def test_gold_data_without_entities_is_told(
    trained: labelkit.RunResult, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    (tmp_path / "o.conll").write_text("a\tO\nb\tO\n\n", encoding="utf-8")
    assert main(["evaluate", "shared", "--data", str(tmp_path / "o.conll")]) == 0
    assert "o.conll holds no entity, only the label O: precision, recall and F1 say nothing" in capsys.readouterr().err


def test_a_metric_says_whether_it_asks() -> None:
    assert not Metric(name="x", kind="token", compute=len, key="x").uses_train_mentions  # type: ignore[arg-type]
