"""Sentences of long texts: nothing visible is lost, offsets are those of the untouched text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelkit.errors import DataError, LabelkitError
from labelkit.text.sentences import sentences, split_document
from labelkit.text.splitters import split

PIECES = (
    *" \n\t\r.!?…。！？؟।\"')」aIé5日-*:;,",
    "Mr.",
    "U.S.",
    "No.",
    "\n\n",
    "\r\n",
    "\n- ",
    "1. ",
    " :)",
    "\x1c",
    "\u2029",
    "👩",
)
WILD = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@given(WILD)
@settings(max_examples=500, deadline=None)
def test_each_visible_character_is_in_exactly_one_sentence(text: str) -> None:
    end_before = 0
    for start, end in sentences(text):
        assert end_before <= start < end
        assert text[end_before:start].strip() == ""
        assert text[start:end] == text[start:end].strip()
        end_before = end
    assert text[end_before:].strip() == ""


@pytest.mark.parametrize(
    "expected",
    [
        ["Tim came.", "He left!", "Why?", "I know..."],
        ["Mr. Smith met a U.S. Senator of Foo Corp. Ltd. on Oct. 5."],
        ["He left the U.S. in May.", "I met J. R. Smith, e.g. at 5 p.m. sharp.", "Yes."],
        ["They moved to the U.S.", "He stayed at Foo Inc.", "The end."],
        ["It cost $3.14.", "See No. 5 of fig. 2, or say no.", "Sure."],
        ["See www.x.org or node.js.", "Good."],
        ["“Go away!” he said.", "(Really?)", '"Yes."', "Then he left."],
        ["What?", "NO!", "Wow... ok.", "thanks a lot."],
        ["Thanks! :)", "See you."],
        ["He won 5 of 6.", "She won in 1996.", "All of 5."],
        ["Three things.", "1. Warm air.", "2. Cold air."],
        ["I 'm in .", "He is out ."],
    ],
)
def test_sentences_end_where_people_end_them(expected: list[str]) -> None:
    assert found(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["これは文です。", "「次の文！」", "本当？", "はい。"],
        ["你好！", "再见。", "价格是3.14元。"],
        ["What?", "Yes!", "Ok"],
    ],
)
def test_sentences_without_blanks_between(expected: list[str]) -> None:
    assert found("".join(expected)) == expected


def test_sentences_of_other_scripts() -> None:
    assert found("هل أنت هنا؟ نعم. यह है। ठीक।") == ["هل أنت هنا؟", "نعم.", "यह है।", "ठीक।"]


@pytest.mark.parametrize("border", ["\n\n", "\r\n\r\n", "\n \t\n", "\r\r", "\f", "\u2029"])
def test_a_blank_line_ends_a_sentence(border: str) -> None:
    assert found(f"A heading{border}and text") == ["A heading", "and text"]


def test_a_line_break_ends_a_sentence_only_before_an_item_of_a_list() -> None:
    assert found("Some wrapped\ntext of the U.S.\narmy") == ["Some wrapped\ntext of the U.S.\narmy"]
    assert found("We have\n- milk\n* tea\n2. jam\n") == ["We have", "- milk", "* tea", "2. jam"]


def test_words_of_documents_have_the_offsets_of_the_document() -> None:
    text = "\n Tim's in  Rome. \n\n東京は🇯🇵。Say no.\tHe's 5."
    rows = split_document(text, "words")
    assert [[text[start:end] for start, end in row] for row in rows] == [
        ["Tim", "'s", "in", "Rome", "."],
        ["東", "京", "は", "🇯🇵", "。"],
        ["Say", "no", "."],
        ["He", "'s", "5", "."],
    ]


@given(WILD, st.sampled_from(["words", "whitespace", "characters"]))
@settings(max_examples=200, deadline=None)
def test_documents_lose_nothing(text: str, splitter: str) -> None:
    flat = [place for row in split_document(text, splitter) for place in row]
    assert flat == sorted(flat)
    assert "".join(text[start:end] for start, end in flat) == "".join(text.split())
    if splitter == "whitespace" and not set(text) & set(".!?…。！？؟।\n\r\f\u2029｡۔॥։‼⁇⁈⁉"):
        assert tuple(flat) == split(text, splitter)


def test_documents_need_a_splitter() -> None:
    with pytest.raises(DataError, match="the splitter is 'none'"):
        split_document("Rome.", "none")
    with pytest.raises(LabelkitError, match="unknown word splitter 'wrods'"):
        split_document("Rome.", "wrods")


HOSTILE = (
    ".",
    "!",
    "a.",
    "a. ",
    "Mr. ",
    "! ",
    "1. ",
    "\n",
    "\n ",
    "\r ",
    "\r\n",
    "\n- ",
    "。",
    "!'",
    '"',
    ". :)",
    " .",
    "J.K. ",
    " ",
)


def test_long_hostile_texts_take_linear_time() -> None:
    program = (
        "from labelkit.text.sentences import sentences\n"
        f"for unit in {HOSTILE!r}:\n"
        "    text = unit * (200_000 // len(unit))\n"
        "    found = sentences(text)\n"
        "    assert bool(found) == bool(text.strip())\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
