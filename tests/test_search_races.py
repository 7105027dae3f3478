"""Searches whose processes disturb each other: more trials while others finish, slow preparations, no scores."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from labelkit.config.plan import Setting
from labelkit.errors import TrainingError
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Registry
from labelkit.search import worker
from labelkit.search.search import Search, run_search
from labelkit.search.trials import with_changes
from labelkit.search.winner import Retraining, choose_winner
from made_up_search import NAMES, MadeUp, process, recorded, runs_of

pytest_plugins = ("search_home",)
pytestmark = pytest.mark.slow


def ask_for_more(made_up: MadeUp, trials: int) -> None:
    """Do what ``labelkit search --resume s --trials N`` does in another process."""
    with Registry.open(made_up.home, create=False) as registry:
        settings = registry.searches.get("s").settings
        registry.searches.update("s", settings={**settings, "trials": trials}, result=None)


def test_trials_that_another_process_asks_for_are_worked_on(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog)
    ask_for_more(made_up, 6)
    one.work()
    assert [name for name, _ in runs_of(made_up.home)] == [*NAMES, "s-004", "s-005"]


def test_a_result_of_fewer_trials_than_are_asked_for_by_now_is_not_recorded(
    made_up: MadeUp, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = process(made_up.home, catalog)
    asked = iter([6])

    def choose(*args: Any) -> dict[str, Any]:
        for trials in asked:
            ask_for_more(made_up, trials)
        return choose_winner(*args)

    monkeypatch.setattr("labelkit.search.winner.choose_winner", choose)
    run_search(Search(name="s", settings=one.settings, prepared=one.prepared), one.around)
    assert len(runs_of(made_up.home)) == 6
    assert "retrained" in (recorded(made_up.home).result or {})


def test_more_trials_asked_for_during_retraining_stay_asked_for(
    made_up: MadeUp, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = process(made_up.home, catalog)
    train = Retraining.train

    def train_and_ask(self: Retraining) -> dict[str, Any]:
        found = train(self)
        ask_for_more(made_up, 6)
        return found

    monkeypatch.setattr(Retraining, "train", train_and_ask)
    run_search(Search(name="s", settings=one.settings, prepared=one.prepared), one.around)
    assert recorded(made_up.home).result is None


def test_a_trial_discarded_during_its_preparation_trains_no_run(
    made_up: MadeUp, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = process(made_up.home, catalog)
    real, slow = with_changes, [True]

    def prepare_slowly(*args: Any) -> Any:
        if slow.pop() if slow else False:
            one.study.discard(one.study.held()[0])
        return real(*args)

    monkeypatch.setattr(worker, "with_changes", prepare_slowly)
    one.work()
    assert made_up.started == NAMES
    assert sorted(one.study.held()) == [0, 1, 2, 3]
    assert one.study.held()[0].number == 1


def test_only_runs_of_the_winner_keep_an_onnx_model(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog, trials=6)
    one = replace(
        one, prepared=replace(one.prepared, plan=one.prepared.plan.updated({"train.onnx": Setting(True, "--set")}))
    )
    one.work()
    best = choose_winner(one.study, one.settings)
    assert not best["default"]
    groups = Retraining("s", one.settings, best, one.prepared, one.around).train()["groups"]
    kept = {}
    with Registry.open(made_up.home, create=False) as registry:
        for group in ("s", *groups.values()):
            plans = [registry.runs.get(run).record.plan for run, _ in runs_of(made_up.home, group)]
            kept[group] = {value.text for plan in plans for value in plan if value.key == "train.onnx"}
    assert kept == {"s": {"false"}, groups["winner"]: {"true"}, groups["default"]: {"false"}}


def test_a_retrained_run_without_a_score_is_said(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog)
    one.work()
    best = choose_winner(one.study, one.settings)
    one.prepared.corpus.splits.clear()
    one.prepared.corpus.splits["validation"] = SimpleNamespace()
    made_up.unscored = True
    with pytest.raises(TrainingError, match=r"the run 's-.*-43' has no score on validation, so the gain is unknown"):
        Retraining("s", one.settings, best, one.prepared, one.around).train()
