"""The page of ``labelkit ui`` for a group that is a search."""

from __future__ import annotations

import re
from typing import Any

import pytest

from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, Registry, SearchRecord
from labelkit.search.domains import Choices, Range, Space
from labelkit.search.overview import SearchOverview, TrialOverview
from labelkit.search.search import Search, run_search
from labelkit.search.settings import SearchSettings
from labelkit.ui import search_page
from made_up_search import MadeUp, process
from ui_pages import client_of, texts_of

pytest_plugins = ("recorded_home", "search_home")
HOSTILE = "<script>alert(1)</script>"
RESULT: dict[str, Any] = {
    "winner": {"place": 1, "validation": 0.75, "values": {}, "default": False},
    "retrained": {
        "split": "test",
        "seeds": [43, 44],
        "scores": {"winner": [0.7, 0.8], "default": [0.6, 0.7]},
        "groups": {"winner": "tune-001-seeds", "default": "tune-default-seeds"},
        "gain": 0.1,
        "interval": [0.02, 0.18],
        "better": True,
    },
}


def a_search(**result: Any) -> SearchOverview:
    space: Space = {"train.dropout": Range(low=0.0, high=0.3), "model": Choices(choices=("bundled", HOSTILE))}
    settings = SearchSettings(
        task="ner", recipe="r", plan=(), space=space, defaults={}, sampler="tpe", pruner="median", trials=4, seeds=3,
        splits={}, metric="f1", maximize=True,
    )  # fmt: skip

    def trial(place: int, **facts: Any) -> TrialOverview:
        values: dict[str, Any] = {
            "values": {"train.dropout": 0.125, "model": HOSTILE}, "value": 0.75, "pruned_at": None, "seconds": 61.0,
            "error": None, "recorded": True, "default": place == 0, "state": "finished",
        }  # fmt: skip
        return TrialOverview(place=place, run=f"tune-00{place}", **{**values, **facts})

    return SearchOverview(
        record=SearchRecord(name="tune", task="ner", settings=settings.to_json(), **result),
        settings=settings,
        trials=(
            trial(0),
            trial(1, state="pruned", pruned_at=2),
            trial(2, state="failed", error=HOSTILE, value=None),
            trial(3, state="running", recorded=False, value=None, seconds=None),
        ),
        importances={"train.dropout": 0.25, "model": 0.75},
    )


@pytest.fixture
def page(place: Home, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the page of a search with a result."""
    found = a_search(result=RESULT)
    registry.searches.start(found.record)
    monkeypatch.setattr(search_page, "overview", lambda home, record: found)
    with client_of(place) as client:
        answer = client.get("/groups/tune")
    assert answer.status_code == 200
    return answer.text


def test_a_search_shows_its_result_importances_and_trials(page: str) -> None:
    text = " ".join(texts_of(page).split())
    assert "better than the default: gain +0.1000, 95% CI [+0.0200, +0.1800]" in text
    assert re.search(r"model ?0\.75 train\.dropout ?0\.25", text)
    assert "tune-000 default finished 0.7500 0.125" in text
    assert "tune-001 pruned at evaluation 2" in text
    assert "4 of 4 trials" in text
    assert re.findall(r'class="open" href="/runs/([\w-]+)"', page) == ["tune-000", "tune-001", "tune-002"]
    assert re.findall(r'name="run" value="([\w-]+)"', page) == ["tune-000", "tune-001", "tune-002"]
    assert 'href="/groups/tune-001-seeds"' in page
    assert HOSTILE not in page


def test_a_search_without_a_result_says_so(place: Home, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    found = a_search()
    registry.searches.start(found.record)
    monkeypatch.setattr(search_page, "overview", lambda home, record: found)
    with client_of(place) as client:
        assert "There is no winner yet: 4 of 4 trials began." in texts_of(client.get("/groups/tune").text)


def test_without_optuna_the_page_says_what_to_install(
    place: Home, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise LabelkitError("a search needs Optuna", hint="pip install 'labelkit[search]'")

    registry.searches.start(a_search().record)
    monkeypatch.setattr(search_page, "overview", refuse)
    with client_of(place) as client:
        answer = client.get("/groups/tune")
    assert answer.status_code == 400
    assert "pip install 'labelkit[search]'" in texts_of(answer.text)


@pytest.mark.slow
def test_a_recorded_search_has_a_page_before_and_after_its_trials(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog)
    with client_of(made_up.home) as client:
        assert "0 of 4 trials began" in texts_of(client.get("/groups/s").text)
        run_search(Search(name="s", settings=one.settings, prepared=one.prepared), one.around)
        for _ in range(3):  # each opens and closes connections of its own
            text = texts_of(client.get("/groups/s").text)
        assert "s-003" in text
        assert "mean of seeds 43, 44, 45" in text
        assert "Runs that differ in their seed" in client.get("/groups/s-default-seeds").text
