"""The order in which the windows of train are seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from labelkit.errors import LabelkitError

#: so many steps are filled from windows put together at random: alike within a step, other company in each epoch
POOL = 50
#: a small corpus still makes so many pools
_POOLS = 4


class TrainSampler(Sampler[int]):
    """Positions of train in an order that follows from seed and epoch alone, so that a resumed run goes on in it.

    :param lengths: sub-tokens of each window.
    :param together: windows that an optimizer step takes.
    :param by_length: put windows of similar length into a step, so that they need little padding.
    """

    def __init__(self, lengths: Sequence[int], together: int, seed: int, *, by_length: bool) -> None:
        self._lengths = np.asarray(lengths, np.int64)
        self._together = together
        self._seed = seed
        self._by_length = by_length
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self._epoch))
        order = random.permutation(len(self._lengths))
        return iter((self._grouped(order, random) if self._by_length else order).tolist())

    def _grouped(self, order: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """Return ``order`` sorted by length within pools, the steps then shuffled."""
        steps = max(1, min(POOL, len(order) // (self._together * _POOLS)))
        pool = steps * self._together
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        alike = np.concatenate([one[np.argsort(-self._lengths[one], kind="stable")] for one in pools] or [order])
        whole = len(alike) // self._together
        blocks = alike[: whole * self._together].reshape(whole, self._together)
        shuffled = blocks[_longest_first(random.permutation(whole), self._lengths[blocks].max(axis=1, initial=0))]
        return np.concatenate([shuffled.ravel(), alike[whole * self._together :]])


def _longest_first(steps: NDArray[np.int64], longest: NDArray[np.int64]) -> NDArray[np.int64]:
    """Move the step with the longest window to the front: memory that does not suffice shows at once."""
    if not len(steps):
        return steps
    first = int(np.argmax(longest[steps]))
    return np.concatenate([steps[first : first + 1], steps[:first], steps[first + 1 :]])


class TokenBatchSampler(Sampler[list[int]]):
    """Batches of windows of similar length whose padded size stays within a budget of sub-tokens.

    They are cut once from the lengths, so that every epoch has as many. Which windows of one length come together, and
    the order of the batches, follow from seed and epoch alone.

    :param lengths: sub-tokens of each window.
    :param budget: sub-tokens in a batch, padding included; a longer window makes a batch of its own.
    :param processes: that train together. Their number divides that of the batches, and neighbouring batches, which
        they take at the same time, are alike.
    :raises LabelkitError: there are fewer windows than processes.
    """

    def __init__(self, lengths: Sequence[int], budget: int, seed: int, *, processes: int = 1) -> None:
        self._lengths = np.asarray(lengths, np.int64)
        self._borders = np.cumsum(_sizes(np.sort(self._lengths)[::-1], budget, processes))[:-1]
        self._seed = seed
        self._processes = processes
        self._epoch = 0

    @property
    def sampler(self) -> TokenBatchSampler:
        """Return what accelerate tells the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._borders) + 1

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self._seed, self._epoch))
        alike = np.lexsort((random.random(len(self._lengths)), -self._lengths))
        batches = np.split(alike, self._borders)
        steps = len(batches) // self._processes
        # the longest come first: memory that does not suffice shows at once
        for step in (0, *(1 + random.permutation(steps - 1))):
            for batch in batches[step * self._processes : (step + 1) * self._processes]:
                yield batch.tolist()


def _sizes(lengths: NDArray[np.int64], budget: int, processes: int) -> list[int]:
    """Return how many windows each batch has, the longest windows first; ``lengths`` fall."""
    if len(lengths) < processes:
        raise LabelkitError(f"train has {len(lengths)} windows, fewer than the {processes} processes that shall train")
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
