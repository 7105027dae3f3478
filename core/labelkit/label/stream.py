"""Any number of inputs labelled in bounded memory, chunk by chunk.

While the model works on one, the next is tokenized, and records are made of the one before.

The chunks are cut by what comes in alone, never by time: so whoever goes on at the border of a chunk labels the rest in
the same batches, and to the last digit as it would have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from threading import Event
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError
from labelkit.label.records import FailedRecord
from labelkit.records import Example, Labelled

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller, PreparedBatch, ScoredBatch

#: records and characters in a chunk; the first ones are smaller, so that something is seen soon
RECORDS, FIRST = 2048, 64
CHARACTERS = 1 << 18
#: chunks, of about 2,000 records in all, after which an input is large: a quicker engine then pays for its start
LARGE_INPUT_CHUNKS = 5

InputRecord = Example | FailedRecord
LabelResult = Labelled | FailedRecord


def label_stream(
    labeller: Labeller, items: Iterable[InputRecord], *, strict: bool = False, done: int = 0, many: bool = False
) -> Iterator[list[LabelResult]]:
    """Label examples in order and yield the results chunk by chunk, one for each item.

    :param items: examples; what could not be read is passed on.
    :param strict: an example that cannot be labelled is an error, not a result.
    :param done: chunks that came before these, in an earlier process.
    :param many: it is known to be a large input; else that is seen after :data:`LARGE_INPUT_CHUNKS` chunks.
    :raises LabelkitError: with ``strict``, an example cannot be labelled; without, the model failed.
    """
    stop = Event()
    with (
        ThreadPoolExecutor(1, thread_name_prefix="tokenize") as tokenizing,
        ThreadPoolExecutor(1, thread_name_prefix="score") as scoring,
    ):
        waiting: Future[_Chunk] | None = None
        try:
            for number, chunk in enumerate(chunks(items, done), done):
                ready = tokenizing.submit(_prepared, labeller, chunk, strict, many or number >= LARGE_INPUT_CHUNKS)
                coming = scoring.submit(_scored, labeller, ready, stop)
                if waiting is not None:
                    yield _finished(labeller, waiting.result())
                waiting = coming
            if waiting is not None:
                yield _finished(labeller, waiting.result())
        finally:
            stop.set()  # whoever stops reading does not wait for the rest


def chunks(items: Iterable[InputRecord], done: int = 0) -> Iterator[list[InputRecord]]:
    """Cut a stream into chunks that are bounded in records and characters; a record is never divided.

    :param done: chunks that were cut before: the first few are smaller.
    """
    iterator = iter(items)
    for index in count(done):
        room, left = min(FIRST << min(index, 20), RECORDS), CHARACTERS
        chunk: list[InputRecord] = []
        while len(chunk) < room and left > 0 and (item := next(iterator, None)) is not None:
            chunk.append(item)
            left -= _size(item)
        if not chunk:
            return
        yield chunk


def _size(item: InputRecord) -> int:
    if isinstance(item, FailedRecord):
        return 0
    return len(item.text or "") if item.words is None else sum(map(len, item.words))


class _Chunk:
    """A chunk on its way: its places, filled where nothing is left to do, and the examples for the others.

    :param many: a good deal came before it.
    :ivar computed: what the model gave for the examples; None: it was not asked yet.
    """

    def __init__(self, places: list[LabelResult | None], ready: PreparedBatch, *, many: bool) -> None:
        self.places, self.ready, self.many = places, ready, many
        self.computed: ScoredBatch | None = None


def _prepared(labeller: Labeller, chunk: Sequence[InputRecord], strict: bool, many: bool) -> _Chunk:
    examples = [item for item in chunk if isinstance(item, Example)]
    places: list[LabelResult | None] = [item if isinstance(item, FailedRecord) else None for item in chunk]
    try:
        return _Chunk(places, labeller.prepare(examples), many=many)
    except LabelkitError:
        if strict:
            raise
    # one of them is to blame: find out which
    fine: list[Example] = []
    for place, item in enumerate(chunk):
        if isinstance(item, Example):
            try:
                labeller.prepare([item])
                fine.append(item)
            except LabelkitError as error:
                where = f"{item.place}: " if item.place else ""
                places[place] = FailedRecord(f"{where}{error.message}", error.hint)
    return _Chunk(places, labeller.prepare(fine), many=many)


def _scored(labeller: Labeller, coming: Future[_Chunk], stop: Event) -> _Chunk:
    chunk = coming.result()
    chunk.computed = labeller.compute(chunk.ready, many=chunk.many, stop=stop)
    return chunk


def _finished(labeller: Labeller, chunk: _Chunk) -> list[LabelResult]:
    found = iter(labeller.finish(chunk.ready, chunk.computed))
    return [next(found) if place is None else place for place in chunk.places]
