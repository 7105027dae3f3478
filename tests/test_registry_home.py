"""Finding the home, and its marker."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from labelkit.errors import RegistryError
from labelkit.registry import Home, Registry
from labelkit.registry.run_lock import hold_lock
from recorded_runs import save, start


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home")


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_a_home_follows_the_umask_so_that_a_group_can_share_it(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with Registry.open(Home(root=tmp_path / "home"), create=True) as registry:
            save(registry, start(registry))
            with hold_lock(registry.home.runs / "ner-1"):
                made = {path.name: path.stat().st_mode & 0o777 for path in registry.home.root.rglob("*")}
    finally:
        os.umask(before)
    assert {"registry.db", "registry.db-wal", "registry.db-shm", "store.json", "run.lock", "runs"} <= made.keys()
    folders = {"runs", "ner-1", "checkpoints", "step-000001"}
    assert made == {name: (0o777 if name in folders else 0o666) & ~mask for name in made}


def test_the_home_is_what_is_named_else_found_upwards_else_here(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert Home.find({}, cwd=deep).root == deep / "labelkit-runs"
    (tmp_path / "labelkit-runs").mkdir()
    assert Home.find({}, cwd=deep).root == tmp_path / "labelkit-runs"
    named = {"LABELKIT_HOME": "mine"}
    assert Home.find(named, cwd=deep).root == deep / "mine"
    assert Home.find(named, cwd=deep, explicit=tmp_path).root == tmp_path
    assert Home.find({"LABELKIT_HOME": "~/x"}, cwd=deep).root == Path.home() / "x"
    assert list(deep.iterdir()) == []


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    home = Home.find({"LABELKIT_HOME": "", "LABELKIT_REGISTRY": ""}, cwd=tmp_path)
    assert home == Home(root=tmp_path / "labelkit-runs", url=None)


def test_the_marker_is_made_once(home: Home) -> None:
    assert home.store() is None
    first = home.create()
    marker = (home.root / "store.json").read_bytes()
    assert first.id == json.loads(marker)["id"]
    assert home.create() == home.store() == first
    assert (home.root / "store.json").read_bytes() == marker
    assert home.runs.is_dir()


def test_of_two_that_make_the_marker_at_once_one_wins(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = home.create()
    look, looks = Home.store, iter([True])
    monkeypatch.setattr(Home, "store", lambda self: None if next(looks, False) else look(self))
    assert home.create() == first
    assert home.store() == first
    assert [path.name for path in home.root.iterdir() if path.is_file()] == ["store.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"id": "x", "created": "y"}', '{"id": 1, "created": 2}'])
def test_a_damaged_marker_is_refused_and_kept(home: Home, content: str) -> None:
    home.root.mkdir()
    (home.root / "store.json").write_text(content)
    for look in (home.store, home.create):
        with pytest.raises(RegistryError, match=r"store\.json is damaged"):
            look()
    assert (home.root / "store.json").read_text() == content
