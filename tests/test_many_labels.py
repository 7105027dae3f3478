"""Thousands of labels: memory stays bounded, and a million are refused before anything is built for them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import labelkit
from labelkit.cli import main
from labelkit.cli.score_display import print_scores
from labelkit.data.layer_schema import check_types
from labelkit.errors import DataError, StorageError
from labelkit.inference import score_blocks
from labelkit.inference.calibration import fit_temperature
from labelkit.inference.engine import WordScores
from labelkit.inference.prediction import ScoredPredictions
from labelkit.inference.score_blocks import blocks, confidences, new_scores
from labelkit.inference.viterbi import rules_of, viterbi
from labelkit.label.slow_input import chunks_until_pause
from labelkit.label.stream import CHARACTERS, characters_of, chunk_characters, chunks
from labelkit.plugins.catalog import Catalog
from labelkit.publish.push import card_of_run, find_run
from labelkit.records import Example, Schema, Scores
from labelkit.registry import Home
from labelkit.registry.metric_rows import most_frequent_types

TYPES = 5000
SCHEMA = Schema.bio("ner", *(f"T{number:04}" for number in range(TYPES)))
WORDS = 1000


@pytest.fixture(scope="module")
def found() -> Scores:
    """Return scores of 1,000 words and 10,001 labels: 40 MB."""
    values = np.random.default_rng(1).standard_normal((WORDS, len(SCHEMA.label_names)), np.float32) - 20
    return Scores(values=values, lengths=np.full(WORDS // 10, 10), schema=SCHEMA)


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Return a function that returns how many bytes this test took at most."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_decoding_and_calibration_copy_no_more_than_a_block(
    found: Scores, peak: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_blocks, "SCORES", 1 << 19)
    ids = viterbi(found)
    temperature = fit_temperature(found.values[:100], ids[:100])
    confidences(found.values, ids, temperature)
    scored = WordScores(found.values, found.lengths, np.ones(WORDS, np.bool_))
    ScoredPredictions(scored, ids, ids, SCHEMA).figures([], temperature)
    assert peak() < found.values.nbytes / 2


def test_rules_of_ten_thousand_labels_are_no_table_of_pairs(peak: Callable[[], int]) -> None:
    rules_of.__wrapped__(SCHEMA)
    assert peak() < 20_000_000


def test_blocks_give_what_the_whole_gives(found: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
    few = Scores(
        values=found.values[:200, :41], lengths=np.full(20, 10), schema=Schema.bio("ner", *map(str, range(20)))
    )
    whole = viterbi(few)
    sure, temperature = confidences(few.values, whole, 2.0), fit_temperature(few.values, whole)
    monkeypatch.setattr(score_blocks, "SCORES", 41 * 7)
    assert len(list(blocks(few.values))) == 29
    assert (viterbi(few) == whole).all()
    assert (confidences(few.values, whole, 2.0) == sure).all()
    assert fit_temperature(few.values, whole) == pytest.approx(temperature, rel=1e-9)


def test_many_scores_are_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(score_blocks, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    small, large = new_scores(10, 25), new_scores(10, 26)
    assert small.shape == (10, 25)
    assert large.shape == (10, 26)
    assert large.flags.writeable
    assert not large.any()
    large[3] = 1
    assert large.sum() == 26
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError, match="the disk is full"):
        new_scores(1 << 40, 1 << 10)


def test_chunks_of_many_labels_are_smaller() -> None:
    inputs = [Example(id=str(number), text="x" * 1000) for number in range(2000)]
    for labels in (1, 256):
        assert [len(chunk) for chunk in chunks(inputs, 5, labels)] == [len(chunk) for chunk in chunks(inputs, 5)]
    assert max(len(chunk) for chunk in chunks(inputs, 5, 10_001)) == CHARACTERS * 256 // 10_001 // 1000 + 1


def test_slow_inputs_are_cut_by_their_characters_too() -> None:
    inputs = [Example(id=str(number), text="x" * 1000) for number in range(200)]
    few, many = chunk_characters(1), chunk_characters(10_001)
    assert (few, many) == (CHARACTERS, CHARACTERS * 256 // 10_001)
    cut = [
        [len(chunk) for chunk in chunks_until_pause(inputs, seconds=60, characters=most, size=characters_of)]
        for most in (few, many)
    ]
    assert cut == [[64, 64, 64, 8], [7] * 28 + [4]]


def test_slow_inputs_are_read_ahead_up_to_a_number_of_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelkit.label.slow_input.CHARACTERS_AHEAD", 10_000)
    read: list[str] = []

    def inputs() -> Iterator[Example]:
        for number in range(50):
            read.append(str(number))
            yield Example(id=str(number), text="x" * (50_000 if number == 20 else 1000))

    cut = chunks_until_pause(inputs(), records=1, seconds=60, size=characters_of)
    for number in range(50):
        assert [one.id for one in next(cut)] == [str(number)]
        assert len(read) <= number + 13  # ten wait, one is with the reader, and one with us
    assert list(cut) == []


def test_more_types_than_the_limit_are_refused_with_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.conll"
    path.write_text("".join(f"word B-T{number}\n\n" for number in range(60)))
    home = tmp_path / "home"
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    given = ["--columns", "tokens=0,ner=1", "--set", "data.max_types=50"]
    assert main(["run", "ner", "--data", str(path), *given]) == 1
    said = capsys.readouterr().err
    assert "train has 60 span types of 'ner', more than 50: 'T0', 'T1', 'T10', …" in said
    assert "--set data.max_types=60" in said
    assert not list(home.glob("runs/*"))


def test_plain_labels_of_words_are_counted_too() -> None:
    schema = Schema(name="pos", kind="token", labels=("A", "B", "C"))
    check_types(schema, most=3)
    with pytest.raises(DataError, match="3 different labels of 'pos', more than 2"):
        check_types(schema, most=2)


def test_tables_of_scores_show_the_most_frequent_types() -> None:
    per_type = {
        f"T{number:03}": {"f1": 0.5, "precision": 0.5, "recall": 0.5, "support": number} for number in range(300)
    }
    shown, left_out = most_frequent_types(per_type)
    assert (list(shown), left_out) == ([f"T{number:03}" for number in range(200, 300)], 200)
    assert most_frequent_types(shown) == (shown, 0)
    out = StringIO()
    print_scores(Console(file=out, width=120), "test", {"per_type": per_type, "f1": 0.5})
    assert "T299" in out.getvalue()
    assert "T199" not in out.getvalue()
    assert "and 200 rarer types: --json has all" in out.getvalue()


def test_a_card_names_the_most_frequent_types(trained: labelkit.RunResult, home: Path) -> None:
    card = card_of_run(find_run("shared", Home(root=home)), Catalog.load())
    assert card.info is not None
    info = replace(card.info, schema=Schema.bio("ner", *(f"T{number}" for number in range(130))))
    text = replace(card, info=info).body()
    assert "T99 and 30 more." in text
