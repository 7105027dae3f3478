"""Fake installed distributions, so that finding plugins is tested without pip.

A test module asks for them with ``pytest_plugins = ("fake_distributions",)``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return ``install(name, text, plugin=name, value=module)``: a distribution whose module holds ``text``.

    The module is called like the distribution, with underscores; the folder is at the front of ``sys.path``.
    """
    monkeypatch.syspath_prepend(str(tmp_path))

    def add(name: str, text: str, *, plugin: str | None = None, value: str | None = None) -> None:
        module = name.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        entry = f"[labelkit]\n{plugin or name} = {value or module}\n"
        (info / "entry_points.txt").write_text(entry, encoding="utf-8")
        importlib.invalidate_caches()

    yield add
    for module in [name for name, module in sys.modules.items() if _lies_in(module, tmp_path)]:
        del sys.modules[module]


def _lies_in(module: object, folder: Path) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(str(folder))
