"""What the tests of ``labelkit serve`` share: a server in a thread, and a labeller that does what a test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from labelkit.records import Coverage, Example, Labelled


@contextlib.contextmanager
def running(application: Any) -> Iterator[str]:
    """Run an application on loopback and return its URL."""
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class StubLabeller:
    """A labeller whose label of each text is its own name.

    :param work: called with the texts of each batch, in the thread of inference.
    :ivar batches: the texts of each batch.
    """

    name: str = "stub"
    work: Callable[[Sequence[str]], None] = lambda texts: None
    decode: Callable[[Sequence[str]], None] = lambda texts: None
    batches: list[list[str]] = field(default_factory=list)

    def prepare(self, examples: Sequence[Example]) -> Sequence[Example]:
        return examples

    def compute(self, batch: Sequence[Example], *, large: bool = False) -> str:
        texts = [example.text or "" for example in batch]
        self.batches.append(texts)
        self.work(texts)
        return self.name

    def finish(self, batch: Sequence[Example], scored: str) -> list[Labelled]:
        self.decode([example.text or "" for example in batch])
        coverage = Coverage(words=1, windows=1)
        return [Labelled(id=one.id, text=one.text or "", label=scored, coverage=coverage) for one in batch]
