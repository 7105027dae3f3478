"""The packages in ``examples/`` install, keep the contract and do what their README says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from plugin_environment import PluginEnvironment, make_environment

EXAMPLES = Path(__file__).parents[1] / "examples"
PACKAGES = ("labelkit-crf", "labelkit-dates", "labelkit-review")
#: needs what is not installed here, see test_trackers_example.py
TRACKERS = "labelkit-trackers"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return copies of the packages, so that nothing is written among our files."""
    folder = tmp_path_factory.mktemp("examples")
    away = shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "*.egg-info")
    return {name: Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=away)) for name in PACKAGES}


@pytest.fixture(scope="module")
def environment(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> PluginEnvironment:
    """Return an environment in which both are installed."""
    environment = make_environment(tmp_path_factory.mktemp("fresh") / "venv")
    environment.install(*packages.values())
    return environment


def commands(package: Path) -> list[str]:
    """Return the commands of labelkit in a package's README, in their order."""
    readme = (package / "README.md").read_text(encoding="utf-8")
    return [line for line in readme.splitlines() if line.startswith("labelkit ")]


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if (path / "pyproject.toml").exists()} == {*PACKAGES, TRACKERS}


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGES)
def test_an_example_is_loaded_and_passes_its_own_tests(
    name: str, packages: dict[str, Path], environment: PluginEnvironment
) -> None:
    rows = {row["name"]: row for row in json.loads(environment.labelkit("plugins", "--json").stdout)}
    row = rows[name.removeprefix("labelkit-")]
    assert (row["status"], row["reason"], row["notes"], row["version"]) == ("loaded", "", [], "0.1.0")
    assert re.fullmatch(r"\d+ passed in .*", environment.test(packages[name]))


@pytest.mark.slow
def test_what_the_readme_of_dates_says_runs(packages: dict[str, Path], environment: PluginEnvironment) -> None:
    run, label = commands(packages["labelkit-dates"])
    assert run == "labelkit run dates --name dates"
    assert label == 'labelkit label dates --text "Send us $ 3,000 by 12 March."'
    short = ("--max-steps", "100")  # of 375
    done = json.loads(environment.labelkit("run", "dates", "--name", "dates", *short, "--json").stdout)
    assert done["metrics"]["test"]["dates"]["f1"] > 0.7  # of sentences whose patterns it has not seen
    text = "Send us $ 3,000 by 12 March."
    found = json.loads(environment.labelkit("label", "dates", "--text", text, "--json").stdout)
    assert [(span["text"], span["label"]) for span in found["spans"]] == [("$ 3,000", "money"), ("12 March", "date")]


@pytest.mark.slow
def test_what_the_readme_of_review_says_runs(packages: dict[str, Path], environment: PluginEnvironment) -> None:
    convert, run = (line.split()[1:] for line in commands(packages["labelkit-review"]))
    environment.labelkit(*convert)
    lines = (environment.folder.parent / "review.brackets").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 100
    assert any(re.search(r"\[[^\]]+\]\(person\)", line) for line in lines)
    done = json.loads(environment.labelkit(*run, "--model", "tiny:bert", "--max-steps", "3", "--json").stdout)
    assert set(done["metrics"]["validation"]["ner"]) >= {"precision", "recall", "f1"}


@pytest.mark.slow
def test_what_the_readme_of_crf_says_runs(packages: dict[str, Path], environment: PluginEnvironment) -> None:
    run, label = (line.split('"')[0].split()[1:] for line in commands(packages["labelkit-crf"]))
    assert label == ["label", "with-crf", "--text"]
    done = json.loads(environment.labelkit(*run, "--model", "tiny:bert", "--max-steps", "3", "--json").stdout)
    assert (Path(done["checkpoint"]) / "head.safetensors").is_file()
    found = json.loads(environment.labelkit(*label, "Ada Lovelace lives in London.", "--json").stdout)
    assert len(found["words"]) == len(found["labels"])


@pytest.mark.slow
def test_parts_of_both_examples_and_of_core_compose(environment: PluginEnvironment) -> None:
    environment.labelkit("data", "convert", "dates", "dates.brackets", "--to", "brackets", "--drop", "id")
    command = ("run", "ner", "--data", "dates.brackets", "--metric", "overlap", "--dry-run", "--json")
    assert environment.labelkit(*command).returncode == 0
