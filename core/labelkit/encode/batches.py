"""Pad windows into arrays, and batch windows of similar length under a token budget. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.alignment import NO_WORD
from labelkit.encode.pairs import NO_PAIR
from labelkit.models.tokenizer import SpecialTokens
from labelkit.records.heads import IGNORE_INDEX

#: subwords that take a processor as long as what each batch costs beside them: 24 to 48 were the fastest of 24 to 192
#: for 8, 16, 32 and 400 texts of WNUT-17 at once (bundled encoder, one thread)
BATCH_COST = 32


def pad(
    rows: Sequence[Sequence[int] | NDArray[np.int32]], value: int, *, left: bool = False, length: int = 0
) -> NDArray[np.int64]:
    """Return ``rows`` as one int64 array of shape (rows, longest row), padded with ``value``.

    :param length: the least length of the array.
    """
    longest = max(length, *(len(row) for row in rows))
    array = np.full((len(rows), longest), value, np.int64)
    for target, row in zip(array, rows, strict=True):
        target[longest - len(row) if left else 0 : longest if left else len(row)] = row
    return array


def model_inputs(
    rows: Sequence[Sequence[int] | NDArray[np.int32]],
    special_tokens: SpecialTokens,
    pad_id: int,
    *,
    left: bool = False,
    seconds: Sequence[int] = (),
    length: int = 0,
) -> dict[str, NDArray[np.int64]]:
    """Return ``input_ids``, ``attention_mask`` and, where the model takes them, ``token_type_ids``.

    :param rows: the subword ids of each window, special tokens included.
    :param left: pad on the left.
    :param seconds: where the second text of each window begins, :data:`NO_PAIR` without one; empty: there are none.
    :param length: the least length that rows are padded to.
    """
    inputs = {
        "input_ids": pad(rows, pad_id, left=left, length=length),
        "attention_mask": pad([np.ones(len(row), np.int32) for row in rows], 0, left=left, length=length),
    }
    if special_tokens.types is not None:
        types = [
            token_types(special_tokens, len(row), second)
            for row, second in zip(rows, seconds or [NO_PAIR] * len(rows), strict=True)
        ]
        inputs["token_type_ids"] = pad(types, 0, left=left, length=length)
    return inputs


def token_types(special_tokens: SpecialTokens, length: int, second: int = NO_PAIR) -> NDArray[np.int32]:
    """Return the token type ids of a window of ``length`` subwords, special tokens included.

    :param second: where the second text of a pair begins, :data:`NO_PAIR` without one.
    """
    pair = special_tokens.pair
    if second != NO_PAIR and pair.types is not None:
        before, first_type, between, second_type, after = pair.types
        first = second - len(pair.prefix) - len(pair.middle)
        rest = length - second - len(pair.suffix)
        return np.array([*before, *[first_type] * first, *between, *[second_type] * rest, *after], np.int32)
    prefix, suffix = len(special_tokens.prefix), len(special_tokens.suffix)
    types = np.array(special_tokens.types or (0, 0, 0), np.int32)
    return np.repeat(types, [prefix, length - prefix - suffix, suffix])


def pad_labels(rows: Sequence[Sequence[int] | NDArray[np.int32]], *, left: bool = False) -> NDArray[np.int64]:
    """Return rows of label ids as one array, padded with the index that the loss ignores."""
    return pad(rows, IGNORE_INDEX, left=left)


def pad_words(rows: Sequence[NDArray[np.int32]], *, left: bool = False, length: int = 0) -> NDArray[np.int64]:
    """Return the ``words`` of windows as one array, at least of ``length``."""
    return pad(rows, NO_WORD, left=left, length=length)


def rounded_length(length: int) -> int:
    """Return the next of the lengths of :func:`batch_by_cost`: multiples of 4, of 8 from 32, of more from 128 on.

    >>> [rounded_length(length) for length in (3, 9, 12, 33, 65, 400)]
    [4, 12, 12, 40, 72, 416]
    """
    step = max(4 if length <= 32 else 8, 1 << max(0, (length - 1).bit_length() - 4))
    return -(-length // step) * step


def rounded_count(count: int) -> int:
    """Return the next of the numbers of windows of :func:`batch_by_cost`: powers of 2, and 3 times these.

    >>> [rounded_count(count) for count in (1, 3, 5, 7, 13, 17)]
    [1, 3, 6, 8, 16, 24]
    """
    power = 1 << (count - 1).bit_length()
    return min(size for size in (power * 3 // 4, power) if size >= count)


def batch_by_tokens(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield batches of positions, longest first, whose padded size stays within ``budget`` subwords.

    A window longer than the budget makes a batch of its own. Longest first, so that running out of memory shows at
    once.

    >>> list(batch_by_tokens([3, 9, 4, 1], 10))
    [[1], [2, 0], [3]]
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    batch: list[int] = []
    for position in order:
        if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def batch_by_cost(lengths: Sequence[int], budget: int, *, rounded: bool = False) -> Iterator[list[int]]:
    """Yield batches of positions, longest first, within ``budget`` as :func:`batch_by_tokens`, that cost least.

    A batch costs its padded size and :data:`BATCH_COST`. Few texts of different lengths, as a server has them at once,
    are padded to twice their size by :func:`batch_by_tokens`, which is best where the budget is thousands of subwords.

    :param rounded: batches are padded to :func:`rounded_count` windows of :func:`rounded_length`.

    >>> list(batch_by_cost([9, 100, 8, 90], 1000))
    [[1, 3], [0, 2]]
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    rows = [rounded_count(count) if rounded else count for count in range(1, len(order) + 1)]
    costs, ends = [0] * (len(order) + 1), [0] * len(order)
    for start in reversed(range(len(order))):
        longest = max(1, lengths[order[start]])
        width = rounded_length(longest) if rounded else longest
        most = max(1, bisect_right(rows, budget // width, hi=len(order) - start))
        options = (
            (width * rows[count - 1] + BATCH_COST + costs[start + count], start + count) for count in range(1, most + 1)
        )
        costs[start], ends[start] = min(options)
    start = 0
    while start < len(order):
        yield order[start : ends[start]]
        start = ends[start]
