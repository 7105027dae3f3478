"""Label a stream of inputs on a Ray cluster; to the rest of labelkit it is one like that of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, Self

from labelkit.errors import LabelkitError
from labelkit.files.atomic import private_folder
from labelkit.label.batches import CheckpointSpec
from labelkit.label.cluster.protocol import Frame, read_frame, write_frame
from labelkit.label.cluster.spool import Spool
from labelkit.label.records import FailedRecord
from labelkit.label.result_json import result_from_json
from labelkit.label.stream import LARGE_INPUT_CHUNKS, InputRecord, LabelResult, chunks
from labelkit.records import Labelled

if TYPE_CHECKING:
    from labelkit.label.labeller import Labeller

#: shards on their way for each worker: enough that none waits for the reader or for the one before it
_AHEAD = 8
#: characters of Ray's log that are looked through for the reason of its end
_LOG_TAIL = 20_000
#: seconds for the cluster to end by itself
_PATIENCE = 30.0


class RayCluster:
    """A Ray cluster to label on. A context manager: entering it starts the cluster, or connects to it, meanwhile.

    :param address: ``local`` to start one on this machine, ``auto`` for the one that this machine belongs to, or
        ``HOST:PORT``.
    :param workers: None for one on each GPU, or else one on each machine.
    :param timeout: seconds after which the job fails if no shard was labelled.
    :ivar facts: of the engine of the workers, from the last shard.
    """

    def __init__(self, address: str, *, workers: int | None = None, timeout: float = 1800.0) -> None:
        self.facts: dict[str, Any] = {}
        self._address, self._workers, self._timeout = address, workers, timeout
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # this removes what commands left that were killed together with their driver; the name is short because the
            # paths of Ray's sockets must be
            self._folder = stack.enter_context(private_folder(Path(tempfile.gettempdir()) / "labelkit"))
            place = {"address": self._address, "folder": str(self._folder)}
            self._driver = stack.enter_context(DriverProcess(place, self._timeout))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exit.close()

    def label(
        self,
        labeller: Labeller,
        inputs: Iterator[InputRecord],
        spec: CheckpointSpec,
        *,
        strict: bool = False,
        done: int = 0,
        large: bool = False,
    ) -> Iterator[list[LabelResult]]:
        """Label inputs in order and yield their results shard by shard, as :func:`labelkit.label.stream.label_stream`.

        Shards are the chunks of one process, so that batches and results are the same.

        :param labeller: of the same checkpoint.
        :raises LabelkitError: the cluster cannot be reached or dies, workers die repeatedly, or inference fails.
        """
        self._driver.ask({"workers": self._workers, "timeout": self._timeout, "first": done, "spec": asdict(spec)})
        cut = enumerate(chunks(inputs, done, len(labeller.labels)), done)
        shards = ((one, large or number >= LARGE_INPUT_CHUNKS) for number, one in cut)
        for frame in self._frames(self._driver, Spool(self._folder), shards, done):
            results = self._results(frame, strict=strict)
            yield [_at_operating_point(labeller, one) if isinstance(one, Labelled) else one for one in results]

    def _frames(
        self, driver: DriverProcess, spool: Spool, shards: Iterator[tuple[list[InputRecord], bool]], first: int
    ) -> Iterator[Frame]:
        """Write shards, a few ahead of their results, and yield the results of each, in order."""
        written = read = first
        ahead, ended = _AHEAD, False
        while True:
            while not ended and written - read < ahead:
                shard, large = next(shards, (None, False))
                if shard is None:
                    spool.end(written)
                    ended = True
                    break
                spool.put(written, shard, large=large)
                written += 1
            if ended and read == written:
                return
            head, body = driver.next_frame()
            if "workers" in head:
                ahead = _AHEAD * head["workers"]
                continue
            if head["shard"] != read:
                raise LabelkitError(f"Ray returned shard {head['shard']} in place of {read}")
            spool.done(read)
            read += 1
            yield head, body

    def _results(self, frame: Frame, *, strict: bool) -> list[LabelResult]:
        facts, body = frame
        engines, known = facts["engines"], self.facts.get("engines")
        if known not in (None, engines):
            raise LabelkitError(
                f"workers compute with different engines: {known}, and {engines} on {facts['worker']}",
                hint="choose one that all have: --engine torch --device cpu",
            )
        self.facts = facts
        results = [result_from_json(json.loads(line)) for line in body.split(b"\n")[:-1]]
        if strict and (failed := next((one for one in results if isinstance(one, FailedRecord)), None)):
            raise LabelkitError(failed.message, hint=failed.hint)
        return results


def _at_operating_point(labeller: Labeller, record: Labelled) -> Labelled:
    """Return the record without the labels that operating points leave out: workers have no registry to find them."""
    if not record.layers:
        return labeller.at_operating_point([record], labeller.info)[0]
    infos = labeller.info.of_tasks
    layers = {task: labeller.at_operating_point([one], infos[task])[0] for task, one in record.layers.items()}
    return replace(next(iter(layers.values())), layers=layers)


class DriverProcess:
    """The process that drives Ray. A context manager; leaving it ends the process, and the cluster that it started.

    :param place: the first thing that :mod:`labelkit.label.cluster.driver` reads.
    :param timeout: seconds to wait for each frame.
    """

    def __init__(self, place: dict[str, Any], timeout: float) -> None:
        self._timeout = timeout
        self._frames: Queue[Frame | None] = Queue(maxsize=4)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed by __exit__)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "labelkit.label.cluster.driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,  # Ctrl-C is for this process, which ends that one
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input: IO[bytes] = self._process.stdin
        Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        self.ask(place)

    def __enter__(self) -> DriverProcess:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(BrokenPipeError):
            self._input.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def ask(self, what: dict[str, Any]) -> None:
        """Tell the process something; where it has ended, :meth:`next_frame` says why."""
        with suppress(BrokenPipeError):
            write_frame(self._input, what)

    def next_frame(self) -> Frame:
        """Return what the process says next.

        :raises LabelkitError: it failed, ended, or said nothing for too long.
        """
        try:
            frame = self._frames.get(timeout=self._timeout)
        except Empty:
            raise LabelkitError(
                f"Ray labelled nothing for {self._timeout:,.0f} seconds",
                hint="the cluster may have no free cores: ray status; --timeout SECONDS waits longer",
            ) from None
        if frame is None:
            raise LabelkitError(
                f"the Ray cluster ended: {self._reason()}", hint="what is labelled is kept: --resume continues"
            )
        if "error" in frame[0]:
            raise LabelkitError(frame[0]["error"], hint=frame[0]["hint"])
        return frame

    def _read(self, stream: Any) -> None:
        while True:
            frame = read_frame(stream)
            self._frames.put(frame)
            if frame is None:
                return

    def _reason(self) -> str:
        """Return the last line of Ray's log that says something."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_TAIL))
        lines = self._log.read().decode(errors="replace").splitlines()
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it left no reason")
