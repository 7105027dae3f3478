"""What the tests of ``labelkit serve`` share: a server in a thread, and a labeller that does what a test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import uvicorn

from labelkit.encode.alignment import EncodedExamples
from labelkit.label.assembly import PreparedBatch
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
    :param streams: of its engine.
    :param choose: lengths of ready examples → the positions of the next batch; else all.
    :ivar batches: the texts of each batch.
    """

    name: str = "stub"
    work: Callable[[Sequence[str]], None] = lambda texts: None
    decode: Callable[[Sequence[str]], None] = lambda texts: None
    streams: int = 1
    choose: Callable[[Sequence[int]], list[int]] = lambda lengths: list(range(len(lengths)))
    batches: list[list[str]] = field(default_factory=list)

    @property
    def engine(self) -> Any:
        return SimpleNamespace(streams=self.streams, batch_with_first=self.choose)

    def prepare(self, examples: Sequence[Example]) -> PreparedBatch:
        return PreparedBatch(examples, EncodedExamples([], [Coverage(words=1, windows=1)] * len(examples)))

    def compute(self, batch: PreparedBatch, *, large: bool = False) -> str:
        texts = [example.text or "" for example in batch.examples]
        self.batches.append(texts)
        self.work(texts)
        return self.name

    def finish(self, batch: PreparedBatch, scored: str) -> list[Labelled]:
        self.decode([example.text or "" for example in batch.examples])
        return [
            Labelled(id=one.id, text=one.text or "", label=scored, coverage=coverage)
            for one, coverage in zip(batch.examples, batch.encoded.coverage, strict=True)
        ]
