"""Encoded splits in Arrow files, cached under a hash of content, tokenizer and options, and read by memory map."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from labelkit.encode.alignment import (
    EncodedExamples,
    Encoding,
    Window,
    align_labels,
    encode,
    encode_texts,
    surfaces_of,
    texts_of,
)
from labelkit.encode.windows import Ints
from labelkit.files.atomic import new_file
from labelkit.labels.gold_labels import aligned_labels
from labelkit.labels.unknown import UNKNOWN
from labelkit.models.tokenizer import fingerprint
from labelkit.records import Coverage, Example, Schema
from labelkit.records.heads import IGNORE_INDEX

#: part of the cache key: raise it when windows are encoded or stored in another way
VERSION = 6
#: examples in a record batch
BLOCK = 2000
ROWS = pa.list_(pa.int32())
SCHEMA = pa.schema(
    [
        ("ids", ROWS),
        ("words", ROWS),
        ("labels", ROWS),
        ("example", pa.int32()),
        ("weight", pa.float32()),
        ("second", pa.int32()),
    ]
)
COVERAGE = b"coverage"


@dataclass(frozen=True, slots=True)
class LabelTarget:
    """Which labels of an example are learned, and on which subwords.

    :param label_all_tokens: learn the label of a word on each of its subwords, not only on the first.
    """

    layer: str
    schema: Schema
    label_all_tokens: bool

    @property
    def label_type(self) -> pa.DataType:
        """The type in which the labels of a window are stored."""
        return pa.list_(pa.float32()) if self.schema.numeric else ROWS

    def label_ids(self, examples: Sequence[Example]) -> list[list[float]]:
        """Return the label ids of the words of each example; of its text, for kind ``text``: one, any, or its number.

        :raises DataError: an example has not one label per word, or its text not one label.
        """
        if self.schema.numeric:
            return [[float(*aligned_labels(example, self.layer, "text"))] for example in examples]
        index: dict[str, float] = {label: position for position, label in enumerate(self.schema.label_names)}
        if self.schema.multilabel:
            return [[index[label] for label in example.labels[self.layer]] for example in examples]
        rows = (aligned_labels(example, self.layer, self.schema.kind) for example in examples)
        index[UNKNOWN] = IGNORE_INDEX
        return [[index[label] for label in row] for row in rows]

    def encode(self, encoding: Encoding, examples: Sequence[Example]) -> EncodedExamples:
        """Return the windows of examples of the schema's kind."""
        if self.schema.kind == "text":
            return encode_texts(encoding, texts_of(examples))
        return encode(encoding, surfaces_of(examples))

    def align(self, window: Window, label_ids: Sequence[float]) -> Sequence[float] | Ints:
        """Return the labels learned from a window: one per subword, or those of its text."""
        if self.schema.kind == "text":
            return label_ids
        return align_labels(window, np.asarray(label_ids, np.int32), label_all_tokens=self.label_all_tokens)


#: a list column of Arrow: the offsets of its rows, and all values
_Lists = tuple[Ints, Ints]


@dataclass(frozen=True, slots=True)
class _Block:
    """A record batch as arrays, and the position of its first window."""

    start: int
    ids: _Lists
    words: _Lists
    labels: _Lists
    example: Ints
    weight: NDArray[np.float32]
    second: Ints

    @property
    def inputs(self) -> tuple[NDArray[Any], ...]:
        """All but the labels."""
        return (*self.ids, *self.words, self.example, self.weight, self.second)


class WindowStore(Sequence[Window]):
    """The windows of a split, by position, and their label ids.

    :ivar coverage: of the whole split.
    """

    def __init__(self, batches: Iterable[tuple[pa.RecordBatch, Coverage]]) -> None:
        self._blocks: list[_Block] = []
        self._size = 0
        coverage = []
        for batch, covered in batches:
            columns = (batch.column(name) for name in ("ids", "words", "labels"))
            ids, words, labels = ((column.offsets.to_numpy(), column.values.to_numpy()) for column in columns)
            example, weight, second = (batch.column(name).to_numpy() for name in ("example", "weight", "second"))
            self._blocks.append(_Block(self._size, ids, words, labels, example, weight, second))
            self._size += batch.num_rows
            coverage.append(covered)
        self._starts = np.array([block.start for block in self._blocks])
        self.coverage = total_coverage(coverage)

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Window: ...
    @overload
    def __getitem__(self, index: slice) -> list[Window]: ...
    def __getitem__(self, index: int | slice) -> Window | list[Window]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        block, row = self._find(index)
        example, weight = int(block.example[row]), float(block.weight[row])
        return Window(_row(block.ids, row), _row(block.words, row), example, weight, second=int(block.second[row]))

    def labels(self, index: int) -> Ints:
        """Return the label ids of the subwords of a window."""
        block, row = self._find(index)
        return _row(block.labels, row)

    def all_labels(self) -> NDArray[Any]:
        """Return the label ids of all windows, one after the other."""
        return np.concatenate([np.zeros(0, np.int32), *(block.labels[1] for block in self._blocks)])

    def examples(self) -> Ints:
        """Return the position of the example of each window, int32 of shape (windows,)."""
        return np.concatenate([np.zeros(0, np.int32), *(block.example for block in self._blocks)])

    @property
    def mean_weight(self) -> float:
        """Return the mean weight of a window: texts divided by windows, for kind ``text``."""
        return float(np.mean(np.concatenate([block.weight for block in self._blocks]))) if self._size else 1.0

    def has_same_windows(self, other: WindowStore) -> bool:
        """Return whether another store has the same windows of the same examples; their labels may differ."""
        return len(self._blocks) == len(other._blocks) and all(
            np.array_equal(one, two)
            for mine, theirs in zip(self._blocks, other._blocks, strict=True)
            for one, two in zip(mine.inputs, theirs.inputs, strict=True)
        )

    def lengths(self) -> list[int]:
        """Return the number of subwords of each window, special tokens included."""
        return [int(length) for block in self._blocks for length in np.diff(block.ids[0])]

    def _find(self, index: int) -> tuple[_Block, int]:
        if not -self._size <= index < self._size:
            raise IndexError(index)
        position = index % self._size
        block = self._blocks[int(np.searchsorted(self._starts, position, side="right")) - 1]
        return block, position - block.start


def _row(lists: _Lists, row: int) -> Ints:
    offsets, values = lists
    return values[offsets[row] : offsets[row + 1]]


def cached_windows(
    examples: Sequence[Example],
    content: str,
    encoding: Encoding,
    target: LabelTarget,
    cache: Path,
    *,
    preprocessing: Sequence[str] = (),
    on_progress: Callable[[int], object] = lambda done: None,
) -> WindowStore:
    """Return the windows of a split, from the cache where they were encoded before.

    :param content: the content hash of the examples.
    :param preprocessing: names and versions of the preprocessors that set the surfaces.
    :param on_progress: called with the number of examples that are encoded.
    :raises StorageError: the cache cannot be written.
    """
    key = _cache_key(content, encoding, target, preprocessing)
    path = cache / "encoded" / f"{key}.arrow"
    if (store := _open(path)) is None:
        with new_file(path) as beside:
            write_windows(beside, examples, encoding, target, on_progress)
        store = _open(path)
    if store is None:
        raise OSError(f"{path} cannot be read back")
    return store


def _cache_key(content: str, encoding: Encoding, target: LabelTarget, preprocessing: Sequence[str]) -> str:
    parts = {
        "version": VERSION,
        "content": content,
        "tokenizer": fingerprint(encoding.content.backend, encoding.input_names),
        "max_length": encoding.max_length,
        "overlap": encoding.stride,
        "frame": asdict(encoding.special_tokens),
        "labels": "numbers" if target.schema.numeric else target.schema.label_names,
        **({"multilabel": True} if target.schema.multilabel else {}),
        "layer": target.layer,
        "every": target.label_all_tokens,
        "preprocessing": list(preprocessing),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _open(path: Path) -> WindowStore | None:
    """Return the windows in ``path``; None where the file is missing or damaged."""
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        found = [reader.get_batch_with_custom_metadata(number) for number in range(reader.num_record_batches)]
        return WindowStore((batch, Coverage(**json.loads(metadata[COVERAGE]))) for batch, metadata in found)
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None


def write_windows(
    path: Path,
    examples: Sequence[Example],
    encoding: Encoding,
    target: LabelTarget,
    on_progress: Callable[[int], object] = lambda done: None,
) -> None:
    """Write the windows of ``examples`` and their labels, block by block so that memory stays flat.

    Each block carries its own coverage.

    :param on_progress: called with the number of examples that are written.
    """
    schema = SCHEMA.set(SCHEMA.get_field_index("labels"), pa.field("labels", target.label_type))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for start in range(0, len(examples), BLOCK):
            block = examples[start : start + BLOCK]
            encoded, label_ids = target.encode(encoding, block), target.label_ids(block)
            windows = encoded.windows
            columns = [
                pa.array([window.ids for window in windows], ROWS),
                pa.array([window.words for window in windows], ROWS),
                pa.array([target.align(window, label_ids[window.example]) for window in windows], target.label_type),
                pa.array([window.example + start for window in windows], pa.int32()),
                pa.array([window.weight for window in windows], pa.float32()),
                pa.array([window.second for window in windows], pa.int32()),
            ]
            covered = json.dumps(asdict(total_coverage(encoded.coverage)), allow_nan=False)
            batch = pa.RecordBatch.from_arrays(columns, schema=schema)
            writer.write_batch(batch, custom_metadata={COVERAGE: covered})
            on_progress(start + len(block))


def total_coverage(parts: Iterable[Coverage]) -> Coverage:
    """Return the sum of coverage records, field by field."""
    sums = Counter[str]()
    for part in parts:
        sums.update(asdict(part))
    return Coverage(**{name: sums[name] for name in Coverage.__dataclass_fields__})
