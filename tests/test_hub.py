"""References to the Hub, with the real client against a stand-in server on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labelkit.errors import NetworkError
from labelkit.hub.guard import GuardedStream, _free_bytes, check_repository, guard_session

SHA = "0123456789abcdef0123456789abcdef01234567"
OLD = "fedcba9876543210fedcba9876543210fedcba98"
NAME = "tests/tiny"


@dataclass
class Hub:
    """What the stand-in serves, and what it was asked.

    :param mode: ``"up"``, ``"hangs"`` (takes the question and never answers) or ``"fails"`` (status 503).
    :param stall: a file name whose download breaks off in the middle.
    :param changed: headers of files that are other than they should be.
    :param sha: the commit that it tells, if it is another than the files'.
    :param endless: part of the path of answers that never end; ``slow``: a byte at a time, of an announced length.
    """

    folder: Path
    server: ThreadingHTTPServer
    mode: str = "up"
    stall: str = ""
    gated: bool = False
    changed: dict[str, str] = field(default_factory=dict)
    sha: str = ""
    endless: str = ""
    slow: bool = False
    sent: int = 0
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def fetched(self) -> set[str]:
        return {path.rsplit("/", 1)[1] for path in self.asked if path.startswith("GET") and "/resolve/" in path}


class Handler(BaseHTTPRequestHandler):
    """Answers what ``model_info`` and ``snapshot_download`` ask."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        if self.hub.mode == "hangs":
            self.hub.released.wait(60)
        parts = self.path.partition("?")[0].strip("/").split("/")
        if self.hub.endless and self.hub.endless in self.path and self.command == "GET":
            self._answer_endlessly()
        elif self.hub.mode != "up":
            self._answer(503, b"{}")
        elif "/".join(parts[:4]) == f"api/models/{NAME}":
            self._about(parts[5] if len(parts) > 5 else "main", tree=parts[4:5] == ["tree"])
        elif "/".join(parts[:3]) == f"{NAME}/resolve" and parts[3] in (SHA, OLD):
            self._file(parts[3], self.hub.folder / parts[4])
        else:
            self._answer(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"})

    def _answer_endlessly(self) -> None:
        self.send_response(200)
        if self.hub.slow:
            self.send_header("Content-Length", "1000000")
        self.send_header("X-Repo-Commit", SHA)
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):  # until the client hangs up
            while not self.hub.released.wait(0.05 if self.hub.slow else 0):
                self.wfile.write(b" " if self.hub.slow else b" " * 65536)
                self.hub.sent += 1 if self.hub.slow else 65536

    def _about(self, revision: str, *, tree: bool) -> None:
        commit = {"main": SHA, SHA: SHA, "v1": OLD, OLD: OLD}.get(revision)
        if self.hub.gated:
            self._answer(403, b'{"error": "gated"}', {"X-Error-Code": "GatedRepo"})
        elif commit is None:
            self._answer(404, b'{"error": "Invalid rev id"}', {"X-Error-Code": "RevisionNotFound"})
        elif tree:
            files = [{"type": "file", "path": name, "size": self._size(name), "oid": commit} for name in self._names()]
            self._answer(200, json.dumps(files).encode())
        else:
            siblings = [{"rfilename": name} for name in self._names()]
            self._answer(
                200,
                json.dumps({"id": NAME, "modelId": NAME, "sha": self.hub.sha or commit, "siblings": siblings}).encode(),
            )

    def _names(self) -> list[str]:
        return sorted(path.name for path in self.hub.folder.iterdir())

    def _size(self, name: str) -> int:
        return (self.hub.folder / name).stat().st_size

    def _file(self, commit: str, path: Path) -> None:
        if not path.is_file():
            self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            return
        content = path.read_bytes()
        etag = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit, **self.hub.changed}
        if path.name == self.hub.stall and self.command == "GET":
            self._answer(200, content, etag, sent=len(content) // 2)
            self.close_connection = True
            return
        self._answer(200, content, etag)

    def _answer(
        self, status: int, content: bytes, headers: Mapping[str, str] | None = None, sent: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:sent])


@pytest.fixture
def hub(tiny: Path, tmp_path: Path) -> Iterator[Hub]:
    """Serve the tiny encoder with a pickle, some code and a picture beside it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for file in tiny.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    for name in ("pytorch_model.bin", "modeling_tiny.py", "picture.png", "training_args.bin", "model.onnx"):
        (folder / name).write_bytes(b"\x80\x04N.")
    (folder / "vocab.txt").write_text("[PAD]\n")
    handler = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    found = handler.hub = Hub(folder, server)  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    found.released.set()
    server.shutdown()
    server.server_close()


RESOLVE = """
import json, os, sys
from labelkit.hub import guard
for name, value in json.loads(os.environ.get("LIMITS", "{}")).items():
    setattr(guard, name, value)
from labelkit.models.references import resolve_hub
from labelkit.errors import LabelkitError
from labelkit.records import LoadContext
try:
    found = resolve_hub(sys.argv[1], LoadContext(offline=sys.argv[2] == "offline"))
    said = {"folder": str(found.folder), "revision": found.revision, "sha256": found.sha256}
except LabelkitError as error:
    said = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
assert not {"torch", "transformers"} & sys.modules.keys()
print(json.dumps(said))
"""


def resolve(
    hub: Hub, tmp_path: Path, reference: str = NAME, *, offline: bool = False, **limits: float
) -> dict[str, str]:
    """Resolve a reference in a process of its own, whose Hub is the stand-in and whose cache is in ``tmp_path``."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS"))}
    surroundings["LIMITS"] = json.dumps(limits)
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, reference, "offline" if offline else "online"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**surroundings, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"},
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    assert "\n" not in said.get("message", "")
    return said


def test_only_weights_json_and_vocabularies_are_fetched(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    found = resolve(hub, tmp_path)
    wanted = {path.name for path in tiny.iterdir()} | {"vocab.txt"}
    assert hub.fetched == wanted
    assert {path.name for path in Path(found["folder"]).iterdir()} == wanted
    assert found["revision"] == SHA
    assert found["sha256"] == hashlib.sha256((tiny / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.slow
def test_what_was_fetched_needs_no_hub_any_more(hub: Hub, tmp_path: Path) -> None:
    first = resolve(hub, tmp_path)
    asked = len(hub.asked)
    hub.mode = "fails"
    assert resolve(hub, tmp_path) == first
    assert resolve(hub, tmp_path, offline=True) == first
    assert resolve(hub, tmp_path, f"{NAME}@{SHA}") == first
    assert len(hub.asked) == asked


@pytest.mark.slow
def test_a_revision_is_resolved_to_its_commit(hub: Hub, tmp_path: Path) -> None:
    assert resolve(hub, tmp_path, f"{NAME}@v1")["revision"] == OLD
    assert any(f"/resolve/{OLD}/" in path for path in hub.asked)
    assert not any(f"/resolve/{SHA}/" in path for path in hub.asked)


@pytest.mark.slow
def test_a_name_that_the_hub_does_not_know_is_told(hub: Hub, tmp_path: Path) -> None:
    said = resolve(hub, tmp_path, "tests/nonesuch")
    assert (said["error"], said["message"]) == ("ModelError", "there is no model 'tests/nonesuch' on the Hub")
    assert said["hint"]


@pytest.mark.slow
def test_an_unknown_revision_is_told(hub: Hub, tmp_path: Path) -> None:
    said = resolve(hub, tmp_path, f"{NAME}@v9")
    assert (said["error"], said["message"]) == ("ModelError", f"model '{NAME}' has no revision 'v9'")


def test_a_gated_model_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.gated = True
    said = resolve(hub, tmp_path)
    assert said["message"] == f"model '{NAME}' is gated on the Hub"


@pytest.mark.parametrize("name", ["org/na me", "org/name..x", "-org/name"])
def test_what_cannot_be_a_name_is_no_trouble_of_the_network(hub: Hub, tmp_path: Path, name: str) -> None:
    said = resolve(hub, tmp_path, name)
    assert said["error"] == "ModelError"
    assert name in said["message"]
    assert hub.asked == []


def test_a_repository_with_pickled_weights_only_is_refused(hub: Hub, tmp_path: Path) -> None:
    (hub.folder / "model.safetensors").unlink()
    said = resolve(hub, tmp_path)
    assert said["error"] == "ModelError"
    assert "only pickled weights (pytorch_model.bin)" in said["message"]
    assert "safetensors" in said["hint"]
    assert hub.fetched & {"pytorch_model.bin", "training_args.bin"} == set()


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["model.safetensors", "tokenizer.json"])
def test_a_fetch_that_broke_off_is_made_whole_the_next_time(hub: Hub, tmp_path: Path, broken: str) -> None:
    (hub.folder / "vocab.txt").unlink()
    folder = Path(resolve(hub, tmp_path)["folder"])
    (folder / broken).resolve().unlink()
    (folder / broken).unlink()
    assert Path(resolve(hub, tmp_path)["folder"]) == folder
    assert (folder / broken).read_bytes() == (hub.folder / broken).read_bytes()


@pytest.mark.slow
def test_a_download_that_breaks_off_is_told_and_leaves_nothing_that_passes_for_whole(
    hub: Hub, tiny: Path, tmp_path: Path
) -> None:
    hub.stall = "model.safetensors"
    said = resolve(hub, tmp_path)
    assert said["error"] == "NetworkError"
    assert said["message"].startswith(f"model '{NAME}' could not be fetched (")
    assert resolve(hub, tmp_path, offline=True)["error"] == "NetworkError"
    hub.stall = ""
    found = resolve(hub, tmp_path)
    assert found["sha256"] == hashlib.sha256((tiny / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("mode", ["hangs", "fails"])
def test_a_hub_that_does_not_answer_is_given_up_soon(hub: Hub, tmp_path: Path, mode: str) -> None:
    hub.mode = mode
    started = time.monotonic()
    said = resolve(hub, tmp_path)
    assert time.monotonic() - started < 10
    assert said["error"] == "NetworkError"
    assert said["message"].startswith(f"the Hugging Face Hub cannot be reached for model '{NAME}' (")
    assert "--model bundled" in said["hint"]


@pytest.mark.slow
@pytest.mark.parametrize("header", ["ETag", "X-Linked-ETag", "X-Repo-Commit"])
def test_a_name_from_the_network_stays_inside_the_cache(hub: Hub, tmp_path: Path, header: str) -> None:
    hub.changed = {header: '"../../../../../planted"'}
    said = resolve(hub, tmp_path)
    assert said["error"] == "NetworkError"
    assert f"the Hub's answer has an invalid {header.lower()}: " in said["message"]
    assert not [path for path in tmp_path.rglob("*") if "planted" in path.name]


@pytest.mark.slow
def test_a_commit_from_the_network_is_one(hub: Hub, tmp_path: Path) -> None:
    hub.sha = "../../../planted"
    assert "the Hub's answer has an invalid commit: " in resolve(hub, tmp_path)["message"]
    assert not [path for path in tmp_path.rglob("*") if "planted" in path.name]


@pytest.mark.parametrize("name", ["../planted", "/planted", "a/../../planted", "a\\..\\planted", "a//b", "a\0"])
def test_file_names_from_the_network_stay_inside_their_folder(name: str) -> None:
    check_repository("a" * 40, ["config.json", "data/train-00000-of-00001.parquet", ".gitattributes", "a..b"])
    with pytest.raises(NetworkError, match="invalid file name"):
        check_repository("a" * 40, ["config.json", name])


def test_no_answer_is_endless_in_size_or_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("labelkit.hub.guard.time.monotonic", lambda: float(next(clock)))
    body = [b"x" * 10_000] * 10
    assert list(GuardedStream(body, 100_000, 11.0)) == body
    with pytest.raises(NetworkError, match="longer than 99,999 bytes"):
        list(GuardedStream(body, 99_999, None))
    with pytest.raises(NetworkError, match="too slow: 50,000 bytes in 5 s"):
        list(GuardedStream(body, None, 4.5))
    with pytest.raises(NetworkError, match="too slow: 61 bytes in 61 s"):
        list(GuardedStream([b"x"] * 100, None, None))
    assert len(list(GuardedStream([b"x" * 1024] * 100, None, None))) == 100


@pytest.mark.parametrize(
    ("endless", "slow", "message"),
    [
        ("/api/models", False, "the Hub's answer is longer than 1,000,000 bytes"),
        ("/api/models", True, "no answer within 2.5 s"),
        ("/config.json", False, "the Hub's answer is longer than 2,000,000 bytes"),
        ("/config.json", True, "the Hub's answer is too slow: "),
    ],
)
@pytest.mark.slow
def test_a_hub_that_never_ends_an_answer_is_given_up(
    endless: str, slow: bool, message: str, hub: Hub, tmp_path: Path
) -> None:
    hub.endless, hub.slow = endless, slow
    said = resolve(hub, tmp_path, MAX_ANSWER=1_000_000, MAX_UNANNOUNCED=2_000_000, SLOW_SECONDS=1.0)
    assert said["error"] == "NetworkError"
    assert message in said["message"]
    assert 0 < hub.sent < 20_000_000  # what lay in the buffers of the system included
    hub.endless = ""
    assert resolve(hub, tmp_path)["revision"] == SHA


@pytest.fixture
def answer_with() -> Iterator[Callable[[Mapping[str, str]], None]]:
    """Return a function that makes the client of this process get an answer with some headers to each request."""
    import httpx2
    from huggingface_hub import close_session, set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    def answer_with(headers: Mapping[str, str]) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            assert request.headers["accept-encoding"] == "identity"
            return httpx2.Response(200, headers=headers, content=iter([b"x" * 700] * 2))

        set_client_factory(lambda: httpx2.Client(transport=httpx2.MockTransport(answer)))
        guard_session()
        guard_session()  # once is enough

    yield answer_with
    set_client_factory(default_client_factory)
    close_session()


HASH = {"X-Xet-Hash": "a" * 64}


@pytest.mark.parametrize(
    ("method", "path", "headers", "message"),
    [
        ("GET", "/api/models/a/b", {"Content-Length": "1001"}, "announces an answer of 1,001 bytes, more than 1,000"),
        ("GET", "/a/b/resolve/main/f", {"Content-Length": "5001"}, "announces a file of 5,001 bytes, and 5,000 are"),
        ("GET", "/a/b/resolve/main/f", {"Content-Length": "9" * 30}, "invalid length: '9999"),
        ("HEAD", "/a/b/resolve/main/f", {**HASH, "X-Linked-Size": "5001"}, "announces a file of 5,001 bytes, and"),
        ("HEAD", "/a/b/resolve/main/f", {**HASH, "X-Linked-Size": "-1"}, "invalid length: '-1'"),
        ("HEAD", "/a/b/resolve/main/f", {**HASH, "X-Linked-Size": "5000"}, None),
        ("HEAD", "/a/b/resolve/main/f", {"Content-Length": "5001"}, None),  # it may be in the cache already
    ],
)
def test_what_is_announced_to_be_too_large_is_not_read(
    method: str,
    path: str,
    headers: dict[str, str],
    message: str | None,
    answer_with: Callable[[Mapping[str, str]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import get_session

    monkeypatch.setattr("labelkit.hub.guard.MAX_ANSWER", 1000)
    monkeypatch.setattr("labelkit.hub.guard._free_bytes", lambda: 5000)
    answer_with(headers)
    with pytest.raises(NetworkError, match=message) if message else contextlib.nullcontext():
        get_session().request(method, f"http://hub{path}")


def test_the_free_space_is_that_of_the_cache_which_may_not_be_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    asked: list[Path] = []

    def disk_usage(place: Path) -> SimpleNamespace:
        asked.append(place)
        return SimpleNamespace(free=7)

    monkeypatch.setattr("labelkit.hub.guard.shutil.disk_usage", disk_usage)
    assert _free_bytes() == 7
    assert asked == [tmp_path]


@pytest.mark.parametrize(
    ("path", "headers", "message"),
    [
        ("/api/models/a/b", {}, "longer than 1,000 bytes"),
        ("/a/b/resolve/main/file", {}, "longer than 500 bytes"),
        ("/a/b/resolve/main/file", {"Content-Encoding": "gzip"}, "compressed, though that was not asked for"),
        ("/a/b/resolve/main/file", {"Content-Length": "1400"}, None),
    ],
)
def test_the_session_of_the_hub_is_guarded(
    path: str,
    headers: dict[str, str],
    message: str | None,
    answer_with: Callable[[Mapping[str, str]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import get_session

    monkeypatch.setattr("labelkit.hub.guard.MAX_ANSWER", 1000)
    monkeypatch.setattr("labelkit.hub.guard.MAX_UNANNOUNCED", 500)
    answer_with(headers)
    if message is None:
        assert len(get_session().get(f"http://hub{path}").content) == 1400
    else:
        with pytest.raises(NetworkError, match=message):
            get_session().get(f"http://hub{path}")


def test_offline_nothing_is_asked(hub: Hub, tmp_path: Path) -> None:
    said = resolve(hub, tmp_path, offline=True)
    assert said["error"] == "NetworkError"
    assert "HF_HUB_OFFLINE" in said["message"]
    assert hub.asked == []
