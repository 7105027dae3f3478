"""Remembered checksums: a file that may have changed is hashed again, whatever the memory says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from labelkit.models import checksums
from labelkit.models.checkpoint_files import sha256_of
from labelkit.models.checksums import LEAST_SIZE, REMEMBERED, ChecksumMemory

SIZE = LEAST_SIZE + 1


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "home" / "cache"


@pytest.fixture
def file(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file whose checksum the memory in ``cache`` holds; a fake one shows when it is taken."""
    cache.mkdir(parents=True)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"a" * SIZE)
    monkeypatch.setattr(checksums, "CLOCK_STEP", -1.0)
    memory = ChecksumMemory(cache)
    assert memory.sha256(path) == sha256_of(path)
    memory.save()
    content = json.loads((cache / REMEMBERED).read_text(encoding="utf-8"))
    content[str(path)][-1] = "remembered"
    (cache / REMEMBERED).write_text(json.dumps(content), encoding="utf-8")
    return path


def test_an_unchanged_file_is_hashed_once(file: Path, cache: Path) -> None:
    assert ChecksumMemory(cache).sha256(file) == "remembered"
    assert ChecksumMemory(cache, verify=True).sha256(file) == sha256_of(file)
    assert ChecksumMemory(None).sha256(file) == sha256_of(file)


def test_a_change_that_keeps_size_and_time_is_seen(file: Path, cache: Path) -> None:
    status = file.stat()
    file.write_bytes(b"b" * SIZE)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_mtime_ns == status.st_mtime_ns
    assert ChecksumMemory(cache).sha256(file) == sha256_of(file)


def test_a_file_in_the_place_of_another_is_hashed(file: Path, cache: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(b"b" * SIZE)
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    os.replace(other, file)
    assert ChecksumMemory(cache).sha256(file) == sha256_of(file)


def test_a_link_is_known_by_what_it_leads_to(file: Path, cache: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    assert ChecksumMemory(cache).sha256(link) == "remembered"


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"MODEL": ["x"]}', '{"MODEL": 3}'])
def test_a_damaged_memory_is_no_memory(file: Path, cache: Path, content: str) -> None:
    (cache / REMEMBERED).write_text(content.replace("MODEL", str(file)), encoding="utf-8")
    memory = ChecksumMemory(cache)
    assert memory.sha256(file) == sha256_of(file)
    memory.save()
    assert str(file) in json.loads((cache / REMEMBERED).read_text(encoding="utf-8"))


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    path = tmp_path / "new"
    path.write_bytes(b"a" * SIZE)
    memory = ChecksumMemory(cache)
    memory.sha256(path)
    memory.save()
    assert not (cache / REMEMBERED).exists()


def test_small_files_are_not_remembered(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "CLOCK_STEP", -1.0)
    cache.mkdir(parents=True)
    path = tmp_path / "small"
    path.write_bytes(b"a")
    memory = ChecksumMemory(cache)
    assert memory.sha256(path) == sha256_of(path)
    memory.save()
    assert not (cache / REMEMBERED).exists()


def test_no_home_is_created_and_one_that_cannot_be_written_does_no_harm(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "CLOCK_STEP", -1.0)
    path = tmp_path / "model"
    path.write_bytes(b"a" * SIZE)
    memory = ChecksumMemory(cache)
    memory.sha256(path)
    memory.save()
    assert not cache.parent.exists()
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be", encoding="utf-8")
    memory = ChecksumMemory(cache)
    assert memory.sha256(path) == sha256_of(path)
    memory.save()


def test_the_memory_forgets_deleted_files(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "MOST_FILES", 1)
    other = file.with_name("other")
    other.write_bytes(b"b" * SIZE)
    file.unlink()
    memory = ChecksumMemory(cache)
    memory.sha256(other)
    memory.save()
    assert list(json.loads((cache / REMEMBERED).read_text(encoding="utf-8"))) == [str(other)]
