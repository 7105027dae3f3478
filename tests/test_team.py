"""A team: two homes, a registry on PostgreSQL, and checkpoints on a server that speaks the protocol of S3."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main
from labelkit.registry import Home, Registry
from labelkit.registry.checkpoint_folders import find_checkpoint
from postgres_server import PostgresServer

pytestmark = pytest.mark.slow

SECRET = "hush-hush-secret"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Return the address of a moto server on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def use(monkeypatch: pytest.MonkeyPatch, home: Path, registry: str, store: str) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    monkeypatch.setenv("LABELKIT_REGISTRY", registry)
    monkeypatch.setenv("LABELKIT_STORE", store)


def test_a_run_of_one_machine_labels_on_another(
    s3: str,
    postgres: PostgresServer,
    postgres_database: str,
    tiny: Path,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import boto3

    for name, value in (("ACCESS_KEY_ID", "team"), ("SECRET_ACCESS_KEY", SECRET), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    boto3.client("s3").create_bucket(Bucket="models")
    registry, store = postgres.url(postgres_database), "s3://models/team"
    first, second = tmp_path / "first", tmp_path / "second"

    use(monkeypatch, first, registry, store)
    done = labelkit.run("ner", data=str(corpus), model=str(tiny), epochs=1)
    assert main(["label", "ner@best", "--text", "Ada lives in Rome .", "-o", str(tmp_path / "one.jsonl")]) == 0

    use(monkeypatch, second, registry, store)
    assert main(["label", "ner@best", "--text", "Ada lives in Rome .", "-o", str(tmp_path / "two.jsonl")]) == 0
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    fetched, files = find_checkpoint(done.run, Home(root=second, url=registry, remote=store))
    assert fetched.is_relative_to(second)
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == {
        name: (done.checkpoint / name).read_bytes() for name in files
    }
    capsys.readouterr()
    assert main(["runs", "verify", "--json"]) == 0
    assert [one["run"] for one in json.loads(capsys.readouterr().out)["store"]] == [done.run]

    use(monkeypatch, first, registry, "s3://missing/team")
    assert main(["runs", "upload", done.run]) == 1
    assert "the store s3://missing/team cannot be" in capsys.readouterr().err
    use(monkeypatch, first, registry, store)
    assert main(["runs", "rm", done.run]) == 0
    listed = boto3.client("s3").list_objects_v2(Bucket="models")["Contents"]
    assert not [one["Key"] for one in listed if "/runs/" in one["Key"]]
    recorded = Registry.open(Home(root=first, url=registry), create=False)
    with recorded:
        everything = json.dumps([str(recorded.query(f"SELECT * FROM {view}").rows) for view in ("v_runs", "v_notes")])
    assert SECRET not in everything
    assert SECRET not in capsys.readouterr().out
