"""Samplers: the order and the batches in which the windows of train are seen in each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from labelkit.errors import LabelkitError

#: optimizer steps in a pool of random windows that is sorted by length: similar lengths in a step, other neighbours in
#: each epoch
POOL = 50
#: the least number of pools, for a small corpus
_POOLS = 4


class TrainSampler(Sampler[int]):
    """Samples the windows of train in an order that depends only on seed and epoch, so that a run can be resumed.

    :param lengths: subwords of each window.
    :param per_step: windows of an optimizer step.
    :param by_length: group windows of similar length into a step, to save padding.
    :param mark_epochs: the windows of epoch ``n`` are numbered from ``n`` times their number on.
    """

    def __init__(
        self, lengths: Sequence[int], per_step: int, seed: int, *, by_length: bool, mark_epochs: bool = False
    ) -> None:
        self._lengths = np.asarray(lengths, np.int64)
        self._per_step = per_step
        self._seed = seed
        self._by_length, self._mark_epochs = by_length, mark_epochs
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to sample next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self._epoch))
        order = random.permutation(len(self._lengths))
        found = self._grouped(order, random) if self._by_length else order
        return iter((found + self._mark_epochs * self._epoch * len(order)).tolist())

    def _grouped(self, order: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """Return ``order`` sorted by length within pools, with its steps shuffled and the longest window first."""
        steps = max(1, min(POOL, len(order) // (self._per_step * _POOLS)))
        pool = steps * self._per_step
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        alike = np.concatenate([one[np.argsort(-self._lengths[one], kind="stable")] for one in pools] or [order])
        whole = len(alike) // self._per_step
        blocks = alike[: whole * self._per_step].reshape(whole, self._per_step)
        shuffled = random.permutation(whole)
        if whole:  # the step with the longest window goes first, so that running out of memory shows at once
            longest = self._lengths[blocks].max(axis=1, initial=0)
            first = int(np.argmax(longest[shuffled]))
            shuffled = np.concatenate([shuffled[first : first + 1], shuffled[:first], shuffled[first + 1 :]])
        return np.concatenate([blocks[shuffled].ravel(), alike[whole * self._per_step :]])


class TokenBatchSampler(Sampler[list[int]]):
    """Samples batches of windows of similar length whose padded size stays within a token budget.

    Each epoch has the same number of batches. Which windows of one length share a batch, and the order of the batches,
    depend only on seed and epoch.

    :param lengths: subwords of each window.
    :param budget: subwords in a batch, padding included; a longer window makes a batch of its own.
    :param processes: number of processes. It divides the number of batches, and the batches that the processes take at
        the same time are of similar length.
    :param mark_epochs: the windows of epoch ``n`` are numbered from ``n`` times their number on.
    :raises LabelkitError: there are fewer windows than processes.
    """

    def __init__(
        self, lengths: Sequence[int], budget: int, seed: int, *, processes: int = 1, mark_epochs: bool = False
    ) -> None:
        self._lengths = np.asarray(lengths, np.int64)
        self._borders = np.cumsum(token_batch_sizes(np.sort(self._lengths)[::-1], budget, processes))[:-1]
        self._seed, self._mark_epochs = seed, mark_epochs
        self._processes = processes
        self._epoch = 0

    @property
    def sampler(self) -> TokenBatchSampler:
        """Return the object on which accelerate sets the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to sample next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._borders) + 1

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self._seed, self._epoch))
        alike = np.lexsort((random.random(len(self._lengths)), -self._lengths))
        batches = np.split(alike + self._mark_epochs * self._epoch * len(alike), self._borders)
        steps = len(batches) // self._processes
        # the longest windows go first, so that running out of memory shows at once
        for step in (0, *(1 + random.permutation(steps - 1))):
            for batch in batches[step * self._processes : (step + 1) * self._processes]:
                yield batch.tolist()


def token_batch_sizes(lengths: NDArray[np.int64], budget: int, processes: int) -> list[int]:
    """Return the number of windows of each batch within a token budget.

    :param lengths: subwords of each window, descending.
    :raises LabelkitError: there are fewer windows than processes.
    """
    if len(lengths) < processes:
        raise LabelkitError(f"train has {len(lengths)} windows, fewer than the {processes} processes")
    sizes: list[int] = []
    start = 0
    while start < len(lengths):
        sizes.append(min(max(1, budget // int(lengths[start])), len(lengths) - start))
        start += sizes[-1]
    while len(sizes) % processes:
        largest = int(np.argmax(sizes))
        half = sizes[largest] // 2
        sizes[largest : largest + 1] = [half, sizes[largest] - half]
    return sizes
