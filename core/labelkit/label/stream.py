"""Label a stream of inputs in bounded memory, chunk by chunk, in a pipeline of threads.

While one chunk is in inference, the next one is tokenized and the records of the previous one are assembled.

Chunks of files are cut by their inputs alone, never by time: labelling that resumes at a chunk border has the same
batches, and its results are bit-identical. Only those of standard input that is written to a stream are cut by time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from threading import Event
from typing import TYPE_CHECKING, Self

from labelkit.errors import LabelkitError
from labelkit.label.records import FailedRecord
from labelkit.label.slow_input import chunks_until_pause
from labelkit.records import Example, Labelled
from labelkit.records.contents import shown_content

if TYPE_CHECKING:
    from labelkit.label.assembly import PreparedBatch, ScoredBatch
    from labelkit.label.labeller import Labeller

#: largest number of records in a chunk, and that of the first one: chunks grow so that the first results come soon
RECORDS, FIRST = 2048, 64
#: characters in a chunk
CHARACTERS = 1 << 18
#: a chunk of so many labels has some 50 MB of scores, and there are up to three chunks with copies of them
MANY_LABELS = 256
#: an input of more chunks (about 2,000 records) is large: a faster engine is then worth its loading time
LARGE_INPUT_CHUNKS = 5

InputRecord = Example | FailedRecord
LabelResult = Labelled | FailedRecord


def label_stream(
    labeller: Labeller,
    inputs: Iterable[InputRecord],
    *,
    strict: bool = False,
    done: int = 0,
    large: bool = False,
    prompt: bool = False,
) -> Iterator[list[LabelResult]]:
    """Label inputs in order and yield their results chunk by chunk; failed inputs are passed on.

    :param strict: raise for an example that cannot be labelled; else its result is a failure.
    :param done: number of chunks that an earlier process labelled.
    :param prompt: the input may be slow, as what somebody types: its chunks are cut by time, too.
    :param large: the input is known to be large; else that is noticed after :data:`LARGE_INPUT_CHUNKS` chunks.
    :raises LabelkitError: if inference fails; with ``strict``, if an example cannot be labelled.
    """
    stop = Event()

    def score(prepared: Future[PendingChunk]) -> PendingChunk:
        return prepared.result().score(labeller, stop)

    with (
        ThreadPoolExecutor(1, thread_name_prefix="tokenize") as tokenizing,
        ThreadPoolExecutor(1, thread_name_prefix="score") as scoring,
    ):
        previous: Future[PendingChunk] | None = None
        try:
            labels = len(labeller.labels)
            cut = (
                chunks_until_pause(inputs, characters=chunk_characters(labels), size=characters_of)
                if prompt
                else chunks(inputs, done, labels)
            )
            for number, chunk in enumerate(cut, done):
                if not chunk and previous is not None:  # a pause: the results so far are not kept waiting
                    yield previous.result().results(labeller)
                    previous = None
                if not chunk:
                    continue
                large = large or number >= LARGE_INPUT_CHUNKS
                prepared = tokenizing.submit(PendingChunk.prepare, labeller, chunk, strict=strict, large=large)
                scored = scoring.submit(score, prepared)
                if previous is not None:
                    yield previous.result().results(labeller)
                previous = scored
            if previous is not None:
                yield previous.result().results(labeller)
        finally:
            stop.set()  # a consumer that stops early does not wait for the chunks in the pipeline


def chunks(inputs: Iterable[InputRecord], done: int = 0, labels: int = 1) -> Iterator[list[InputRecord]]:
    """Cut a stream into chunks, bounded in records and characters; a record is never split.

    :param done: number of earlier chunks; the first few are smaller.
    :param labels: of each word; chunks are smaller where there are more than :data:`MANY_LABELS`.
    """
    iterator, most = iter(inputs), chunk_characters(labels)
    for index in count(done):
        records, characters = min(FIRST << min(index, 20), RECORDS), most
        chunk: list[InputRecord] = []
        while len(chunk) < records and characters > 0 and (item := next(iterator, None)) is not None:
            chunk.append(item)
            characters -= characters_of(item)
        if not chunk:
            return
        yield chunk


def chunk_characters(labels: int) -> int:
    """Return how many characters make a chunk, for so many labels of each word."""
    return max(1, CHARACTERS * MANY_LABELS // max(labels, MANY_LABELS))


def characters_of(item: InputRecord) -> int:
    """Return how many characters are labelled of a record."""
    if not isinstance(item, Example):
        return 0
    return len(shown_content(item)) if item.words is None else sum(map(len, item.words))


class PendingChunk:
    """A chunk in the pipeline.

    :param failures: for each input its failure; None for the examples of ``batch``.
    :param large: label it with the faster engine.
    """

    def __init__(self, failures: list[FailedRecord | None], batch: PreparedBatch, *, large: bool) -> None:
        self._failures, self._batch, self._large = failures, batch, large
        self._scored: ScoredBatch | None = None

    @classmethod
    def prepare(cls, labeller: Labeller, inputs: Sequence[InputRecord], *, strict: bool, large: bool) -> Self:
        """Prepare the examples of a chunk; one that fails becomes a failure.

        :raises LabelkitError: with ``strict``, if one fails.
        """
        failures = [item if isinstance(item, FailedRecord) else None for item in inputs]
        examples = [item for item in inputs if isinstance(item, Example)]
        try:
            return cls(failures, labeller.prepare(examples), large=large)
        except LabelkitError:
            if strict:
                raise
        valid: list[Example] = []  # prepare each alone, to find those that fail
        for position, item in enumerate(inputs):
            if isinstance(item, Example):
                try:
                    labeller.prepare([item])
                    valid.append(item)
                except LabelkitError as error:
                    where = f"{item.place}: " if item.place else ""
                    failures[position] = FailedRecord(f"{where}{error.message}", error.hint)
        return cls(failures, labeller.prepare(valid), large=large)

    def score(self, labeller: Labeller, stop: Event) -> Self:
        """Run inference on the examples."""
        self._scored = labeller.compute(self._batch, large=self._large, stop=stop)
        return self

    def results(self, labeller: Labeller) -> list[LabelResult]:
        """Return the result of each input, in order."""
        records = iter(labeller.finish(self._batch, self._scored))
        return [next(records) if failure is None else failure for failure in self._failures]
