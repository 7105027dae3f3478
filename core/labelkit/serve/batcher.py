"""Label the texts of all requests together: what waits when the engine is free becomes its next batch.

Two threads work for each labeller. One takes what waits, tokenizes it and runs inference; the other decodes, so that
records of one batch are assembled while the next one is in inference. Nothing waits for a batch to fill up.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError
from labelkit.records import Example, Labelled
from labelkit.records.contents import shown_content
from labelkit.serve.errors import RequestError, overloaded

if TYPE_CHECKING:
    from labelkit.label.assembly import PreparedBatch, ScoredBatch
    from labelkit.label.labeller import Labeller

#: characters and records that a batch takes: several batches of the engine, and no more, so that answers come soon
BATCH_CHARACTERS, BATCH_RECORDS = 1 << 14, 256
#: characters for which a record counts at least: each costs time to assemble
_LEAST = 64


class DrainingError(Exception):
    """The labeller takes no more requests: another one has its place, or the server ends."""


@dataclass(eq=False, slots=True)
class Request:
    """The examples of one request, and their records as far as they are labelled.

    :param size: in characters.
    :param taken: how many examples are in a batch, or were.
    """

    examples: Sequence[Example]
    size: int
    records: list[Labelled | None]
    future: asyncio.Future[list[Labelled]]
    loop: asyncio.AbstractEventLoop
    taken: int = 0
    left: int = 0

    def settle(self, error: RequestError | None = None) -> None:
        """Answer the request, from another thread: with its records, or with an error."""

        def answer() -> None:
            if self.future.done():
                return
            if error is not None:
                self.future.set_exception(error)
            else:
                self.future.set_result([record for record in self.records if record is not None])

        with contextlib.suppress(RuntimeError):  # the server has ended, after its time limit
            self.loop.call_soon_threadsafe(answer)


@dataclass(frozen=True, slots=True)
class _Part:
    """The examples of a request that are in a batch."""

    request: Request
    start: int
    stop: int

    @property
    def examples(self) -> Sequence[Example]:
        return self.request.examples[self.start : self.stop]


@dataclass(slots=True)
class BatchCounts:
    """What a labeller has done since it was opened, for metrics."""

    batches: int = 0
    records: int = 0
    words: int = 0
    failures: int = 0
    busy_seconds: float = 0.0
    characters: int = 0


@dataclass(slots=True)
class _Queue:
    """Requests with examples that wait for a batch, batches that failed, and the characters of all open requests."""

    waiting: deque[Request] = field(default_factory=deque)
    failed: deque[list[_Part]] = field(default_factory=deque)
    characters: int = 0
    open: int = 0
    closed: bool = False


class Batcher:
    """Labels for any number of requests with one labeller.

    :param queued: characters of open requests above which others are refused.
    :param large: compute with the labeller's engine for large inputs.
    """

    def __init__(self, labeller: Labeller, queued: int, *, large: bool) -> None:
        self.labeller = labeller
        self.counts = BatchCounts()
        self.drained: Future[None] = Future()
        self._limit, self._large = queued, large
        self._queue = _Queue()
        self._changed = threading.Condition()
        self._scored: SimpleQueue[tuple[list[_Part], PreparedBatch, ScoredBatch] | None] = SimpleQueue()
        for name, work in (("score", self._score_batches), ("decode", self._decode_batches)):
            # daemons: a batch in inference does not keep a server from ending after its time limit
            threading.Thread(target=work, name=f"serve-{name}", daemon=True).start()

    @property
    def waiting(self) -> int:
        """The characters of all open requests."""
        return self._queue.characters

    @property
    def open(self) -> int:
        """The number of open requests."""
        return self._queue.open

    async def label(self, examples: Sequence[Example], seconds: float) -> list[Labelled]:
        """Return the records of some examples in order.

        :param seconds: the time limit.
        :raises DrainingError: it takes no more requests.
        :raises RequestError: too much waits already, time is over, or an example cannot be labelled.
        """
        request = self._submit(examples)
        if not examples:
            return []
        try:
            async with asyncio.timeout(seconds):
                return await request.future
        except TimeoutError:
            if request.taken:
                raise RequestError(
                    504, f"labelling took longer than {seconds:g} s; send less", kind="Backend"
                ) from None
            raise overloaded(f"overloaded: inference did not begin within {seconds:g} s", 503, self._delay()) from None
        finally:
            self._close_request(request)

    def drain(self) -> None:
        """Take no more requests; :attr:`drained` is done once the open ones are."""
        with self._changed:
            self._queue.closed = True
            self._changed.notify()

    def _submit(self, examples: Sequence[Example]) -> Request:
        size = sum(_size(example) for example in examples)
        loop = asyncio.get_running_loop()
        request = Request(examples, size, [None] * len(examples), loop.create_future(), loop, left=len(examples))
        with self._changed:
            if self._queue.closed:
                raise DrainingError
            if self._queue.open and self._queue.characters + size > self._limit:
                message = f"overloaded: {self._queue.characters:,} characters are waiting"
                raise overloaded(message, 429, self._delay())
            if examples:
                self._queue.characters += size
                self._queue.open += 1
                self._queue.waiting.append(request)
                self._changed.notify()
        return request

    def _close_request(self, request: Request) -> None:
        """Forget a request that was answered, or whose client has no use for the rest."""
        with self._changed:
            self._queue.characters -= request.size
            self._queue.open -= 1
            request.taken = len(request.examples)
            self._changed.notify()

    def _delay(self) -> float:
        """Return in how many seconds what waits now will be labelled, by the speed until now."""
        speed = self.counts.characters / self.counts.busy_seconds if self.counts.busy_seconds else 0.0
        return self._queue.characters / speed if speed else 1.0

    # -- in the threads -----------------------------------------------------------------------------------------------

    def _take(self) -> tuple[list[_Part], bool] | None:
        """Return the next batch, in turns from all requests that wait; None once there will be none.

        :returns: also whether it failed before, and its requests are to be labelled one by one.
        """
        queue = self._queue
        with self._changed:
            while not queue.failed and not (parts := self._next_parts()):
                if queue.closed and not queue.open:
                    return None
                self._changed.wait()
            return (queue.failed.popleft(), True) if queue.failed else (parts, False)

    def _next_parts(self) -> list[_Part]:
        parts: list[_Part] = []
        characters = records = 0
        waiting = self._queue.waiting
        # a request gets a share of the batch, so that a long one does not keep the others waiting
        share = BATCH_CHARACTERS // max(len(waiting), 1)
        while waiting and characters < BATCH_CHARACTERS and records < BATCH_RECORDS:
            request = waiting.popleft()
            start, taken = request.taken, 0
            while request.taken < len(request.examples) and taken < max(share, 1):
                taken += _size(request.examples[request.taken])
                request.taken += 1
            if request.taken > start:
                parts.append(_Part(request, start, request.taken))
            characters, records = characters + taken, records + request.taken - start
            if request.taken < len(request.examples):
                waiting.append(request)
        return parts

    def _score_batches(self) -> None:
        while (taken := self._take()) is not None:
            parts, failed_before = taken
            started = time.monotonic()
            try:
                if failed_before:
                    self._label_each(parts)
                else:
                    batch = self.labeller.prepare([example for part in parts for example in part.examples])
                    self._scored.put((parts, batch, self.labeller.compute(batch, large=self._large)))
            except Exception:
                self._label_each(parts)
            self.counts.busy_seconds += time.monotonic() - started
            self.counts.characters += sum(_size(example) for part in parts for example in part.examples)
        self._scored.put(None)

    def _decode_batches(self) -> None:
        while (item := self._scored.get()) is not None:
            parts, batch, scored = item
            try:
                records = self.labeller.finish(batch, scored)
            except Exception:
                with self._changed:  # inference belongs to the other thread
                    self._queue.failed.append(parts)
                    self._changed.notify()
                continue
            self._deliver(parts, records)
        self.drained.set_result(None)

    def _label_each(self, parts: Sequence[_Part]) -> None:
        """Label each request of a batch that failed alone, so that those without the fault are answered."""
        for part in parts:
            try:
                batch = self.labeller.prepare(part.examples)
                self._deliver([part], self.labeller.finish(batch, self.labeller.compute(batch, large=self._large)))
            except Exception as error:
                self.counts.failures += 1
                part.request.settle(_request_error(error))

    def _deliver(self, parts: Sequence[_Part], records: Sequence[Labelled]) -> None:
        done = iter(records)
        self.counts.batches += 1
        self.counts.records += len(records)
        self.counts.words += sum(record.coverage.words for record in records)
        for part in parts:
            request = part.request
            for position in range(part.start, part.stop):
                request.records[position] = next(done)
            request.left -= part.stop - part.start
            if not request.left:
                request.settle()


def _request_error(error: Exception) -> RequestError:
    if isinstance(error, LabelkitError):
        return RequestError(500, error.message, kind="Backend")
    # the message of an unexpected error may quote the text
    name = type(error).__name__
    return RequestError(500, f"labelling failed with {name}, a bug of labelkit or a plugin", kind="Backend")


def _size(example: Example) -> int:
    return max(_LEAST, len(shown_content(example)) if example.words is None else sum(map(len, example.words)))
