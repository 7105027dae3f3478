"""Keeping house: verify, remove, collect and reap, also when the disk refuses or a process dies half way."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from labelkit.errors import RegistryError, StorageError
from labelkit.registry import CollectedGarbage, Home, Registry, garbage_collection
from labelkit.registry import disk as disk_module
from labelkit.registry.home import LocalStore
from labelkit.registry.run_lock import LOCK, hold_lock
from recorded_runs import START, ended, files_of, fill, on_disk, save, start, write_output

pytest_plugins = ("recorded_home",)


@pytest.fixture
def place(registry_home: Home) -> Home:
    """Return a home that is yet to be made, with its registry on each database in turn."""
    return registry_home


def age(path: Path, days: float = 2) -> Path:
    """Let a file, or a folder with all that is in it, be as old as that."""
    then = time.time() - days * 86400
    for one in (path, *path.rglob("*")):
        os.utime(one, (then, then))
    return path


def make(path: Path, content: bytes = b"x" * 5000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def freed(found: CollectedGarbage) -> dict[str, list[str]]:
    """Return the names of what was freed, by category."""
    names: dict[str, list[str]] = {}
    for one in found.freed:
        names.setdefault(one.category, []).append(one.path.name)
    return names


# -- verify -----------------------------------------------------------------------------------------------------------


def test_whole_checkpoints_are_whole(registry: Registry) -> None:
    for run in ("ner-1", "ner-2"):
        ended(registry, run)
    found = registry.storage.verify()
    assert (found.ok, [one.run for one in found.checkpoints], found.unknown) == (True, ["ner-1", "ner-2"], ())
    assert [one.run for one in registry.storage.verify(["ner-2"]).checkpoints] == ["ner-2"]
    with pytest.raises(RegistryError, match="no run 'x' in the registry"):
        registry.storage.verify(["ner-1", "x"])


def test_missing_changed_and_unknown_files_are_named(registry: Registry) -> None:
    folder = save(registry, start(registry))
    (folder / "labelkit.json").unlink()
    (folder / "tokenizer.json").write_bytes(b"[]")
    make(folder / "deep" / "file")
    (one,) = registry.storage.verify().checkpoints
    assert not one.ok
    names = {state: one.of(state) for state in ("missing", "changed", "unknown", "ok")}
    assert names == {
        "missing": ["labelkit.json"],
        "changed": ["tokenizer.json"],
        "unknown": ["deep/file"],
        "ok": ["model.safetensors"],
    }


def test_a_folder_that_is_gone_misses_every_file(registry: Registry) -> None:
    shutil.rmtree(save(registry, start(registry)))
    found = registry.storage.verify()
    assert not found.ok
    assert found.checkpoints[0].of("missing") == sorted(files_of("ner-1", 1))


def test_one_flipped_bit_is_found_though_size_and_time_are_the_same(registry: Registry) -> None:
    weights = save(registry, start(registry)) / "model.safetensors"
    before, content = weights.stat(), bytearray(weights.read_bytes())
    content[1234] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert registry.storage.verify().checkpoints[0].of("changed") == ["model.safetensors"]


def test_what_labelkit_wrote_beside_a_checkpoint_is_not_unknown(registry: Registry) -> None:
    folder = save(registry, start(registry))
    path = write_output(registry, "ner-1", folder / "model.onnx", b"graph")
    assert registry.storage.verify().ok
    path.write_bytes(b"another")
    assert registry.storage.verify().checkpoints[0].of("unknown") == ["model.onnx"]


def test_a_checkpoint_superseded_while_it_is_read_is_not_missing(
    registry: Registry, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(registry, start(registry))

    def supersede(count: int) -> None:
        if folder.exists():
            with Registry.open(place, create=False) as other:
                other.recorder.log_checkpoint_deletion(folder)
            shutil.rmtree(folder)

    assert registry.storage.verify(progress=supersede).checkpoints == ()


@pytest.mark.parametrize(
    ("error", "states"), [(FileNotFoundError, "missing"), (PermissionError, None)], ids=["vanished", "forbidden"]
)
def test_a_folder_that_vanishes_as_it_is_opened_is_missing(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, error: type[OSError], states: str | None
) -> None:
    folder = save(registry, start(registry))
    scandir = os.scandir

    def opened(path: str | Path) -> object:
        if Path(path) == folder:
            raise error(1, "no", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", opened)
    if states is None:
        with pytest.raises(StorageError, match=r"step-\w+ cannot be read: no"):
            registry.storage.verify()
    else:
        assert registry.storage.verify().checkpoints[0].of(states) == sorted(files_of("ner-1", 1))


def test_unknown_folders_among_the_runs_are_told(registry: Registry, place: Home) -> None:
    ended(registry)
    orphan = make(place.runs / "ner-20250101-000000-abcdef" / "checkpoints" / "step-1" / "labelkit.json").parents[2]
    killed = make(place.runs / "ner-1" / "checkpoints" / ".step-000002-a1b2c3d4" / "x").parent
    found = registry.storage.verify()
    assert found.ok
    assert {one.path for one in found.unknown} == {orphan, killed}
    assert all(one.size > 5000 for one in found.unknown)


# -- rm ---------------------------------------------------------------------------------------------------------------


def test_a_removed_run_is_gone_from_record_and_disk(registry: Registry, place: Home, tmp_path: Path) -> None:
    for run in ("ner-1", "ner-2"):
        ended(registry, run)
    registry.annotations.add_tags("ner-1", "a")
    registry.annotations.add_note("ner-1", "b")
    path = write_output(registry, "ner-1", tmp_path / "out", b"labels")
    planned = registry.storage.delete_runs("ner-1", dry_run=True)
    assert (place.runs / "ner-1").exists()
    assert registry.storage.delete_runs("ner-1") == planned
    assert planned[0].size >= sum(len(content) for content in files_of("ner-1", 1).values())
    assert [run.id for run in registry.runs.search()] == ["ner-2"]
    assert {name.split("/")[0] for name in on_disk(place.runs)} == {"ner-2"}
    assert path.exists()
    assert registry.storage.verify().ok


def test_a_name_can_be_used_again_after_removal(registry: Registry) -> None:
    ended(registry, "ner-1", name="mine")
    with pytest.raises(RegistryError, match="there is a run called 'mine' already"):
        registry.aliases.check_available("mine")
    registry.storage.delete_runs("ner-1")
    registry.aliases.check_available("mine")
    ended(registry, "ner-1", name="mine")
    assert registry.runs.find("mine").id == "ner-1"


def test_an_aliased_run_is_removed_only_by_force(registry: Registry, place: Home) -> None:
    for run in ("ner-1", "ner-2"):
        ended(registry, run)
    registry.aliases.assign("ner-2", "prod")
    before = on_disk(place.runs)
    for only in (True, False):
        with pytest.raises(RegistryError, match="the run 'ner-2' is ner@prod"):
            registry.storage.delete_runs("ner-1", "ner-2", checkpoints_only=only)
    assert on_disk(place.runs) == before
    assert len(registry.runs.search()) == 2
    assert registry.storage.delete_runs("ner-2", force=True)[0].aliases == ("ner@prod",)
    assert registry.aliases.current() == []
    assert [one.run for one in registry.aliases.history("prod")] == ["ner-2", None]


def test_a_running_run_is_removed_only_by_force(registry: Registry, dead: int) -> None:
    save(registry, start(registry, started=datetime.now(UTC)))
    with pytest.raises(RegistryError, match=rf"the run 'ner-1' is running \(process {os.getpid()} on"):
        registry.storage.delete_runs("ner-1")
    registry.storage.delete_runs("ner-1", force=True)
    save(registry, start(registry, pid=dead))
    assert registry.runs.get("ner-1").stale
    registry.storage.delete_runs("ner-1")
    assert registry.runs.search() == []


def test_a_silent_process_that_holds_its_lock_counts_as_running(registry: Registry, place: Home) -> None:
    start(registry)
    assert registry.runs.search()[0].stale
    with hold_lock(place.runs / "ner-1"):
        assert not registry.runs.search()[0].stale
        with pytest.raises(RegistryError, match="is running"):
            registry.storage.delete_runs("ner-1")
    assert registry.runs.search()[0].stale


def test_only_the_checkpoints_of_a_run_can_go(registry: Registry, place: Home) -> None:
    ended(registry, status="failed")
    make(place.runs / "ner-1" / "resume" / "state" / "tensors.safetensors")
    report = make(place.runs / "ner-1" / "report.html")
    registry.storage.delete_runs("ner-1", checkpoints_only=True)
    shown = registry.runs.get("ner-1")
    assert shown.best is None
    assert shown.checkpoints[0].removed
    assert on_disk(place.runs / "ner-1") == {"checkpoints", report.name}
    assert registry.storage.verify().checkpoints == ()


def test_a_run_of_another_store_is_removed_only_by_force_and_says_what_remains(place: Home, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with Registry.open(replace(place, url=url), create=True) as registry:
        ended(registry)
    other = Home(root=tmp_path / "other", url=url)
    with Registry.open(other, create=True) as registry:
        ended(registry, "ner-2")
        with pytest.raises(RegistryError, match="checkpoints of the run 'ner-1' are elsewhere"):
            registry.storage.delete_runs("ner-2", "ner-1")
        assert (other.runs / "ner-2").exists()
        kept = registry.storage.delete_runs("ner-1", checkpoints_only=True)
        assert (kept[0].size, len(kept[0].elsewhere)) == (0, 1)
        assert registry.runs.get("ner-1").best
        (removed,) = registry.storage.delete_runs("ner-1", force=True)
        assert removed.elsewhere[0].endswith(f"{place.runs}/ner-1/checkpoints/step-000001")
        assert registry.storage.verify().ok
    assert (place.runs / "ner-1" / "checkpoints" / "step-000001").exists()


@pytest.mark.parametrize("id_", ["..", "../../outside", ".", "", "a/b"])
def test_no_id_leads_out_of_the_runs(registry: Registry, place: Home, tmp_path: Path, id_: str) -> None:
    make(tmp_path / "outside" / "file")
    make(place.runs / "a" / "b" / "file")
    start(registry, id_)
    registry.recorder.finish(id_, "failed", seconds=1.0)
    before = on_disk(tmp_path)
    assert registry.storage.delete_runs(id_)[0].folders == ()
    assert on_disk(tmp_path) - {"home/registry.db-shm", "home/registry.db-wal"} == before - {
        "home/registry.db-shm",
        "home/registry.db-wal",
    }


def test_a_crash_between_record_and_deletion_leaves_only_what_gc_frees(
    registry: Registry, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(registry)

    def crash(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "rmtree", crash)
        with pytest.raises(KeyboardInterrupt):
            registry.storage.delete_runs("ner-1")
    assert registry.runs.search() == []
    assert on_disk(place.runs)
    (left,) = registry.storage.verify().unknown
    found = registry.storage.collect_garbage()
    assert (freed(found), found.size) == ({"leftovers": [left.path.name]}, left.size)
    assert on_disk(place.runs) == set()


def test_a_crash_before_the_record_leaves_everything(
    registry: Registry, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(registry)

    def refuse(*arguments: object, **options: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("labelkit.registry.deletion.record_deletion", refuse)
        with pytest.raises(StorageError, match="the disk is full"):
            registry.storage.delete_runs("ner-1")
    assert registry.storage.verify().ok
    assert len(registry.storage.verify().checkpoints) == 1


def test_a_folder_that_cannot_be_deleted_is_told_and_the_others_go(
    registry: Registry, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in ("ner-1", "ner-2"):
        ended(registry, run)
    rmtree = shutil.rmtree

    def refuse(path: Path) -> None:
        if "ner-1" in path.name:
            raise PermissionError(13, "Permission denied")
        rmtree(path)

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "rmtree", refuse)
        with pytest.raises(StorageError, match="could not be deleted: Permission denied"):
            registry.storage.delete_runs("ner-1", "ner-2")
    assert registry.runs.search() == []
    assert len(list(place.runs.iterdir())) == 1
    registry.storage.collect_garbage()
    assert list(place.runs.iterdir()) == []


def test_a_run_in_a_read_only_folder_stays_whole(
    registry: Registry, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(registry)
    with monkeypatch.context() as readonly:
        readonly.setattr(os, "access", lambda path, mode: Path(path) != place.runs)
        with pytest.raises(StorageError, match="runs is read-only"):
            registry.storage.delete_runs("ner-1")
    assert registry.storage.verify().ok
    assert len(registry.storage.verify().checkpoints) == 1


def test_a_folder_that_cannot_be_moved_is_emptied_in_its_place(
    registry: Registry, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(registry)

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    registry.storage.delete_runs("ner-1")
    assert on_disk(place.runs) == set()


# -- gc ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def littered(registry: Registry, place: Home, dead: int) -> Registry:
    """Return a registry of a finished, a dead and a live run, each with what may lie about."""
    for run, pid in (("done-1", os.getpid()), ("dead-1", dead), ("live-1", os.getpid())):
        start(registry, run, pid=pid)
        for step in (1, 2):
            save(registry, run, step, best=step == 1)
        folder = place.runs / run
        make(folder / "checkpoints" / ".step-000003-a1b2c3d4" / "model.safetensors")
        make(folder / "checkpoints" / "step-000004" / "model.safetensors")
        make(folder / "resume" / "step-000002" / "tensors.safetensors")
    registry.recorder.finish("done-1", "finished", seconds=1.0)
    registry.recorder.heartbeat("live-1")
    return registry


def test_leftovers_and_resume_state_go_by_default_but_for_live_runs(littered: Registry, place: Home) -> None:
    whole = {"labelkit.json", "model.safetensors", "tokenizer.json"}
    live = on_disk(place.runs / "live-1")
    found = littered.storage.collect_garbage()
    assert {category: len(names) for category, names in freed(found).items()} == {"leftovers": 4, "resume": 1}
    kept = {"checkpoints", *(f"checkpoints/step-00000{step}" for step in (1, 2))}
    kept |= {f"checkpoints/step-00000{step}/{name}" for step in (1, 2) for name in whole}
    assert on_disk(place.runs / "done-1") == kept
    assert on_disk(place.runs / "dead-1") == kept | {
        LOCK,
        "resume",
        "resume/step-000002",
        "resume/step-000002/tensors.safetensors",
    }
    assert on_disk(place.runs / "live-1") == live
    assert littered.storage.verify().ok
    assert littered.storage.collect_garbage().freed == ()


def test_a_dry_run_says_the_same_numbers_and_frees_nothing(littered: Registry, place: Home) -> None:
    age(make(place.cache / "encoded" / "a.arrow"), 40)
    options = {"last": True, "unfinished": True, "orphans": True}
    before = on_disk(place.root)
    planned = littered.storage.collect_garbage(dry_run=True, **options)  # type: ignore[arg-type]
    assert on_disk(place.root) == before
    done = littered.storage.collect_garbage(**options)  # type: ignore[arg-type]
    assert (done.freed, done.size, done.kept) == (planned.freed, planned.size, planned.kept)
    assert done.size > 0
    assert not any(one.path.exists() for one in done.freed)


def test_what_is_freed_is_really_free(littered: Registry, place: Home) -> None:
    before = disk_module.usage(place.runs)
    found = littered.storage.collect_garbage(last=True, unfinished=True)
    # the folders that held them keep their own size
    assert before - disk_module.usage(place.runs) == found.size


def test_a_superseded_checkpoint_that_is_still_there_goes(registry: Registry, place: Home) -> None:
    run = start(registry)
    folder = place.runs / run / "mine"
    for step in (1, 2):
        folder.mkdir(parents=True, exist_ok=True)
        registry.recorder.log_checkpoint(run, folder, step=step, epoch=1.0, best=True, files={})
    other = make(place.runs / run / "other" / "file").parent
    registry.recorder.log_checkpoint(run, other, step=3, epoch=1.0, best=True, files={})
    registry.recorder.log_checkpoint_deletion(other)
    registry.recorder.finish(run, "finished", seconds=1.0)
    assert freed(registry.storage.collect_garbage()) == {"leftovers": ["other"]}
    assert folder.exists()


def test_what_is_being_written_beside_checkpoints_is_given_a_day(registry: Registry, place: Home) -> None:
    folder = place.runs / ended(registry)
    writing = make(folder / ".onnx-a1b2c3d4" / "model.onnx").parent
    make(folder / ".removed-resume-a1b2c3d4" / "file")
    assert freed(registry.storage.collect_garbage()) == {"leftovers": [".removed-resume-a1b2c3d4"]}
    age(writing)
    assert freed(registry.storage.collect_garbage()) == {"leftovers": [".onnx-a1b2c3d4"]}


def test_last_checkpoints_of_finished_runs_go_when_asked(littered: Registry) -> None:
    found = littered.storage.collect_garbage(last=True)
    assert freed(found)["last"] == ["step-000002"]
    shown = littered.runs.get("done-1")
    assert (shown.best and shown.best.step, shown.last) == (1, None)
    assert littered.runs.get("dead-1").last
    assert littered.storage.verify().ok


def test_what_unfinished_runs_left_goes_when_asked_but_not_when_aliased(littered: Registry, place: Home) -> None:
    littered.aliases.assign("dead-1", "prod")
    found = littered.storage.collect_garbage(unfinished=True)
    assert "unfinished" not in freed(found)
    assert {one.reason for one in found.kept} == {"the run is ner@prod; --force frees it"}
    assert littered.runs.checkpoint_folder("dead-1").exists()
    found = littered.storage.collect_garbage(unfinished=True, force=True)
    assert freed(found)["unfinished"] == ["step-000001", "step-000002"]
    assert on_disk(place.runs / "dead-1") == {"checkpoints", LOCK}
    assert littered.runs.get("dead-1").best is None
    assert littered.storage.verify().ok


def test_a_run_resumed_meanwhile_is_left_alone(
    littered: Registry, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = on_disk(place.runs / "dead-1")
    usage = disk_module.usage
    held = ExitStack()

    def resume(path: Path) -> int:
        if littered.runs.get("dead-1").stale:
            lock = held.enter_context(hold_lock(place.runs / "dead-1"))
            littered.recorder.resume("dead-1", lock=lock.before)
        return usage(path)

    monkeypatch.setattr(disk_module, "usage", resume)
    with held:
        found = littered.storage.collect_garbage(unfinished=True)
    assert not any(one.run == "dead-1" for one in found.freed)
    assert on_disk(place.runs / "dead-1") == before


def test_a_run_cannot_be_resumed_before_its_state_is_out_of_its_place(
    littered: Registry, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = place.runs / "dead-1" / "resume"
    look, items = garbage_collection.read_state, garbage_collection.GarbageSearch.items
    there: list[bool] = []
    threads: list[Thread] = []

    def resume() -> None:
        with Registry.open(place, create=False) as other:
            other.recorder.resume("dead-1")
            there.append(state.exists())

    def late(connection: sa.Connection, store: LocalStore, run: str | None = None) -> garbage_collection.RecordedState:
        known = look(connection, store, run)
        if run == "dead-1" and not threads:
            threads.append(Thread(target=resume))
            threads[0].start()
            threads[0].join(0.5)  # it has to wait until this one is done
        return known

    monkeypatch.setattr(garbage_collection, "read_state", late)
    only_state = lambda search: [one for one in items(search) if one.path == state]  # noqa: E731
    monkeypatch.setattr(garbage_collection.GarbageSearch, "items", only_state)
    littered.storage.collect_garbage(unfinished=True)
    threads[0].join()
    assert there == [False]


def test_orphans_go_unless_they_are_young_or_hold_checkpoints(registry: Registry, place: Home) -> None:
    old, young, whole = (f"ner-20250101-00000{n}-abcdef" for n in range(3))
    for name in (old, young):
        make(place.runs / name / "checkpoints" / ".step-000001-a1b2c3d4" / "model.safetensors")
    make(place.runs / whole / "checkpoints" / "step-000001" / "labelkit.json")
    make(place.runs / "Nov21_tensorboard" / "events")
    for name in (old, whole, "Nov21_tensorboard"):
        age(place.runs / name)
    found = registry.storage.collect_garbage()
    assert freed(found) == {"orphans": [old]}
    reasons = {one.path.name: one.reason or "" for one in found.kept}
    assert "less than a day ago" in reasons[young]
    assert "another registry may know" in reasons[whole]
    assert "does not look like a run's" in reasons["Nov21_tensorboard"]
    found = registry.storage.collect_garbage(orphans=True)
    assert freed(found) == {"orphans": [young, whole]}
    assert [path.name for path in place.runs.iterdir()] == ["Nov21_tensorboard"]


def test_runs_of_the_homes_own_registry_are_no_orphans_of_another_one(tmp_path: Path) -> None:
    place = Home(root=tmp_path / "home")
    run = "ner-20250101-000000-abcdef"
    with Registry.open(place, create=True) as registry:
        ended(registry, run)
    age(place.runs / run)
    with Registry.open(replace(place, url=f"sqlite:///{tmp_path / 'shared.db'}"), create=True) as registry:
        found = registry.storage.collect_garbage(orphans=True)
    assert (found.freed, found.kept) == ((), ())
    assert (place.runs / run / "checkpoints" / "step-000001").exists()


def test_a_home_whose_marker_was_lost_loses_no_checkpoint(registry: Registry, place: Home) -> None:
    ended(registry)
    registry.close()
    (place.root / "store.json").unlink()
    with Registry.open(place, create=True) as again:
        found = again.storage.collect_garbage(last=True, unfinished=True, orphans=True)
        assert (found.freed, found.elsewhere) == ((), 1)
    assert (place.runs / "ner-1" / "checkpoints" / "step-000001").exists()


def test_housekeeping_goes_on_after_the_home_has_moved(littered: Registry, place: Home, tmp_path: Path) -> None:
    littered.close()
    moved = replace(place, root=Path(shutil.move(place.root, tmp_path / "moved")))
    with Registry.open(moved, create=False) as registry:
        assert registry.storage.verify().ok
        assert len(registry.storage.verify().checkpoints) == 6
        assert freed(registry.storage.collect_garbage(last=True))["last"] == ["step-000002"]
        assert registry.storage.delete_runs("done-1")[0].folders == (moved.runs / "done-1",)
        assert not (moved.runs / "done-1").exists()


def test_other_stores_are_counted_and_left_alone(littered: Registry, place: Home, tmp_path: Path) -> None:
    littered.close()
    url = place.url or f"sqlite:///{place.database}"
    before = on_disk(place.runs)
    with Registry.open(Home(root=tmp_path / "other", url=url), create=True) as registry:
        ended(registry, "ner-9")
        checked = registry.storage.verify()
        assert (checked.elsewhere, [one.run for one in checked.checkpoints]) == (6, ["ner-9"])
        found = registry.storage.collect_garbage(last=True, unfinished=True, orphans=True, force=True)
        assert (found.freed, found.elsewhere) == ((), 6)
    assert on_disk(place.runs) == before


def test_killed_writes_in_caches_and_home_go_once_they_are_old(registry: Registry, place: Home) -> None:
    paths = [
        make(place.cache / "encoded" / ".abc.arrow-a1b2c3d4"),
        make(place.root / ".registry.db.backup-0001-a1b2c3d4"),
        make(place.root / f"store.json.{'0' * 32}"),
    ]
    others = [age(make(place.root / ".gitignore")), age(make(place.root / "store.json.bak"))]
    assert registry.storage.collect_garbage().freed == ()
    for path in paths:
        age(path)
    assert sorted(one.path for one in registry.storage.collect_garbage().freed) == sorted(paths)
    assert all(path.exists() for path in others)


def test_the_cache_goes_by_age_and_only_when_no_run_is_alive(littered: Registry, place: Home) -> None:
    old = age(make(place.cache / "encoded" / "old.arrow"), 40)
    young = make(place.cache / "encoded" / "young.arrow")
    age(make(place.cache / "tiny" / "bert-1" / "config.json").parent, 40)
    assert "cache" not in freed(littered.storage.collect_garbage())
    found = littered.storage.collect_garbage(cache=timedelta(days=30))
    assert {one.reason for one in found.kept if one.category == "cache"} == {"the run live-1 may be using it"}
    littered.recorder.finish("live-1", "finished", seconds=1.0)
    assert freed(littered.storage.collect_garbage(cache=timedelta(days=30)))["cache"] == ["old.arrow", "bert-1"]
    assert (old.exists(), young.exists()) == (False, True)
    assert freed(littered.storage.collect_garbage(cache=timedelta(0)))["cache"] == ["young.arrow"]


def test_what_cannot_be_freed_is_told_and_does_not_stop_the_rest(
    littered: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    rmtree = shutil.rmtree

    def refuse(path: Path) -> None:
        if "resume" in path.name:
            raise PermissionError(13, "Permission denied")
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    found = littered.storage.collect_garbage()
    assert {category: len(names) for category, names in freed(found).items()} == {"leftovers": 4}
    (failed,) = found.failed
    assert "could not be deleted: Permission denied" in (failed.reason or "")


def test_a_link_is_deleted_and_not_what_it_points_to(registry: Registry, place: Home, tmp_path: Path) -> None:
    ended(registry)
    precious = make(tmp_path / "precious" / "file")
    (place.runs / "ner-1" / "checkpoints" / "link").symlink_to(precious.parent)
    assert freed(registry.storage.collect_garbage()) == {"leftovers": ["link"]}
    (place.runs / "ner-1" / "link").symlink_to(precious.parent)
    registry.storage.delete_runs("ner-1")
    assert precious.exists()


def test_a_file_with_another_name_elsewhere_does_not_count_as_freed(tmp_path: Path) -> None:
    first = make(tmp_path / "a" / "file")
    alone = disk_module.usage(first.parent)
    (tmp_path / "a" / "again").hardlink_to(first)
    assert disk_module.usage(first.parent) == alone
    (tmp_path / "b").hardlink_to(first)
    assert disk_module.usage(first.parent) < alone


TRAINER = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from labelkit.registry import Home, Registry
from labelkit.files.atomic import new_folder
from recorded_runs import files_of, start
from labelkit.train.checkpoint_selection import CheckpointSelection
from labelkit.registry import RegistryObserver

def save(path):
    files = files_of("live-1", int(path.name.removeprefix("step-")))
    with new_folder(path) as beside:
        for name, content in files.items():
            (beside / name).write_bytes(content)
    return {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()}

with Registry.open(Home(root=Path(sys.argv[1]), url=sys.argv[2] or None), create=True) as registry:
    start(registry, "live-1")
    registry.recorder.heartbeat("live-1")
    folder = registry.home.runs / "live-1" / "checkpoints"
    selection = CheckpointSelection("live-1", folder, higher=True, emit=RegistryObserver(registry))
    print("begun", flush=True)
    for step in range(1, 16):
        selection.save(step, step, step % 4, save)
    registry.recorder.finish("live-1", "finished", seconds=1.0)
"""


@pytest.mark.slow
def test_housekeeping_while_a_run_saves_checkpoints_harms_nothing(registry: Registry, place: Home) -> None:
    command = [sys.executable, "-c", TRAINER, str(place.root), place.url or "", str(Path(__file__).parent)]
    trainer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert trainer.stdout
    assert trainer.stdout.readline() == "begun\n"
    rounds = 0
    while trainer.poll() is None:
        registry.storage.collect_garbage(unfinished=True, orphans=True, cache=timedelta(0), force=True)
        assert not any(one.of("missing", "changed") for one in registry.storage.verify().checkpoints)
        rounds += 1
    assert trainer.communicate()[1] == ""
    assert rounds
    assert {one.step for one in registry.runs.get("live-1").checkpoints if not one.removed} == {3, 15}
    assert registry.storage.collect_garbage().freed == ()


# -- reap -------------------------------------------------------------------------------------------------------------


def test_reaping_records_what_died_without_a_word(registry: Registry, dead: int) -> None:
    start(registry, "gone", pid=dead)
    start(registry, "alive", started=datetime.now(UTC))
    start(registry, "silent", host="elsewhere")
    start(registry, "lately", host="elsewhere", started=datetime.now(UTC) - timedelta(minutes=4))
    ended(registry, "done")
    assert {run.id: run.status for run in registry.runs.search() if run.stale} == {
        "gone": "running",
        "silent": "running",
    }
    assert {run.id: run.status for run in registry.storage.reap()} == {"gone": "stale", "silent": "stale"}
    assert {run.id for run in registry.runs.search(status="running")} == {"alive", "lately"}
    assert registry.storage.reap() == []


def test_a_reaped_run_ended_with_its_last_sign_of_life(
    registry: Registry, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(registry, pid=dead)
    monkeypatch.setattr("labelkit.registry.statements.database_time", lambda _: START + timedelta(seconds=90))
    registry.recorder.heartbeat("ner-1")
    registry.storage.reap()
    shown = registry.runs.get("ner-1")
    assert (shown.status, shown.ended, shown.seconds) == ("stale", START + timedelta(seconds=90), 90.0)
    assert f"({dead} on " in (shown.error or "")
    assert shown.hint == "labelkit run --resume ner-1 resumes it from its last saved state"
    registry.recorder.resume("ner-1")
    assert registry.runs.get("ner-1").status == "running"


def test_a_run_that_shows_life_meanwhile_is_not_reaped(
    registry: Registry, place: Home, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(registry, host="elsewhere")
    session = type(registry._database).session

    def late(self: object, *, write: bool = False) -> object:
        if write:
            monkeypatch.undo()
            with Registry.open(place, create=False) as other:
                other.recorder.heartbeat("ner-1")
        return session(self, write=write)  # type: ignore[arg-type]

    monkeypatch.setattr(type(registry._database), "session", late)
    assert registry.storage.reap() == []
    assert registry.runs.get("ner-1").status == "running"


@pytest.mark.parametrize("registry_home", ["postgresql"], indirect=True)
def test_a_sign_of_life_between_looking_and_recording_counts(
    registry: Registry, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(registry, host="elsewhere")

    def late(*arguments: object) -> bool:
        with Registry.open(place, create=False) as other:
            other.recorder.heartbeat("ner-1")
        return True

    monkeypatch.setattr("labelkit.registry.attempts.Liveness.is_stale", late)
    assert registry.storage.reap() == []
    assert registry.runs.get("ner-1").status == "running"


# -- a disk that is really full ---------------------------------------------------------------------------------------


NO_ROOM = r"registry\.db (cannot grow: the disk is full|cannot be read or written)"


@pytest.fixture
def full(small: Path) -> Home:
    """Return the home of a finished run on a full disk."""
    home = Home(root=small / "home")
    with Registry.open(home, create=True) as registry:
        ended(registry)
    fill(small)
    return home


def test_recording_on_a_full_disk_is_one_clear_line_and_loses_nothing(small: Path) -> None:
    home = Home(root=small / "home")
    with Registry.open(home, create=True) as registry:
        ended(registry)
        filled = fill(small)
        with pytest.raises(
            StorageError, match=r"registry\.db (cannot grow: the disk is full|cannot be read or written)"
        ):
            start(registry, "ner-2", command="x" * 1_000_000)
        assert [run.id for run in registry.runs.search()] == ["ner-1"]
        filled.unlink()
        start(registry, "ner-2")
        assert registry.storage.verify().ok


@pytest.mark.parametrize(
    "work",
    [
        lambda one: one.storage.delete_runs("ner-1"),
        lambda one: one.storage.collect_garbage(last=True, cache=timedelta(0)),
    ],
)
def test_without_any_room_nothing_is_removed(full: Home, work: Callable[[Registry], object]) -> None:
    with pytest.raises(StorageError, match=NO_ROOM), Registry.open(full, create=False) as registry:
        work(registry)
    (full.root.parent / "fill").unlink()
    with Registry.open(full, create=False) as registry:
        assert registry.storage.verify().ok
        assert len(registry.storage.verify().checkpoints) == 1


@pytest.mark.parametrize("room", [0, 4096])
@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_a_full_disk_does_not_stop_reading(
    small: Path, room: int, killed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(root=small / "home")
    with Registry.open(home, create=True) as registry:
        ended(registry)
    if killed:  # what it recorded is in the log only
        process = os.fork()
        if process == 0:
            start(Registry.open(home, create=True), "ner-2")
            os._exit(0)
        os.waitpid(process, 0)
        (home.root / "registry.db-shm").unlink()
    filled = fill(small)
    os.truncate(filled, filled.stat().st_size - room)
    runs = ["ner-2", "ner-1"] if killed else ["ner-1"]
    with Registry.open(home, create=False) as registry:
        assert sorted(run.id for run in registry.runs.search()) == sorted(runs)
        assert registry.query("SELECT count(*) FROM v_runs").rows == ((len(runs),),)
        assert registry.runs.get("ner-1").best
        with pytest.raises(StorageError, match=NO_ROOM):
            registry.annotations.add_tags("ner-1", "x")
    assert caplog.messages == ["note: the disk is full: the registry is read from a copy in memory"]
    filled.unlink()
    with Registry.open(home, create=False) as registry:
        registry.annotations.add_tags("ner-1", "x")
        assert len(registry.runs.search()) == len(runs)


def test_room_is_made_from_what_was_used_longest_ago(small: Path) -> None:
    cache = Home(root=small / "home").cache
    paths = [age(make(cache / "encoded" / f"{n}.arrow", b"x" * 600_000), 10 - n) for n in range(3)]
    assert disk_module.make_room(cache) >= 1_200_000
    assert [path.exists() for path in paths] == [False, False, True]
    fill(small)
    assert disk_module.make_room(cache) >= 600_000
    assert not paths[2].exists()
    (small / "fill").unlink()
    kept = make(cache / "encoded" / "kept.arrow")
    assert disk_module.make_room(cache) == 0
    assert kept.exists()


def test_no_room_for_the_backup_before_an_upgrade_leaves_the_registry_as_it_was(small: Path) -> None:
    home = Home(root=small / "home")
    home.create()
    with closing(sqlite3.connect(home.database)) as old:
        old.executescript((Path(__file__).parent / "schemas" / "0001.sql").read_text(encoding="utf-8"))
    before = home.database.read_bytes()
    filled = fill(small)
    with pytest.raises(StorageError, match=r"registry\.db cannot grow: the disk is full"):
        Registry.open(home, create=True)
    assert home.database.read_bytes() == before
    assert not list(home.root.glob("*backup*"))
    filled.unlink()
    with Registry.open(home, create=True) as registry:
        assert registry.runs.search() is not None
