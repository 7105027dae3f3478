"""Raw text is split as the test corpora are; the corpora are found by LABELKIT_DATA alone."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from detokeniser import detokenise, shared_borders, with_loose_marks
from labelkit.data.sources import SOURCES
from labelkit.records import Example, LoadContext
from labelkit.text.sentences import sentences, split_document
from labelkit.text.splitters import words

pytestmark = pytest.mark.realdata
CORPORA = ("conll2003", "wnut17")


@cache
def examples(name: str) -> tuple[Example, ...]:
    root = os.environ.get("LABELKIT_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"LABELKIT_DATA holds no {name}")
    source = next(source for source in SOURCES if source.name == name)
    return tuple(source.load("test", LoadContext(root=Path(root))))


def split_sentences(name: str) -> list[tuple[str, ...]]:
    return [example.words or () for example in examples(name)]


@pytest.mark.parametrize("name", CORPORA)
def test_words_joined_by_a_blank_are_found_again(name: str) -> None:
    given = split_sentences(name)
    same = sum(tuple(" ".join(row)[start:end] for start, end in words(" ".join(row))) == row for row in given)
    assert same / len(given) >= 0.999


@pytest.mark.parametrize(("name", "floor"), [("conll2003", 0.998), ("wnut17", 0.98)])
def test_word_borders_of_detokenised_text_agree(name: str, floor: float) -> None:
    shared = together = 0
    for row in split_sentences(name):
        text, offsets = detokenise(row)
        counts = shared_borders(offsets, words(text))
        shared, together = shared + counts[0], together + counts[1]
    assert 2 * shared / together >= floor


@pytest.mark.parametrize(("name", "floor"), [("conll2003", 0.999), ("wnut17", 0.98)])
def test_word_borders_agree_where_quotes_and_brackets_stand_between_blanks(name: str, floor: float) -> None:
    shared = together = 0
    for row in split_sentences(name):
        text, offsets = with_loose_marks(row)
        counts = shared_borders(offsets, words(text))
        shared, together = shared + counts[0], together + counts[1]
    assert 2 * shared / together >= floor


def test_words_of_detokenised_news_are_whole_words_again() -> None:
    found = total = 0
    for row in split_sentences("conll2003"):
        text, offsets = detokenise(row)
        found += len(set(offsets) & set(words(text)))
        total += len(offsets)
    assert found / total >= 0.995


def test_sentences_of_running_text_are_found() -> None:
    """UD-EWT: e-mails, reviews, weblogs; many of its sentences end without any mark, and those cannot be found."""
    found = right = gold = 0
    for text, ends in paragraphs():
        mine = {end for _, end in sentences(text)} - {len(text)}
        found, right, gold = found + len(mine), right + len(mine & ends), gold + len(ends)
    assert right / found >= 0.97
    assert right / gold >= 0.75


def test_documents_keep_every_word_in_its_place() -> None:
    for text, _ in paragraphs():
        rows = split_document(text, "words")
        flat = [place for row in rows for place in row]
        assert flat == sorted(flat)
        assert "".join(text[start:end] for start, end in flat) == "".join(text.split())


def paragraphs() -> list[tuple[str, set[int]]]:
    """Return the paragraphs of UD-EWT's test split, with the ends of their sentences but for the last."""
    import gzip

    root = os.environ.get("LABELKIT_DATA")
    path = Path(root or "") / "ud_ewt" / "en_ewt-ud-test.conllu.gz"
    if not root or not path.is_file():
        pytest.skip("LABELKIT_DATA holds no ud_ewt")
    groups: list[list[str]] = []
    for line in gzip.decompress(path.read_bytes()).decode("utf-8").splitlines():
        if line.startswith(("# newdoc", "# newpar")):
            groups.append([])
        elif line.startswith("# text = "):
            groups[-1].append(line.removeprefix("# text = ").strip())
    return [(" ".join(group), _ends(group)) for group in groups if group]


def _ends(group: list[str]) -> set[int]:
    return {len(" ".join(group[:count])) for count in range(1, len(group))}
