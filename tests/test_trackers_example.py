"""The example of observers, with the real MLflow and TensorBoard in an environment of their own."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from plugin_environment import PluginEnvironment, make_environment

PACKAGE = Path(__file__).parents[1] / "examples" / "labelkit-trackers"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    away = shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "*.egg-info")
    return Path(shutil.copytree(PACKAGE, tmp_path_factory.mktemp("examples") / PACKAGE.name, ignore=away))


@pytest.fixture(scope="module")
def environment(package: Path, tmp_path_factory: pytest.TempPathFactory) -> PluginEnvironment:
    """Return an environment with the package and what it depends on, fetched: it would change what is tested here."""
    made = make_environment(tmp_path_factory.mktemp("trackers") / "venv")
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    made.fetch(*(one for one in project["dependencies"] if not one.startswith("labelkit")))
    made.install(package)
    return made


@pytest.mark.slow
def test_it_passes_its_own_tests(package: Path, environment: PluginEnvironment) -> None:
    assert re.fullmatch(r"\d+ passed.*", environment.test(package))


@pytest.mark.slow
def test_what_its_readme_says_runs(package: Path, environment: PluginEnvironment, tmp_path: Path) -> None:
    readme = (package / "README.md").read_text(encoding="utf-8")
    (line,) = [line for line in readme.splitlines() if line.startswith("labelkit run ")]
    environment.shell(f"{line} --model tiny:bert --max-steps 2", tmp_path)
    (events,) = (tmp_path / "tensorboard").glob("ner-*/events.out.tfevents.*")
    assert events.stat().st_size > 100
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        assert store.execute("SELECT status FROM runs").fetchall() == [("FINISHED",)]
        params = dict(store.execute("SELECT key, value FROM params"))
        assert (params["mlflow.experiment"], params["train.max_steps"]) == ("labelkit", "2")
        (number,) = store.execute("SELECT count(*) FROM metrics WHERE key = 'test/f1'").fetchone()
        assert number == 1
