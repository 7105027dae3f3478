"""Group texts that are alike: k-means over hashed character n-grams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

#: hashed n-grams: with so many columns few frequent ones share one
COLUMNS = 1024
_SIZES = (3, 4, 5)
_ROUNDS = 10
#: similarities that are held at once
_BLOCK = 1 << 22
Floats = NDArray[np.float32]


def text_vectors(texts: Iterable[Sequence[str]]) -> Floats:
    """Return a vector of length 1 for each text, by the character n-grams of its words; of shape (texts, COLUMNS).

    An n-gram weighs more the fewer texts have it. The vector of a text without n-grams is zero.

    :param texts: the words of each text.
    """
    rows = [_counts(words) for words in texts]
    vectors = np.zeros((len(rows), COLUMNS), np.float32)
    for vector, counts in zip(vectors, rows, strict=True):
        vector[list(counts)] = np.log1p(list(counts.values()))
    frequency = np.count_nonzero(vectors, axis=0)
    vectors *= np.log((1 + len(rows)) / (1 + frequency)).astype(np.float32) + 1
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), np.float32)


def _counts(words: Sequence[str]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for word in words:
        padded = f" {word} "
        for size in _SIZES:
            for start in range(len(padded) - size + 1):
                counts[crc32(padded[start : start + size].encode("utf-8", "surrogatepass")) % COLUMNS] += 1
    return counts


def clusters(vectors: Floats, number: int, seed: int) -> NDArray[np.int64]:
    """Return the cluster of each vector, by spherical k-means; deterministic.

    :param vectors: of length 1, of shape (texts, columns).
    :param number: of clusters; some may be empty.
    :param seed: of the first centres, which are texts.
    """
    number = min(number, len(vectors))
    chosen = np.random.default_rng(seed).choice(len(vectors), number, replace=False)
    centres = vectors[np.sort(chosen)].copy()
    found = _nearest(vectors, centres)
    for _ in range(_ROUNDS):
        sums = np.zeros_like(centres)
        np.add.at(sums, found, vectors)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), centres)
        before, found = found, _nearest(vectors, centres)
        if np.array_equal(before, found):
            break
    return found


def _nearest(vectors: Floats, centres: Floats) -> NDArray[np.int64]:
    """Return the most similar centre of each vector."""
    step = max(1, _BLOCK // max(len(centres), 1))
    parts = [(vectors[at : at + step] @ centres.T).argmax(axis=1) for at in range(0, len(vectors), step)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
