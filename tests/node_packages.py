"""Node, and the packages that tests of exports to JavaScript run in; tests are skipped where they are not to be had."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGE = "@huggingface/transformers@4"


@pytest.fixture(scope="session")
def node() -> str:
    """Return the path of Node."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found


@pytest.fixture(scope="session")
def packages(node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose ``node_modules`` hold transformers.js."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("packages")
    (folder / "package.json").write_text("{}", encoding="utf-8")
    # its scripts fetch what a GPU needs
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install {PACKAGE}: {done.stderr.strip()[-200:]}")
    return folder
