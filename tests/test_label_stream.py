"""Labelling a stream: in order, in chunks that are bounded, each record as alone; and what is done when memory ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelkit
from labelkit import Example, Labelled, Labeller, Preprocessor, Schema
from labelkit.errors import LabelkitError
from labelkit.inference.decoding import decode_spans
from labelkit.inference.engine import Engine
from labelkit.label import stream
from labelkit.label.records import FailedRecord, drop_low_scores, rename_reserved_fields
from labelkit.label.stream import chunks, label_stream
from labelkit.labels.schemes import spans_of
from labelkit.records import Coverage, Place, Scores, Span

TEXTS = ("Ada Lovelace lives in New York .", "", "Bob", "It rained in Lima all day . " * 40, "Marie Curie met Tim .")


@pytest.fixture(scope="module")
def labeller(trained: labelkit.RunResult) -> Labeller:
    return labelkit.load(str(trained.checkpoint))


def examples(number: int) -> list[Example]:
    return [Example(id=str(i), text=TEXTS[i % len(TEXTS)]) for i in range(number)]


# -- order and bounds -------------------------------------------------------------------------------------------------


def test_a_stream_gives_every_record_in_order_and_as_alone(labeller: Labeller) -> None:
    found = list(labeller.stream(iter(examples(150))))
    assert [record.id for record in found] == [str(i) for i in range(150)]
    for text, record in zip(TEXTS, found[-5:], strict=True):
        alone = labeller.label(text)
        assert (record.text, record.words, record.labels) == (alone.text, alone.words, alone.labels)
        assert record.coverage == alone.coverage


def test_a_stream_takes_texts_words_and_examples_together(labeller: Labeller) -> None:
    given: list[Any] = ["Ada sleeps", ["Bob", "x"], Example(id="z", words=("Cleo",), text="Cleo", extra={"a": 1})]
    one, two, three = labeller.stream(given)
    assert (one.id, one.words, two.id, two.text) == ("1", ("Ada", "sleeps"), "2", "Bob x")
    assert (three.id, three.text, three.offsets, three.extra) == ("z", "Cleo", ((0, 4),), {"a": 1})


@given(st.lists(st.integers(0, 300_000), max_size=30), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_chunks_are_bounded_whole_and_the_same_from_any_border_on(sizes: list[int], done: int) -> None:
    items = [Example(id=str(i), text="x" * size) for i, size in enumerate(sizes)]
    found = list(chunks(items, done))
    assert [item for chunk in found for item in chunk] == items
    for chunk in found:
        assert 0 < len(chunk) <= stream.RECORDS
        assert sum(len(item.text or "") for item in chunk[:-1] if isinstance(item, Example)) < stream.CHARACTERS
    if found:
        assert list(chunks(items[len(found[0]) :], done + 1)) == found[1:]


def test_the_first_chunks_are_small_and_grow(labeller: Labeller) -> None:
    sizes = [len(chunk) for chunk in chunks(Example(id="", text="") for _ in range(9000))]
    assert sizes == [64, 128, 256, 512, 1024, 2048, 2048, 2048, 872]


def test_no_more_is_read_ahead_than_one_chunk(labeller: Labeller) -> None:
    read = 0

    def items() -> Iterator[Example]:
        nonlocal read
        for read in range(1, 100_000):
            yield Example(id=str(read), text="Ada")

    found = labeller.stream(items())
    assert next(found).id == "1"
    assert read == 64 + 128
    found.close()  # type: ignore[attr-defined]
    assert read == 64 + 128


def test_the_next_chunk_is_tokenized_by_another_thread(labeller: Labeller, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    prepare = Labeller.prepare

    def spy(self: Labeller, given: Any) -> Any:
        threads.append(threading.current_thread().name)
        return prepare(self, given)

    monkeypatch.setattr(Labeller, "prepare", spy)
    list(labeller.stream(examples(200)))
    assert len(threads) == 3
    assert all(name.startswith("tokenize") for name in threads)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tokenize")]


def test_the_model_goes_on_while_records_are_made_and_read(labeller: Labeller, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[threading.Event] = [threading.Event() for _ in range(4)]
    compute, count = Labeller.compute, iter(begun)

    def spy(self: Labeller, *given: Any, **options: Any) -> Any:
        next(count).set()
        return compute(self, *given, **options)

    monkeypatch.setattr(Labeller, "compute", spy)
    stream: Any = label_stream(labeller, examples(64 + 128 + 256 + 512))
    for later in begun[1:]:
        next(stream)
        assert later.wait(20)  # the next chunk is computed though nobody asks for it yet
    stream.close()


def test_whoever_stops_reading_does_not_wait_for_the_rest(labeller: Labeller, monkeypatch: pytest.MonkeyPatch) -> None:
    forward, compute, chunks_begun, batches = Engine.forward, Labeller.compute, list[int](), list[int]()
    go_on = threading.Event()

    def spy(self: Labeller, *given: Any, **options: Any) -> Any:
        chunks_begun.append(1)
        return compute(self, *given, **options)

    def slow(self: Engine, windows: Any, **options: Any) -> Any:
        if len(chunks_begun) > 1:
            batches.append(1)
            assert go_on.wait(20)
        return forward(self, windows, **options)

    monkeypatch.setattr(Labeller, "compute", spy)
    monkeypatch.setattr(Engine, "forward", slow)
    monkeypatch.setattr(labeller._selector, "loaded", replace(labeller.engine, budget=64))
    stream: Any = label_stream(labeller, examples(64 + 128 + 256))
    next(stream)
    threading.Timer(0.2, go_on.set).start()
    stream.close()
    assert len(batches) <= 1
    assert len(chunks_begun) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("tokenize", "score"))]


@pytest.mark.slow
def test_resumed_at_a_border_the_rest_is_the_same_to_the_last_digit(labeller: Labeller) -> None:
    items = examples(400)
    whole = list(label_stream(labeller, items))
    assert len(whole) > 2
    rest = list(label_stream(labeller, items[64:], done=1))
    assert rest == whole[1:]


# -- records that fail ------------------------------------------------------------------------------------------------


def picky(example: Example) -> Example:
    if "Bob" in (example.words or ()):
        raise ValueError("not Bob")
    return example


def test_a_record_that_cannot_be_labelled_is_told_and_the_others_go_on(trained: labelkit.RunResult) -> None:
    labeller = labelkit.load(str(trained.checkpoint))
    labeller._preprocessors = (Preprocessor(name="picky", kind="token", apply=picky),)
    place = Place(file="a.txt", line=2)
    items: list[Any] = [
        Example(id="1", text="Ada sleeps"), FailedRecord("a.txt:1: broken"), Example(id="2", text="Bob", place=place),
        Example(id="3", text="Cleo"),
    ]  # fmt: skip
    (found,) = label_stream(labeller, items)
    one, two, three, four = found
    assert isinstance(one, Labelled)
    assert isinstance(four, Labelled)
    assert (one.text, four.text, two) == ("Ada sleeps", "Cleo", FailedRecord("a.txt:1: broken"))
    assert isinstance(three, FailedRecord)
    assert (
        three.message
        == "a.txt:2: preprocessor 'picky' (package test_label_stream) failed on example 2: ValueError: not Bob"
    )
    with pytest.raises(LabelkitError, match=r"preprocessor 'picky' \(package test_label_stream\) failed on example 2"):
        list(label_stream(labeller, items, strict=True))


# -- spans, all at once -----------------------------------------------------------------------------------------------

SCHEMES = ("IOB1", "IOB2", "BIOES", "BILOU")


@pytest.mark.slow
@given(st.data())
@settings(max_examples=200, deadline=None)
def test_spans_found_at_once_are_those_of_each_sentence_alone(data: st.DataObject) -> None:
    scheme: Any = data.draw(st.sampled_from(SCHEMES))
    schema = Schema(name="x", kind="token", types=("A", "B-b"), scheme=scheme)
    sentences = data.draw(st.lists(st.lists(st.integers(0, len(schema.label_names) - 1), max_size=8), max_size=6))
    ids = np.array([i for sentence in sentences for i in sentence], np.int64)
    chances = (np.arange(1, len(ids) + 1) / 100).astype(np.float32)
    lengths = np.array([len(sentence) for sentence in sentences], np.int64)
    values = np.zeros((len(ids), len(schema.label_names)), np.float32)
    found = list(decode_spans(ids, chances, Scores(values=values, lengths=lengths, schema=schema)))
    start = 0
    assert len(found) == len(sentences)
    for sentence, spans in zip(sentences, found, strict=True):
        tags = [schema.label_names[i] for i in sentence]
        assert [(span.first, span.stop, span.label) for span in spans] == spans_of(tags, scheme)
        assert all(span.score == round((start + span.first + 1) / 100, 4) for span in spans)
        start += len(sentence)


def test_neighbours_of_one_type_stay_two_and_nothing_bridges_a_word_outside() -> None:
    schema = Schema.bio("x", "A")
    ids = np.array([1, 1, 2, 0, 2, 1], np.int64)
    scores = Scores(values=np.zeros((6, 3), np.float32), lengths=np.array([5, 1]), schema=schema)
    one, two = decode_spans(ids, np.ones(6, np.float32), scores)
    assert [(span.first, span.stop) for span in one] == [(0, 1), (1, 3), (4, 5)]
    assert [(span.first, span.stop) for span in two] == [(0, 1)]


# -- a lowest score ---------------------------------------------------------------------------------------------------


def a_record(**changes: Any) -> Labelled:
    spans = (
        Span(start=0, end=1, label="A", text="a", score=0.4),
        Span(start=2, end=5, label="B", text="b c", score=0.6),
    )
    record = Labelled(
        id="1", text="a b c", words=("a", "b", "c"), labels=("B-A", "B-B", "I-B"), spans=spans,
        coverage=Coverage(words=3, windows=1),
    )  # fmt: skip
    return replace(record, **changes)


def test_spans_below_the_lowest_score_go_and_their_words_are_outside() -> None:
    found = drop_low_scores(a_record(), 0.5, "IOB2")
    assert (found.labels, [span.label for span in found.spans or ()]) == (("O", "B-B", "I-B"), ["B"])
    assert (found.words, found.coverage.below_min_score) == (("a", "b", "c"), 1)
    assert drop_low_scores(a_record(), 0.7, "IOB2").labels == ("O", "O", "O")
    assert drop_low_scores(a_record(), 0.4, "IOB2") == a_record()


def test_what_stays_beside_a_span_that_goes_fits_the_scheme() -> None:
    spans = tuple(Span(start=2 * i, end=2 * i + 1, label="A", text="x", score=i / 2) for i in range(2))
    found = drop_low_scores(a_record(words=("a", "b"), labels=("I-A", "B-A"), spans=spans), 0.3, "IOB1")
    assert (found.labels, found.spans) == (("O", "I-A"), spans[1:])


def test_a_plain_label_below_the_lowest_score_stays_and_its_span_goes() -> None:
    spans = tuple(Span(start=i, end=i + 1, label="N", text="x", score=i / 2) for i in range(2))
    found = drop_low_scores(a_record(words=("a", "b"), labels=("N", "N"), spans=spans), 0.3, None)
    assert (found.labels, found.spans, found.coverage.below_min_score) == (("N", "N"), spans[1:], 1)


def test_the_label_of_a_text_below_the_lowest_score_is_none_and_its_scores_stay() -> None:
    record = Labelled(
        id="1", text="a", label="x", score=0.6, scores={"x": 0.6, "y": 0.4}, coverage=Coverage(words=1, windows=1)
    )
    found = drop_low_scores(record, 0.7, None)
    assert (found.label, found.score, found.scores) == (None, 0.6, record.scores)
    assert found.coverage.below_min_score == 1
    assert drop_low_scores(record, 0.6, None) == record


def test_fields_called_like_ours_get_another_name() -> None:
    assert rename_reserved_fields({"words": 1, "author": 2, "label": 3}, "token") == {
        "input_words": 1,
        "author": 2,
        "label": 3,
    }
    assert rename_reserved_fields({"input_label": 1, "label": 2}, "text") == {"input_label": 1, "input_input_label": 2}


# -- memory -----------------------------------------------------------------------------------------------------------


class _Full:
    """Makes an engine fail on batches of more than ``room`` sub-tokens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int, error: Exception) -> None:
        from labelkit.inference.engine import Engine

        self.largest = 0
        forward = Engine.forward

        def limited(engine: Engine, windows: Any, **options: Any) -> Any:
            size = max(len(window.ids) for window in windows) * len(windows)
            if size > room:
                raise error
            self.largest = max(self.largest, size)
            return forward(engine, windows, **options)

        monkeypatch.setattr(Engine, "forward", limited)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_when_memory_ends_batches_become_smaller_and_nothing_is_lost(
    trained: labelkit.RunResult, labeller: Labeller, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    wanted = [record.labels for record in labeller.label_all(TEXTS)]
    full = _Full(monkeypatch, 200, error)
    other = labelkit.load(str(trained.checkpoint))
    assert [record.labels for record in other.label_all(TEXTS)] == wanted
    memory = other.engine.memory
    assert memory.backoffs > 0
    assert memory.budget is not None
    assert full.largest <= 200
    before = memory.backoffs
    other.label_all(TEXTS)
    assert memory.backoffs == before  # what was learned is kept


def test_a_window_that_memory_does_not_hold_is_an_error(
    trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Full(monkeypatch, 3, MemoryError())
    with pytest.raises(LabelkitError, match="out of memory: the device does not hold a single window of 5 subwords"):
        labelkit.load(str(trained.checkpoint)).label("Rome .")


def test_another_error_is_not_taken_for_the_end_of_memory(
    trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Full(monkeypatch, 3, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        labelkit.load(str(trained.checkpoint)).label("Rome is far .")
