"""Encoded splits in Arrow files, kept under a hash of content, tokenizer and options, and read by memory map."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import overload

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
from labelkit.models.tokenizer import fingerprint
from labelkit.records import Coverage, Example, Schema

#: raise it when windows are cut or stored in another way
VERSION = 3
BLOCK = 2000
ROWS = pa.list_(pa.int32())
SCHEMA = pa.schema(
    [("ids", ROWS), ("words", ROWS), ("labels", ROWS), ("example", pa.int32()), ("weight", pa.float32())]
)
COVERAGE = b"coverage"


@dataclass(frozen=True, slots=True)
class LabelTarget:
    """What is learned from an example.

    :param every: learn the label on every sub-token of a word.
    """

    layer: str
    schema: Schema
    every: bool

    def ids(self, examples: Sequence[Example]) -> list[list[int]]:
        """Return the label ids of each example's words; of its text, for kind ``text``."""
        index = {label: position for position, label in enumerate(self.schema.label_names)}
        rows = (example.labels[self.layer] for example in examples)
        return [[index[label] for label in ([row] if isinstance(row, str) else row)] for row in rows]

    def encode(self, encoding: Encoding, examples: Sequence[Example]) -> EncodedExamples:
        """Return the windows of some examples of the schema's kind."""
        if self.schema.kind == "text":
            return encode_texts(encoding, texts_of(examples))
        return encode(encoding, surfaces_of(examples))

    def labels(self, window: Window, ids: Sequence[int]) -> Sequence[int] | Ints:
        """Return what is learned from a window: a label per sub-token, or one for kind ``text``."""
        return ids if self.schema.kind == "text" else align_labels(window, ids, every=self.every)


@dataclass(frozen=True, slots=True)
class _Chunk:
    start: int
    ids: tuple[Ints, Ints]
    words: tuple[Ints, Ints]
    labels: tuple[Ints, Ints]
    example: Ints
    weight: NDArray[np.float32]


class WindowStore(Sequence[Window]):
    """The windows of a split, by position, and the label ids that go with them.

    :param coverage: how the whole split was covered.
    """

    def __init__(self, batches: Iterable[tuple[pa.RecordBatch, Coverage]]) -> None:
        self._chunks: list[_Chunk] = []
        self._size = 0
        coverage = []
        for batch, covered in batches:
            ids, words, labels = (_flat(batch.column(name)) for name in ("ids", "words", "labels"))
            example, weight = (batch.column(name).to_numpy() for name in ("example", "weight"))
            self._chunks.append(_Chunk(self._size, ids, words, labels, example, weight))
            self._size += batch.num_rows
            coverage.append(covered)
        self._starts = np.array([chunk.start for chunk in self._chunks])
        self.coverage = total(coverage)

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Window: ...
    @overload
    def __getitem__(self, index: slice) -> list[Window]: ...
    def __getitem__(self, index: int | slice) -> Window | list[Window]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        chunk, row = self._find(index)
        example, weight = int(chunk.example[row]), float(chunk.weight[row])
        return Window(_row(chunk.ids, row), _row(chunk.words, row), example, weight)

    def labels(self, index: int) -> Ints:
        """Return the label ids of the sub-tokens of a window."""
        chunk, row = self._find(index)
        return _row(chunk.labels, row)

    @property
    def mean_weight(self) -> float:
        """Return the mean weight of a window: texts divided by windows, for kind ``text``."""
        return float(np.mean(np.concatenate([chunk.weight for chunk in self._chunks]))) if self._size else 1.0

    def lengths(self) -> list[int]:
        """Return how many sub-tokens each window has."""
        return [int(length) for chunk in self._chunks for length in np.diff(chunk.ids[0])]

    def _find(self, index: int) -> tuple[_Chunk, int]:
        if not -self._size <= index < self._size:
            raise IndexError(index)
        position = index % self._size
        chunk = self._chunks[int(np.searchsorted(self._starts, position, side="right")) - 1]
        return chunk, position - chunk.start


def _flat(column: pa.ListArray) -> tuple[Ints, Ints]:
    return column.offsets.to_numpy(), column.values.to_numpy()


def _row(lists: tuple[Ints, Ints], row: int) -> Ints:
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
    progress: Callable[[int], object] | None = None,
) -> WindowStore:
    """Return the windows of a split, from the cache where the same ones were made before.

    :param content: the hash of the examples' content.
    :param preprocessing: names and versions of the preprocessors that set the surfaces.
    :param progress: called with the number of examples done after each block.
    :raises StorageError: the cache cannot be written.
    """
    path = cache / "encoded" / f"{_key(content, encoding, target, preprocessing)}.arrow"
    if (store := _open(path)) is None:
        with new_file(path) as beside:
            _write(beside, examples, encoding, target, progress)
        store = _open(path)
    if store is None:
        raise OSError(f"{path} cannot be read back")
    return store


def _key(content: str, encoding: Encoding, target: LabelTarget, preprocessing: Sequence[str]) -> str:
    parts = {
        "version": VERSION,
        "content": content,
        "tokenizer": fingerprint(encoding.tokenizer),
        "max_length": encoding.max_length,
        "overlap": encoding.overlap,
        "frame": asdict(encoding.special_tokens),
        "labels": target.schema.label_names,
        "layer": target.layer,
        "every": target.every,
        "preprocessing": list(preprocessing),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _open(path: Path) -> WindowStore | None:
    """Return the windows in ``path``; None where there is no whole, readable file."""
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        found = [reader.get_batch_with_custom_metadata(number) for number in range(reader.num_record_batches)]
        return WindowStore((batch, Coverage(**json.loads(metadata[COVERAGE]))) for batch, metadata in found)
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None


def _write(
    path: Path,
    examples: Sequence[Example],
    encoding: Encoding,
    target: LabelTarget,
    progress: Callable[[int], object] | None,
) -> None:
    """Write block by block, so that memory stays flat; each block carries its own coverage."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        for start in range(0, len(examples), BLOCK):
            block = examples[start : start + BLOCK]
            encoded = target.encode(encoding, block)
            covered = json.dumps(asdict(total(encoded.coverage)))
            writer.write_batch(_batch(encoded.windows, block, target, start), custom_metadata={COVERAGE: covered})
            if progress:
                progress(start + len(block))


def _batch(windows: Sequence[Window], examples: Sequence[Example], target: LabelTarget, offset: int) -> pa.RecordBatch:
    ids = target.ids(examples)
    labels = [target.labels(window, ids[window.example]) for window in windows]
    columns = [
        pa.array([window.ids for window in windows], ROWS),
        pa.array([window.words for window in windows], ROWS),
        pa.array(labels, ROWS),
        pa.array([window.example + offset for window in windows], pa.int32()),
        pa.array([window.weight for window in windows], pa.float32()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def total(parts: Iterable[Coverage]) -> Coverage:
    """Return the sum of some coverage records."""
    sums = Counter[str]()
    for part in parts:
        sums.update(asdict(part))
    return Coverage(**{name: sums[name] for name in Coverage.__dataclass_fields__})
