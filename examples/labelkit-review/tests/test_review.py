"""The contract of the plugin ``review``, and what its two parts promise beside it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelkit import Coverage, LabelkitError, Labelled, LoadContext, Place, Predictions, Schema
from labelkit.testing import Check, contract
from labelkit_review import brackets, overlap
from labelkit_review.spans import spans_of


@contract("review")
def test_contract(check: Check) -> None:
    check()


class Memory:
    """An output that keeps what is written."""

    def __init__(self) -> None:
        self.stream: BinaryIO = io.BytesIO()

    def beside(self, suffix: str) -> BinaryIO:
        raise AssertionError("one file is enough")


def record(words: tuple[str, ...], labels: tuple[str, ...]) -> Labelled:
    coverage = Coverage(words=len(words), windows=0)
    return Labelled(id="1", text=" ".join(words), words=words, labels=labels, coverage=coverage)


def written(words: tuple[str, ...], labels: tuple[str, ...]) -> str:
    memory = Memory()
    brackets.write([record(words, labels)], memory)
    memory.stream.seek(0)
    return memory.stream.read().decode()


def test_a_sentence_reads_like_text() -> None:
    words = ("Ada", "Lovelace", "lives", "in", "London", ".")
    assert written(words, ("B-person", "I-person", "O", "O", "B-location", "O")) == (
        "[Ada Lovelace](person) lives in [London](location) .\n"
    )


tags = st.sampled_from(("O", "B-a", "I-a", "B-b (c)", "I-b (c)", "S-a", "E-a", "U-", "L-a"))


@given(st.lists(st.tuples(st.text(max_size=5) | st.sampled_from(("[", "](a)", "\\", "", "\ud83d", "\\u{5}")), tags)))
def test_any_words_are_read_as_they_were_written(pairs: list[tuple[str, str]]) -> None:
    words, labels = tuple(word for word, _ in pairs), tuple(label for _, label in pairs)
    line = written(words, labels).removesuffix("\n")
    assert "\n" not in line
    found, spans = brackets._parsed(line, Place(file="x", line=1))
    assert found == words
    assert spans == spans_of(labels)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("[Ada lives", "a span does not end"),
        ("Ada](person) lives", "a span of type 'person' ends that has not begun"),
        ("[Ada [Lovelace](person)", "a span begins inside another one"),
        ("Ada  lives", "there are two spaces in a row, or brackets round nothing"),
        ("[](person)", "there are two spaces in a row, or brackets round nothing"),
        ("Ada ", "the line ends with a space"),
        ("Ada ]x", "']x' is no word"),
    ],
)
def test_a_line_that_is_not_written_so_is_named(line: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "a.brackets"
    path.write_text(f"fine\n{line}\n", encoding="utf-8")
    with pytest.raises(LabelkitError) as error:
        list(brackets.read(path, LoadContext()))
    assert error.value.message == f"{path}:2: {fault}"


def test_labels_that_are_no_spans_are_refused() -> None:
    with pytest.raises(LabelkitError, match="has the label 'NOUN', which is no tag of a span"):
        written(("Ada",), ("NOUN",))


@pytest.mark.parametrize(
    ("gold", "guess", "figures"),
    [
        ("B-a I-a O", "B-a O O", (1.0, 1.0, 1.0)),
        ("B-a I-a O", "O O B-a", (0.0, 0.0, 0.0)),
        ("B-a I-a O", "B-b I-b O", (0.0, 0.0, 0.0)),
        ("B-a O B-a", "B-a O O", (1.0, 0.5, 2 / 3)),
        ("B-a I-a I-a", "B-a B-a O", (1.0, 1.0, 1.0)),
        ("O O O", "O O O", (0.0, 0.0, 0.0)),
    ],
)
def test_a_span_is_right_when_it_overlaps_one_of_its_type(
    gold: str, guess: str, figures: tuple[float, float, float]
) -> None:
    schema = Schema.bio("x", "a", "b")
    found = overlap.compute(
        Predictions(references=[tuple(gold.split())], predictions=[tuple(guess.split())], schema=schema)
    )
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx(figures)
