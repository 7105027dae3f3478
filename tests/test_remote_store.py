"""The shared store of checkpoints: uploads, fetches in another home, damage, deletion, and what it never shows."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labelkit.cli import main
from labelkit.errors import LabelkitError, RegistryError, StorageError
from labelkit.models.checkpoint_files import sha256_of
from labelkit.registry import Home, Registry, RunRecord, SearchRecord
from labelkit.registry.checkpoint_folders import find_checkpoint
from labelkit.registry.remote_store import RemoteStore

CONTENT = {"config.json": b"{}", "model.safetensors": b"weights" * 100, "labelkit.json": b"[]"}


def record(home: Home, run: str, content: dict[str, bytes] = CONTENT, group: str | None = None) -> Path:
    """Record a finished run with a made-up checkpoint, and return its folder."""
    folder = home.runs / run / "checkpoints" / "step-000001"
    folder.mkdir(parents=True)
    for name, text in content.items():
        (folder / name).write_bytes(text)
    files = {name: (len(text), sha256_of(folder / name)) for name, text in content.items()}
    record = RunRecord(
        id=run,
        task="ner",
        kind="token",
        data="d",
        model="m",
        metric="s",
        metric_key="f1",
        labelkit="0",
        seed=1,
        group=group,
    )
    with Registry.open(home, create=True) as registry:
        registry.recorder.start(record)
        registry.recorder.log_checkpoint(run, folder, step=1, epoch=1.0, best=True, files=files)
        registry.recorder.finish(run, "finished", seconds=1.0)
    return folder


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "shared"


@pytest.fixture
def first(tmp_path: Path, shared: Path) -> Home:
    """Return the home of the machine that trained ``ner-1``."""
    home = Home(root=tmp_path / "first", url=f"sqlite:///{tmp_path / 'team.db'}", remote=shared.as_uri())
    record(home, "ner-1")
    return home


@pytest.fixture
def second(tmp_path: Path, first: Home) -> Home:
    """Return the home of another machine with the same registry and store."""
    return replace(first, root=tmp_path / "second")


def upload(home: Home, run: str = "ner-1", **options: Any) -> int | None:
    with Registry.open(home, create=False) as registry:
        return registry.storage.upload(run, **options)


def stored(shared: Path) -> list[str]:
    return sorted(path.relative_to(shared).as_posix() for path in shared.rglob("*") if path.is_file())


def blob(shared: Path, content: bytes) -> Path:
    (found,) = (path for path in (shared / "files").rglob("*") if path.is_file() and path.read_bytes() == content)
    return found


def test_a_checkpoint_is_fetched_in_another_home_and_is_the_same(first: Home, second: Home, shared: Path) -> None:
    assert upload(first) == sum(map(len, CONTENT.values()))
    folder, files = find_checkpoint("ner-1", second)
    assert folder.is_relative_to(second.cache)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    assert set(files) == set(CONTENT)
    assert find_checkpoint("ner-1", first)[0].is_relative_to(first.runs)
    names = stored(shared)
    assert [name for name in names if name.startswith("runs/")] == ["runs/ner-1/1.json"]
    assert all(Path(name).name == sha256_of(shared / name) for name in names if name.startswith("files/"))


def test_no_file_is_stored_or_sent_twice(first: Home, shared: Path) -> None:
    upload(first)
    assert upload(first) == 0
    record(first, "ner-2", {**CONTENT, "config.json": b"other"})
    assert upload(first, "ner-2") == len(b"other")
    assert len(list((shared / "files").rglob("*/*"))) == len(CONTENT) + 1


def test_half_an_upload_is_not_there(first: Home, second: Home, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("the line is cut")

    with monkeypatch.context() as patch:
        patch.setattr(RemoteStore, "_write", fail)
        with pytest.raises(OSError, match="the line is cut"):
            upload(first)
    assert len(stored(shared)) == len(CONTENT)
    with pytest.raises(StorageError, match="the checkpoint of 'ner-1' is not in file://"):
        find_checkpoint("ner-1", second)
    assert upload(first) == 0
    find_checkpoint("ner-1", second)


def test_what_is_damaged_in_the_store_is_refused_and_can_be_sent_again(first: Home, second: Home, shared: Path) -> None:
    upload(first)
    blob(shared, CONTENT["model.safetensors"]).write_bytes(b"WEIGHTS" * 100)
    with pytest.raises(StorageError, match=r"model.safetensors of 'ner-1' is damaged in file://") as caught:
        find_checkpoint("ner-1", second)
    assert "labelkit runs upload ner-1 --force" in (caught.value.hint or "")
    assert not any((second.cache / "fetched").iterdir())
    assert upload(first, again=True) == sum(map(len, CONTENT.values()))
    find_checkpoint("ner-1", second)


def test_what_is_damaged_in_the_cache_is_fetched_again(first: Home, second: Home) -> None:
    upload(first)
    folder, _ = find_checkpoint("ner-1", second)
    (folder / "config.json").write_bytes(b"[]")
    assert (find_checkpoint("ner-1", second)[0] / "config.json").read_bytes() == b"{}"


def test_a_changed_file_is_not_uploaded(first: Home, shared: Path) -> None:
    (first.runs / "ner-1/checkpoints/step-000001/config.json").write_bytes(b"[]")
    with pytest.raises(StorageError, match=r"config.json is not what was recorded"):
        upload(first)
    assert not [name for name in stored(shared) if name.startswith("runs/")]


def test_without_a_store_nothing_is_uploaded_and_the_place_is_said(first: Home, second: Home) -> None:
    assert upload(replace(first, remote=None)) is None
    with pytest.raises(RegistryError, match="the checkpoint of 'ner-1' is elsewhere"):
        find_checkpoint("ner-1", replace(second, remote=None))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("bucket/prefix", "LABELKIT_STORE is not the URL of a store"),
        ("ftp://host/folder", "LABELKIT_STORE is not the URL of a store"),
        ("s3://KEY:SECRET@bucket", "LABELKIT_STORE holds credentials or options, which would be shown"),
        ("s3://bucket?secret=SECRET", "LABELKIT_STORE holds credentials or options, which would be shown"),
        ("s3://", "names no bucket or absolute folder"),
        ("file://folder", "names no bucket or absolute folder"),
        ("file:///", "names no bucket or absolute folder"),
    ],
)
def test_a_bad_url_is_one_line_without_credentials(url: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message.replace("?", r"\?")) as caught:
        RemoteStore(url)
    assert "SECRET" not in f"{caught.value}{caught.value.hint}"


def test_credentials_are_masked_in_what_a_store_says(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    store = RemoteStore(shared.as_uri())

    def fail(*_: object, **__: object) -> None:
        raise ValueError("denied: hush-hush")

    monkeypatch.setattr(store._fs, "find", fail)
    with pytest.raises(StorageError) as caught:
        store.unreferenced()
    assert caught.value.message == f"the store {store.url} cannot be listed: ValueError: denied: ***"


def test_an_old_file_that_no_manifest_names_is_sent_again(first: Home, shared: Path) -> None:
    upload(first)
    for path in (shared / "runs").rglob("*.json"):
        path.unlink()
    old = blob(shared, CONTENT["config.json"])
    os.utime(old, (0, 0))  # garbage collection may be about to remove it
    assert upload(first) == len(CONTENT["config.json"])
    assert old.stat().st_mtime > 0


def test_a_file_that_was_stored_again_since_it_was_listed_is_not_collected(shared: Path) -> None:
    store = RemoteStore(shared.as_uri())
    for name in ("aa" * 32, "bb" * 32):
        path = shared / "files" / name[:2] / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    listed = store.unreferenced()
    os.utime(shared / "files" / "aa" / ("aa" * 32))
    assert [one.name for one in store.remove_files(listed, 60.0)] == ["bb" * 32]
    assert stored(shared) == [f"files/aa/{'aa' * 32}"]


def test_a_damaged_manifest_stops_garbage_collection(shared: Path) -> None:
    manifest = shared / "runs" / "ner-1" / "1.json"
    manifest.parent.mkdir(parents=True)
    for content in ("{", "[]", '{"files": [1]}', '{"files": {"a": 1}}'):
        manifest.write_text(content)
        with pytest.raises(StorageError, match=r"the manifest .*1\.json in file://.* is damaged"):
            RemoteStore(shared.as_uri()).unreferenced()


@pytest.mark.parametrize("run", [".", "..", "", "ner-1/..", "/"])
def test_no_run_removes_the_manifests_of_others(shared: Path, run: str) -> None:
    manifest = shared / "runs" / "ner-1" / "1.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    assert RemoteStore(shared.as_uri()).remove(run) == 0
    assert RemoteStore(shared.as_uri()).remove("ner-") == 0
    assert manifest.exists()
    assert RemoteStore(shared.as_uri()).remove("ner-1") == 1


@pytest.mark.slow
def test_two_processes_may_fetch_the_same_at_once(first: Home, second: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(first)
    real = RemoteStore._fetch_files

    def fetch_twice(self: RemoteStore, *args: Any) -> None:
        monkeypatch.setattr(RemoteStore, "_fetch_files", real)
        real(self, *args)
        find_checkpoint("ner-1", second)  # the other process, which is faster

    monkeypatch.setattr(RemoteStore, "_fetch_files", fetch_twice)
    folder, _ = find_checkpoint("ner-1", second)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    assert len(list(folder.parent.iterdir())) == 1


def test_a_run_is_not_deleted_where_its_manifest_cannot_be(
    first: Home, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(first)

    def fail(*_: object) -> None:
        raise PermissionError("denied")

    with Registry.open(first, create=False) as registry:
        with monkeypatch.context() as patch:
            patch.setattr("fsspec.implementations.local.LocalFileSystem.rm_file", fail)
            with pytest.raises(StorageError, match="cannot be changed: PermissionError"):
                registry.storage.delete_runs("ner-1")
        assert registry.runs.get("ner-1").best
        registry.storage.delete_runs("ner-1")
    assert not [name for name in stored(shared) if name.startswith("runs/")]


@pytest.mark.slow
def test_checkpoints_that_another_home_still_has_stay_in_the_store(first: Home, second: Home) -> None:
    upload(first)
    with Registry.open(second, create=False) as registry:
        registry.storage.delete_runs("ner-1", checkpoints_only=True)
    find_checkpoint("ner-1", second)


@pytest.mark.slow
def test_what_is_complete_is_shared_but_no_trials(first: Home, shared: Path) -> None:
    warned: list[str] = []
    with Registry.open(first, create=False) as registry:
        registry.searches.start(SearchRecord(name="tune", task="ner", settings={}))
        record(first, "tune-000", group="tune")
        record(first, "ner-2", group="seeds")
        for run in ("ner-2", "tune-000"):
            registry.storage.share(run, warned.append)
        assert registry.storage.complete_runs() == ["ner-1", "ner-2"]
    assert [name for name in stored(shared) if name.startswith("runs/")] == ["runs/ner-2/1.json"]
    (first.runs / "ner-1/checkpoints/step-000001/config.json").write_bytes(b"[]")
    with Registry.open(first, create=False) as registry:
        registry.storage.share("ner-1", warned.append)
    (line,) = warned
    assert line.startswith("the checkpoint was not uploaded: ")
    assert line.endswith("; labelkit runs upload ner-1 does it again")


# -- commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def commands(first: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    use(first, monkeypatch)


def use(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.url
    assert home.remote
    for name, value in (("HOME", str(home.root)), ("REGISTRY", home.url), ("STORE", home.remote)):
        monkeypatch.setenv(f"LABELKIT_{name}", value)


@pytest.mark.slow
@pytest.mark.usefixtures("commands")
def test_commands_know_the_store(
    first: Home, shared: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, second: Home
) -> None:
    assert main(["runs", "upload", "--json"]) == 0
    sent = json.loads(capsys.readouterr().out)
    assert sent == {"store": first.remote, "runs": [{"run": "ner-1", "bytes": sum(map(len, CONTENT.values()))}]}
    assert main(["runs", "verify", "--json"]) == 0
    (checked,) = json.loads(capsys.readouterr().out)["store"]
    assert (checked["run"], {one["state"] for one in checked["files"]}) == ("ner-1", {"ok"})
    weights = blob(shared, CONTENT["model.safetensors"])
    assert main(["runs", "why", weights.as_uri(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == "ner-1"
    use(second, monkeypatch)
    assert main(["runs", "copy", "ner-1", str(first.root / "copied")]) != 0  # made-up weights: found, but no model
    assert "is elsewhere" not in capsys.readouterr().err
    use(first, monkeypatch)
    weights.write_bytes(b"WEIGHTS" * 100)
    assert main(["runs", "verify"]) == 1
    shown = capsys.readouterr()
    assert "model.safetensors changed" in shown.out
    assert "1 of 2 checkpoints do not match" in shown.err


@pytest.mark.slow
@pytest.mark.usefixtures("commands")
def test_files_of_deleted_runs_are_collected_once_they_are_old(
    first: Home, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(first, "ner-2", {**CONTENT, "config.json": b"other"})
    assert main(["runs", "upload"]) == 0
    assert main(["runs", "rm", "ner-2"]) == 0
    assert [name for name in stored(shared) if name.startswith("runs/")] == ["runs/ner-1/1.json"]
    left = blob(shared, b"other")
    assert main(["runs", "gc"]) == 0
    assert left.exists()  # an upload that goes on may need it
    os.utime(left, (0, 0))
    assert main(["runs", "gc", "--dry-run"]) == 0
    assert left.exists()
    assert "shared store: would free 1 file" in capsys.readouterr().out
    assert main(["runs", "gc"]) == 0
    assert not left.exists()
    assert len(stored(shared)) == len(CONTENT) + 1


@pytest.mark.usefixtures("commands")
def test_wrong_use_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shared: Path
) -> None:
    assert main(["runs", "why", f"{shared.as_uri()}/files/00/none"]) == 1
    assert "no checkpoint in this registry has the file none" in capsys.readouterr().err
    monkeypatch.delenv("LABELKIT_STORE")
    assert main(["runs", "upload"]) == 1
    assert "there is no shared store" in capsys.readouterr().err


def test_a_name_that_leads_out_of_a_checkpoint_is_refused(first: Home, second: Home) -> None:
    upload(first)
    with Registry.open(first, create=False) as registry:
        best = registry.runs.get("ner-1").best
    assert best is not None
    evil = replace(best, files={"../x": best.files["config.json"]})
    assert second.remote
    with pytest.raises(LabelkitError, match=r"a checkpoint cannot have a file '\.\./x'"):
        RemoteStore(second.remote).fetch(evil, second.cache)
