"""Where a file came from: by its content, wherever it lies and whatever it is called."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from labelkit.errors import RegistryError, StorageError
from labelkit.registry import FileState, Home, Publication, Registry
from recorded_runs import ended, files_of, save, start, write_output

pytest_plugins = ("recorded_home",)


def test_a_labelled_file_names_its_run_and_checkpoint(registry: Registry, tmp_path: Path) -> None:
    path = write_output(registry, ended(registry), tmp_path / "out.conll", b"Ada B-PER\n")
    found = registry.lineage.origin(path)
    assert (found.run, found.step, found.task, found.kind, found.tied_by) == ("ner-1", 1, "ner", "labelled", "content")
    assert (found.validation, found.epoch, found.records, found.changed) == (0.1, 1.0, 3, False)
    assert found.summary
    assert (found.summary.data, found.command) == ("wnut17", registry.runs.get("ner-1").record.command)
    assert (found.written_as or "").endswith(str(path))


def test_a_copy_with_another_name_is_known_and_a_changed_one_is_not(registry: Registry, tmp_path: Path) -> None:
    path = write_output(registry, ended(registry), tmp_path / "out.conll", b"Ada B-PER\n")
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    assert registry.lineage.origin(copy).run == "ner-1"
    copy.write_bytes(b"Ada O\n")
    with pytest.raises(RegistryError, match="no run in this registry wrote"):
        registry.lineage.origin(copy)


def test_a_file_changed_in_its_place_says_what_was_written_there(registry: Registry, tmp_path: Path) -> None:
    path = write_output(registry, ended(registry), tmp_path / "out.conll", b"Ada B-PER\n")
    path.write_bytes(b"Ada O\n")
    found = registry.lineage.origin(path)
    assert (found.run, found.tied_by, found.changed) == ("ner-1", "path", True)


def test_the_same_content_of_several_runs_names_the_one_that_wrote_here(registry: Registry, tmp_path: Path) -> None:
    paths = {}
    for run in ("ner-1", "ner-2", "ner-3"):
        paths[run] = write_output(registry, ended(registry, run), tmp_path / run, b"Ada B-PER\n")
    found = registry.lineage.origin(paths["ner-1"])
    assert (found.run, found.others) == ("ner-1", ("ner-3", "ner-2"))
    moved = paths["ner-2"].rename(tmp_path / "moved")
    assert registry.lineage.origin(moved).run == "ner-3"


def test_an_empty_file_is_only_known_where_it_was_written(registry: Registry, tmp_path: Path) -> None:
    path = write_output(registry, ended(registry), tmp_path / "out.conll", b"")
    assert registry.lineage.origin(path).run == "ner-1"
    (tmp_path / "other").touch()
    with pytest.raises(RegistryError, match="no run in this registry wrote"):
        registry.lineage.origin(tmp_path / "other")


def test_a_file_outlives_its_run(registry: Registry, tmp_path: Path) -> None:
    path = write_output(registry, ended(registry), tmp_path / "out.conll", b"Ada B-PER\n")
    registry.storage.delete_runs("ner-1")
    found = registry.lineage.origin(path)
    assert (found.run, found.step, found.summary, found.validation) == ("ner-1", 1, None, None)


def test_a_checkpoint_folder_is_known_as_a_copy_anywhere(registry: Registry, tmp_path: Path) -> None:
    start(registry)
    save(registry, "ner-1", 1)
    folder = save(registry, "ner-1", 2, best=False)
    copy = Path(shutil.copytree(folder, tmp_path / "renamed"))
    for path in (folder, copy):
        found = registry.lineage.origin(path)
        assert (found.kind, found.run, found.step, found.validation) == ("checkpoint", "ner-1", 2, 0.2)
        assert not found.changed
        assert {one.name for one in found.files} == set(files_of("ner-1", 2))


def test_a_changed_checkpoint_folder_says_what_changed(registry: Registry, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(save(registry, start(registry)), tmp_path / "copy"))
    (copy / "tokenizer.json").unlink()
    (copy / "labelkit.json").write_text("{}")
    (copy / "more").mkdir()
    (copy / "more" / "file").touch()
    found = registry.lineage.origin(copy)
    assert (found.run, found.step, found.changed) == ("ner-1", 1, True)
    assert found.files == (
        FileState(name="labelkit.json", state="changed"),
        FileState(name="model.safetensors", state="ok"),
        FileState(name="more/file", state="unknown"),
        FileState(name="tokenizer.json", state="missing"),
    )


def test_other_weights_in_a_checkpoint_folder_are_told(registry: Registry, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(save(registry, start(registry)), tmp_path / "copy"))
    (copy / "model.safetensors").write_bytes(b"x")
    found = registry.lineage.origin(copy)
    assert (found.run, found.step, found.changed) == ("ner-1", 1, True)
    assert FileState(name="model.safetensors", state="changed") in found.files


def test_equal_weights_of_two_runs_are_told_apart_by_what_lies_beside(registry: Registry) -> None:
    folders = {}
    for run in ("ner-1", "ner-2"):
        files = {**files_of(run, 1), "model.safetensors": b"the same"}
        folders[run] = save(registry, start(registry, run), files=files)
    for run, other in (("ner-1", "ner-2"), ("ner-2", "ner-1")):
        for path in (folders[run], folders[run] / "model.safetensors", folders[run] / "tokenizer.json"):
            found = registry.lineage.origin(path)
            assert (found.run, found.others, found.changed) == (run, (other,), False)


def test_a_single_file_of_a_checkpoint(registry: Registry, tmp_path: Path) -> None:
    folder = save(registry, start(registry), 7)
    copy = tmp_path / "weights"
    shutil.copy(folder / "model.safetensors", copy)
    found = registry.lineage.origin(copy)
    assert (found.kind, found.run, found.step) == ("checkpoint file", "ner-1", 7)


def test_a_checkpoint_of_a_removed_run_tells_what_its_own_file_says(registry: Registry, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(save(registry, start(registry)), tmp_path / "copy"))
    registry.storage.delete_runs("ner-1", force=True)
    found = registry.lineage.origin(copy)
    assert (found.run, found.step, found.epoch, found.task) == ("ner-1", 1, 1.0, "ner")
    assert (found.tied_by, found.summary, found.files) == ("labelkit.json", None, ())


def test_a_checkpoint_of_another_home_is_known_in_a_shared_registry(place: Home, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with Registry.open(replace(place, url=url), create=True) as registry:
        folder = save(registry, start(registry))
    with Registry.open(Home(root=tmp_path / "other", url=url), create=True) as registry:
        found = registry.lineage.origin(folder)
    assert (found.run, found.changed) == ("ner-1", False)
    assert (found.written_as or "").endswith(str(folder))


def test_what_no_run_made_is_one_clear_line(registry: Registry, tmp_path: Path) -> None:
    save(registry, start(registry))
    (tmp_path / "model").mkdir()
    with pytest.raises(RegistryError, match="is not a checkpoint folder"):
        registry.lineage.origin(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"bought")
    with pytest.raises(RegistryError, match="no run in this registry made"):
        registry.lineage.origin(tmp_path / "model")
    with pytest.raises(RegistryError, match="no run in this registry wrote"):
        registry.lineage.origin(tmp_path / "model" / "model.safetensors")
    with pytest.raises(RegistryError, match="does not exist"):
        registry.lineage.origin(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["", "[]", '{"run": 1, "step": 2}', '{"run": "ner-1"}', "\0", '{"run": '])
def test_a_damaged_labelkit_json_does_not_mislead(registry: Registry, tmp_path: Path, content: str) -> None:
    copy = Path(shutil.copytree(save(registry, start(registry)), tmp_path / "copy"))
    (copy / "labelkit.json").write_text(content)
    assert (registry.lineage.origin(copy).run, registry.lineage.origin(copy).changed) == ("ner-1", True)


def test_a_disk_that_cannot_be_read_is_told(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_output(registry, ended(registry), tmp_path / "out.conll", b"Ada B-PER\n")

    def broken(*arguments: object, **options: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(StorageError, match=r"out\.conll cannot be read: input/output error"):
        registry.lineage.origin(path)


def test_hashing_tells_how_far_it_is(registry: Registry) -> None:
    folder = save(registry, start(registry))
    seen: list[int] = []
    registry.lineage.origin(folder, progress=seen.append)
    assert sum(seen) == sum(file.stat().st_size for file in folder.iterdir())


def test_what_was_pushed_names_its_run_by_commit_branch_and_tag(registry: Registry) -> None:
    run = ended(registry)
    first = Publication(
        run=run, step=1, endpoint="http://hub", repository="me/m", revision="main", commit_id="a" * 40, tag="v1"
    )
    second = replace(first, run=ended(registry, "ner-2"), commit_id="b" * 40, tag=None)
    for one in (first, second):
        registry.recorder.log_publication(one)
    for revision, found in ((None, "ner-2"), ("a" * 7, run), ("main", "ner-2"), ("v1", run)):
        origin = registry.lineage.origin_of_publication("me/m", revision)
        assert (origin.run, origin.step) == (found, 1)
        assert [one.commit_id[0] for one in origin.publications] == ["a" if found == run else "b"]
    with pytest.raises(RegistryError, match="no run in this registry was pushed to hub:me/m@v2"):
        registry.lineage.origin_of_publication("me/m", "v2")
