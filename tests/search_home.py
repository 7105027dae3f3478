"""A home with a search called ``s`` whose runs are made up.

A test module asks for it with ``pytest_plugins = ("search_home",)``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home
from labelkit.search import winner, worker
from labelkit.search.worker import Worker
from made_up_search import MadeUp


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    found = MadeUp(Home(root=tmp_path / "home"))
    monkeypatch.setattr(Worker, "_callback", lambda self, trial: None)
    monkeypatch.setattr(worker, "WAIT", 0.01)
    monkeypatch.setattr(winner, "WAIT", 0.01)
    for module in (worker, winner):
        monkeypatch.setattr(module, "start_run", found.start)
        monkeypatch.setattr(module, "resume_run", found.resume)
    return found
