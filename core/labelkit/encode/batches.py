"""Pad windows into arrays, and pick windows of similar length under a token budget. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.alignment import IGNORE_INDEX, NO_WORD
from labelkit.models.tokenizer import SpecialTokens


def pad(rows: Sequence[Sequence[int] | NDArray[np.int32]], value: int, *, left: bool = False) -> NDArray[np.int64]:
    """Return ``rows`` as one int64 array of shape (rows, longest), filled up with ``value``."""
    longest = max(len(row) for row in rows)
    array = np.full((len(rows), longest), value, np.int64)
    for target, row in zip(array, rows, strict=True):
        target[longest - len(row) if left else 0 : longest if left else len(row)] = row
    return array


def model_inputs(
    rows: Sequence[Sequence[int] | NDArray[np.int32]], special_tokens: SpecialTokens, pad_id: int, *, left: bool = False
) -> dict[str, NDArray[np.int64]]:
    """Return ``input_ids``, ``attention_mask`` and, where the model takes them, ``token_type_ids``."""
    ids = pad(rows, pad_id, left=left)
    inputs = {
        "input_ids": ids,
        "attention_mask": pad([np.ones(len(row), np.int32) for row in rows], 0, left=left),
    }
    if special_tokens.types is not None:
        inputs["token_type_ids"] = pad([token_types(special_tokens, len(row)) for row in rows], 0, left=left)
    return inputs


def token_types(special_tokens: SpecialTokens, length: int) -> NDArray[np.int32]:
    """Return the token types of a window of ``length`` sub-tokens."""
    before, body, after = special_tokens.types or (0, 0, 0)
    inside = length - special_tokens.size
    before_count, after_count = len(special_tokens.prefix), len(special_tokens.suffix)
    return np.repeat(np.array([before, body, after], np.int32), [before_count, inside, after_count])


def pad_labels(rows: Sequence[Sequence[int] | NDArray[np.int32]], *, left: bool = False) -> NDArray[np.int64]:
    """Return label rows as one array; padding is never learned."""
    return pad(rows, IGNORE_INDEX, left=left)


def pad_words(rows: Sequence[NDArray[np.int32]], *, left: bool = False) -> NDArray[np.int64]:
    """Return the words that each sub-token answers for as one array."""
    return pad(rows, NO_WORD, left=left)


def batch_by_tokens(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield batches of positions, longest first, whose padded size stays within ``budget`` sub-tokens.

    A window longer than the budget makes a batch of its own. Longest first, so that memory peaks at once if at all.

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
