"""Labelling is lossless: one label per word for any input, spans that slice the caller's own text."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import labelkit
from labelkit import Labelled, Labeller
from labelkit.errors import RegistryError
from labelkit.formats.labelled_json import to_json
from labelkit.labels.schemes import repair, spans_of, violations
from labelkit.models.tokenizer import load_tokenizer
from labelkit.records import Coverage, Span

PARTS = (
    "Ada Lovelace", " lives in ", "New York", ".", "\n", "\r\n", "\t", "\x00", "\x1b[31m", "\x7f", "\ufeff",
    "❤️", "😀", "👩‍👩‍👧", "\ufe0f", "\u200b", "\u200d", "\u2028", "\xa0", "\u3000", "e\u0301", "\u0301",
    "مرحبا بالعالم", "สวัสดี", "你好，世界。", "ß", "İ", "𝔘𝔫𝔦", "\U0010ffff", "\ud83d",
    "[SEP]", "[PAD] [CLS]", "##ing", "<s>", "U.S.", "Tim's", "14-6", "http://a.b/c?d=e", "x" * 300,
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PARTS) | st.text(max_size=8), max_size=30).map("".join)


@pytest.fixture(scope="session")
def labeller(trained: labelkit.RunResult) -> Labeller:
    return labelkit.load(str(trained.checkpoint))


def check(record: Labelled, labels: tuple[str, ...]) -> None:
    """Check what holds for any labelled input."""
    words = record.words or ()
    assert record.words is not None
    assert record.labels is not None
    assert record.offsets is not None
    assert record.spans is not None
    assert len(words) == len(record.labels) == len(record.offsets) == record.coverage.words
    assert set(record.labels) <= set(labels)
    assert tuple(record.text[start:end] for start, end in record.offsets) == words
    assert all(record.text[span.start : span.end] == span.text for span in record.spans)
    assert all(span.score is not None and 0 <= span.score <= 1 for span in record.spans)
    coverage = record.coverage
    assert coverage.fallback == coverage.no_subtokens + coverage.too_long <= coverage.words
    assert min(asdict(coverage).values()) >= 0
    assert (coverage.windows == 0) == (coverage.fallback == coverage.words)
    spans = [
        (record.offsets[first][0], record.offsets[stop - 1][1], label)
        for first, stop, label in spans_of(record.labels, "IOB2")
    ]
    assert [(span.start, span.end, span.label) for span in record.spans] == spans
    assert violations(record.labels, "IOB2") == []


# -- any input --------------------------------------------------------------------------------------------------------


@given(HOSTILE)
@example("")
@example(" \n\t ")
@example("\ufe0f")
@example("".join(PARTS))
@example("x" * 5000)
@example("a " * 3000)
@example("\u0301" * 200)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_gets_one_label_per_word(labeller: Labeller, text: str) -> None:
    record = labeller.label(text)
    assert record.text == text
    check(record, labeller.labels)
    # nothing that is seen falls between two words
    covered = {position for start, end in record.offsets or () for position in range(start, end)}
    assert all(text[position].isspace() for position in range(len(text)) if position not in covered)


@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=8), max_size=20))
@example([])
@example([""])
@example(["", " ", "\ufe0f", "Ada", ""])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_words_given_split_keep_their_number(labeller: Labeller, words: list[str]) -> None:
    record = labeller.label(words)
    assert record.words == tuple(words)
    assert record.text == " ".join(words)
    check(record, labeller.labels)


def test_words_without_sub_tokens_and_overlong_ones_get_the_fallback_and_are_counted(labeller: Labeller) -> None:
    record = labeller.label(["\ufe0f", "Ada", "q" * 99 + "z", "z!" * 49, "\u200b"])
    kinds = record.coverage
    assert record.labels
    assert record.labels[0] == record.labels[4] == "O"
    assert (kinds.words, kinds.no_subtokens) == (5, 2)
    huge = labeller.label(["Ada", "z!" * 400, "Rome"])
    assert (huge.coverage.too_long, huge.coverage.fallback) == (1, 1)
    assert huge.labels
    assert huge.labels[1] == "O"


def test_a_fallback_word_has_the_fallback_label_in_plain_schemas_too(labeller: Labeller) -> None:
    engine = replace(labeller.engine, fallback=3)
    found = engine.score([], [2])
    assert found.values.argmax(axis=1).tolist() == [3, 3]
    assert not found.covered.any()


def test_thousands_of_words_are_all_labelled(labeller: Labeller) -> None:
    text = "Ada Lovelace lives in New York . " * 1000
    record = labeller.label(text)
    check(record, labeller.labels)
    assert len(record.labels or ()) == 7000
    assert record.coverage.windows > 50
    assert record.coverage.fallback == 0


def test_several_texts_are_labelled_in_order_and_each_as_alone(labeller: Labeller) -> None:
    texts: list[Any] = [
        "Ada lives in Rome .",
        "",
        "x " * 400,
        ["Bob", "slept"],
        " \ufe0f ",
        "Paris",
        "Marie Curie . " * 80,
    ]
    together = labeller.label_all(texts)
    assert [record.id for record in together] == [str(number) for number in range(1, 8)]
    for text, record in zip(texts, together, strict=True):
        alone = labeller.label(text)
        assert (record.text, record.words, record.labels) == (alone.text, alone.words, alone.labels)
        assert record.coverage == alone.coverage
    assert labeller.label_all([]) == []


# -- windows ----------------------------------------------------------------------------------------------------------


def test_with_windows_every_word_takes_the_prediction_that_saw_most(labeller: Labeller) -> None:
    """Score each window alone, by hand, and take for each word the one in which it stands furthest from a cut."""
    import torch

    words = ("Ada Lovelace lives in New York . Bob met Cleo in Lima . " * 20).split()
    engine, tokenizer = labeller.engine, load_tokenizer(labeller.folder)
    body = [
        (i, token) for i, word in enumerate(words) for token in tokenizer(word, add_special_tokens=False)["input_ids"]
    ]
    capacity, overlap = 126, 63  # of 128, and an overlap of 128 is too much
    assert engine.encoding.capacity == capacity
    best: dict[int, tuple[float, str]] = {}
    start = 0
    while True:
        stop = min(start + capacity, len(body))
        while stop < len(body) and body[stop][0] == body[stop - 1][0]:
            stop -= 1
        ids = torch.tensor([[2, *(token for _, token in body[start:stop]), 3]])
        with torch.inference_mode():
            logits = engine.torch_model(input_ids=ids).logits[0, 1:-1]
        for word in {word for word, _ in body[start:stop]}:
            places = [place for place in range(start, stop) if body[place][0] == word]
            left = 10_000 if start == 0 else places[0] - start
            right = 10_000 if stop == len(body) else stop - 1 - places[-1]
            label = labeller.labels[int(logits[places[0] - start].argmax())]
            if min(left, right) > best.get(word, (-1, ""))[0]:
                best[word] = (min(left, right), label)
        if stop == len(body):
            break
        start = stop - overlap
        while body[start][0] == body[start - 1][0]:
            start += 1
    record = labeller.label(words)
    assert record.labels == repair([best[word][1] for word in range(len(words))], "IOB2")[0]
    assert record.coverage.windows > 3


def test_windows_change_nothing_where_the_input_fits(labeller: Labeller, trained: labelkit.RunResult) -> None:
    other = labelkit.load(str(trained.checkpoint))
    encoding = other.engine.encoding
    texts = ["Ada Lovelace lives in New York .", "Bob met Cleo in Lima ."]
    for overlap in (0, 5, 60):
        other._selector.loaded = replace(other.engine, encoding=replace(encoding, stride=overlap))
        assert [record.labels for record in other.label_all(texts)] == [
            record.labels for record in labeller.label_all(texts)
        ]


@pytest.mark.parametrize("budget", [1, 40, 100_000])
def test_batches_change_no_label(labeller: Labeller, trained: labelkit.RunResult, budget: int) -> None:
    other = labelkit.load(str(trained.checkpoint))
    other._selector.loaded = replace(other.engine, budget=budget)
    texts = [
        "Ada Lovelace lives in New York .",
        "Bob",
        "It rained in Lima all day . " * 30,
        "",
        "Marie Curie met Tim .",
    ]
    for found, wanted in zip(other.label_all(texts), labeller.label_all(texts), strict=True):
        assert found.labels == wanted.labels
        for one, two in zip(found.spans or (), wanted.spans or (), strict=True):
            assert np.isclose(one.score or 0, two.score or 0, atol=2e-4)


# -- what it looks like -----------------------------------------------------------------------------------------------


def test_a_labelled_record_in_json_is_as_the_contract_says(labeller: Labeller) -> None:
    text = "Ada Lovelace lives in New York 😀 ."
    record = labeller.label(text)
    document = json.loads(json.dumps(to_json(record)))
    assert list(document) == ["id", "text", "words", "labels", "spans", "coverage"]
    assert document["text"] == text
    assert document["words"] == ["Ada", "Lovelace", "lives", "in", "New", "York", "😀", "."]
    assert len(document["labels"]) == 8
    assert document["spans"]
    for span in document["spans"]:
        assert list(span) == ["start", "end", "label", "text", "score"] or set(span) == {
            "start", "end", "label", "score", "text",
        }  # fmt: skip
        assert text[span["start"] : span["end"]] == span["text"]
    assert document["coverage"]["words"] == 8


def test_the_callers_own_fields_are_kept_and_replace_nothing() -> None:
    record = Labelled(
        id="1",
        text="Ada",
        words=("Ada",),
        labels=("B-PER",),
        spans=(Span(start=0, end=3, label="PER", text="Ada", score=0.5),),
        coverage=Coverage(words=1, windows=1),
        extra={"author": "me", "text": "mine", "labels": None},
    )
    assert to_json(record) == {
        "author": "me",
        "id": "1",
        "text": "Ada",
        "words": ["Ada"],
        "labels": ["B-PER"],
        "spans": [{"start": 0, "end": 3, "label": "PER", "text": "Ada", "score": 0.5}],
        "coverage": {"words": 1, "windows": 1, "fallback": 0, "no_subtokens": 0, "too_long": 0},
    }


def test_a_spans_score_is_that_of_its_least_certain_word(labeller: Labeller) -> None:
    words = ["Ada", "Lovelace", "lives", "in", "New", "York", "."]
    record = labeller.label(words)
    encoding = labeller.engine.encoding
    from labelkit.encode.alignment import encode

    found = labeller.engine.score(encode(encoding, [words]).windows, [len(words)])
    cooled = np.exp(found.values.astype(np.float64)) ** (1 / labeller.info.temperature)
    chances = (cooled / cooled.sum(axis=1, keepdims=True)).max(axis=1)
    assert record.spans
    for span in record.spans:
        inside = [i for i, (start, end) in enumerate(record.offsets or ()) if span.start <= start and end <= span.end]
        assert span.score == pytest.approx(chances[inside].min(), abs=1e-4)


# -- which run --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_is_found_by_latest_id_prefix_name_best_and_folder(
    trained: labelkit.RunResult, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reference in ("latest", trained.run, trained.run[:-3], "shared", "ner@best"):
        assert labelkit.load(reference, home=home).folder == trained.checkpoint
    monkeypatch.chdir(trained.checkpoint.parent)
    assert labelkit.load(f"./{trained.checkpoint.name}").labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def test_a_folder_is_meant_only_with_a_separator(
    trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(trained.checkpoint.parent)
    with pytest.raises(RegistryError, match=f"no run '{trained.checkpoint.name}' in the registry"):
        labelkit.load(trained.checkpoint.name, home=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reference", ["nonesuch", "sharedd", "", "ner@worst", "pos@best", "latest "])
def test_an_unknown_run_is_refused_in_one_line(trained: labelkit.RunResult, home: Path, reference: str) -> None:
    with pytest.raises(RegistryError) as caught:
        labelkit.load(reference, home=home)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_labelling_leaves_the_model_as_it_was(labeller: Labeller) -> None:
    labeller.engine.torch_model.train()
    first = labeller.label("Ada lives in Rome .")
    assert labeller.engine.torch_model.training
    labeller.engine.torch_model.eval()
    assert labeller.label("Ada lives in Rome .") == first
