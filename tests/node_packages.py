"""Node, and the packages that tests of exports to JavaScript run in; tests are skipped where they are not to be had."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

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


def run_node(node: str, script: str, given: Any, tmp_path: Path) -> Any:
    """Run a script with the modules of exports beside it; return the JSON document that it makes of ``given``.

    :param script: the body of a module that has ``given`` and calls ``done(result)``.
    """
    head = (
        "import fs from 'node:fs';\n"
        "const given = JSON.parse(fs.readFileSync(0, 'utf8'));\n"
        "const done = (result) => fs.writeSync(1, JSON.stringify(result));\n"
    )
    with as_file(files("labelkit.exports").joinpath("javascript")) as modules:
        for module in modules.glob("*.js"):
            shutil.copyfile(module, tmp_path / module.name)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "script.mjs").write_text(head + script, encoding="utf-8")
    command = [node, str(tmp_path / "script.mjs")]
    result = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
