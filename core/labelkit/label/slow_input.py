"""Cut a slow stream of inputs into chunks by time: who types a line gets its labels."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterable, Iterator
from queue import Empty, Queue
from typing import TypeVar, cast

Item = TypeVar("Item")
#: records in a chunk, and those that are read ahead
RECORDS, _AHEAD = 64, 4096
#: a chunk is labelled when no record has come for so long
SECONDS = 1.0
_END = object()


def chunks_until_pause(
    inputs: Iterable[Item], *, records: int = RECORDS, seconds: float = SECONDS
) -> Iterator[list[Item]]:
    """Yield the inputs that come within ``seconds`` of the first of them, at most ``records`` at once.

    A chunk that time ends is followed by an empty one, so that its results are not kept waiting for the next.

    :param inputs: read in a thread.
    """
    waiting: Queue[object] = Queue(_AHEAD)

    def read() -> None:
        end: object = _END
        try:
            for item in inputs:
                waiting.put((item,))
        except BaseException as error:
            end = error
        waiting.put(end)

    # a daemon: reading from a terminal that nobody types into never ends
    threading.Thread(target=contextvars.copy_context().run, args=(read,), name="read", daemon=True).start()
    chunk: list[Item] = []
    until = 0.0
    while True:
        try:
            found = waiting.get(timeout=max(0.0, until - time.monotonic()) if chunk else None)
        except Empty:
            yield chunk
            yield []
            chunk = []
            continue
        if not isinstance(found, tuple):
            if chunk:
                yield chunk
            if isinstance(found, BaseException):
                raise found
            return
        until = until if chunk else time.monotonic() + seconds
        chunk.append(cast(Item, found[0]))
        if len(chunk) >= records:
            yield chunk
            chunk = []
