"""Compare ``labelkit serve`` with ``transformers.pipeline`` behind the same web server, and with ``labelkit label``.

    python benchmarks/serving.py RUN FILE [--records N] [--connections N] [--rounds N] [--seconds S] [--engine NAME]
        [--precision fp32|bf16] [--speed-only]
    python benchmarks/serving.py RUN [FILE] --soak REQUESTS [--records N] [--engine NAME]

RUN is a labeller of words, FILE anything that ``labelkit label`` reads. Both servers run in processes of their own,
one after the other in each round, and the clients in this one: all share the machine. Prints

- the median of one short text, beside the time of the labeller itself,
- words per second at several connections, each with one text in a request, beside ``labelkit label`` with the same
  engine, and beside the pipeline's server,
- errors and memory of the server over S seconds at 64 connections,
- the 99th percentile of ``/health`` and ``/webhook`` while a run is trained on annotations.

With ``--soak`` only the memory of the server after each tenth of many requests at 64 connections, after 10,000 others:
of one short text, or of the texts of FILE again and again.

Words are those of the labeller's own splitter for all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeVar

from labelkit import Example, Labeller, LoadContext
from labelkit.label.inputs import find_inputs, read_inputs
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

T = TypeVar("T")
SHORT = "Ada Lovelace was born in London."
CONFIG = '<View><Labels name="label" toName="text">{labels}</Labels><Text name="text" value="$text"/></View>'


@dataclass(frozen=True)
class Server:
    """A server that answers, in a process of its own."""

    port: int
    pid: int

    @property
    def megabytes(self) -> float:
        """The resident memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0

    @property
    def processor_seconds(self) -> float:
        """The processor time of all threads of the process until now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Speed:
    """How fast texts were labelled, and the processor time of each: that is the same on a machine with other work."""

    words_per_second: float
    milliseconds: float


@contextlib.contextmanager
def server(command: Sequence[str], home: Path | None = None) -> Iterator[Server]:
    """Start a server that prints its URL as JSON once it answers, and end it."""
    environment = {**os.environ, **({"LABELKIT_HOME": str(home)} if home else {})}
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout
    try:
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{' '.join(command)} did not start")
            text += line
        found = re.search(r":(\d+)\"", text)
        assert found
        yield Server(int(found[1]), process.pid)
    finally:
        process.terminate()
        process.wait()


# -- clients ----------------------------------------------------------------------------------------------------------


class Connection:
    """A connection that sends one request after the other; plain sockets, to leave the processor to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Return a connection to a server of this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, path: str, body: bytes, method: str = "POST") -> tuple[int, bytes]:
        """Return status and body of the answer."""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        header = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", header)
        content = await self._reader.readexactly(int(length[1])) if length else b""
        return int(header[9:12]), content

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def one_by_one(port: int, path: str, body: bytes, times: int) -> list[float]:
    """Return the seconds of requests, one after the other on one connection."""
    connection = await Connection.open(port)
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        status, content = await connection.post(path, body)
        seconds.append(time.perf_counter() - started)
        if status != 200:
            raise SystemExit(f"{path}: {status} {content[:200]!r}")
    connection.close()
    return seconds


@dataclass
class Load:
    """What clients counted."""

    requests: int = 0
    errors: int = 0
    seconds: float = 0.0


async def load(port: int, path: str, bodies: Sequence[bytes], connections: int, seconds: float | None) -> Load:
    """Send bodies from several connections at once: each of them once, or again and again for some seconds."""
    found = Load()
    waiting = iter(bodies) if seconds is None else cycle(bodies)
    started = time.perf_counter()
    end = started + (seconds or 1e9)

    async def client() -> None:
        connection = await Connection.open(port)
        for body in waiting:
            status, _ = await connection.post(path, body)
            found.requests += 1
            found.errors += status != 200
            if time.perf_counter() > end:
                break
        connection.close()

    results = await asyncio.gather(*(client() for _ in range(connections)), return_exceptions=True)
    found.errors += sum(isinstance(one, BaseException) for one in results)
    found.seconds = time.perf_counter() - started
    return found


# -- what is measured -------------------------------------------------------------------------------------------------


def speed(measured: Server, path: str, bodies: Sequence[bytes], connections: int, words: int) -> Speed:
    """Return the speed of a server that has answered all of the bodies once before."""
    asyncio.run(load(measured.port, path, bodies, connections, None))  # OpenVINO prepares each new shape of a batch
    before = measured.processor_seconds
    done = asyncio.run(load(measured.port, path, bodies, connections, None))
    if done.errors:
        raise SystemExit(f"{path}: {done.errors} errors")
    return Speed(words / done.seconds, 1000 * (measured.processor_seconds - before) / len(bodies))


def labelling_speed(labeller: Labeller, texts: Sequence[str], words: int) -> Speed:
    """Return the speed of ``labelkit label`` for a large input, without reading and writing files."""
    from labelkit.label.stream import label_stream

    examples = [Example(id=str(number), text=text) for number, text in enumerate(texts)]
    started, processor = time.perf_counter(), time.process_time()
    for _ in label_stream(labeller, examples, strict=True, large=True):
        pass
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    return Speed(words / seconds, 1000 * processor / len(texts))


def own_time(labeller: Labeller, times: int) -> float:
    """Return the median seconds that a labeller itself needs for the short text."""
    seconds = []
    for _ in range(times):
        batch = labeller.prepare([Example(id="1", text=SHORT)])
        started = time.perf_counter()
        labeller.finish(batch, labeller.compute(batch, large=True))
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def soak(measured: Server, bodies: Sequence[bytes], seconds: float) -> str:
    """Return errors and memory over some seconds at 64 connections."""
    asyncio.run(load(measured.port, "/v1/label", bodies, 64, min(10.0, seconds)))
    before = measured.megabytes
    done = asyncio.run(load(measured.port, "/v1/label", bodies, 64, seconds))
    after = measured.megabytes
    return (
        f"{done.requests:,} requests in {done.seconds:.0f} s at 64 connections, {done.errors} errors, memory "
        f"{before:.0f} to {after:.0f} MB ({after / before - 1:+.1%})"
    )


def print_memory(measured: Server, texts: Sequence[str], requests: int) -> None:
    """Print the memory of a server that has warmed up, then after each tenth of many requests at 64 connections."""
    bodies = cycle([json.dumps({"texts": [text]}).encode() for text in texts])
    asyncio.run(load(measured.port, "/v1/label", list(islice(bodies, 10_000)), 64, None))
    before = measured.megabytes
    print(f"{0:9,} requests {before:7.1f} MB", flush=True)
    errors = 0
    for tenth in range(1, 11):
        part = list(islice(bodies, requests // 10))
        errors += asyncio.run(load(measured.port, "/v1/label", part, 64, None)).errors
        after = measured.megabytes
        print(f"{requests * tenth // 10:9,} requests {after:7.1f} MB ({after / before - 1:+.1%})", flush=True)
    print(f"{errors} errors")


def while_training(measured: Server, texts: Sequence[str], labels: Sequence[str]) -> str:
    """Return the 99th percentile of ``/health`` and ``/webhook`` from the start of a training job on."""
    config = CONFIG.format(labels="".join(f'<Label value="{label}"/>' for label in labels))
    project = {"id": 1, "label_config": config}

    def event(number: int, text: str) -> bytes:
        value = {"start": 0, "end": len(text.split()[0]), "labels": [labels[number % len(labels)]]}
        annotation = {"id": number, "result": [{"from_name": "label", "value": value}], "updated_at": "2026"}
        task = {"id": number, "data": {"text": text}}
        content = {"action": "ANNOTATION_CREATED", "annotation": annotation, "task": task, "project": project}
        return json.dumps(content).encode()

    async def measure() -> tuple[list[float], list[float]]:
        connection = await Connection.open(measured.port)
        for number, text in enumerate(texts):
            await connection.post("/webhook", event(number, text))
        start = json.dumps({"action": "START_TRAINING", "project": project}).encode()
        job = (await connection.post("/webhook", start))[1]
        seconds: tuple[list[float], list[float]] = ([], [])
        end = time.perf_counter() + 60
        while time.perf_counter() < end and (await connection.post("/webhook", start))[1] == job:
            for kind, arguments in enumerate((("/health", b"", "GET"), ("/webhook", event(0, texts[0]), "POST"))):
                begun = time.perf_counter()
                await connection.post(*arguments)
                seconds[kind].append(time.perf_counter() - begun)
            await asyncio.sleep(0.02)
        return seconds

    health, webhook = asyncio.run(measure())
    p99 = [1000 * sorted(each)[int(0.99 * len(each))] for each in (health, webhook)]
    return f"p99 of {len(health):,} each while training: /health {p99[0]:.1f} ms, /webhook {p99[1]:.1f} ms"


# -- the pipeline's server --------------------------------------------------------------------------------------------


def serve_pipeline(folder: str) -> None:
    """Serve ``transformers.pipeline`` with the web server of labelkit, a request at a time."""
    import socket

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route
    from transformers import pipeline

    pipe: Any = pipeline("token-classification", model=folder, aggregation_strategy="simple")

    async def infer(request: Request) -> JSONResponse:
        text = (await request.json())["inputs"]
        found = await asyncio.to_thread(pipe, text)
        return JSONResponse([{**one, "score": float(one["score"])} for one in found])

    bound = socket.create_server(("127.0.0.1", 0))
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(json.dumps({"url": f"http://127.0.0.1:{bound.getsockname()[1]}"}), flush=True)
    application = Starlette(routes=[Route("/", infer, methods=["POST"])])
    uvicorn.Server(uvicorn.Config(application, log_level="critical", access_log=False)).run(sockets=[bound])


# -- the command ------------------------------------------------------------------------------------------------------


def texts_of(labeller: Labeller, catalog: Catalog, path: str, records: int) -> list[str]:
    """Return the texts of the first records that are not blank; given words are joined by spaces."""
    info = labeller.info
    found = read_inputs(find_inputs([path], catalog.formats), info.kind, info.layer, LoadContext(), strict=True)
    examples = (item for item in found if isinstance(item, Example))
    texts = (one.text if one.text is not None else " ".join(one.words or ()) for one in examples)
    return list(islice((text for text in texts if text.strip()), records))


def in_turn(ways: dict[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Return the measurements of each way; in each round all of them are measured, one after the other."""
    measured: dict[str, list[T]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            measured[name].append(way())
    return measured


def print_speeds(measured: dict[str, list[Speed]]) -> None:
    """Print the medians of each way, and how many times that ``labelkit serve`` has."""
    words = {name: statistics.median(one.words_per_second for one in found) for name, found in measured.items()}
    processor = {name: statistics.median(one.milliseconds for one in found) for name, found in measured.items()}
    for name in measured:
        ratios = words["labelkit serve"] / words[name], processor[name] / processor["labelkit serve"]
        print(
            f"{name:18} {words[name]:10,.0f} words/s {processor[name]:8.2f} ms of processor time per text; "
            f"labelkit serve is {ratios[0]:.2f} times as fast, {ratios[1]:.2f} times by processor time"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label, or with --pipeline-server a folder")
    parser.add_argument("file", nargs="?")
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60, help="of the load at 64 connections")
    parser.add_argument("--soak", type=int, metavar="REQUESTS", help="only print the memory during this many requests")
    parser.add_argument("--engine", default="auto", help="as in labelkit serve")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"], help="as in labelkit serve")
    parser.add_argument("--speed-only", action="store_true", help="no load at 64 connections, and no training")
    parser.add_argument("--pipeline-server", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.pipeline_server:
        serve_pipeline(asked.run)
        return
    catalog, home = Catalog.load(), Home.find(os.environ, cwd=Path.cwd())
    options = ["--port", "0", "--json", "--engine", asked.engine, "--precision", asked.precision]
    if asked.soak:
        command = ["-m", "labelkit", "serve", asked.run, *options]
        given = asked.file and Labeller.open(asked.run, home, catalog, asked.precision, engine=asked.engine)
        texts = texts_of(given, catalog, asked.file, asked.records) if given else [SHORT]
        with server(command) as ours:
            print_memory(ours, texts, asked.soak)
        return
    if asked.file is None:
        parser.error("FILE is missing")

    labeller = Labeller.open(asked.run, home, catalog, asked.precision, engine=asked.engine)
    texts = texts_of(labeller, catalog, asked.file, asked.records)
    words = sum(record.coverage.words for record in labeller.stream(texts))
    bodies = [json.dumps({"texts": [text]}).encode() for text in texts]
    inputs = [json.dumps({"inputs": text}).encode() for text in texts]
    serve = ["-m", "labelkit", "serve", f"it={labeller.folder}", *options]
    pipeline_server = [__file__, str(labeller.folder), "--pipeline-server"]
    with server(serve) as ours, server(pipeline_server) as theirs:
        short = json.dumps({"texts": [SHORT]}).encode()
        measured = in_turn(
            {
                "labeller itself": lambda: own_time(labeller, 100),
                "labelkit serve": lambda: statistics.median(
                    asyncio.run(one_by_one(ours.port, "/v1/label", short, 100))
                ),
            },
            asked.rounds,
        )
        latency = {name: statistics.median(found) for name, found in measured.items()}
        for name, seconds in latency.items():
            print(f"one short text, {name}: {1000 * seconds:.2f} ms")
        over = latency["labelkit serve"] - latency["labeller itself"]
        print(f"one short text, over the labeller's own time: {1000 * over:.2f} ms")
        speeds = in_turn(
            {
                "labelkit label": lambda: labelling_speed(labeller, texts, words),
                "labelkit serve": lambda: speed(ours, "/v1/label", bodies, asked.connections, words),
                "pipeline's server": lambda: speed(theirs, "/", inputs, asked.connections, words),
            },
            asked.rounds,
        )
    engine = labeller.engine.name
    print(
        f"{len(texts):,} texts, {words:,} words, {asked.connections} connections, {engine}, medians of {asked.rounds}"
    )
    print_speeds(speeds)
    if asked.speed_only:
        return
    with server(serve) as ours:
        print(soak(ours, bodies, asked.seconds))
    # its home is empty, and has no int8 model
    studio = ["-m", "labelkit", "serve", f"it={labeller.folder}", "--port", "0", "--json", "--label-studio"]
    with tempfile.TemporaryDirectory() as folder, server(studio, Path(folder)) as ours:
        names = labeller.info.schema.types or labeller.info.schema.labels
        print(while_training(ours, texts[:200], names))


if __name__ == "__main__":
    main()
