"""Notations of tags that people write: each is read as the spans that it stands for, and named."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelkit.data.label_notation import read_labels
from labelkit.errors import DataError
from labelkit.labels.brackets import are_brackets, bracket_spans, outer_spans
from labelkit.labels.number_names import named_numbers
from labelkit.labels.schemes import SpanTuple, spans_of, tags_of
from labelkit.labels.tag_styles import detect_style, mirrored_violations
from labelkit.records import Example, LoadContext
from reading_contexts import reading

SPANS: list[SpanTuple] = [(0, 2, "PER"), (3, 4, "LOC"), (4, 7, "LOC")]
IOB2 = ("B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "I-LOC", "O")
#: notation → the same spans in it, and what is said of it
NOTATIONS = {
    "BMES": ("B-PER E-PER O S-LOC B-LOC M-LOC E-LOC O", "the tags are BMES, with M read as I"),
    "BMEWO": ("B-PER E-PER O W-LOC B-LOC M-LOC E-LOC O", "the tags are BMEWO, with M read as I and W read as S"),
    "BIEWO": ("B-PER E-PER O W-LOC B-LOC I-LOC E-LOC O", "the tags are BMEWO, with W read as S"),
    "suffix": ("PER-B PER-I O LOC-B LOC-B LOC-I LOC-I O", "tags such as 'PER-B' are read as 'B-PER'"),
    "suffix_": ("PER_B PER_I O LOC_B LOC_B LOC_I LOC_I O", "tags such as 'PER_B' are read as 'B-PER'"),
    "underscore": ("B_PER I_PER O B_LOC B_LOC I_LOC I_LOC O", "tags such as 'B_PER' are read as 'B-PER'"),
    "colon": ("B:PER I:PER O B:LOC B:LOC I:LOC I:LOC O", "tags such as 'B:PER' are read as 'B-PER'"),
    "lower": ("b-PER i-PER o b-LOC b-LOC i-LOC i-LOC o", "'o' is read as O: there is no O"),
    "zero": ("B-PER I-PER 0 B-LOC B-LOC I-LOC I-LOC 0", "'0' is read as O: there is no O"),
    "OUT": ("B-PER I-PER OUT B-LOC B-LOC I-LOC I-LOC OUT OUT OUT", "'OUT' is read as O: there is no O"),
    "hyphen alone": ("B-PER I-PER - B-LOC B-LOC I-LOC I-LOC - - -", "--set data.unknown_label=- reads it as unknown"),
    "B-O": ("B-PER I-PER B-O B-LOC B-LOC I-LOC I-LOC I-O", "'B-O' and 'I-O' are read as O: there is no O"),
    "dash": ("B–PER I–PER O B–LOC B–LOC I–LOC I–LOC O", "'B–PER' are read as 'B-PER': --set data.scheme=IO"),
    "lower suffix, BIOES": ("PER-b PER-e o LOC-s LOC-b LOC-i LOC-e o", "tags such as 'PER-b' are read as 'B-PER'"),
    "underscore, BMES": ("B_PER E_PER O S_LOC B_LOC M_LOC E_LOC O", "the tags are BMES"),
    "IOE1": ("I-PER I-PER O E-LOC I-LOC I-LOC I-LOC O", "the tags are IOE1, where E- ends a span"),
    "IOE2": ("I-PER E-PER O E-LOC I-LOC I-LOC E-LOC O", "the tags are IOE2, where E- ends a span"),
}


def read(rows: Sequence[Sequence[str]], target: Any = "IOB2", **how: Any) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the labels of rows as they are trained with, and what was assumed."""
    examples = [
        Example(id=str(index), words=("w",) * len(row), labels={"ner": tuple(row)}) for index, row in enumerate(rows)
    ]
    ctx = reading(**how)
    found = read_labels({"train": examples}, "ner", target, ctx).splits["train"]
    return [tuple(one.labels["ner"]) for one in found], list(ctx.policy.assumptions)


def failure(rows: Sequence[Sequence[str]], **how: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read(rows, **how)
    return caught.value


@pytest.mark.parametrize("name", NOTATIONS)
def test_notations_are_read_as_their_spans_and_said(name: str) -> None:
    tags, said = NOTATIONS[name]
    found, assumed = read([tags.split()])
    assert found == [IOB2 + ("O",) * (len(tags.split()) - 8)]
    assert said in " | ".join(assumed)


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU"])
def test_the_four_schemes_are_not_said(scheme: Any) -> None:
    assert read([tags_of(SPANS, 8, scheme)] * 2) == ([IOB2] * 2, [])


def test_types_without_prefix_are_runs() -> None:
    found, assumed = read([["PER", "PER", "O", "LOC", "PER", "O", "O"], ["O", "O", "LOC"]])
    assert found == [("B-PER", "I-PER", "O", "B-LOC", "B-PER", "O", "O"), ("O", "O", "B-LOC")]
    assert assumed == [
        (
            "labels such as 'PER', 'LOC' have no prefix (IO): neighbouring words of one type are one span: "
            "--set data.scheme=… says otherwise"
        )
    ]
    assert read([["PER", "PER"]], scheme="IO") == ([("B-PER", "I-PER")], [])


def test_tags_without_type_have_one() -> None:
    found, assumed = read([["B", "I", "O", "B"]])
    assert found == [("B-ENTITY", "I-ENTITY", "O", "B-ENTITY")]
    assert assumed == [
        "the tags B, I name no type, their spans are of type 'ENTITY': --set data.default_type=NAME names it"
    ]
    assert read([["B", "I", "O", "B"]], default_type="Gene") == ([("B-Gene", "I-Gene", "O", "B-Gene")], [])
    assert read([["B", "M", "E", "O", "S"]], default_type="X")[0] == [("B-X", "I-X", "I-X", "O", "B-X")]


@pytest.mark.parametrize(
    ("rows", "how", "message", "hint"),
    [
        ([["B-PER"] * 20 + ["B_PER"]], {}, "'B_PER' is not a tag", "write B-PER"),
        ([["B-PER"] * 20 + ["PER"]], {}, "'PER' is not a tag", "write B-PER or I-PER"),
        ([["B-PER"] * 20 + ["O", "o"]], {}, "'o' is not a tag", "write O"),
        ([["B-PER"] * 20 + ["I"]], {}, "tag 'I' names no type", "write I-TYPE, or name the type: --set data.default_"),
        ([["NOUN", "VERB"]], {}, "'NOUN' is not a tag", "--set data.scheme=IO reads neighbouring words of one label"),
        ([["PER", "O"]], {"scheme": "IOB2"}, "'PER' is not a tag", "--set data.scheme=IO"),
        ([["1", "0"]], {}, "'1' is not a tag", "numbers of labels need names: --set data.label_names"),
        ([["E-PER", "I-PER", "O"]], {"scheme": "IOE2"}, "tag 'I-PER' does not fit IOE2", "data.repair=true"),
        ([["B-PER", "M-PER", "I-PER", "E-PER"]], {}, "'M-PER' is not a tag", "write I-PER"),
        ([["O", "B-PER|B-LOC"]], {}, "a word has several tags, 'B-PER|B-LOC'", "one tag for each word"),
        ([["B-PER", "OUT", "NO"]], {}, "'OUT' is not a tag", "--set data.scheme=IO"),
        ([["7", "O"]], {"label_names": ["O", "B-x"]}, "label '7' has no name in data.label_names", "add its name"),
    ],
)  # fmt: skip
def test_mistakes_have_a_hint_that_fits(rows: list[list[str]], how: dict[str, Any], message: str, hint: str) -> None:
    error = failure(rows, **how)
    assert message in error.message
    assert hint in str(error.hint)


def test_numbers_get_their_names(tmp_path: Path) -> None:
    names = ["O", "B-PER", "I-PER"]
    assert read([["1", "2", "0"]], label_names=names) == ([("B-PER", "I-PER", "O")], [])
    mapped = {name: number for number, name in enumerate(names)}
    for content in (mapped, {"label2id": mapped}, {"0": "O", "1": "B-PER", "2": "I-PER"}, names):
        (tmp_path / "names.json").write_text(json.dumps(content))
        assert named_numbers(str(tmp_path / "names.json")) == {"0": "O", "1": "B-PER", "2": "I-PER"}
    (tmp_path / "names.txt").write_text("O\nB-PER\nI-PER\n")
    assert named_numbers(str(tmp_path / "names.txt")) == {"0": "O", "1": "B-PER", "2": "I-PER"}
    for odd, message in (("[1]", "holds no names"), ("{", "broken JSON"), ("{}", "holds no names")):
        (tmp_path / "odd.json").write_text(odd)
        with pytest.raises(DataError, match=message):
            named_numbers(str(tmp_path / "odd.json"))
    with pytest.raises(DataError, match="does not exist"):
        named_numbers(str(tmp_path / "none.json"))


def test_plain_labels_stay_and_tags_among_them_are_said() -> None:
    assert read([["NN", "O", "VB"]], target=None) == ([("NN", "O", "VB")], [])
    (kept,), assumed = read([["B-PER", "O"]], target=None, plain_labels=True)
    assert kept == ("B-PER", "O")
    assert assumed == [
        "the plain labels of 'ner' look like tags of spans (B-PER): choose another column with --columns ner=…"
    ]


@pytest.mark.parametrize(
    ("counts", "spans", "style"),
    [
        ({"PER": 2, "O": 9}, None, True),  # without a task where O prevails
        ({"N": 5, "V": 4, "O": 1}, None, False),  # pronouns of a tag set for tweets
        ({"N": 5, "V": 4, "O": 1}, True, True),
        ({"PER": 2, "O": 9}, False, False),
        ({"1": 2, "0": 9}, True, False),
        ({"O": 9}, True, False),
        ({}, True, False),
    ],
)
def test_what_is_taken_for_types(counts: dict[str, int], spans: bool | None, style: bool) -> None:
    assert (detect_style(counts, lambda: iter(()), spans=spans) is not None) == style


TYPE = st.sampled_from(["PER", "LOC", "creative-work", "x_y"])


@st.composite
def spans_and_length(draw: st.DrawFn) -> tuple[list[SpanTuple], int]:
    spans, at = [], 0
    for _ in range(draw(st.integers(1, 5))):
        start = at + draw(st.integers(0, 2))
        at = start + draw(st.integers(1, 4))
        spans.append((start, at, draw(TYPE)))
    return spans, at + draw(st.integers(0, 2))


@given(drawn=spans_and_length(), form=st.sampled_from(["{0}_{1}", "{0}:{1}", "{1}-{0}", "{2}-{1}"]))
def test_any_spans_are_read_back_from_any_form(drawn: tuple[list[SpanTuple], int], form: str) -> None:
    spans, length = drawn
    tags = tags_of(spans, length, "BIOES")
    written = [tag if tag == "O" else form.format(tag[0], tag[2:], tag[0].lower()) for tag in tags]
    (found,), _ = read([written], scheme="BIOES")
    assert spans_of(found, "IOB2") == spans


@given(drawn=spans_and_length(), scheme=st.sampled_from(["IOE1", "IOE2"]))
def test_spans_are_read_back_from_ioe(drawn: tuple[list[SpanTuple], int], scheme: Any) -> None:
    spans, length = drawn
    backwards = [(length - end, length - start, type_) for start, end, type_ in reversed(spans)]
    mirrored = tags_of(backwards, length, "IOB1" if scheme == "IOE1" else "IOB2")
    written = ["E" + tag[1:] if tag[:2] == "B-" else tag for tag in reversed(mirrored)]
    assert mirrored_violations(written, scheme) == []
    (found,), _ = read([written], scheme=scheme)
    assert spans_of(found, "IOB2") == spans


@given(drawn=spans_and_length())
def test_spans_are_read_back_from_brackets(drawn: tuple[list[SpanTuple], int]) -> None:
    spans, length = drawn
    written = []
    for index in range(length):
        opened = "".join(f"({type_}" for start, _, type_ in spans if start == index)
        written.append(f"{opened}*{')' * sum(end == index + 1 for _, end, _ in spans)}")
    assert are_brackets(written)
    assert outer_spans(bracket_spans(written)) == spans


@given(rows=st.lists(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=5), min_size=1, max_size=4))
def test_no_label_disappears_in_silence(rows: list[list[str]]) -> None:
    """Whatever labels are: each word keeps a label, O stays O, and what changes was said."""
    examples = {"train": [Example(id="1", words=("w",) * len(row), labels={"x": tuple(row)}) for row in rows]}
    ctx = replace(LoadContext(), policy=reading().policy)
    try:
        found = read_labels(examples, "x", "IOB2", ctx).splits["train"]
    except DataError:
        return
    for row, one in zip(rows, found, strict=True):
        labels = one.labels["x"]
        assert len(labels) == len(row)
        lost = [old for old, new in zip(row, labels, strict=True) if new == "O" and old != "O"]
        assert not lost or any("is read as O" in statement for statement in ctx.policy.assumptions)
    assert Counter(row.count("O") for row in rows) <= Counter(one.labels["x"].count("O") for one in found) or (
        ctx.policy.assumptions
    )
