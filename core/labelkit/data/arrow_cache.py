"""Store the examples of large splits in Arrow files of the cache instead of in memory.

Small splits stay lists. Larger ones are written as they are read, block by block, and a block is read back when one of
its examples is accessed. Memory maps are avoided because their pages count as the process's own: figures of memory
would grow with the data.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.data.views import LazyExamples
from labelkit.errors import DataError
from labelkit.files.atomic import new_file
from labelkit.records import Example, LoadContext, Place, ReadingPolicy

if TYPE_CHECKING:
    import pyarrow as pa

#: raised with every change of how examples are stored, or read by core's formats
VERSION = 3
#: splits with more examples, or more bytes (estimated), are stored in a file
EXAMPLES, BYTES = 50_000, 1 << 28
_BLOCK = 1000
_WORD = 70  # bytes of a word with its label, estimated
_FOOTER = b"labelkit"
_JSON = json.JSONDecoder()


class StoredExamples(LazyExamples):
    """The examples of an Arrow file that :func:`store_if_large` wrote.

    :ivar counts: what readers counted while they read the examples.
    :ivar assumptions: what they assumed.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._path = path
        self._reader = pa.ipc.open_file(pa.OSFile(str(path)))
        last = self._reader.num_record_batches - 1
        footer = json.loads(self._reader.get_batch_with_custom_metadata(last).custom_metadata[_FOOTER])
        self._size: int = footer["examples"]
        self.counts = Counter[str](footer["tally"])
        self.assumptions = tuple[str, ...](footer["assumptions"])
        self._block = -1
        self._column: Any = None  # of the block that was read last

    def __len__(self) -> int:
        return self._size

    def one(self, index: int) -> Example:
        """Return the example at ``index``, which is in range."""
        block, row = divmod(index, _BLOCK)
        if block != self._block:
            self._column = self._reader.get_batch(block).column(0)
            self._block = block
        return _from_json(self._column[row].as_py())

    def __iter__(self) -> Iterator[Example]:
        for block in range(-(-self._size // _BLOCK)):
            yield from map(_from_json, self._reader.get_batch(block).column(0).to_pylist())

    def __reduce__(self) -> tuple[type[StoredExamples], tuple[Path]]:
        """Another process opens the file again."""
        return StoredExamples, (self._path,)


def store_if_large(examples: Iterable[Example], path: Path, policy: ReadingPolicy) -> Sequence[Example]:
    """Return ``examples`` as a list, or stored in ``path`` where there are many.

    :param policy: the one that they are read under, and no others: what it counts and assumes is stored with them.
    :raises StorageError: the cache cannot be written.
    """
    found: list[Example] = []
    size = 0
    iterator = iter(examples)
    for example in iterator:
        found.append(example)
        size += _WORD * len(example.words or ()) + 2 * len((example.text or "") + (example.pair or "")) + 500
        if len(found) > EXAMPLES or size > BYTES:
            return _store(chain(found, iterator), path, policy)
    return found


def load_stored(path: Path, policy: ReadingPolicy) -> StoredExamples | None:
    """Return the examples stored in ``path``; None without a complete, readable file.

    :param policy: gets what readers counted and assumed.
    """
    if not path.exists():
        return None
    try:
        found = StoredExamples(path)
    except (OSError, ValueError, KeyError, TypeError):  # ArrowInvalid is a ValueError
        return None
    policy.add(ReadingPolicy(counts=found.counts, assumptions=dict.fromkeys(found.assumptions)))
    return found


def cache_path(ctx: LoadContext, *parts: object, files: Sequence[Path] = (), with_plugins: bool = False) -> Path:
    """Return the path in the cache for examples, by a hash of where they come from and how they are read.

    :param parts: the origin, and whatever else decides how it is read, e.g. the format.
    :param with_plugins: settings of plugins may decide it, too.
    :param files: the files that are read; a changed file gives another path.
    """
    from labelkit import __version__

    stats = [(str(file), str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    policy = ctx.policy
    lenient = [policy.on_bad_record is not None, policy.on_bad_span is not None]
    what = [policy.labels, policy.undecodable, policy.as_written, policy.keep_columns, policy.find_pairs]
    how = [asdict(ctx.settings), ctx.layer, ctx.kind, *what, lenient]
    plugins = [repr(one) for one in ctx.plugin_settings or ()] if with_plugins else []
    key = [VERSION, __version__, parts, stats, dict(ctx.columns), how, ctx.encoding, ctx.revision, plugins]
    text = json.dumps(key, sort_keys=True, default=str, allow_nan=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape"))
    return ctx.cache / "examples" / f"{digest.hexdigest()}.arrow"


def _store(examples: Iterable[Example], path: Path, policy: ReadingPolicy) -> StoredExamples:
    import pyarrow as pa

    schema = pa.schema([("example", pa.string())])

    def batch(block: list[str]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([pa.array(block, pa.string())], schema=schema)

    packed, count = map(_to_json, examples), 0
    with new_file(path) as temporary, pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        while block := list(islice(packed, _BLOCK)):
            writer.write_batch(batch(block))
            count += len(block)
        footer = {"examples": count, "tally": policy.counts, "assumptions": list(policy.assumptions)}
        writer.write_batch(batch([]), custom_metadata={_FOOTER: json.dumps(footer, allow_nan=False)})
    return StoredExamples(path)


def _to_json(example: Example) -> str:
    """Return an example as JSON, which is several times as fast to read as nested Arrow columns."""
    place = example.place
    lines: Sequence[int] | dict[str, int] = () if place is None else place.word_lines
    if isinstance(lines, range) and lines.step == 1:
        lines = {"start": lines.start, "stop": lines.stop}
    fields = [
        example.id,
        example.words,
        example.text,
        dict(example.labels),
        example.document,
        dict(example.extra),
        example.offsets,
        example.surface,
        None if place is None else [place.file, place.line, lines if isinstance(lines, dict) else list(lines)],
        example.pair,
    ]
    try:
        return json.dumps(fields, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"example '{example.id}' holds what cannot be stored: {error}") from error


def _from_json(packed: str) -> Example:
    id_, words, text, labels, document, extra, offsets, surface, place, pair = _JSON.raw_decode(packed)[0]
    return Example(
        id=id_,
        words=None if words is None else tuple(words),
        text=text,
        # one copy of each name and label, as readers make them
        labels={
            sys.intern(layer): sys.intern(value) if isinstance(value, str) else tuple(map(sys.intern, value))
            for layer, value in labels.items()
        },
        document=document,
        extra=extra,
        offsets=None if offsets is None else tuple([(start, end) for start, end in offsets]),
        surface=tuple(surface) if isinstance(surface, list) else surface,
        place=None if place is None else _place(*place),
        pair=pair,
    )


def _place(file: str, line: int, lines: list[int] | Mapping[str, int]) -> Place:
    numbers = range(lines["start"], lines["stop"]) if isinstance(lines, Mapping) else tuple(lines)
    return Place(file=sys.intern(file), line=line, word_lines=numbers)
