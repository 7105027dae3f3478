"""Windows, alignment and batches: nothing is lost, nothing is read twice as one's own, nothing exceeds its bounds."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labelkit.encode.alignment import NO_WORD, Window, align_labels, first_subword_mask
from labelkit.encode.batches import (
    BATCH_COST,
    batch_by_cost,
    batch_by_tokens,
    model_inputs,
    pad,
    pad_labels,
    pad_words,
    rounded_count,
    rounded_length,
    token_types,
)
from labelkit.encode.windows import Subwords, WindowBounds, drop_long_words, split_into_windows
from labelkit.models.tokenizer import SpecialTokens
from labelkit.records.heads import IGNORE_INDEX

MOST = 12


class Case(NamedTuple):
    """An example to cut: the word of each sub-token, and how to cut."""

    words: list[int]
    capacity: int
    overlap: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw words of up to ``capacity`` sub-tokens; some words have none, so that their numbers are missing."""
    capacity = draw(st.integers(1, MOST))
    longest = min(capacity, draw(st.sampled_from([1, 2, 3, MOST])))
    lengths = draw(st.lists(st.integers(0, longest), max_size=40))
    words = [word for word, length in enumerate(lengths) for _ in range(length)]
    return Case(words, capacity, draw(st.integers(0, MOST)))


def borders(words: list[int]) -> set[int]:
    return {i for i in range(len(words) + 1) if i in (0, len(words)) or words[i] != words[i - 1]}


@given(cases())
def test_every_sub_token_is_owned_exactly_once_and_in_order(case: Case) -> None:
    owned = [position for piece in split_into_windows(*case) for position in range(piece.own_start, piece.own_stop)]
    assert owned == list(range(len(case.words)))


@given(cases())
def test_a_window_reads_what_it_owns_and_no_more_than_it_holds(case: Case) -> None:
    for piece in split_into_windows(*case):
        assert piece.start <= piece.own_start < piece.own_stop <= piece.stop
        assert piece.stop - piece.start <= case.capacity


@given(cases())
def test_cuts_are_at_word_borders_only(case: Case) -> None:
    allowed = borders(case.words)
    for piece in split_into_windows(*case):
        assert {piece.start, piece.stop, piece.own_start, piece.own_stop} <= allowed


@given(cases())
def test_windows_cover_everything_and_each_reads_something_new(case: Case) -> None:
    pieces = split_into_windows(*case)
    if not case.words:
        assert pieces == []
        return
    assert (pieces[0].start, pieces[-1].stop) == (0, len(case.words))
    for left, right in itertools.pairwise(pieces):
        assert left.start < right.start <= left.stop < right.stop


@given(cases())
def test_neighbours_share_as_much_as_promised(case: Case) -> None:
    """The right one starts at the first border within ``overlap`` of the left one's end that lets it read on."""
    overlap = min(case.overlap, case.capacity // 2)
    pieces = split_into_windows(*case)
    for left, right in itertools.pairwise(pieces):
        assert left.stop - right.start <= overlap
        after = next(border for border in sorted(borders(case.words)) if border > left.stop)
        for border in borders(case.words):
            if left.start < border < right.start and border >= left.stop - overlap:
                assert after - border > case.capacity  # from there the next word would not fit


@given(cases())
def test_each_word_is_owned_where_it_stands_furthest_from_a_cut(case: Case) -> None:
    pieces, total = split_into_windows(*case), len(case.words)

    def context(piece: WindowBounds, start: int, stop: int) -> float:
        left = math.inf if piece.start == 0 else start - piece.start
        right = math.inf if piece.stop == total else piece.stop - stop
        return min(left, right)

    edges = sorted(borders(case.words))
    for start, stop in itertools.pairwise(edges):
        reading = [piece for piece in pieces if piece.start <= start and stop <= piece.stop]
        (owner,) = [piece for piece in reading if piece.own_start <= start < piece.own_stop]
        assert context(owner, start, stop) == max(context(piece, start, stop) for piece in reading)


def test_what_fits_is_not_cut() -> None:
    assert split_into_windows([0, 1, 1, 2], 4, 2) == [WindowBounds(0, 4, 0, 4)]
    assert split_into_windows([], 4, 2) == []


def test_many_words_are_cut_into_about_as_many_windows_as_needed() -> None:
    pieces = split_into_windows(list(range(10_000)), 126, 40)
    assert len(pieces) == 1 + math.ceil((10_000 - 126) / (126 - 40))


@given(st.lists(st.integers(0, 2 * MOST), max_size=20), st.integers(1, MOST))
@example([5, 5], 5)
def test_words_that_no_window_holds_are_dropped_and_counted(lengths: list[int], capacity: int) -> None:
    words = np.array([word for word, length in enumerate(lengths) for _ in range(length)], np.int32)
    ids = np.arange(len(words), dtype=np.int32)
    kept, dropped = drop_long_words(Subwords(ids, words), capacity)
    too_long = {word for word, length in enumerate(lengths) if length > capacity}
    assert dropped == len(too_long)
    assert kept.words.tolist() == [word for word in words.tolist() if word not in too_long]
    assert kept.ids.tolist() == [int(i) for i in ids if words[i] not in too_long]


# -- alignment --------------------------------------------------------------------------------------------------------

Rows = st.lists(st.integers(-1, 4).map(lambda word: max(word, NO_WORD)), min_size=1, max_size=12)


@given(Rows)
def test_a_word_starts_where_another_one_stood_before(row: list[int]) -> None:
    expected = [word != NO_WORD and (index == 0 or row[index - 1] != word) for index, word in enumerate(row)]
    assert first_subword_mask(np.array(row, np.int32)).tolist() == expected


@given(st.lists(Rows, min_size=1, max_size=4), st.booleans())
def test_first_mask_of_padded_rows_is_that_of_each_row(rows: list[list[int]], left: bool) -> None:
    padded = pad_words([np.array(row, np.int32) for row in rows], left=left)
    found = first_subword_mask(padded)
    for row, mask in zip(rows, found, strict=True):
        shown = mask[len(mask) - len(row) :] if left else mask[: len(row)]
        assert shown.tolist() == first_subword_mask(np.array(row, np.int32)).tolist()
        assert mask.sum() == shown.sum()


def a_window(*words: int) -> Window:
    return Window(np.arange(len(words), dtype=np.int32), np.array(words, np.int32), 0)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (False, [IGNORE_INDEX, IGNORE_INDEX, 12, IGNORE_INDEX, 13, 15, IGNORE_INDEX, IGNORE_INDEX, IGNORE_INDEX]),
        (True, [IGNORE_INDEX, IGNORE_INDEX, 12, 12, 13, 15, 15, 15, IGNORE_INDEX]),
    ],
)
def test_labels_stand_on_first_or_all_sub_tokens_of_owned_words(every: bool, expected: list[int]) -> None:
    window = a_window(-1, -1, 2, 2, 3, 5, 5, 5, -1)
    assert align_labels(window, [10, 11, 12, 13, 14, 15], label_all_tokens=every).tolist() == expected
    assert window.first.tolist() == [2, 4, 5]


# -- batches ----------------------------------------------------------------------------------------------------------

Lengths = st.lists(st.integers(1, 60), max_size=50)


@given(Lengths, st.integers(1, 100))
def test_batches_hold_every_window_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(batch_by_tokens(lengths, budget))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        assert batch
        assert len(batch) == 1 or len(batch) * max(lengths[position] for position in batch) <= budget


@given(Lengths, st.integers(1, 100))
def test_the_longest_come_first_and_no_batch_is_smaller_than_it_must_be(lengths: list[int], budget: int) -> None:
    batches = list(batch_by_tokens(lengths, budget))
    shown = [lengths[position] for batch in batches for position in batch]
    assert shown == sorted(shown, reverse=True)
    for batch in batches[:-1]:
        assert (len(batch) + 1) * lengths[batch[0]] > budget


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=5), st.booleans())
def test_padding_fills_up_on_the_side_asked_for(rows: list[list[int]], left: bool) -> None:
    array = pad(rows, -7, left=left)
    longest = max(map(len, rows))
    assert array.shape == (len(rows), longest)
    assert array.dtype == np.int64
    for row, padded in zip(rows, array.tolist(), strict=True):
        filling = [-7] * (longest - len(row))
        assert padded == (filling + row if left else row + filling)


@pytest.mark.parametrize("left", [False, True])
def test_model_inputs_mask_padding_and_carry_the_token_types(left: bool) -> None:
    special_tokens = SpecialTokens(prefix=(101,), suffix=(102, 103), types=(2, 0, 1))
    inputs = model_inputs([[101, 5, 6, 102, 103], [101, 7, 102, 103]], special_tokens, 9, left=left)
    padded = {
        "input_ids": ([101, 7, 102, 103], 9),
        "attention_mask": ([1, 1, 1, 1], 0),
        "token_type_ids": ([2, 0, 1, 1], 0),
    }
    assert inputs.keys() == padded.keys()
    for name, (row, filling) in padded.items():
        assert inputs[name][1].tolist() == ([filling, *row] if left else [*row, filling])
    assert inputs["token_type_ids"][0].tolist() == [2, 0, 0, 1, 1]
    assert pad_labels([[1, 2], [3]], left=left).tolist() == [[1, 2], [IGNORE_INDEX, 3] if left else [3, IGNORE_INDEX]]


def test_a_model_without_token_types_gets_none() -> None:
    special_tokens = SpecialTokens(prefix=(0,), suffix=(2,), types=None)
    assert model_inputs([[0, 5, 2]], special_tokens, 1).keys() == {"input_ids", "attention_mask"}
    assert token_types(SpecialTokens((), (), (0, 0, 0)), 3).tolist() == [0, 0, 0]


@given(st.lists(st.integers(1, 60), max_size=30), st.integers(1, 300))
def test_batches_by_cost_hold_each_window_once_within_the_budget_and_cost_no_more(
    lengths: list[int], budget: int
) -> None:
    def cost(batches: list[list[int]]) -> int:
        return sum(max(lengths[position] for position in batch) * len(batch) + BATCH_COST for batch in batches)

    found = list(batch_by_cost(lengths, budget))
    assert sorted(position for batch in found for position in batch) == list(range(len(lengths)))
    flat = [lengths[position] for batch in found for position in batch]
    assert flat == sorted(flat, reverse=True)
    assert all(len(batch) == 1 or max(lengths[one] for one in batch) * len(batch) <= budget for batch in found)
    assert cost(found) <= cost(list(batch_by_tokens(lengths, budget)))


@given(st.lists(st.integers(1, 60), max_size=30), st.integers(1, 300))
@example([4] * 5, 20)
def test_rounded_batches_hold_each_window_once_within_the_budget(lengths: list[int], budget: int) -> None:
    found = list(batch_by_cost(lengths, budget, rounded=True))
    assert sorted(position for batch in found for position in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(lengths[position] for position in batch)
        assert len(batch) == 1 or rounded_count(len(batch)) * rounded_length(longest) <= budget


@given(st.integers(1, 10_000))
def test_rounded_shapes_are_few_and_hardly_larger(size: int) -> None:
    for rounded in (rounded_length, rounded_count):
        assert rounded(size) >= size
        assert rounded(rounded(size)) == rounded(size)
    assert rounded_length(size) - size <= max(3, min(7, size / 4), size / 8)
    assert rounded_count(size) <= 3 * size / 2
    assert len({rounded_length(length) for length in range(1, 513)}) == 36
