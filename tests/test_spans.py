"""Spans on text: made into tags where they are whole words, and told of one by one where they are not."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelkit.data.corpus import Corpus, load_corpus
from labelkit.errors import DataError
from labelkit.formats import json_files
from labelkit.labels.schemes import spans_of, tags_of
from labelkit.labels.span_alignment import AlignMode, align_span
from labelkit.labels.spans import TextSpan, offsets_of, parse_spans, without_overlaps, words_of_spans
from labelkit.records import DataSettings, Example, Format, LoadContext, Schema, Source
from labelkit.text.splitters import words as split_words
from reading_contexts import OnePlugin

TEXT = "Ada Lovelace lived in London."
ADA, LOVELACE, LONDON = [0, 3, "PER"], [4, 12, "PER"], [22, 28, "LOC"]


class Shelf(OnePlugin):
    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.schemas: dict[str, Schema] = {}
        self.formats: dict[str, Format] = {"jsonl": json_files.FORMATS[0]}


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def load(path: Path, **settings: Any) -> Corpus:
    ctx = LoadContext(settings=DataSettings(**settings))
    return load_corpus(str(path), layer="ner", kind="token", scheme="IOB2", catalog=Shelf(), ctx=ctx)


def read(path: Path, **settings: Any) -> list[Example]:
    return list(json_files.read_lines(path, LoadContext(kind="token", layer="ner", settings=DataSettings(**settings))))


def failure(path: Path, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("name", ["spans", "entities", "label", "labels", "ner"])
@pytest.mark.parametrize("shape", ["lists", "objects"])
def test_spans_become_tags(tmp_path: Path, name: str, shape: str) -> None:
    spans: list[Any] = [LONDON, [0, 12, "PER"]]
    if shape == "objects":
        spans = [{"start": start, "end": end, "label": label, "score": 1} for start, end, label in spans]
    (only,) = read(write(tmp_path / "a.jsonl", {"text": TEXT, name: spans}))
    assert only.words == ("Ada", "Lovelace", "lived", "in", "London", ".")
    assert only.labels == {"ner": ("B-PER", "I-PER", "O", "O", "B-LOC", "O")}
    assert only.text == TEXT
    assert [TEXT[start:end] for start, end in only.offsets or ()] == list(only.words or ())
    assert only.extra == {}


def test_offsets_count_code_points(tmp_path: Path) -> None:
    text = "\U0001f468\u200d\U0001f469 Zoë ran"
    (only,) = read(write(tmp_path / "a.jsonl", {"text": text, "spans": [[4, 7, "PER"]]}))
    assert (only.words or ())[(only.labels["ner"]).index("B-PER")] == "Zoë"


def test_neighbours_of_one_type_stay_two(tmp_path: Path) -> None:
    (only,) = read(write(tmp_path / "a.jsonl", {"text": TEXT, "spans": [ADA, LOVELACE]}))
    assert only.labels["ner"][:3] == ("B-PER", "B-PER", "O")


def test_a_text_without_spans_has_only_o(tmp_path: Path) -> None:
    (only,) = read(write(tmp_path / "a.jsonl", {"text": "Ada ran", "label": []}))
    assert only.labels == {"ner": ("O", "O")}


def test_spans_on_words_that_are_given(tmp_path: Path) -> None:
    prodigy = [{"text": "New", "start": 0, "end": 3}, {"text": "York-based", "start": 4, "end": 14}]
    one, two = read(
        write(
            tmp_path / "a.jsonl",
            {"text": "New York-based", "tokens": prodigy, "spans": [[0, 14, "ORG"]]},
            {"words": ["a", "bc"], "spans": [[2, 4, "X"]]},
        )
    )
    assert (one.words, one.labels) == (("New", "York-based"), {"ner": ("B-ORG", "I-ORG")})
    assert (two.labels, two.text) == ({"ner": ("O", "B-X")}, None)


def test_misaligned_spans_are_listed_one_by_one(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"text": TEXT, "spans": [[0, 6, "PER"], [23, 25, "X"]]},
        {"text": TEXT, "spans": [LONDON]},
        {"text": TEXT, "spans": [[2, 5, "PER"], [12, 13, "Y"]]},
    )
    assert failure(path).message == (
        "4 spans cannot be written as tags of words: "
        f"{path}:1: 'Ada Lo' (0-6, PER) cuts the word 'Lovelace'; "
        f"{path}:1: 'on' (23-25, X) cuts the word 'London'; "
        f"{path}:3: 'a L' (2-5, PER) cuts the word 'Ada' and the word 'Lovelace'; "
        f"{path}:3: ' ' (12-13, Y) holds no word"
    )


def test_a_long_list_is_cut_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *[{"text": TEXT, "spans": [[0, 2, "PER"]]}] * 30)
    message = failure(path).message
    assert message.startswith("30 spans cannot be written")
    assert message.count("cuts the word") == 20
    assert message.endswith("; and 10 more")


def test_overlaps(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"text": TEXT, "spans": [LONDON]},
        {"text": TEXT, "spans": [LOVELACE, [0, 12, "PER"], [4, 12, "ORG"], LONDON]},
    )
    error = failure(path)
    assert error.message.startswith(f"{path}:2: spans 'Ada Lovelace' (0-12, PER) and 'Lovelace' (4-12, ")
    assert "data.drop_overlaps=true" in str(error.hint)
    corpus = load(path, drop_overlaps=True)
    assert corpus.notes == ("nested or overlapping spans were dropped, the longer ones kept: 2",)
    tags = sorted(e.labels["ner"] for split in corpus.splits.values() for e in split.examples)
    assert tags[0] == ("B-PER", "I-PER", "O", "O", "B-LOC", "O")
    assert load(write(path, *[{"text": TEXT, "spans": [LONDON]}] * 2), drop_overlaps=True).notes == ()


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ("PER", "spans must be a list, not 'PER'"),
        (None, "spans must be a list, not None"),
        ([[0, 3]], "a span is start, end and label, not [0, 3]"),
        ([[0, 3, None]], "a span is start, end and label, not [0, 3, None]"),
        ([[0, 3, ""]], "a span is start, end and label, not [0, 3, '']"),
        ([{"start": 0, "end": 3}], "a span is start, end and label, not [0, 3, None]"),
        ([[0.0, 3, "PER"]], "a span is start, end and label, not [0.0, 3, 'PER']"),
        ([[0, 30, "PER"]], "span 0-30 (PER) does not lie in a text of 29 characters"),
        ([[-1, 3, "PER"]], "span -1-3 (PER) does not lie in a text of 29 characters"),
        ([[3, 3, "PER"]], "span 3-3 (PER) does not lie in a text of 29 characters"),
    ],
)
def test_bad_spans(tmp_path: Path, spans: Any, message: str) -> None:
    path = write(tmp_path / "a.jsonl", {"text": TEXT, "spans": [LONDON]}, {"text": TEXT, "spans": spans})
    assert failure(path).message == f"{path}:2: {message}"


def test_words_that_are_not_of_the_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"text": TEXT, "words": ["Bob"], "spans": [ADA]})
    assert failure(path).message == f"{path}:1: the words are not those of the text, so its spans cannot be placed"


texts = st.text(st.sampled_from("ab .,'-\U0001f468é\u00a0\n"), min_size=1, max_size=30)


@given(text=texts, data=st.data())
def test_whole_words_are_never_moved(text: str, data: st.DataObject) -> None:
    words = split_words(text)
    borders = sorted(data.draw(st.sets(st.integers(0, len(words)), max_size=6)))
    wanted = [(first, stop, "X") for first, stop in zip(borders[::2], borders[1::2], strict=False)]
    spans = parse_spans([[words[first][0], words[stop - 1][1], label] for first, stop, label in wanted], text)
    found, faults = words_of_spans(spans, text, words)
    tags = tags_of(found, len(words), "IOB2")
    assert faults == []
    assert spans_of(tags, "IOB2") == wanted


@given(text=texts, data=st.data())
def test_every_span_is_tagged_or_told_of(text: str, data: st.DataObject) -> None:
    raw = data.draw(st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, 9)), max_size=5))
    spans = parse_spans([[start, min(start + size, len(text)), "X"] for start, size in raw], text)
    dropped: list[DataError] = []
    kept = without_overlaps(spans, text, dropped.append)
    assert len(kept) + len(dropped) == len(spans)
    assert all(one.end <= two.start for one, two in pairwise(kept))
    words = split_words(text)
    covered, faults = words_of_spans(kept, text, words)
    tags = tags_of(covered, len(words), "IOB2")
    found = [(words[first][0], words[stop - 1][1]) for first, stop, _ in spans_of(tags, "IOB2")]
    assert len(found) + len(faults) == len(kept)
    stripped = {(s.start, s.end): text[s.start : s.end].strip() for s in kept}
    assert all(text[start:end] in stripped.values() for start, end in found)


@given(text=texts)
def test_words_are_found_where_they_were_split(text: str) -> None:
    offsets = split_words(text)
    assert offsets_of([text[start:end] for start, end in offsets], text) == offsets


@pytest.mark.parametrize(
    ("span", "expand", "contract"),
    [
        ((0, 4), (0, 4), (0, 4)),  # a whole word
        ((0, 3), (0, 4), None),  # a part of one
        ((2, 9), (0, 9), (5, 9)),  # a part of the first of two
        ((0, 11), (0, 14), (0, 10)),
        ((4, 5), None, None),  # white space
        ((4, 10), (4, 10), (4, 10)),  # white space at the start cuts nothing
    ],
)
def test_spans_that_cut_words_are_aligned(
    span: tuple[int, int], expand: tuple[int, int] | None, contract: tuple[int, int] | None
) -> None:
    words = ((0, 4), (5, 9), (9, 10), (10, 14))
    kept = span if expand == contract == span else None
    wanted: dict[AlignMode, tuple[int, int] | None] = {"expand": expand, "contract": contract, "drop": kept}
    for mode, result in wanted.items():
        found = align_span(TextSpan(*span, "X"), words, mode)
        assert found == (None if result is None else TextSpan(*result, "X"))


@pytest.mark.parametrize(
    ("mode", "tags", "note"),
    [
        ("expand", ("B-PER", "O", "O"), "spans that cut words were expanded to whole words: 1"),
        ("contract", ("O", "O", "O"), "spans that cut words, or hold none, were dropped: 1"),
        ("drop", ("O", "O", "O"), "spans that cut words, or hold none, were dropped: 1"),
    ],
)
def test_aligned_spans_are_counted_and_listed(tmp_path: Path, mode: str, tags: tuple[str, ...], note: str) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"text": "Ada met Bob", "spans": [[0, 3, "PER"]]},
        {"text": "Adaline met Bob", "spans": [[0, 3, "PER"]]},
        {"text": "Ada met Bob", "spans": [[8, 11, "PER"]]},
    )
    assert "--set data.align_spans=expand, contract or drop" in str(failure(path).hint)
    corpus = load(path, align_spans=mode, validation_fraction=0.3)
    labels = {example.id: example.labels["ner"] for split in corpus.splits.values() for example in split.examples}
    assert labels["2"] == tags
    assert labels["1"] == ("B-PER", "O", "O")
    assert note in corpus.notes
    assert [f"{path}:2 'Ada' →" in line for line in corpus.assumptions if "align_spans" in line] == [True]
