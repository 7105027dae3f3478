"""Capitals under a tokenizer that lower-cases: marked, saved with the checkpoint, the same wherever it is opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from labelkit.models import case_marks as case
from labelkit.models.references import resolve
from labelkit.models.tokenizer import load_tokenizer
from labelkit.plugins.catalog import Catalog
from labelkit.records import LoadContext


@pytest.fixture(scope="module")
def folder() -> Path:
    """Return the bundled encoder, whose tokenizer lower-cases."""
    return Path(resolve("bundled", Catalog.load().encoders, LoadContext()).folder)


@pytest.fixture(scope="module")
def plain(folder: Path) -> PreTrainedTokenizerBase:
    """Return its tokenizer as it is."""
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def marked(folder: Path) -> PreTrainedTokenizerBase:
    """Return its tokenizer with marks."""
    return load_tokenizer(folder, mark_case=True)


MARKS = set(case.MARKS.values())


def pieces(tokenizer: PreTrainedTokenizerBase, *words: str) -> list[str]:
    tokens: list[str] = tokenizer(list(words), is_split_into_words=True, add_special_tokens=False).tokens()
    return tokens


def test_capitalised_words_are_marked_once(marked: PreTrainedTokenizerBase) -> None:
    assert pieces(marked, "Paris", "A", "iPhone", "paris", "14") == ["paris", "^", "a", "^", "iphone", "paris", "14"]
    assert pieces(marked, "O'Neil") == ["o", "^", "'", "neil", "^"]
    for word in ("Élan", "E\u0301lan", "Ωμέγα", "McDonald", "DNAs", "Q\u0301"):
        assert pieces(marked, word)[-1] == "^"


def test_words_of_capitals_have_a_mark_of_their_own(marked: PreTrainedTokenizerBase) -> None:
    assert pieces(marked, "JAPAN", "WINS", ",", "Japan") == ["japan", "~", "wins", "~", ",", "japan", "^"]
    assert pieces(marked, "AT&T", "US-based") == ["at", "~", "&", "t", "^", "us", "~", "-", "based"]
    for word in ("ÄÖ", "E\u0301U", "ΩΜ"):
        assert pieces(marked, word)[-1] == "~"


def unmarked(tokenizer: PreTrainedTokenizerBase, words: list[str]) -> list[tuple[str, int | None]]:
    found = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
    return [pair for pair in zip(found.tokens(), found.word_ids(), strict=True) if pair[0] not in MARKS]


@given(
    words=st.lists(st.from_regex(r"[A-Za-zÄÖÜßéΩω]{1,8}([-'./][A-Za-z]{1,6})?", fullmatch=True), min_size=1, max_size=6)
)
def test_without_the_marks_the_sub_tokens_are_those_of_before(
    plain: PreTrainedTokenizerBase, marked: PreTrainedTokenizerBase, words: list[str]
) -> None:
    assert unmarked(marked, words) == unmarked(plain, words)


@given(words=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6))
def test_every_word_keeps_its_sub_tokens_and_begins_with_no_mark(
    plain: PreTrainedTokenizerBase, marked: PreTrainedTokenizerBase, words: list[str]
) -> None:
    words = [word.replace("^", "").replace("~", "") for word in words]
    assert {word for _, word in unmarked(marked, words)} == {word for _, word in unmarked(plain, words)}
    found = marked(words, is_split_into_words=True, add_special_tokens=False)
    begins = [
        token
        for token, word, before in zip(found.tokens(), found.word_ids(), [None, *found.word_ids()], strict=False)
        if word != before
    ]
    assert not MARKS & set(begins)


def test_a_saved_tokenizer_marks_wherever_it_is_opened(marked: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    marked.save_pretrained(tmp_path)
    words = ["The", "EU", "rejects", "German", "call"]
    for opened in (AutoTokenizer.from_pretrained(tmp_path), load_tokenizer(tmp_path)):
        assert pieces(opened, *words) == pieces(marked, *words)
        assert opened.model_max_length == marked.model_max_length
        assert opened.special_tokens_map == marked.special_tokens_map
        assert opened.model_input_names == marked.model_input_names


def test_marks_are_not_put_twice(marked: PreTrainedTokenizerBase) -> None:
    assert not case.supports_case_marks(marked)
    assert case.add_case_marks(marked) is marked


def test_a_tokenizer_that_keeps_capitals_stays_as_it_is(tiny: Path) -> None:
    from tokenizers import normalizers

    kept = load_tokenizer(tiny)
    kept.backend_tokenizer.normalizer = normalizers.NFC()
    assert case.add_case_marks(kept) is kept


def test_offsets_still_point_at_the_text(marked: PreTrainedTokenizerBase) -> None:
    text = "In Paris 😀 the EU met."
    found = marked(text, return_offsets_mapping=True, add_special_tokens=False)
    spans = {text[start:end] for start, end in found["offset_mapping"]}
    assert {"In", "Paris", "EU", "met", "."} <= spans
