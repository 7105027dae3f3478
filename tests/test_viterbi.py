"""The viterbi decoder: never a forbidden transition, and exactly the best of what is allowed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from labelkit.config.plan import Request, make_plan
from labelkit.errors import LabelkitError
from labelkit.inference import score_blocks
from labelkit.inference import viterbi as module
from labelkit.inference.calibration import apply_temperature
from labelkit.inference.decoding import count_changes, decode, decode_spans, label_sequences, repair_label_ids
from labelkit.inference.viterbi import rules_of, viterbi
from labelkit.labels.schemes import SCHEMES, may_follow, repair, violations
from labelkit.plugins.catalog import Catalog
from labelkit.records import Schema, Scheme, Scores

CATALOG = Catalog.load()
Floats = NDArray[np.float32]


def a_schema(scheme: Scheme | None, types: int = 2) -> Schema:
    names = tuple("ABCDEFGH"[:types])
    if scheme is None:
        return Schema(name="x", kind="token", labels=names)
    return Schema(name="x", kind="token", scheme=scheme, types=names)


def normalised(values: NDArray[np.floating]) -> Floats:
    result: Floats = (values - np.logaddexp.reduce(values, axis=1, keepdims=True)).astype(np.float32)
    return result


def a_case(schema: Schema, lengths: list[int], seed: int, steps: int = 0) -> Scores:
    """Return random scores; with ``steps`` only so many different ones, so that many are equal."""
    random = np.random.default_rng(seed)
    shape = (sum(lengths), len(schema.label_names))
    values = random.integers(0, steps, shape).astype(np.float32) if steps else random.normal(size=shape) * 4
    return Scores(values=normalised(values), lengths=np.array(lengths, np.int64), schema=schema)


def labelled(scores: Scores) -> list[tuple[str, ...]]:
    return list(label_sequences(viterbi(scores), scores))


def best_by_trying(values: Floats, schema: Schema) -> float:
    """Return the score of the best allowed labels of one sentence, by trying all there are."""
    names = schema.label_names
    assert schema.scheme
    allowed = (
        ids
        for ids in itertools.product(range(len(names)), repeat=len(values))
        if not violations([names[i] for i in ids], schema.scheme)
    )
    return max(sum(float(values[t, i]) for t, i in enumerate(ids)) for ids in allowed)


cases = st.tuples(
    st.sampled_from(SCHEMES),
    st.integers(1, 3),
    st.lists(st.integers(0, 40), max_size=8),
    st.integers(0, 2**32),
    st.sampled_from((0, 2, 3)),
)


# -- what is allowed --------------------------------------------------------------------------------------------------


@given(st.sampled_from(SCHEMES), st.integers(1, 2), st.lists(st.integers(0, 100), max_size=6))
def test_tags_fit_a_scheme_exactly_where_each_may_follow_the_one_before(
    scheme: Scheme, types: int, numbers: list[int]
) -> None:
    names = a_schema(scheme, types).label_names
    tags = [names[number % len(names)] for number in numbers]
    pairs = zip((None, *tags), (*tags, None), strict=True)
    assert all(may_follow(*pair, scheme) for pair in pairs) == (not violations(tags, scheme))


@given(cases)
@settings(deadline=None)
def test_no_forbidden_transition_in_any_scheme(case: tuple[Scheme, int, list[int], int, int]) -> None:
    scheme, types, lengths, seed, steps = case
    scores = a_case(a_schema(scheme, types), lengths, seed, steps)
    found = labelled(scores)
    assert [len(tags) for tags in found] == lengths
    assert all(not violations(tags, scheme) for tags in found)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, module.EXTREME])
def test_scores_that_are_no_numbers_break_no_scheme(scheme: Scheme, odd: float) -> None:
    scores = a_case(a_schema(scheme), [9] * 20, seed=3)
    scores.values[np.random.default_rng(0).random(scores.values.shape) < 0.3] = odd
    assert all(not violations(tags, scheme) for tags in labelled(scores))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_whole_document_of_alternating_insides(scheme: Scheme) -> None:
    schema = a_schema(scheme)
    names = schema.label_names
    values = np.full((3000, len(names)), -9.0)
    values[::2, names.index("I-A")] = values[1::2, names.index("I-B")] = 0
    scores = Scores(values=normalised(values), lengths=np.array([3000]), schema=schema)
    assert not violations(labelled(scores)[0], scheme)


# -- the best of it ---------------------------------------------------------------------------------------------------


@given(st.sampled_from(SCHEMES), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 2**32))
@settings(deadline=None, max_examples=40)
def test_the_labels_are_the_best_that_trying_all_finds(scheme: Scheme, lengths: list[int], seed: int) -> None:
    schema = a_schema(scheme, 1)
    scores = a_case(schema, lengths, seed)
    ids, start = viterbi(scores), 0
    for length in lengths:
        values = scores.values[start : start + length]
        got = float(values[np.arange(length), ids[start : start + length]].sum())
        assert got == pytest.approx(best_by_trying(values, schema), abs=1e-4)
        start += length


@given(cases)
@settings(deadline=None)
def test_long_sentences_score_as_one_whole_pass_over_them_does(case: tuple[Scheme, int, list[int], int, int]) -> None:
    scheme, types, lengths, seed, steps = case
    scores = a_case(a_schema(scheme, types), lengths, seed, steps)
    rules, names = rules_of(scores.schema), scores.schema.label_names
    follow = np.array([[may_follow(before, name, scheme) for name in names] for before in names])
    pairs = np.indices(follow.shape).reshape(2, -1)
    assert (rules.allowed(*pairs) == follow.ravel()).all()
    ids, start = viterbi(scores), 0
    for length in filter(None, lengths):
        values = scores.values[start : start + length].astype(np.float64)
        total = np.where(rules.first, values[0], -np.inf)
        for row in values[1:]:
            total = np.where(follow, total[:, None], -np.inf).max(axis=0) + row
        got = values[np.arange(length), ids[start : start + length]].sum()
        assert got == pytest.approx(total[rules.last].max(), abs=1e-4)
        start += length


@given(cases)
@settings(deadline=None)
def test_the_likeliest_labels_stay_where_they_are_allowed(case: tuple[Scheme, int, list[int], int, int]) -> None:
    scheme, types, lengths, seed, steps = case
    scores = a_case(a_schema(scheme, types), lengths, seed, steps)
    likeliest = label_sequences(scores.values.argmax(axis=1), scores)
    for got, wanted in zip(labelled(scores), likeliest, strict=True):
        assert got == wanted or violations(wanted, scheme)


@given(cases)
@settings(deadline=None)
def test_a_sentence_is_labelled_as_alone(case: tuple[Scheme, int, list[int], int, int]) -> None:
    scheme, types, lengths, seed, steps = case
    schema = a_schema(scheme, types)
    scores = a_case(schema, lengths, seed, steps)
    start = 0
    for length, together in zip(lengths, labelled(scores), strict=True):
        values = scores.values[start : start + length]
        assert labelled(Scores(values=values, lengths=np.array([length]), schema=schema)) == [together]
        start += length


@given(cases)
@settings(deadline=None)
def test_the_likeliest_labels_are_rewritten_as_the_scorer_reads_them(
    case: tuple[Scheme, int, list[int], int, int],
) -> None:
    scheme, types, lengths, seed, steps = case
    scores = a_case(a_schema(scheme, types), lengths, seed, steps)
    ids = scores.values.argmax(axis=1)
    fixed = repair_label_ids(ids, scores)
    wanted = [repair(tags, scheme) for tags in label_sequences(ids, scores)]
    assert list(zip(label_sequences(fixed, scores), count_changes(ids, fixed, scores), strict=True)) == wanted
    assert not any(violations(tags, scheme) for tags in label_sequences(fixed, scores))
    chances = scores.values.max(axis=1)
    assert list(decode_spans(fixed, chances, scores)) == list(decode_spans(ids, chances, scores))


def test_plain_labels_are_never_rewritten() -> None:
    scores = a_case(a_schema(None, 4), [3, 0, 2], seed=1)
    ids = scores.values.argmax(axis=1)
    assert repair_label_ids(ids, scores).tolist() == ids.tolist()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = a_case(a_schema("BIOES"), [1, 7, 30, 2, 0, 12] * 5, seed=1)
    wanted = labelled(scores)
    monkeypatch.setattr(score_blocks, "WORDS", 8)
    assert labelled(scores) == wanted


@given(cases, st.sampled_from((0.25, 0.5, 2.0, 8.0)))
@settings(deadline=None)
def test_a_temperature_changes_no_label(case: tuple[Scheme, int, list[int], int, int], temperature: float) -> None:
    scheme, types, lengths, seed, _ = case
    scores = a_case(a_schema(scheme, types), lengths, seed)
    cooled = Scores(values=apply_temperature(scores.values, temperature), lengths=scores.lengths, schema=scores.schema)
    assert labelled(cooled) == labelled(scores)


# -- by example -------------------------------------------------------------------------------------------------------


def one_sentence(schema: Schema, *rows: dict[str, float]) -> tuple[str, ...]:
    values = np.array([[np.log(row.get(name, 1e-6)) for name in schema.label_names] for row in rows])
    return labelled(Scores(values=normalised(values), lengths=np.array([len(rows)]), schema=schema))[0]


def test_an_inside_without_a_beginning_gets_one_or_goes() -> None:
    schema = a_schema("IOB2")
    assert one_sentence(schema, {"O": 0.6, "B-A": 0.4}, {"I-A": 0.9, "O": 0.1}) == ("B-A", "I-A")
    assert one_sentence(schema, {"O": 0.9, "B-A": 0.1}, {"I-A": 0.5, "B-A": 0.4, "O": 0.1}) == ("O", "B-A")
    assert one_sentence(schema, {"I-A": 0.9, "B-A": 0.1}) == ("B-A",)


def test_an_entity_is_closed_before_the_sentence_ends() -> None:
    schema = a_schema("BIOES")
    assert one_sentence(schema, {"B-A": 0.7, "S-A": 0.3}) == ("S-A",)
    assert one_sentence(schema, {"B-A": 0.9, "O": 0.1}, {"I-A": 0.7, "E-A": 0.3}) == ("B-A", "E-A")


def test_of_equal_labels_the_lower_id_is_taken() -> None:
    schema = a_schema("IOB2")
    assert one_sentence(schema, {"B-A": 0.5, "B-B": 0.5}) == ("B-A",)
    assert one_sentence(schema, {"B-A": 0.3, "B-B": 0.3, "O": 0.4}, {"I-A": 0.5, "I-B": 0.5}) == ("B-A", "I-A")
    either = {"B-A": 0.5, "I-A": 0.5}
    assert one_sentence(schema, {"B-A": 1.0}, either, {"I-B": 0.6, "I-A": 0.4}) == ("B-A", "B-A", "I-A")


def test_a_mistake_that_moves_on_word_by_word_takes_a_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each word is an inside that has to become O, and makes the next one wrong: else it would take 500 rounds."""
    rounds: list[int] = []
    decode_segments = module.SegmentDecoder.decode_segments

    def counted(self: module.SegmentDecoder, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        rounds.append(len(starts))
        decode_segments(self, starts, lengths)

    monkeypatch.setattr(module.SegmentDecoder, "decode_segments", counted)
    assert one_sentence(a_schema("IOB2"), *[{"I-A": 0.6, "O": 0.4, "B-A": 1e-300}] * 500) == ("O",) * 500
    assert len(rounds) < 12


def test_neighbours_of_one_type_stay_two_and_none_bridges_an_o() -> None:
    schema = a_schema("IOB2")
    names = schema.label_names
    tags = ("B-A", "I-A", "B-A", "O", "B-A", "I-A")
    values = np.full((6, len(names)), -8.0)
    values[np.arange(6), [names.index(tag) for tag in tags]] = 0
    scores = Scores(values=normalised(values), lengths=np.array([6]), schema=schema)
    ids = viterbi(scores)
    (spans,) = decode_spans(ids, np.ones(6, np.float32), scores)
    assert [(span.first, span.stop) for span in spans] == [(0, 2), (2, 3), (4, 6)]


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 3, 0]])
def test_sentences_may_be_empty(lengths: list[int]) -> None:
    scores = a_case(a_schema("IOB2"), lengths, seed=0)
    assert [len(tags) for tags in labelled(scores)] == lengths
    assert decode(CATALOG.find("decoder", "viterbi"), scores).dtype == np.int64


def test_plain_labels_follow_each_other_freely() -> None:
    scores = a_case(a_schema(None, 5), [4, 9], seed=0)
    assert viterbi(scores).tolist() == scores.values.argmax(axis=1).tolist()


# -- choosing it ------------------------------------------------------------------------------------------------------


def test_a_run_chooses_it_and_a_task_of_texts_cannot() -> None:
    assert make_plan(Request(task="ner", overrides={"decoder": ("viterbi", "--decoder")}), CATALOG).decoder.name == (
        "viterbi"
    )
    with pytest.raises(LabelkitError, match="decoder 'viterbi' is for kind token"):
        make_plan(Request(task="textcls", overrides={"decoder": ("viterbi", "--decoder")}), CATALOG)
