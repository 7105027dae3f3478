"""Examples in an Arrow file of the cache, for data that should not sit in memory.

Small splits stay lists. Larger ones are written as they are read, block by block, and each block is read back when
one of its examples is asked for. A memory map would do as well, but its pages count as the process's own, so that
nobody could see that memory stays flat.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.data.views import Lazy
from labelkit.errors import DataError
from labelkit.files.atomic import new_file
from labelkit.records import Example, Labels, LoadContext, Place

if TYPE_CHECKING:
    import pyarrow as pa

#: raise it when examples are stored, or read by core's formats, in another way
VERSION = 1
#: what stays in memory: so many examples, of about so many bytes
EXAMPLES, BYTES = 50_000, 1 << 28
_BLOCK = 1000
_WORD = 70  # bytes of a word with its label, about
_END = b"labelkit"
_JSON = json.JSONDecoder()

Tally = Counter[str]


class StoredExamples(Lazy):
    """The examples of a file that :func:`gather` wrote.

    :param tally: what was counted while they were read.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._path = path
        self._reader = pa.ipc.open_file(pa.OSFile(str(path)))
        last = self._reader.num_record_batches - 1
        end = json.loads(self._reader.get_batch_with_custom_metadata(last).custom_metadata[_END])
        self._size: int = end["examples"]
        self.tally = Tally(end["tally"])
        self._held = -1
        self._column: Any = None

    def __len__(self) -> int:
        return self._size

    def one(self, index: int) -> Example:
        """Return the example at ``index``, which is in range."""
        block, row = divmod(index, _BLOCK)
        return _unpacked(self._rows(block)[row].as_py())

    def __iter__(self) -> Iterator[Example]:
        for block in range(-(-self._size // _BLOCK)):
            for packed in self._reader.get_batch(block).column(0).to_pylist():
                yield _unpacked(packed)

    def __reduce__(self) -> tuple[type[StoredExamples], tuple[Path]]:
        """Another process opens the file again."""
        return StoredExamples, (self._path,)

    def _rows(self, block: int) -> Any:
        if block != self._held:
            self._column = self._reader.get_batch(block).column(0)
            self._held = block
        return self._column


def gather(examples: Iterable[Example], path: Path, tally: Tally) -> Sequence[Example]:
    """Return ``examples`` as a list, or when there are many, stored in ``path``.

    :param tally: what readers count; stored with the examples.
    :raises StorageError: the cache cannot be written.
    """
    found: list[Example] = []
    size, before = 0, Tally(tally)
    iterator = iter(examples)
    for example in iterator:
        found.append(example)
        size += _WORD * len(example.words or ()) + 2 * len(example.text or "") + 500
        if len(found) > EXAMPLES or size > BYTES:
            return _store(chain(found, iterator), path, lambda: tally - before)
    return found


def stored(path: Path, tally: Tally) -> StoredExamples | None:
    """Return what was stored in ``path`` before; None where there is no whole, readable file."""
    if not path.exists():
        return None
    try:
        found = StoredExamples(path)
    except (OSError, ValueError, KeyError, TypeError):  # ArrowInvalid is a ValueError
        return None
    tally.update(found.tally)
    return found


def place_for(ctx: LoadContext, *parts: object, files: Sequence[Path] = ()) -> Path:
    """Return where the examples of a file or source are stored: by what they are read from, and how.

    :param parts: what else decides how they are read, e.g. the format.
    :param files: the files they come from; one that changes is read again.
    """
    from labelkit import __version__

    stats = [(str(file), str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    how = [asdict(ctx.settings), ctx.layer, ctx.kind, ctx.policy.labels, ctx.policy.undecodable, ctx.policy.as_written]
    key = [VERSION, __version__, parts, stats, dict(ctx.columns), how, ctx.encoding, ctx.revision]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode("utf-8", "surrogateescape"))
    return ctx.cache / "examples" / f"{digest.hexdigest()}.arrow"


def _store(examples: Iterable[Example], path: Path, counted: Callable[[], Tally]) -> StoredExamples:
    import pyarrow as pa

    schema = pa.schema([("example", pa.string())])
    with new_file(path) as beside, pa.OSFile(str(beside), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        count = sum(_write(writer, block, schema) for block in _blocks(examples))
        end = json.dumps({"examples": count, "tally": counted()})
        writer.write_batch(_batch([], schema), custom_metadata={_END: end})
    return StoredExamples(path)


def _blocks(examples: Iterable[Example]) -> Iterator[list[str]]:
    packed = map(_packed, examples)
    while block := list(islice(packed, _BLOCK)):
        yield block


def _write(writer: Any, block: list[str], schema: pa.Schema) -> int:
    writer.write_batch(_batch(block, schema))
    return len(block)


def _batch(block: list[str], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array(block, pa.string())], schema=schema)


# -- one example ----------------------------------------------------------------------------------------------------


def _packed(example: Example) -> str:
    """Return an example as text: JSON is several times as quick to read as nested Arrow columns are."""
    place = example.place
    fields = [
        example.id,
        example.words,
        example.text,
        dict(example.labels),
        example.document,
        dict(example.extra),
        example.offsets,
        example.surface,
        None if place is None else [place.file, place.line, _packed_lines(place.word_lines)],
    ]
    try:
        return json.dumps(fields, separators=(",", ":"))
    except TypeError as error:
        raise DataError(f"example '{example.id}' holds what cannot be stored: {error}") from error


def _packed_lines(lines: Sequence[int]) -> list[int] | dict[str, int]:
    return {"start": lines.start, "stop": lines.stop} if isinstance(lines, range) and lines.step == 1 else list(lines)


def _unpacked(packed: str) -> Example:
    id_, words, text, labels, document, extra, offsets, surface, place = _JSON.raw_decode(packed)[0]
    return Example(
        id=id_,
        words=None if words is None else tuple(words),
        text=text,
        labels={sys.intern(layer): _labels(value) for layer, value in labels.items()},
        document=document,
        extra=extra,
        offsets=None if offsets is None else tuple([(start, end) for start, end in offsets]),
        surface=tuple(surface) if isinstance(surface, list) else surface,
        place=None if place is None else _place(*place),
    )


def _labels(value: str | list[str]) -> Labels:
    """Keep one copy of each label, as readers do."""
    return sys.intern(value) if isinstance(value, str) else tuple(map(sys.intern, value))


def _place(file: str, line: int, lines: list[int] | Mapping[str, int]) -> Place:
    numbers = range(lines["start"], lines["stop"]) if isinstance(lines, Mapping) else tuple(lines)
    return Place(file=sys.intern(file), line=line, word_lines=numbers)
