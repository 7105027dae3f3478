"""Work that takes longer than a page may: it runs in one thread, and pages ask whether it is done."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from labelkit.errors import LabelkitError

#: pieces of finished work that are kept, the last used ones
KEPT = 12
T = TypeVar("T")


class Work(Generic[T]):
    """A piece of work, as it is when a page looks: it does not become done while the page is made.

    :ivar done: it has ended, with a result or an error.
    :ivar notes: what it said while it ran.
    """

    def __init__(self, future: Future[T], notes: list[str]) -> None:
        self._future, self.notes, self.done = future, notes, future.done()

    def now(self) -> Work[T]:
        """Return the same work as it is now."""
        return Work(self._future, self.notes)

    @property
    def error(self) -> LabelkitError | None:
        """Why it failed; None where it has not."""
        error = self._future.exception() if self.done else None
        if error is None or isinstance(error, LabelkitError):
            return error
        return LabelkitError(f"unexpected {type(error).__name__}: a bug in labelkit")

    @property
    def result(self) -> T:
        """The result of work that succeeded."""
        return self._future.result()


class Background:
    """Runs work one piece after the other, in one thread: models are not safe in several."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="labelkit-ui")
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, Work[Any]] = OrderedDict()

    def find(self, key: Hashable) -> Work[Any] | None:
        """Return the work with this key; None where nobody started it, or it is long ago."""
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key].now()

    def start(self, key: Hashable, function: Callable[[Callable[[str], object]], T]) -> Work[T]:
        """Start work, unless the same is running or has succeeded.

        :param function: is called with a function that takes notes for visitors.
        """
        with self._lock:
            known = self._found[key].now() if key in self._found else None
            if known is not None and not (known.done and known.error):
                return known
            notes: list[str] = []
            work = Work(self._thread.submit(function, notes.append), notes)
            self._found[key] = work
            finished = [old for old, one in self._found.items() if one.now().done]
            for old in finished[: max(0, len(self._found) - KEPT)]:
                del self._found[old]
            return work

    def call(self, function: Callable[[], T]) -> T:
        """Return the result of a function that runs once all work before it is done."""
        return self._thread.submit(function).result()

    def close(self) -> None:
        """Forget work that has not begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)
