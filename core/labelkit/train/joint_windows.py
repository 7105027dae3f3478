"""The training windows of several tasks: a window that is in the corpora of several has the labels of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelkit.encode.alignment import NO_WORD, Encoding
from labelkit.encode.batches import model_inputs
from labelkit.encode.cache import WindowStore
from labelkit.records import Schema
from labelkit.records.heads import IGNORE_INDEX
from labelkit.train.trainer import label_array, unknown_words
from labelkit.train.training_windows import Item, TrainingWindows

#: stands in a table of windows where the corpus of a task has no such window
ABSENT = -1
Table = NDArray[np.int64]


def labels_key(task: str) -> str:
    """Return the name of a task's labels in a batch; Trainer itself reads the name ``labels``."""
    return f"labels:{task}"


def shares_key(task: str) -> str:
    """Return the name of the shares of windows in their texts in a batch."""
    return f"shares:{task}"


def words_key(task: str) -> str:
    """Return the name of the words of a window's subwords, as the corpus of a task has them, in an item."""
    return f"words:{task}"


def unknown_key(task: str) -> str:
    """Return the name of the words whose label of a task is unknown in a batch."""
    return f"unknown:{task}"


def merge_windows(stores: Sequence[WindowStore]) -> Table:
    """Return the position of each window in each store, :data:`ABSENT` where a store lacks it.

    Windows of the same subwords are one, the second of a store with the second of another.

    :returns: of shape (windows, stores), the windows of the first store first, in their order.
    """
    rows: dict[bytes, list[int]] = {}
    table: list[list[int]] = []
    for column, store in enumerate(stores):
        seen = Counter[bytes]()
        for position, window in enumerate(store):
            key = np.asarray(window.ids, np.int32).tobytes()
            known = rows.setdefault(key, [])
            if seen[key] == len(known):
                known.append(len(table))
                table.append([ABSENT] * len(stores))
            table[known[seen[key]]][column] = position
            seen[key] += 1
    return np.array(table, np.int64).reshape(len(table), len(stores))


def sampled_rows(table: Table, smoothing: float, seed: int) -> NDArray[np.int64]:
    """Return the rows of the windows of an epoch: each once, and those of small corpora more often.

    Rows with labels of the same tasks are a group. With smoothing s, groups are seen in proportion to their size to the
    power of s: 1 sees each window once, 0 all groups equally often. The largest group is seen once, so that nothing is
    left out; which windows of a group are seen once more than others depends only on ``seed``, so that each epoch has
    the same number of batches.
    """
    _, group_of, sizes = np.unique(table != ABSENT, axis=0, return_inverse=True, return_counts=True)
    group_of, largest = group_of.reshape(-1), sizes.max(initial=1)
    parts = []
    for group, size in enumerate(sizes.tolist()):
        rows = np.flatnonzero(group_of == group)
        wanted = round(largest * (size / largest) ** smoothing)
        whole, more = divmod(max(wanted, size), size)
        extra = np.random.default_rng((seed, group)).permutation(rows)[:more]
        parts.append(np.concatenate([np.tile(rows, whole), np.sort(extra)]))
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


class JointWindows(TrainingWindows):
    """The training windows of several tasks as a torch dataset.

    :param stores: task → the windows of its train split.
    :param smoothing: see :func:`sampled_rows`.
    """

    def __init__(self, stores: Mapping[str, WindowStore], smoothing: float, seed: int) -> None:
        self._stores = stores
        table = merge_windows(list(stores.values()))
        self.windows = len(table)
        self._table = table[sampled_rows(table, smoothing, seed)]

    def __len__(self) -> int:
        return len(self._table)

    @property
    def mean_weight(self) -> float:
        """The mean weight of an item: 1, as shares are divided by the mean of their task."""
        return 1.0

    def lengths(self) -> list[int]:
        """Return the number of subwords of each window, special tokens included."""
        found = np.zeros(len(self._table), np.int64)
        for column, store in enumerate(self._stores.values()):
            here = self._table[:, column] != ABSENT
            found[here] = np.array(store.lengths(), np.int64)[self._table[here, column]]
        return [int(length) for length in found]

    def __getitem__(self, index: int) -> Item:
        item: dict[str, object] = {}
        for (task, store), position in zip(self._stores.items(), self._table[index].tolist(), strict=True):
            if position != ABSENT:
                window = store[position]
                item |= {
                    "input_ids": window.ids,
                    "second": window.second,
                    labels_key(task): store.labels(position),
                    shares_key(task): window.weight / store.mean_weight,
                    words_key(task): window.words,
                }
        return item


class JointCollator:
    """Pads the windows of a batch to the longest one, and masks the tasks that they have no labels of.

    :param schemas: task → its labels.
    """

    def __init__(self, encoding: Encoding, schemas: Mapping[str, Schema]) -> None:
        self._encoding, self._schemas = encoding, schemas

    def __call__(self, items: Sequence[Item]) -> dict[str, torch.Tensor]:
        """Return the tensors of a batch."""
        left, special = self._encoding.pad_left, self._encoding.special_tokens
        ids = [item["input_ids"] for item in items]
        seconds = [item["second"] for item in items]
        arrays: dict[str, NDArray[Any]] = {}
        arrays.update(model_inputs(ids, special, self._encoding.pad_id, left=left, seconds=seconds))
        for task, schema in self._schemas.items():
            key = labels_key(task)
            here = np.array([key in item for item in items])
            rows = [item.get(key, _no_labels(schema, len(item["input_ids"]))) for item in items]
            arrays[key] = label_array(rows, schema, left=left)
            if schema.kind == "text":
                arrays[key][~here] = IGNORE_INDEX
                shares = [item.get(shares_key(task), 0.0) for item in items]
                arrays[shares_key(task)] = np.array(shares, np.float32)
                continue
            words = [item.get(words_key(task), np.full(len(item["input_ids"]), NO_WORD, np.int32)) for item in items]
            unknown = unknown_words(words, arrays[key], left=left)
            arrays.update({} if unknown is None else {unknown_key(task): unknown})
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _no_labels(schema: Schema, length: int) -> NDArray[np.int32] | NDArray[np.float32]:
    """Return the labels of a window that has none; those of texts are masked later."""
    if schema.kind == "token":
        return np.full(length, IGNORE_INDEX, np.int32)
    return np.zeros(1, np.float32) if schema.numeric else np.zeros(1, np.int32)
