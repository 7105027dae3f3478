"""A stand-in for the Hugging Face Hub on this machine: data sets and models to read, and to write (``hub_writing``)."""

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

from hub_writing import Account, Repository, Writing, blob_oid, is_large
from hub_xet import Xet

MAIN = "main"


@dataclass
class Hub:
    """What the stand-in serves, and what it was asked.

    :param mode: ``"up"``, ``"fails"`` (status 503), ``"hangs"`` (takes the question and never answers) or
        ``"drips"`` (answers, but never to the end).
    :param stall: a file name whose download breaks off in the middle.
    :param gated: it tells of its data sets, and refuses their files.
    :param accounts: token → who has it.
    :param objects: the large files that were sent, by SHA-256.
    :param answers: the beginning of a request → the status that it gets.
    :param drop: the number of the request, from 1, whose connection breaks; ``drop_late``: after it was done.
    """

    server: ThreadingHTTPServer
    repositories: dict[str, Repository] = field(default_factory=dict)
    models: dict[str, Repository] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    xet: Xet = field(default_factory=Xet)
    drop: int = 0
    drop_late: bool = False
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

    @property
    def sent(self) -> list[str]:
        """Return the requests that write."""
        return [one for one in self.asked if one.split()[0] in ("POST", "PUT")]

    def kind(self, kind: str) -> dict[str, Repository]:
        """Return the repositories of a kind: ``"models"`` or ``"datasets"``."""
        return self.models if kind == "models" else self.repositories

    def add(self, name: str, files: Mapping[str, bytes], branch: str = MAIN, kind: str = "datasets") -> str:
        """Commit ``files`` to a branch of a data set or model; return the commit."""
        repository = self.kind(kind).setdefault(name, Repository())
        digest = hashlib.sha1(repr((name, branch, sorted(files.items()))).encode()).hexdigest()
        repository.branches[branch] = digest
        repository.commits[digest] = dict(files)
        return digest


class Handler(Writing, BaseHTTPRequestHandler):
    """Answers what ``dataset_info``, ``model_info`` and ``snapshot_download`` ask."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if not self.begin(path):
            return
        if self.hub.mode == "hangs":
            self.hub.released.wait(60)
        if self.hub.mode == "drips":
            self._drip()
        elif self.hub.mode != "up":
            self.answer(503, b"{}")
        elif path == "/api/whoami-v2":
            self.whoami()
        elif "/xet-read-token/" in path or "/xet-write-token/" in path:
            # huggingface_hub reads the headers, hf_xet itself the content
            told = {"casUrl": self.hub.endpoint, "accessToken": "xet", "exp": 9_999_999_999}
            names = ("X-Xet-Cas-Url", "X-Xet-Access-Token", "X-Xet-Token-Expiration")
            headers = dict(zip(names, map(str, told.values()), strict=True))
            self.answer(200, json.dumps(told).encode(), None, **headers)
        elif path.startswith(("/v1/", "/v2/", "/xet/")):
            self._xet(path)
        elif path.startswith(("/api/datasets/", "/api/models/")):
            self._about(*path.removeprefix("/api/").split("/", 1))
        elif "/resolve/" in path:
            kind = "datasets" if path.startswith("/datasets/") else "models"
            self._file(kind, path.removeprefix("/datasets/").removeprefix("/"))
        else:
            self.missing("RepoNotFound")

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

    def _about(self, kind: str, rest: str) -> None:
        known = self.hub.kind(kind)
        name = next((name for name in known if f"{rest}/".startswith(f"{name}/")), None)
        if name is None:
            self.missing("RepoNotFound")
            return
        what, _, revision = rest.removeprefix(name).strip("/").partition("/")
        repository = known[name]
        if what == "tree":
            self._tree(repository, revision)
            return
        commit = repository.commit_of(revision or MAIN)
        if what == "refs":
            self.answer(200, json.dumps(repository.refs()).encode())
        elif commit not in repository.commits:
            self.missing("RevisionNotFound")
        else:
            files = repository.commits[commit]
            info = {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in files]}
            self.answer(200, json.dumps(info).encode())

    def _tree(self, repository: Repository, place: str) -> None:
        """List the files of a revision, or those of a folder in it."""
        names = [name for name in (*repository.branches, *repository.tags) if f"{place}/".startswith(f"{name}/")]
        revision = max(names, key=len, default=place.partition("/")[0])
        folder = place.removeprefix(revision).strip("/")
        files = repository.commits.get(repository.commit_of(revision))
        if files is None:
            self.missing("RevisionNotFound")
            return
        inside = {path: content for path, content in files.items() if not folder or path.startswith(f"{folder}/")}
        if folder and not inside:
            self.missing("EntryNotFound")
            return
        entries = [self.entry(path, content) for path, content in inside.items()]
        if "recursive=true" not in urlsplit(self.path).query.lower():
            depth = len(folder.split("/")) + 1 if folder else 1
            folders = sorted({"/".join(path.split("/")[:depth]) for path in inside if path.count("/") >= depth})
            entries = [one for one in entries if one["path"].count("/") < depth]
            entries += [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
        self.answer(200, json.dumps(entries).encode())

    def entry(self, path: str, content: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": blob_oid(content)}
        if is_large(path):
            oid = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
            entry |= {"xetHash": self.hub.xet.hashes[oid]} if oid in self.hub.xet.hashes else {}
        return entry

    def _file(self, kind: str, rest: str) -> None:
        name, _, place = rest.partition("/resolve/")
        revision, _, path = place.partition("/")
        repository = self.hub.kind(kind).get(name, Repository())
        commit = repository.commit_of(revision)
        content = repository.commits.get(commit, {}).get(path)
        if self.hub.gated:
            self.answer(403, b'{"error": "gated"}', **{"X-Error-Code": "GatedRepo"})
            return
        if content is None:
            self.missing("EntryNotFound" if name in self.hub.kind(kind) else "RepoNotFound")
            return
        digest = hashlib.sha256(content).hexdigest()
        etag = {"ETag": f'"{digest}"', "X-Repo-Commit": commit}
        if digest in self.hub.xet.hashes:
            route = f"{self.hub.endpoint}/api/{kind}/{name}/xet-read-token/{commit}"
            etag |= {"X-Xet-Hash": self.hub.xet.hashes[digest], "X-Xet-Refresh-Route": route}
            etag |= {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{digest}"'}
        broken = path == self.hub.stall and self.command == "GET"
        self.answer(200, content, len(content) // 2 if broken else None, **etag)
        self.close_connection = broken

    def _xet(self, path: str) -> None:
        """Answer what hf_xet asks; the newer questions of its second version are not known here."""
        name = path.rpartition("/")[2]
        if path.startswith("/v1/reconstructions/") and name in self.hub.xet.files:
            self.answer(200, self.hub.xet.reconstruction(name, self.hub.endpoint))
        elif path.startswith("/xet/xorbs/") and name in self.hub.xet.xorbs:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            self.answer(206, self.hub.xet.xorbs[name][first : last + 1])
        else:
            self.answer(404, b"{}")

    def missing(self, code: str) -> None:
        """Answer that something is not there."""
        self.answer(404, b'{"error": "missing"}', **{"X-Error-Code": code})

    def answer(self, status: int, content: bytes, sent: int | None = None, /, **headers: str) -> None:
        """Answer, unless the connection is to break here."""
        if self.dropped:
            return
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
    from huggingface_hub import close_session, constants, hf_api

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(hf_api.api, "endpoint", hub.endpoint)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(cache / "stored_tokens"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    close_session()
