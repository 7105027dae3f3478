"""Label the texts of all requests together: what waits when the engine is free is what its next batch is made of.

As many threads as the engine has streams take what is new, tokenize it, and run inference on the example that waits
longest, in a batch with those that are about as long. Another thread decodes. An example is done with its own batch,
and nothing waits for a batch to fill up.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError
from labelkit.records import Example, Labelled
from labelkit.records.contents import shown_content
from labelkit.serve.errors import RequestError, overloaded

if TYPE_CHECKING:
    from labelkit.label.assembly import PreparedBatch, ScoredBatch
    from labelkit.label.labeller import Labeller

#: characters and records that are ready at most, in turns of all requests: several batches of the engine
READY_CHARACTERS, READY_RECORDS = 1 << 14, 256
#: of how many ready examples a batch is chosen: choosing from more takes longer than it saves
CHOICE = 64
#: characters for which a record counts at least: each costs time to assemble
_LEAST = 64


class DrainingError(Exception):
    """The labeller takes no more requests: another one has its place, or the server ends."""


@dataclass(eq=False, slots=True)
class Request:
    """The examples of one request, and their records as far as they are labelled.

    :param size: in characters.
    :param taken: how many examples were taken to be labelled.
    :param closed: nobody waits for its records any more.
    """

    examples: Sequence[Example]
    size: int
    records: list[Labelled | None]
    future: asyncio.Future[list[Labelled]]
    loop: asyncio.AbstractEventLoop
    taken: int = 0
    left: int = 0
    closed: bool = False

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
class _Item:
    """An example of a request, ready for the model unless that failed."""

    request: Request
    position: int
    prepared: PreparedBatch | None = None

    @property
    def example(self) -> Example:
        return self.request.examples[self.position]


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
    """What is to be labelled.

    :param waiting: requests of which examples are not taken yet.
    :param ready: examples that are tokenized, in the order in which they came.
    :param failed: examples that failed in a batch, and are to be labelled one request after the other.
    :param characters: of all open requests.
    :param open: the number of open requests.
    """

    waiting: deque[Request] = field(default_factory=deque)
    ready: list[_Item] = field(default_factory=list)
    failed: deque[list[_Item]] = field(default_factory=deque)
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
        self._scored: SimpleQueue[tuple[list[_Item], PreparedBatch, ScoredBatch] | None] = SimpleQueue()
        self._streams = labeller.engine.streams
        works: list[Callable[[], None]] = [partial(self._score_batches, stream) for stream in range(self._streams)]
        for work in (*works, self._decode_batches):
            # daemons: a batch in inference does not keep a server from ending after its time limit
            threading.Thread(target=work, name="serve", daemon=True).start()

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
            self._changed.notify_all()

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
                self._changed.notify_all()
        return request

    def _close_request(self, request: Request) -> None:
        """Forget a request that was answered, or whose client has no use for the rest."""
        with self._changed:
            self._queue.characters -= request.size
            self._queue.open -= 1
            request.taken, request.closed = len(request.examples), True
            self._changed.notify_all()

    def _delay(self) -> float:
        """Return in how many seconds what waits now will be labelled, by the speed until now."""
        busy = self.counts.busy_seconds / self._streams
        speed = self.counts.characters / busy if busy else 0.0
        return self._queue.characters / speed if speed else 1.0

    # -- in the threads -----------------------------------------------------------------------------------------------

    def _score_batches(self, stream: int) -> None:
        while (taken := self._take(stream)) is not None:
            items, work = taken
            started = time.monotonic()
            work(items)
            seconds = time.monotonic() - started
            with self._changed:
                self.counts.busy_seconds += seconds
        self._scored.put(None)

    def _take(self, stream: int) -> tuple[list[_Item], Callable[[list[_Item]], None]] | None:
        """Return the examples that a thread is to work on, and what it is to do; None once there will be none."""
        queue = self._queue
        with self._changed:
            while True:
                queue.ready = [item for item in queue.ready if not item.request.closed]
                # an engine that took the place of another may have fewer streams
                if stream < self.labeller.engine.streams:
                    if queue.failed:
                        return queue.failed.popleft(), self._label_each
                    if queue.waiting and (items := self._next_examples()):
                        return items, self._prepare
                    if queue.ready:
                        return self._next_batch(), self._score
                if queue.closed and not queue.open:
                    return None
                self._changed.wait()

    def _next_examples(self) -> list[_Item]:
        """Take examples in turns from all requests that wait, as far as there is room beside the ready ones."""
        waiting, ready = self._queue.waiting, self._queue.ready
        room = READY_CHARACTERS - sum(_size(item.example) for item in ready)
        items: list[_Item] = []
        # a request gets a share of the room, so that a long one does not keep the others waiting
        share = room // max(len(waiting), 1)
        while waiting and room > 0 and len(ready) + len(items) < READY_RECORDS:
            request, taken = waiting.popleft(), 0
            while request.taken < len(request.examples) and taken < max(share, 1):
                items.append(_Item(request, request.taken))
                taken += _size(request.examples[request.taken])
                request.taken += 1
            room -= taken
            if request.taken < len(request.examples):
                waiting.append(request)
        return items

    def _next_batch(self) -> list[_Item]:
        """Take the example that has been ready longest, and those that are best labelled in one batch with it."""
        queue = self._queue
        lengths = [item.prepared.longest if item.prepared else 0 for item in queue.ready[:CHOICE]]
        chosen = set(self.labeller.engine.batch_with_first(lengths))
        items = [item for position, item in enumerate(queue.ready) if position in chosen]
        queue.ready = [item for position, item in enumerate(queue.ready) if position not in chosen]
        return items

    def _prepare(self, items: list[_Item]) -> None:
        """Tokenize examples."""
        try:
            prepared = self.labeller.prepare([item.example for item in items]).by_example()
        except Exception:
            self._label_each(items)
            return
        with self._changed:
            self._queue.ready += [replace(item, prepared=one) for item, one in zip(items, prepared, strict=True)]
            self._changed.notify_all()

    def _score(self, items: list[_Item]) -> None:
        """Run inference on ready examples."""
        parts = [item.prepared for item in items if item.prepared is not None]
        try:
            batch = type(parts[0]).joined(parts)
            self._scored.put((items, batch, self.labeller.compute(batch, large=self._large)))
        except Exception:
            self._label_each(items)

    def _decode_batches(self) -> None:
        ended = 0
        while ended < self._streams:
            if (item := self._scored.get()) is None:
                ended += 1
                continue
            items, batch, scored = item
            try:
                records = self.labeller.finish(batch, scored)
            except Exception:
                with self._changed:  # inference belongs to the other threads
                    self._queue.failed.append(items)
                    self._changed.notify_all()
                continue
            self._deliver(items, records)
        self.drained.set_result(None)

    def _label_each(self, items: list[_Item]) -> None:
        """Label each request of a batch that failed alone, so that those without the fault are answered."""
        for request in dict.fromkeys(item.request for item in items):
            own = [item for item in items if item.request is request]
            try:
                batch = self.labeller.prepare([item.example for item in own])
                self._deliver(own, self.labeller.finish(batch, self.labeller.compute(batch, large=self._large)))
            except Exception as error:
                with self._changed:
                    self.counts.failures += 1
                request.settle(_request_error(error))

    def _deliver(self, items: Sequence[_Item], records: Sequence[Labelled]) -> None:
        """Give records to their requests, and answer those that have all."""
        with self._changed:
            self.counts.batches += 1
            self.counts.records += len(records)
            self.counts.words += sum(record.coverage.words for record in records)
            self.counts.characters += sum(_size(item.example) for item in items)
            done = []
            for item, record in zip(items, records, strict=True):
                item.request.records[item.position] = record
                item.request.left -= 1
                if not item.request.left:
                    done.append(item.request)
        for request in done:
            request.settle()


def _request_error(error: Exception) -> RequestError:
    if isinstance(error, LabelkitError):
        return RequestError(500, error.message, kind="Backend")
    # the message of an unexpected error may quote the text
    name = type(error).__name__
    return RequestError(500, f"labelling failed with {name}, a bug of labelkit or a plugin", kind="Backend")


def _size(example: Example) -> int:
    return max(_LEAST, len(shown_content(example)) if example.words is None else sum(map(len, example.words)))
