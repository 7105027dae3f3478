"""A stand-in for the Hugging Face Hub on this machine; it speaks what ``huggingface_hub`` asks for data sets."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

MAIN = "main"


@dataclass
class Repository:
    """One data set: what each branch is at, and the files of each commit."""

    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)


@dataclass
class Hub:
    """What the stand-in serves, and what it was asked.

    :param mode: ``"up"``, ``"fails"`` (status 503), ``"hangs"`` (takes the question and never answers) or
        ``"drips"`` (answers, but never to the end).
    :param stall: a file name whose download breaks off in the middle.
    :param gated: it tells of its data sets, and refuses their files.
    """

    server: ThreadingHTTPServer
    repositories: dict[str, Repository] = field(default_factory=dict)
    mode: str = "up"
    stall: str = ""
    gated: bool = False
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def fetched(self) -> set[str]:
        """Return the paths of the files that were fetched."""
        return {
            path.split("/resolve/")[1].partition("/")[2] for path in self.asked if path.startswith("GET /datasets/")
        }

    def add(self, name: str, files: Mapping[str, bytes], branch: str = MAIN) -> str:
        """Commit ``files`` to a branch of a data set; return the commit."""
        repository = self.repositories.setdefault(name, Repository())
        digest = hashlib.sha1(repr((name, branch, sorted(files.items()))).encode()).hexdigest()
        repository.branches[branch] = digest
        repository.commits[digest] = dict(files)
        return digest


class Handler(BaseHTTPRequestHandler):
    """Answers what ``dataset_info`` and ``snapshot_download`` ask."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        if self.hub.mode == "hangs":
            self.hub.released.wait(60)
        if self.hub.mode == "drips":
            self._drip()
        elif self.hub.mode != "up":
            self._answer(503, b"{}")
        elif path.startswith("/api/datasets/"):
            self._about(path.removeprefix("/api/datasets/"))
        elif path.startswith("/datasets/") and "/resolve/" in path:
            self._file(path.removeprefix("/datasets/"))
        else:
            self._missing("RepoNotFound")

    def _drip(self) -> None:
        """Send a header now and then: each one is in time, all of them never end."""
        self.send_response(200)
        for number in range(40):
            self.send_header(f"X-{number}", "…".encode().hex())
            with suppress(OSError):  # nobody may be listening any more
                self.flush_headers()
            if self.hub.released.wait(0.5):
                break
        self.close_connection = True

    def _about(self, rest: str) -> None:
        name = next((known for known in self.hub.repositories if f"{rest}/".startswith(f"{known}/")), None)
        if name is None:
            self._missing("RepoNotFound")
            return
        what, _, revision = rest.removeprefix(name).strip("/").partition("/")
        repository = self.hub.repositories[name]
        commit = repository.branches.get(revision or MAIN, revision)
        if commit not in repository.commits:
            self._missing("RevisionNotFound")
            return
        files = repository.commits[commit]
        tree = [{"type": "file", "path": path, "size": len(content), "oid": commit} for path, content in files.items()]
        info = {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in files]}
        self._answer(200, json.dumps(tree if what == "tree" else info).encode())

    def _file(self, rest: str) -> None:
        name, _, place = rest.partition("/resolve/")
        commit, _, path = place.partition("/")
        content = self.hub.repositories[name].commits.get(commit, {}).get(path)
        if self.hub.gated:
            self._answer(403, b'{"error": "gated"}', **{"X-Error-Code": "GatedRepo"})
            return
        if content is None:
            self._missing("EntryNotFound")
            return
        etag = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit}
        broken = path == self.hub.stall and self.command == "GET"
        self._answer(200, content, len(content) // 2 if broken else None, **etag)
        self.close_connection = broken

    def _missing(self, code: str) -> None:
        self._answer(404, b'{"error": "missing"}', **{"X-Error-Code": code})

    def _answer(self, status: int, content: bytes, sent: int | None = None, /, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:sent])


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve an empty Hub."""
    handler = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub = handler.hub = Hub(server)  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        server.server_close()


def use(hub: Hub, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Make ``huggingface_hub`` of this process ask the stand-in, and keep what it gets in ``cache``."""
    from huggingface_hub import close_session, constants

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    close_session()
