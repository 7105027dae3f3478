"""Cut a slow stream of inputs into chunks by time: who types a line gets its labels."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, cast

Item = TypeVar("Item")
#: records in a chunk, and those that are read ahead
RECORDS, _AHEAD = 64, 4096
#: characters that are read ahead
CHARACTERS_AHEAD = 1 << 22
#: a chunk is labelled when no record has come for so long
SECONDS = 1.0
_END = object()


class _ReadAhead:
    """A queue between two threads, bounded in records and in characters; a record of any size is let in alone."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[object, int]] = deque()
        self._characters = 0
        self._changed = threading.Condition()

    def put(self, item: object, size: int = 0) -> None:
        def has_room() -> bool:
            return len(self._waiting) < _AHEAD and self._characters + size <= CHARACTERS_AHEAD

        with self._changed:
            self._changed.wait_for(lambda: not self._waiting or has_room())
            self._waiting.append((item, size))
            self._characters += size
            self._changed.notify_all()

    def get(self, timeout: float | None) -> object:
        """Return the next item; None if none comes in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._waiting), timeout):
                return None
            item, size = self._waiting.popleft()
            self._characters -= size
            self._changed.notify_all()
            return item


def _read_ahead(inputs: Iterable[Item], size: Callable[[Item], int]) -> _ReadAhead:
    """Return a queue of the inputs, each in a tuple, and then :data:`_END` or the error that ended them."""
    waiting = _ReadAhead()

    def read() -> None:
        end: object = _END
        try:
            for item in inputs:
                waiting.put((item,), size(item))
        except BaseException as error:
            end = error
        waiting.put(end)

    # a daemon: reading from a terminal that nobody types into never ends
    threading.Thread(target=contextvars.copy_context().run, args=(read,), name="read", daemon=True).start()
    return waiting


def chunks_until_pause(
    inputs: Iterable[Item],
    *,
    records: int = RECORDS,
    seconds: float = SECONDS,
    characters: int = CHARACTERS_AHEAD,
    size: Callable[[Item], int] = lambda item: 0,
) -> Iterator[list[Item]]:
    """Yield the inputs that come within ``seconds`` of the first of them, at most ``records`` at once.

    A chunk that time ends is followed by an empty one, so that its results are not kept waiting for the next.

    :param inputs: read in a thread.
    :param characters: a chunk ends with the record that reaches so many.
    :param size: the characters of a record.
    """
    waiting = _read_ahead(inputs, size)
    chunk: list[Item] = []
    until, left = 0.0, characters
    while True:
        found = waiting.get(max(0.0, until - time.monotonic()) if chunk else None)
        if found is None:
            yield chunk
            yield []
            chunk, left = [], characters
            continue
        if not isinstance(found, tuple):
            if chunk:
                yield chunk
            if isinstance(found, BaseException):
                raise found
            return
        until = until if chunk else time.monotonic() + seconds
        item = cast(Item, found[0])
        chunk.append(item)
        left -= size(item)
        if len(chunk) >= records or left <= 0:
            yield chunk
            chunk, left = [], characters
