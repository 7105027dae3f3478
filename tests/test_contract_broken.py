"""The contract kit catches what it should: every check has a broken plugin that it, and only it, catches."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import broken_packages
from broken_plugins import BROKEN, GOOD, a_catalog, task
from labelkit import events
from labelkit.plugins.catalog import Catalog
from labelkit.testing import Outcome, check_plugin, plugins
from labelkit.testing.checks import check_specs, checks, judge

pytest_plugins = ("fake_distributions",)


def only_failure(catalog: Catalog | None = None) -> Outcome:
    """Return what the one check of the plugin ``mine`` that fails has found."""
    (found,) = [one for one in check_plugin("mine", catalog=catalog) if one.failed]
    assert found.change, "it has to say what to change"
    return found


def test_a_good_plugin_passes_all_of_them() -> None:
    outcomes = check_plugin("mine", catalog=a_catalog(*GOOD, observer=lambda event, ctx: None))
    assert [(one.check, one.reason) for one in outcomes if one.failed] == []
    unanswered = {one.check for one in outcomes if one.status == "not applicable"}
    assert unanswered == {
        "plugin-subprocess", "plugin-imports-light", "plugin-imports-quickly", "plugin-imports-quietly",
        "preprocessor-upper-subprocess", "format-pairs-subprocess", "source-tales-subprocess", "task-pets-subprocess",
    }  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_each_check_catches_its_broken_plugin_and_no_other_check_does(what: str) -> None:
    broken = BROKEN[what]
    found = only_failure(broken.catalog)
    assert found.check == broken.check
    assert broken.said in found.reason


@pytest.mark.parametrize("what", broken_packages.BROKEN)
def test_each_check_of_installed_plugins_catches_its_broken_one(
    what: str, install: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, said, module = broken_packages.BROKEN[what]
    (tmp_path / "evaluate.py").write_text("", encoding="utf-8")  # stands for the real one, which takes seconds
    monkeypatch.setattr(plugins, "MAX_LOADING", 0.5)
    install("mine", module)
    found = only_failure()
    assert found.check == check
    assert said in found.reason


def test_every_check_has_a_broken_plugin() -> None:
    caught = {one.check for one in BROKEN.values()} | {check for check, _, _ in broken_packages.BROKEN.values()}
    assert {_generic(check) for check in caught} == {name for name, _ in check_specs()}


def _generic(check: str) -> str:
    return (
        check
        if check.startswith("plugin-")
        else re.sub(r"^(\w+)-(pets|tales|exact|mine|pairs|house)-", r"\1-NAME-", check)
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"quickstart": "", "best": "[train]\nlearning_rat = 1"}, "best.toml: unknown setting 'train.learning_rat'"),
        ({"quickstart": "", "best": "[train]\nseed = 'x'"}, "invalid train.seed: 'x'"),
        ({"quickstart": "", "best": "= 1"}, "best.toml is invalid TOML"),
        ({"quickstart": "", "best": "metric = 'f2'"}, "unknown metric 'f2'"),
        ({"quickstart": "", "best": "decoder = 'argmax-text'"}, "is for kind 'text'"),
        ({"quickstart": "", "best": "preprocess = ['lower']"}, "unknown preprocessor 'lower'"),
        ({"quickstart": "", "best": "data = 'tails'"}, "did you mean tales"),
        ({"quickstart": "", "best": "[data]\nreference = 'sample-reviews'"}, "is for kind 'text'"),
        ({"quickstart": "", "best": "data = 'wnut17'"}, "source 'wnut17' has: ner"),
        ({"quickstart": "", "best": "model = 'bundeld'"}, "did you mean bundled"),
        ({"quickstart": "", "best": "[data]\nformat = 'pears'"}, "unknown format 'pears'"),
        ({"quickstart": ""}, "has no recipe 'best'"),
    ],
)
def test_recipes_that_do_not_work_are_caught(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    catalog = task("recipes", said, recipes=tmp_path).catalog
    (check,) = [check for check in checks("mine", catalog) if check.name == "task-pets-recipes"]
    assert said in judge(check).why


@pytest.mark.parametrize(
    "text",
    [
        "data = 'tales'\nmodel = 'tiny:bert'",
        "data = 'train=train.conll,test=test.conll'\nmodel = 'org/name'",
        "data = 'hub:org/corpus'\nmodel = './encoder'\n",
        "data = 'corpora/mine'\n[train]\nseed = 1",
        "[data]\nreference = 'mine'\nformat = 'conll'",
    ],
)
def test_recipes_that_may_work_pass(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "corpora" / "mine").mkdir(parents=True)
    monkeypatch.setenv("LABELKIT_DATA", str(tmp_path / "corpora"))
    for name in ("quickstart", "best"):
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    catalog = task("recipes", "", recipes=tmp_path).catalog
    (check,) = [check for check in checks("mine", catalog) if check.name == "task-pets-recipes"]
    assert judge(check).status == "ok"


@pytest.mark.slow
def test_a_plugin_is_tried_out_though_its_recipes_are_wrong() -> None:
    found = {one.check: one.status for one in check_plugin("mine", catalog=BROKEN["no recipes"].catalog)}
    assert (found["task-pets-recipes"], found["task-pets-learns"]) == ("failed", "ok")


def test_what_builds_on_a_check_that_fails_says_so_in_place_of_failing_too() -> None:
    catalog = BROKEN["nothing left to read"].catalog
    outcomes = {one.check: one for one in check_plugin("mine", catalog=catalog)}
    for name in ("saves", "lossless"):
        assert outcomes[f"task-pets-{name}"].status == "not applicable"
        assert outcomes[f"task-pets-{name}"].why == "task-pets-learns fails"


def test_the_kit_knows_every_event_that_there_is() -> None:
    known = {each for each in vars(events).values() if isinstance(each, type) and issubclass(each, events.Event)}
    assert {type(event) for event in plugins.sample_events()} == known
