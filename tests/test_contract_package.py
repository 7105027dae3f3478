"""The built-in plugins are ordinary ones: three lines test each, and ``ner`` can be a package of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from plugin_environment import PluginEnvironment, make_environment

ROOT = Path(__file__).parents[1]
OTHERS = ("chunk", "pos", "textcls")
#: all that a plugin's package needs
PYPROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "somebodys-ner"
version = "3.1"
[project.entry-points.labelkit]
ner = "labelkit_ner"
[tool.setuptools.package-data]
labelkit_ner = ["recipes/*.toml"]
"""
#: in place of hatchling, which tests cannot fetch
SETUPTOOLS = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""


def copied(folder: Path) -> Path:
    """Return a copy of core and the other plugins, as if ``ner`` had never been there."""
    for place in ("core", *(f"plugins/{name}" for name in OTHERS)):
        shutil.copytree(ROOT / place, folder / place, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = re.sub(r"\[build-system\]\n.*?\n\n", f"{SETUPTOOLS}\n", text, count=1, flags=re.DOTALL)
    text = re.sub(r"\[tool\.hatch\..*?(?=\n\[tool\.ruff)", "", text, count=1, flags=re.DOTALL)
    text = text.replace('ner = "labelkit_ner"\n', "")
    places = [str(folder / "core"), *(str(folder / "plugins" / name) for name in OTHERS)]
    where = json.dumps([str(Path(place).relative_to(folder)) for place in places])
    text += f"\n[tool.setuptools.packages.find]\nwhere = {where}\n"
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    (folder / "MANIFEST.in").write_text("graft core\ngraft plugins\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> PluginEnvironment:
    """Return an environment with a core that has no ``ner``."""
    folder = tmp_path_factory.mktemp("apart")
    made = make_environment(folder / "environment")
    made.install(copied(folder / "source"))
    return made


def plugins(environment: PluginEnvironment) -> dict[str, str]:
    rows = json.loads(environment.labelkit("plugins", "--json").stdout)
    return {row["name"]: row["origin"] for row in rows if row["status"] == "loaded"}


def test_each_built_in_plugin_is_tested_by_three_lines() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in project["entry-points"]["labelkit"]:
        text = (ROOT / "tests" / f"test_{name}_plugin.py").read_text(encoding="utf-8")
        code = text.partition("from labelkit.testing import Check, contract\n")[2]
        assert code.split("\n") == [
            "", "", f'@contract("{name}")', "def test_contract(check: Check) -> None:", "    check()", ""
        ]  # fmt: skip


@pytest.mark.slow
def test_ner_is_an_ordinary_package(environment: PluginEnvironment, tmp_path: Path) -> None:
    before = plugins(environment)
    assert set(before) == {"core", *OTHERS}

    package = tmp_path / "somebodys-ner"
    shutil.copytree(ROOT / "plugins/ner", package, ignore=shutil.ignore_patterns("__pycache__"))
    assert len(PYPROJECT.splitlines()) == 10
    (package / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    environment.install(package)
    shutil.rmtree(package)

    assert plugins(environment) == {**before, "ner": "somebodys-ner (labelkit_ner)"}
    found = environment.run(str(environment.python), "-c", "import labelkit_ner as n, labelkit as l; print(n, l)")
    assert found.stdout.count(str(environment.folder)) == 2, found.stdout

    done = environment.labelkit("run", "ner", "--model", "tiny:bert", "--max-steps", "2", "--json")
    run = json.loads(done.stdout)
    assert (run["task"], run["status"]) == ("ner", "finished")
    assert 0 <= run["metrics"]["test"]["ner"]["f1"] <= 1
    labelled = json.loads(environment.labelkit("label", "latest", "--text", "Ada lives in Rome.", "--json").stdout)
    assert labelled["words"] == ["Ada", "lives", "in", "Rome", "."]

    checked = json.loads(environment.labelkit("plugins", "check", "ner", "--json").stdout)
    statuses = {one["check"]: one["status"] for one in checked["checks"]}
    assert checked["ok"]
    assert statuses["task-ner-subprocess"] == statuses["plugin-subprocess"] == "ok"
    tests = shutil.copy(ROOT / "tests/test_ner_plugin.py", tmp_path)
    passed = environment.run(
        str(environment.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(tests)
    ).stdout
    assert re.search(r"^\d+ passed in", passed, re.MULTILINE), passed
