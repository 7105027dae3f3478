"""A home with its registry, without any run.

A test module asks for them with ``pytest_plugins = ("recorded_home",)``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelkit.registry import Home, Registry


@pytest.fixture
def place(tmp_path: Path) -> Home:
    """Return a home that is yet to be made."""
    return Home(root=tmp_path / "home")


@pytest.fixture
def registry(place: Home) -> Iterator[Registry]:
    """Return the registry of :func:`place`."""
    with Registry.open(place, create=True) as registry:
        yield registry


@pytest.fixture(scope="session")
def dead() -> int:
    """Return the id of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a file system of two MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
