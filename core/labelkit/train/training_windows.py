"""What training reads: every window of an example in each epoch, or one random window of each text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from labelkit.encode.alignment import Encoding, Window
from labelkit.encode.cache import WindowStore
from labelkit.encode.pairs import NO_PAIR
from labelkit.train.teacher_targets import TeacherTargets

Item = Mapping[str, Any]


class TrainingWindows(Dataset[Item]):
    """The windows of train as a torch dataset.

    :param teacher: what teachers say of train; None where there are none.
    :param text: labels are those of texts.
    :cvar random: samplers number the items of epoch ``n`` from ``n * len(self)`` on.
    """

    random = False

    def __init__(self, store: WindowStore, teacher: TeacherTargets | None = None, *, text: bool = False) -> None:
        self._store, self._teacher, self._text = store, teacher, text

    def __len__(self) -> int:
        return len(self._store)

    def __getitem__(self, index: int) -> Item:
        return self._item(index, self._store[index], self._store[index].weight)

    @property
    def mean_weight(self) -> float:
        """The mean weight of an item."""
        return self._store.mean_weight

    def lengths(self) -> list[int]:
        """Return the most subwords that each item may have, special tokens included."""
        return self._store.lengths()

    def _item(self, index: int, window: Window, weight: float) -> Item:
        labels = self._store.labels(index)
        item = {"input_ids": window.ids, "labels": labels, "weight": weight, "words": window.words}
        if self._teacher is not None:
            item["teacher"] = self._teacher.of_window(window, text=self._text)
        return {**item, "second": window.second}


class RandomTextWindows(TrainingWindows):
    """One window of each text, at another random place in each epoch.

    The place depends on seed, epoch and text alone, so that a run can be resumed. Of a pair of texts, one of its
    windows is taken as it is: each reads a part of both.

    :param size: the most subwords of a window, special tokens included.
    """

    random = True

    def __init__(
        self, store: WindowStore, encoding: Encoding, size: int, seed: int, teacher: TeacherTargets | None = None
    ) -> None:
        super().__init__(store, teacher, text=True)
        special = encoding.special_tokens
        self._prefix, self._suffix = len(special.prefix), len(special.suffix)
        self._size, self._seed = size, seed
        examples = store.examples()
        starts = np.flatnonzero(np.diff(examples, prepend=-1))
        self._windows = [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(examples)], strict=True)]

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Item:
        epoch, text = divmod(index, len(self))
        random = np.random.default_rng((self._seed, epoch, text))
        windows = self._windows[text]
        weights = np.array([self._store[number].weight for number in windows])
        chosen = windows[int(random.choice(len(windows), p=weights / weights.sum()))]
        return self._item(chosen, self._cut(self._store[chosen], random), 1.0)

    @property
    def mean_weight(self) -> float:
        """The mean weight of an item: each text is read once."""
        return 1.0

    def lengths(self) -> list[int]:
        """Return the most subwords that the window of each text may have, special tokens included."""
        lengths, whole = self._store.lengths(), [self._store[windows[0]].second for windows in self._windows]
        return [
            max(lengths[number] if second != NO_PAIR else min(lengths[number], self._size) for number in windows)
            for windows, second in zip(self._windows, whole, strict=True)
        ]

    def _cut(self, window: Window, random: np.random.Generator) -> Window:
        """Return at most as many subwords of a window as wanted, from a random place on."""
        surplus = len(window.ids) - self._size
        if surplus <= 0 or window.second != NO_PAIR:
            return window
        start = self._prefix + int(random.integers(0, surplus + 1))
        kept = np.r_[: self._prefix, start : start + self._size - self._prefix - self._suffix]
        kept = np.append(kept, np.arange(len(window.ids) - self._suffix, len(window.ids)))
        return Window(window.ids[kept], window.words[kept], window.example)
