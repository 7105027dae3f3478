"""Searches: places and claims of trials, killed processes, the winner, and what is recorded; training is made up."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labelkit.cli import main
from labelkit.config.plan import Request, make_plan
from labelkit.errors import RegistryError, TrainingError
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, Registry, SearchRecord
from labelkit.search import worker
from labelkit.search.domains import Choices
from labelkit.search.overview import overview
from labelkit.search.process import this_process
from labelkit.search.recipe_file import recipe_text
from labelkit.search.settings import SearchSettings
from labelkit.search.trials import with_changes
from labelkit.search.winner import Retraining, choose_winner
from made_up_search import FINISHED, NAMES, SPACE, MadeUp, Process, ended_process, process, recorded, runs_of

pytest_plugins = ("search_home",)
pytestmark = pytest.mark.slow


# -- trials -----------------------------------------------------------------------------------------------------------


def test_each_trial_is_a_run_of_the_group_the_first_by_the_default_recipe(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog)
    one.work()
    assert runs_of(made_up.home) == FINISHED
    found = overview(made_up.home, recorded(made_up.home))
    assert [(trial.run, trial.state, trial.default) for trial in found.trials] == [
        (name, "finished", name == NAMES[0]) for name in NAMES
    ]
    assert found.trials[0].values == {"train.learning_rate": 2e-4, "train.label_smoothing_factor": 0.0}
    assert len({trial.values["train.learning_rate"] for trial in found.trials}) == 4
    with Registry.open(made_up.home, create=False) as registry:
        for trial in found.trials:
            details = registry.runs.get(trial.run)
            plan = {value.key: value for value in details.record.plan}
            assert plan["train.learning_rate"].number == pytest.approx(trial.values["train.learning_rate"])
            assert plan["train.score_test"].text == "false"
            assert trial.value == details.scores[0].value
            assert {score.split for score in details.scores} == {"validation"}


def test_what_is_sampled_depends_on_seed_and_place_only(made_up: MadeUp, catalog: Catalog, tmp_path: Path) -> None:
    process(made_up.home, catalog).work()
    again = replace(made_up.home, root=tmp_path / "again")
    made_up.home = again
    process(again, catalog).work(minutes=0)
    assert runs_of(again) == []
    for _ in range(4):
        process(again, catalog, new=False).work()
    values = [
        [trial.values for trial in overview(home, recorded(home)).trials]
        for home in (Home(root=tmp_path / "home"), again)
    ]
    assert values[0] == values[1]


def test_a_grid_is_tried_point_by_point_and_no_further(made_up: MadeUp, catalog: Catalog) -> None:
    space = {"train.learning_rate": Choices(choices=(1e-4, 2e-4)), "train.dropout": Choices(choices=(0.0, 0.1, 0.2))}
    process(made_up.home, catalog, sampler="grid", trials=50, space=space).work()
    found = overview(made_up.home, recorded(made_up.home)).trials
    points = sorted((one.values["train.learning_rate"], one.values["train.dropout"]) for one in found)
    assert points == [(rate, dropout) for rate in (1e-4, 2e-4) for dropout in (0.0, 0.1, 0.2)]


def test_a_trial_whose_default_the_space_lacks_keeps_it(made_up: MadeUp, catalog: Catalog) -> None:
    space = {**SPACE, "train.lora_rank": Choices(choices=(4, 8))}
    process(made_up.home, catalog, space=space, trials=1).work()
    (found,) = overview(made_up.home, recorded(made_up.home)).trials
    assert found.values["train.lora_rank"] is None


def test_a_failed_trial_is_one_and_the_others_go_on(made_up: MadeUp, catalog: Catalog) -> None:
    made_up.fails = {NAMES[1]: TrainingError("the loss is NaN")}
    process(made_up.home, catalog).work()
    found = overview(made_up.home, recorded(made_up.home)).trials
    assert [trial.state for trial in found] == ["finished", "failed", "finished", "finished"]
    assert found[1].error == "the loss is NaN"


def test_a_search_whose_trials_all_fail_stops(made_up: MadeUp, catalog: Catalog) -> None:
    made_up.fails = dict.fromkeys(NAMES, TrainingError("the loss is NaN"))
    with pytest.raises(TrainingError, match="all 3 trials failed, the last one: the loss is NaN"):
        process(made_up.home, catalog).work()


def test_a_refusing_registry_is_no_fault_of_a_trial(
    made_up: MadeUp, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RegistryError("refused")

    one = process(made_up.home, catalog)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "start_run", refuse)
        with pytest.raises(RegistryError, match="refused"):
            one.work()
    one.work()
    assert runs_of(made_up.home) == FINISHED


# -- killed processes -------------------------------------------------------------------------------------------------


def test_a_trial_that_was_stopped_is_resumed(made_up: MadeUp, catalog: Catalog) -> None:
    made_up.kills = {NAMES[1]}
    with pytest.raises(KeyboardInterrupt):
        process(made_up.home, catalog).work()
    with Registry.open(made_up.home, create=False) as registry:
        registry.recorder.finish(NAMES[1], "interrupted", seconds=1.0)
    process(made_up.home, catalog, new=False).work()
    assert (made_up.resumed, made_up.started) == ([NAMES[1]], NAMES)
    assert runs_of(made_up.home) == FINISHED


def test_a_trial_without_a_run_is_discarded_once_its_process_is_gone(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog)
    claimed = one.study.claim(one.settings.fixed)
    assert claimed is not None
    assert claimed[0] == 0
    dead = {**this_process(), "pid": ended_process()}
    one.study._storage.set_trial_user_attr(claimed[1]._trial_id, "process", dead)
    process(made_up.home, catalog, new=False).work()
    assert made_up.started == NAMES
    assert sorted(one.study.held()) == [0, 1, 2, 3]


def test_of_two_trials_for_a_place_the_first_counts(
    made_up: MadeUp, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = process(made_up.home, catalog)
    held = one.study.held()
    other = process(made_up.home, catalog, new=False)
    first = other.study.claim(other.settings.fixed)
    looks = iter([held])  # as if it had looked before the other process created its trial
    real = one.study.held
    monkeypatch.setattr(one.study, "held", lambda: next(looks, None) or real())
    second = one.study.claim(one.settings.fixed)
    assert first is not None
    assert second is not None
    assert (first[0], second[0]) == (0, 1)


def test_a_finished_run_whose_process_was_killed_before_it_said_so_counts(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog)
    place, trial = one.study.claim(one.settings.fixed) or (0, None)
    assert trial is not None
    values = one.study.sample(trial, SPACE)
    made_up.start(with_changes(one.prepared, one.settings, values, one.around), one.around, run=NAMES[0], group="s")
    one.work()
    assert (place, made_up.started) == (0, NAMES)
    assert all(trial.state.is_finished() for trial in one.study.held().values())


# -- pruning ----------------------------------------------------------------------------------------------------------


def test_a_bad_trial_is_pruned_and_stays_so(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog, pruner="median", trials=6)
    for place in range(5):
        _, trial = one.study.claim(one.settings.fixed) or (0, None)
        assert trial is not None
        assert one.study.report(trial, 1, 0.1 if place == 4 else 0.5) == (place == 4)
        if place < 4:
            one.study.finish(one.study.held()[place], 0.5)
    again = one.study.trial(4, one.study.held()[4])
    assert one.study.report(again, 2, 0.9)
    one.study.finish(again._get_latest_trial(), 0.9)
    assert overview(made_up.home, recorded(made_up.home)).trials[4].state == "pruned"
    assert choose_winner(one.study, one.settings)["place"] == 0


# -- the winner -------------------------------------------------------------------------------------------------------


def searched(made_up: MadeUp, catalog: Catalog, **options: Any) -> tuple[Process, dict[str, Any]]:
    one = process(made_up.home, catalog, **options)
    one.work()
    return one, choose_winner(one.study, one.settings)


def test_the_winner_and_the_default_are_retrained_with_fresh_seeds_and_read_test(
    made_up: MadeUp, catalog: Catalog
) -> None:
    one, best = searched(made_up, catalog, trials=6)
    assert best["values"]["train.learning_rate"] > 2e-4
    found = Retraining("s", one.settings, best, one.prepared, one.around).train()
    assert (found["split"], found["seeds"]) == ("test", [43, 44, 45])
    assert [len(scores) for scores in found["scores"].values()] == [3, 3]
    assert found["gain"] == pytest.approx(100 * (best["values"]["train.learning_rate"] - 2e-4))
    assert found["better"]
    for group in found["groups"].values():
        assert [status for _, status in runs_of(made_up.home, group)] == ["finished"] * 3
    started = len(made_up.started)
    assert Retraining("s", one.settings, best, one.prepared, one.around).train() == found
    assert len(made_up.started) == started  # nothing is trained twice


def test_the_default_may_win(made_up: MadeUp, catalog: Catalog) -> None:
    one, best = searched(made_up, catalog, trials=1)
    assert best["default"]
    found = Retraining("s", one.settings, best, one.prepared, one.around).train()
    assert list(found["scores"]) == ["default"]
    assert (found["gain"], found["better"]) == (None, False)


def test_a_failed_retraining_says_what_to_do(made_up: MadeUp, catalog: Catalog) -> None:
    one, best = searched(made_up, catalog)
    made_up.fails = {"s-default-seeds-43": TrainingError("out of memory")}
    with pytest.raises(TrainingError, match="out of memory"):
        Retraining("s", one.settings, best, one.prepared, one.around).train()
    with pytest.raises(TrainingError, match=r"the run 's-default-seeds-43' failed: out of memory"):
        Retraining("s", one.settings, best, one.prepared, one.around).train()


# -- records ----------------------------------------------------------------------------------------------------------


def test_a_name_is_used_once(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog, trials=1)
    one.work()
    content = one.settings.to_json()
    with Registry.open(made_up.home, create=False) as registry:
        with pytest.raises(RegistryError, match="there is a search 's' already"):
            registry.searches.start(SearchRecord(name="s", task="ner", settings=content))
        with pytest.raises(RegistryError, match="there is a group or a run 's-000' already"):
            registry.searches.start(SearchRecord(name="s-000", task="ner", settings=content))
        with pytest.raises(RegistryError, match="no search 'none' in the registry"):
            registry.searches.get("none")


def test_of_two_results_the_first_is_recorded(made_up: MadeUp, catalog: Catalog) -> None:
    process(made_up.home, catalog)
    with Registry.open(made_up.home, create=False) as registry:
        assert registry.searches.settle("s", {"winner": 1}, trials=3) is None
        assert registry.searches.settle("s", {"winner": 1}, trials=4) == {"winner": 1}
        assert registry.searches.settle("s", {"winner": 2}, trials=4) == {"winner": 1}
        registry.searches.complete("s", {"winner": 2, "gain": 1})
        assert registry.searches.get("s").result == {"winner": 1}
        registry.searches.complete("s", {"winner": 1, "gain": 1})
        assert registry.searches.get("s").result == {"winner": 1, "gain": 1}
        registry.searches.update("s", result=None)
        assert registry.searches.get("s").result is None


def test_settings_are_read_back(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog)
    assert SearchSettings.from_record(recorded(made_up.home)) == one.settings
    plan = make_plan(one.settings.request({"train.dropout": 0.2}), catalog)
    assert (plan.train.dropout, plan.train.learning_rate, plan.train.score_test) == (0.2, 2e-4, False)


def test_a_batch_size_in_windows_wins_over_one_in_subwords(made_up: MadeUp, catalog: Catalog) -> None:
    one = process(made_up.home, catalog)
    assert one.prepared.plan.train.batch_tokens > 0
    found = with_changes(one.prepared, one.settings, {"train.per_device_train_batch_size": 8}, one.around)
    assert (found.plan.train.per_device_train_batch_size, found.plan.train.batch_tokens) == (8, 0)


def test_the_winner_is_a_recipe_that_reads_back(made_up: MadeUp, catalog: Catalog, tmp_path: Path) -> None:
    one = process(made_up.home, catalog)
    values = {"train.learning_rate": 3e-4, "train.per_device_train_batch_size": 8}
    path = tmp_path / "winner.toml"
    path.write_text(recipe_text(one.prepared.plan, values, "s", 'best of "s"'))
    content = tomllib.loads(path.read_text())
    assert "seed" not in content["train"]
    plan = make_plan(Request(task="ner", recipe=str(path)), catalog)
    expected = {**one.prepared.plan.settings.values(), **values, "train.batch_tokens": 0}
    found = plan.settings.values()
    left_out = {"train.seed", "train.score_test", "data.validation_seed"}
    assert {key: value for key, value in found.items() if key not in left_out} == {
        key: value for key, value in expected.items() if key not in left_out
    }
    assert plan.train.score_test


# -- deletion ---------------------------------------------------------------------------------------------------------


def test_a_search_is_deleted_with_its_trials_and_its_name_is_free(
    made_up: MadeUp, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(made_up.home.root))
    process(made_up.home, catalog).work()
    with Registry.open(made_up.home, create=False) as registry:
        other = replace(registry.runs.get(NAMES[0]).record, id="other", name=None, group=None, plan=())
        registry.recorder.start(other)
        registry.recorder.finish("other", "finished", seconds=1.0)
    assert main(["runs", "rm", "s", "--dry-run"]) == 0
    assert "would delete the search s" in capsys.readouterr().out
    assert main(["runs", "rm", "s", "--checkpoints-only"]) == 0
    assert runs_of(made_up.home) == FINISHED
    capsys.readouterr()
    assert main(["runs", "rm", "s", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (sorted(one["run"] for one in found["runs"]), found["searches"]) == (sorted(NAMES), ["s"])
    assert runs_of(made_up.home) == []
    with Registry.open(made_up.home, create=False) as registry:
        assert registry.searches.find("s") is None
        assert registry.runs.find("other").id == "other"
    assert main(["runs", "rm", "s"]) == 1
    process(made_up.home, catalog).work()
    assert runs_of(made_up.home) == FINISHED
