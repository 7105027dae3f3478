"""The order in which the windows of train are seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

#: so many steps are filled from windows put together at random: alike within a step, other company in each epoch
POOL = 50
#: a small corpus still makes so many pools
_POOLS = 4


class TrainOrder(Sampler[int]):
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
