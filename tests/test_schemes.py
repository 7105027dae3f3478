from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelkit.errors import DataError
from labelkit.labels.schemes import (
    SCHEMES,
    SpanTuple,
    convert,
    detect,
    repair,
    spans_of,
    split_tag,
    tags_of,
    violation_error,
    violations,
)
from labelkit.records import Scheme

TYPES = ("PER", "creative-work", "B", "-", "ä")
some_scheme = st.sampled_from(SCHEMES)
any_tags = st.lists(
    st.one_of(st.just("O"), st.builds("{}-{}".format, st.sampled_from("BIESLU"), st.sampled_from(TYPES[:2]))),
    max_size=12,
)


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[SpanTuple], int]:
    """Spans in order, often touching, and the length of their sentence."""
    spans, at = [], 0
    for gap, length, type_ in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(TYPES)), max_size=6)
    ):
        spans.append((at + gap, at + gap + length, type_))
        at += gap + length
    return spans, at + draw(st.integers(0, 2))


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB1", "I-X I-X B-X O I-Y I-X"),
        ("IOB2", "B-X I-X B-X O B-Y B-X"),
        ("BIOES", "B-X E-X S-X O S-Y S-X"),
        ("BILOU", "B-X L-X U-X O U-Y U-X"),
    ],
)
def test_one_sentence_in_all_schemes(scheme: Scheme, tags: str) -> None:
    spans = [(0, 2, "X"), (2, 3, "X"), (4, 5, "Y"), (5, 6, "X")]
    assert tags_of(spans, 6, scheme) == tuple(tags.split())
    assert spans_of(tags.split(), scheme) == spans
    assert detect([tags.split()]).scheme == scheme


@given(sentence=sentences(), scheme=some_scheme)
def test_spans_and_tags_are_inverse(sentence: tuple[list[SpanTuple], int], scheme: Scheme) -> None:
    spans, length = sentence
    tags = tags_of(spans, length, scheme)
    assert len(tags) == length
    assert violations(tags, scheme) == []
    assert spans_of(tags, scheme) == spans


@given(sentence=sentences(), path=st.lists(some_scheme, min_size=1, max_size=8))
def test_any_chain_of_conversions_loses_nothing(sentence: tuple[list[SpanTuple], int], path: list[Scheme]) -> None:
    first = path[0]
    start = tags = tags_of(*sentence, first)
    for source, target in zip(path, [*path[1:], first], strict=True):
        tags = convert(tags, source, target)
    assert tags == start


@given(tags=any_tags, scheme=some_scheme)
def test_repair_gives_valid_tags_and_leaves_valid_ones_alone(tags: list[str], scheme: Scheme) -> None:
    fixed, count = repair(tags, scheme)
    assert violations(fixed, scheme) == []
    assert repair(fixed, scheme) == (fixed, 0)
    assert (count == 0) == (violations(tags, scheme) == []) == (fixed == tuple(tags))
    assert count == sum(a != b for a, b in zip(tags, fixed, strict=True))


@given(tags=any_tags)
def test_repair_means_the_same_in_every_scheme(tags: list[str]) -> None:
    assert len({tuple(spans_of(repair(tags, scheme)[0], scheme)) for scheme in SCHEMES}) == 1


@given(sequences=st.lists(any_tags, max_size=5))
def test_detection_counts_what_violations_counts(sequences: list[list[str]]) -> None:
    detection = detect(iter(sequences))
    for scheme in SCHEMES:
        found = [(n, i) for n, tags in enumerate(sequences) for i in violations(tags, scheme)]
        assert detection.violations[scheme] == len(found)
        assert detection.first.get(scheme) == (found[0] if found else None)
    assert detection.violations[detection.scheme] == min(detection.violations.values())


@given(data=st.lists(sentences(), min_size=1, max_size=5), scheme=some_scheme)
def test_valid_data_is_detected(data: list[tuple[list[SpanTuple], int]], scheme: Scheme) -> None:
    detection = detect(tags_of(spans, length, scheme) for spans, length in data)
    assert detection.scheme == (scheme if any(spans for spans, _ in data) else "IOB2")


@pytest.mark.parametrize(
    ("scheme", "tags", "wrong"),
    [
        ("IOB1", "B-X", [0]),
        ("IOB1", "I-X B-X O B-X", [3]),
        ("IOB1", "I-X B-Y", [1]),
        ("IOB1", "I-X I-Y I-X", []),
        ("IOB2", "I-X", [0]),
        ("IOB2", "O I-X I-X B-X", [1]),
        ("IOB2", "B-X I-Y", [1]),
        ("IOB2", "B-X E-X", [1]),
        ("BIOES", "B-X", [0]),
        ("BIOES", "B-X I-X", [1]),
        ("BIOES", "B-X O E-X", [0, 2]),
        ("BIOES", "B-X E-Y", [0, 1]),
        ("BIOES", "S-X E-X", [1]),
        ("BIOES", "B-X L-X", [0, 1]),
        ("BILOU", "U-X L-X B-X L-X", [1]),
        ("BILOU", "S-X", [0]),
        ("IOB2", "O B NN b-x -X B- o", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_strict_validity(scheme: Scheme, tags: str, wrong: list[int]) -> None:
    assert violations(tags.split(), scheme) == wrong
    if wrong and all("-" in tag[1:-1] or tag == "O" for tag in tags.split()):
        with pytest.raises(DataError, match="does not fit"):
            convert(tags.split(), scheme, "IOB2")


def test_a_prefix_that_a_scheme_lacks_is_named() -> None:
    for scheme, tags, why in (
        ("IOB2", ["O", "E-X"], "tag 'E-X' does not fit IOB2, which has no 'E-'"),
        ("BILOU", ["B-X", "E-X"], "tag 'E-X' does not fit BILOU, which has no 'E-'"),
        ("IOB2", ["O", "I-X"], "tag 'I-X' does not fit IOB2 after 'O', at the end of it"),
    ):
        assert violation_error(tags, 1, scheme).message == why  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scheme", "tags", "expected", "count"),
    [
        ("IOB2", "O I-X I-X", "O B-X I-X", 1),
        ("IOB2", "B-X I-Y I-Y", "B-X B-Y I-Y", 1),
        ("IOB1", "B-X I-X B-X B-Y", "I-X I-X B-X I-Y", 2),
        ("BIOES", "B-X O E-X", "S-X O S-X", 2),
        ("BIOES", "I-X I-X", "B-X E-X", 2),
        ("BILOU", "L-X L-X B-X I-Y L-Y", "U-X U-X U-X B-Y L-Y", 4),
        ("BIOES", "B-X I-X S-X I-X", "B-X E-X S-X S-X", 2),
    ],
)
def test_repair_reads_as_the_conll_scorer(scheme: Scheme, tags: str, expected: str, count: int) -> None:
    assert repair(tags.split(), scheme) == (tuple(expected.split()), count)


def test_one_wrong_tag_does_not_change_the_scheme() -> None:
    good = [["B-X", "I-X", "O"]] * 3
    detection = detect([*good, ["O", "I-X", "B-Y"], *good])
    assert detection.scheme == "IOB2"
    assert detection.first["IOB2"] == (3, 1)
    assert detection.violations["IOB2"] == 1


@pytest.mark.parametrize("nothing", [[], [[]], [["O", "O"], ["O"]]])
def test_data_without_entities_is_iob2(nothing: list[list[str]]) -> None:
    assert detect(nothing).scheme == "IOB2"


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("B", "tag 'B' names no type"),
        ("I-", "tag 'I-' names no type"),
        ("NN", "'NN' is not a tag such as O or B-PER"),
        ("b-PER", "'b-PER' is not a tag such as O or B-PER"),
        ("", "'' is not a tag such as O or B-PER"),
    ],
)
def test_what_is_no_tag(tag: str, message: str) -> None:
    for use in (lambda: split_tag(tag), lambda: spans_of([tag], "IOB1"), lambda: repair([tag], "IOB1")):
        with pytest.raises(DataError) as caught:
            use()
        assert caught.value.message == message
    assert violation_error(["O", tag], 1, "IOB2").message == message


def test_spans_of_refuses_prefixes_of_another_scheme() -> None:
    with pytest.raises(DataError, match="'S-X' is not a tag of IOB2"):
        spans_of(["O", "S-X"], "IOB2")


@pytest.mark.parametrize("spans", [[(0, 0, "X")], [(0, 2, "X"), (1, 3, "X")], [(2, 4, "X")], [(0, 1, "")]])
def test_spans_that_cannot_be_tags(spans: list[SpanTuple]) -> None:
    with pytest.raises(DataError, match="cannot be written as tags of 3 words"):
        tags_of(spans, 3, "IOB2")
