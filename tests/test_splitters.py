"""Raw text into words: nothing visible is lost, words are those of corpora, and time grows with the text alone."""

from __future__ import annotations

import json
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labelkit import settings as run_settings
from labelkit.config.validation import validate
from labelkit.errors import DataError, LabelkitError
from labelkit.formats.builtin import FORMATS
from labelkit.records import DataSettings, LoadContext
from labelkit.text.patterns import Patterns
from labelkit.text.splitters import SPLITTERS, characters, find_splitter, split

SPLITTING = sorted(set(SPLITTERS) - {"none"})
PIECES = (
    *" \n\t.,;:!?'’\"“”()[]-_*@#&/\\%$€aIé9日本のカ한ไทय",
    "n't",
    "'s",
    "http://",
    "www.",
    "U.S.",
    "No.",
    "...",
    "<3",
    "\u00a0",
    "\u1680",
    "\u200b",
    "\u200d",
    "\ufe0f",
    "\x1c",
    "\x85",
    "\u0301",
    "\u0600",
    "\u0d4e",
    "👩",
    "🇯🇵",
    "\ud800",
)
WILD = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


def pieces(text: str, splitter: str = "words") -> list[str]:
    return [text[start:end] for start, end in split(text, splitter)]


@pytest.mark.parametrize("name", SPLITTING)
@given(text=WILD)
@example(text="\u0600 a")  # a cluster that reaches over a blank
@example(text="a \u0301")
@settings(max_examples=300, deadline=None)
def test_each_visible_character_is_in_exactly_one_word(name: str, text: str) -> None:
    end_before = 0
    for start, end in split(text, name):
        assert end_before <= start < end
        assert text[end_before:start].strip() == ""
        assert not any(character.isspace() for character in text[start:end])
        end_before = end
    assert text[end_before:].strip() == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tim's in the U.S., 14-6.", "Tim 's in the U.S. , 14-6 ."),
        ("Paris.", "Paris ."),
        ("I don't, we've.", "I do n't , we 've ."),
        ("DON’T! She’ll can't", "DO N’T ! She ’ll ca n't"),
        ("@user #tag http://x.y/z?a=b, www.x.y.", "@user #tag http://x.y/z?a=b , www.x.y ."),
        ("@tim's mail: e.x+y@mail.co.uk.", "@tim 's mail : e.x+y@mail.co.uk ."),
        ("nice :-) :D ;) <3 (really) -_-", "nice :-) :D ;) <3 ( really ) -_-"),
        ("“Ja”, 3,000 €", "“ Ja ” , 3,000 €"),
        ("AT&T and/or J.K. Rowling", "AT&T and/or J.K. Rowling"),
        ("Mr. Smith of Foo Corp. (U.S.-led)", "Mr. Smith of Foo Corp. ( U.S.-led )"),
        ("Say no. No. 5 takes vitamin C.", "Say no . No. 5 takes vitamin C ."),
        ("1. FC Köln won in 1996. Then 7:30", "1. FC Köln won in 1996 . Then 7:30"),
        ("US$5 £3.50 -5 +44 .500 5%", "US$ 5 £ 3.50 -5 +44 .500 5 %"),
        ("Wait... what?! No!!", "Wait ... what ?! No !!"),
        ("the '90s, 'quoted' O'Neill", "the '90s , ' quoted ' O'Neill"),
        ("one,two f**k R &amp; B*", "one , two f**k R &amp; B*"),
        ("l'été, c’est", "l'été , c’est"),
        ("東京タワーへ", "東 京 タワー へ"),
        ("👨‍👩‍👧 🇯🇵 cafe\u0301", "👨‍👩‍👧 🇯🇵 cafe\u0301"),
    ],
)
def test_words_are_those_of_corpora(text: str, expected: str) -> None:
    assert pieces(text) == expected.split()


@pytest.mark.parametrize(
    "text",
    [
        "I'm in , he isn't .",
        "the ( so called) end , she said .",
        "Mr. Foo of Bar Bhd. , aged 5 .",
        "Great !",
        "wo n't",
        "``Quoted '' , he said",
        "http://x.y/z.",
    ],
)
def test_a_text_that_was_split_before_is_split_at_blanks(text: str) -> None:
    assert pieces(text) == text.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Oui, oui ! C'est fini.", "Oui , oui ! C'est fini ."),
        ("Il est parti. Vraiment ! Oui !", "Il est parti . Vraiment ! Oui !"),
        ("hello , how are you? I'm fine, Tim.", "hello , how are you ? I 'm fine , Tim ."),
        ("so ... I'm here", "so ... I 'm here"),
        ("a - b, I'm", "a - b , I 'm"),
        ("I met Ana in Rome. Then I left. See below .", "I met Ana in Rome . Then I left . See below ."),
        ('" I met Ana in Rome " he said.', '" I met Ana in Rome " he said .'),
        ("He met ( Ana ) , ( Bob ) and left.", "He met ( Ana ) , ( Bob ) and left ."),
    ],
)
def test_a_stray_mark_between_blanks_does_not_make_a_text_split(text: str, expected: str) -> None:
    assert pieces(text) == expected.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京 は", ["東", "京", "は"]),
        ("e\u0301a", ["e\u0301", "a"]),
        ("👩‍👩‍👧🇯🇵🇩🇪", ["👩‍👩‍👧", "🇯🇵", "🇩🇪"]),
        ("กำ\r\n한", ["กำ", "한"]),
        ("\u0600 1\u06002", ["\u0600", "1", "\u06002"]),
    ],
)
def test_characters_are_grapheme_clusters(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in characters(text)] == expected


def test_whitespace_splits_nothing_else() -> None:
    assert pieces(" Tim's, \u00a0x.\n", "whitespace") == ["Tim's,", "x."]


def test_none_refuses_text_in_one_line() -> None:
    with pytest.raises(DataError, match="raw text cannot be split into words, the splitter is 'none'") as caught:
        split("Rome", "none")
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert caught.value.hint.startswith("give the words themselves")


def test_an_unknown_splitter_is_refused() -> None:
    with pytest.raises(LabelkitError, match="unknown word splitter 'word'") as caught:
        find_splitter("word")
    assert caught.value.hint == "did you mean words?"


def test_the_setting_knows_the_splitters() -> None:
    assert typing.get_args(run_settings.SplitterName) == tuple(SPLITTERS)
    assert validate("data.splitter", "characters") == "characters"
    with pytest.raises(LabelkitError, match=r"invalid data\.splitter: 'charakters'") as caught:
        validate("data.splitter", "charakters")
    assert caught.value.hint == "did you mean characters? it takes words, whitespace, characters, none"


@pytest.mark.parametrize(
    ("splitter", "expected"),
    [
        ("words", ("Rome", ",")),
        ("whitespace", ("Rome,",)),
        ("characters", ("R", "o", "m", "e", ",")),
        (None, ("Rome", ",")),
    ],
)
def test_spans_on_text_are_split_by_the_setting(
    tmp_path: Path, splitter: str | None, expected: tuple[str, ...]
) -> None:
    example = read_spans(tmp_path, {} if splitter is None else {"splitter": splitter}, [0, 5, "LOC"])
    assert example.words == expected
    assert set(example.labels["ner"]) <= {"B-LOC", "I-LOC"}


def test_spans_on_text_need_a_splitter(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"spans.jsonl:1: raw text cannot be split into words"):
        read_spans(tmp_path, {"splitter": "none"}, [0, 5, "LOC"])


def read_spans(folder: Path, settings: dict[str, Any], span: list[Any]) -> Any:
    path = folder / "spans.jsonl"
    path.write_text(json.dumps({"text": "Rome,", "spans": [span]}) + "\n", encoding="utf-8")
    format_ = next(item for item in FORMATS if item.name == "jsonl")
    assert format_.read is not None
    (found,) = format_.read(path, LoadContext(layer="ner", settings=DataSettings(**settings)))
    return found


HOSTILE = (
    "-",
    "'",
    '"',
    ".",
    "a.",
    "a..",
    "a-",
    "a'",
    "n't",
    "(",
    "(:",
    ":(",
    ":o",
    "@",
    "a@",
    "a.b@",
    "http://",
    "www.",
    "*",
    "a*",
    "1:",
    "&",
    "&a",
    "_",
    "U.S.",
    "No. ",
    " ",
    "\n",
    "1. ",
    " ,",
    "a, ",
    "日",
    "\u0301",
    "\u0600",
    "👨\u200d",
    "\\/",
    ", ' ",
)


@pytest.mark.slow
def test_long_hostile_texts_take_linear_time() -> None:
    """A quadratic rule takes hours for these texts, and the time limit ends it; a linear one takes seconds."""
    program = (
        "from labelkit.text.splitters import split\n"
        f"for unit in {HOSTILE!r}:\n"
        "    text = unit * (200_000 // len(unit))\n"
        "    for name in ('words', 'characters'):\n"
        "        assert sum(end - start for start, end in split(text, name)) == len(''.join(text.split()))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_patterns_are_compiled_only_when_text_is_split() -> None:
    program = "import sys, labelkit.text.splitters; sys.exit('regex' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("splitter", ["characters", "none"])
def test_a_checkpoint_keeps_its_splitter(splitter: str, tiny: Path, corpus: Path, tmp_path: Path) -> None:
    import labelkit

    run = labelkit.run(
        "ner",
        data=str(corpus),
        model=str(tiny),
        max_steps=1,
        settings={"data.splitter": splitter, "train.precision": "fp32"},
        home=tmp_path / "home",
    )
    info = json.loads((run.checkpoint / "labelkit.json").read_text(encoding="utf-8"))
    assert info["splitter"] == splitter
    labeller = labelkit.load(run.run, home=tmp_path / "home")
    assert labeller.label(["Rome", "is"]).words == ("Rome", "is")
    if splitter == "characters":
        assert labeller.label("東京").words == ("東", "京")
    else:
        with pytest.raises(LabelkitError, match="the splitter is 'none'"):
            labeller.label("Rome is")


@pytest.mark.parametrize("flags", [1, 2, 3, 1000, 1001])
@pytest.mark.parametrize("around", ["{}", "a{}b", "a \u200d{}.", "#{} x"])
def test_flags_are_split_in_linear_time(flags: int, around: str) -> None:
    r"""``\X`` counts the flags before each place: 80,000 took half a minute. Of a run of flags it is asked once."""
    run = "\U0001f1e9\U0001f1ea" * (flags // 2) + "\U0001f1e9" * (flags % 2)
    text = around.format(run)
    first = text.index(run)
    patterns = Patterns.compile()
    for pattern in (patterns.word, patterns.character):
        matches = [match for match in pattern.finditer(text) if first <= match.start() < first + flags]
        pairs = [(start, min(start + 2, first + flags)) for start in range(first, first + flags, 2)]
        assert [match.span() for match in matches] == pairs
        assert sum(match["cluster"] is not None for match in matches) == flags % 2
    marked = "\U0001f1e9\U0001f1ea\u0301\u200d"  # what follows a flag belongs to it
    assert patterns.character.fullmatch(marked)
