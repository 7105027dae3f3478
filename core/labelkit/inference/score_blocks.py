"""Scores in bounded memory: a float for each word and label is gigabytes where there are thousands of labels."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelkit.files.atomic import storage_errors

#: most words and most scores in a block that is computed at once
WORDS, SCORES = 1 << 16, 1 << 24
#: scores of more bytes than this are in a temporary file, which the system writes and reads as memory needs it
MOST_IN_MEMORY = 1 << 30


def block_words(labels: int) -> int:
    """Return how many words of so many labels make a block.

    >>> block_words(9), block_words(10_001)
    (65536, 1677)
    """
    return max(1, min(WORDS, SCORES // max(labels, 1)))


def blocks(values: NDArray[np.float32]) -> Iterator[slice]:
    """Yield the blocks of scores of shape (words, labels)."""
    step = block_words(values.shape[1])
    return (slice(start, start + step) for start in range(0, len(values), step))


def new_scores(words: int, labels: int) -> NDArray[np.float32]:
    """Return zeros of shape (words, labels), in a temporary file where they are more than :data:`MOST_IN_MEMORY`.

    :raises StorageError: the disk of temporary files is too full for them.
    """
    size = words * labels * 4
    if size <= MOST_IN_MEMORY:
        return np.zeros((words, labels), np.float32)
    with storage_errors(Path(tempfile.gettempdir())), tempfile.TemporaryFile(prefix="labelkit-") as file:
        if hasattr(os, "posix_fallocate"):  # a mapped file that finds no room later would end the process
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        found: NDArray[np.float32] = np.frombuffer(mmap.mmap(file.fileno(), size), np.float32).reshape(words, labels)
        return found


def confidences(values: NDArray[np.float32], ids: NDArray[np.int64], temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the probability of a label of each word.

    :param values: log-probabilities, of shape (words, labels).
    :param ids: label ids, of shape (words,).
    :param temperature: see :func:`labelkit.inference.calibration.apply_temperature`.
    """
    from labelkit.inference.calibration import apply_temperature

    found = np.empty(len(ids), np.float32)
    for block in blocks(values):
        scaled = apply_temperature(values[block], temperature)
        found[block] = np.exp(scaled[np.arange(len(scaled)), ids[block]])
    return found
