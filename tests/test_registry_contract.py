"""What a registry promises about runs, on each database that can hold one."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args

import pytest

from labelkit import events
from labelkit.errors import RegistryError
from labelkit.registry import (
    Home,
    PlanValue,
    Publication,
    Registry,
    RunRecord,
    SplitRecord,
    VersionRecord,
    nested,
)

START = datetime(2025, 11, 21, 15, 30, 12, 250000, tzinfo=UTC)
SCORES = {
    "f1": 0.5,
    "repaired": 2,
    "mode": "default",
    "per_type": {"PER": {"f1": 0.25, "support": 4}, "overall_f1": {"f1": 0.75, "support": 1}},
}


@pytest.fixture
def home(registry_home: Home) -> Home:
    return registry_home


@pytest.fixture
def registry(home: Home) -> Iterator[Registry]:
    with Registry.open(home, create=True) as registry:
        yield registry


def a_run(id_: str = "ner-1", **facts: Any) -> RunRecord:
    """Return a run of nothing special; each later in the alphabet is a minute younger."""
    given = {
        "task": "ner",
        "kind": "token",
        "data": "wnut17",
        "model": "bundled",
        "metric": "seqeval",
        "metric_key": "f1",
        "labelkit": "0.1.0",
        "seed": 1,
        "started": START,
    }
    return RunRecord(id=id_, **{**given, **facts})


def a_checkpoint(registry: Registry, run: str, name: str, *, step: int = 1, best: bool = False) -> Path:
    folder = registry.home.runs / run / name
    folder.mkdir(parents=True, exist_ok=True)
    files = {"model.safetensors": (90_000_000_000, "ab" * 32), "config.json": (9, "cd" * 32)}
    registry.recorder.log_checkpoint(run, folder, step=step, epoch=1.0, best=best, files=files)
    return folder


class TestRegistryContract:
    def test_everything_given_at_the_start_comes_back(self, registry: Registry) -> None:
        record = a_run(
            name="first",
            group="seeds-1",
            recipe="quickstart",
            synthetic=True,
            seed=2**40,
            model_revision="abc",
            model_sha256="53aa",
            device_type="cuda",
            device_name="H200",
            device_count=2,
            precision="bf16",
            driver="570.1",
            peak_memory=2**37,
            git_commit="10db718",
            git_dirty=True,
            schema={"ner": {"types": ["é", "b"], "scheme": "IOB2"}},
            plan=(PlanValue.of("data.ref", "wnut17", "flag"), PlanValue.of("train.lr", 2e-4, "recipe")),
            versions=(VersionRecord(kind="plugin", name="labelkit", version="0.1.0"),),
            splits=(SplitRecord(split="train", ref="wnut17", content_hash="ff", examples=3, words=7, carved=True),),
        )
        registry.recorder.start(record)
        shown = registry.runs.get(record.id)
        assert shown.record == record
        assert (shown.status, shown.ended, shown.seconds, shown.error) == ("running", None, None, None)

    def test_times_are_kept_as_the_same_moment(self, registry: Registry) -> None:
        there = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
        registry.recorder.start(a_run(started=there))
        assert registry.runs.get("ner-1").record.started == START
        assert registry.runs.search()[0].started.tzinfo is UTC

    def test_a_time_without_a_zone_is_refused(self, registry: Registry) -> None:
        with pytest.raises(RegistryError, match="without a time zone"):
            registry.recorder.start(a_run(started=START.replace(tzinfo=None)))

    def test_a_taken_id_is_refused_and_the_run_left_alone(self, registry: Registry) -> None:
        registry.recorder.start(a_run(data="first"))
        with pytest.raises(RegistryError, match="there is a run 'ner-1' already"):
            registry.recorder.start(a_run(data="second"))
        assert [run.data for run in registry.runs.search()] == ["first"]

    def test_a_record_that_fails_half_way_leaves_nothing(self, registry: Registry) -> None:
        twice = PlanValue.of("train.lr", 1)
        with pytest.raises(RegistryError, match=r"refuses this record.*plan_values"):
            registry.recorder.start(a_run(plan=(twice, twice)))
        assert registry.runs.search() == []

    def test_facts_learned_later_are_added_and_replaced(self, registry: Registry) -> None:
        before = a_run(plan=(PlanValue.of("a", 1, "auto"), PlanValue.of("b", 2)), schema={"old": 1})
        registry.recorder.start(before)
        changed = (PlanValue.of("a", 9, "flag"), PlanValue.of("c", 3))
        split = SplitRecord(split="test", ref="x", content_hash="00", examples=1, words=1)
        registry.recorder.update("ner-1", peak_memory=2**40, schema=None, plan=changed, splits=(split,))
        after = registry.runs.get("ner-1").record
        plan = (changed[0], before.plan[1], changed[1])
        assert after == replace(before, peak_memory=2**40, schema=None, plan=plan, splits=(split,))

    def test_figures_come_back_as_the_metric_gave_them(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        registry.recorder.log_metrics(
            "ner-1", task="ner", split="test", metrics=SCORES, step=7, epoch=1.5, chosen=True, train_loss=0.125
        )
        shown = registry.runs.get("ner-1")
        assert nested(shown.scores) == {"test": {"ner": SCORES}}
        assert nested(shown.metrics) == {"test": {"ner": SCORES}, "train": {"ner": {"loss": 0.125}}}
        assert {(row.step, row.epoch) for row in shown.metrics} == {(7, 1.5)}

    def test_a_figure_that_is_no_number_does_not_stop_the_run(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        metrics = {"f1": math.nan, "loss": math.inf, "table": [[1, 2]]}
        registry.recorder.log_metrics("ner-1", task="ner", split="test", metrics=metrics, step=1, epoch=1.0)
        found = {row.name: (row.value, row.text) for row in registry.runs.get("ner-1").metrics}
        assert found == {"f1": (None, None), "loss": (math.inf, None), "table": (None, "[[1, 2]]")}

    def test_scores_are_the_chosen_checkpoints_and_metrics_every_steps(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        for step, f1, chosen in [(1, 0.4, True), (2, 0.6, True), (3, 0.5, False)]:
            metrics = {"f1": f1, "per_type": {f"only-{step}": {"f1": f1}}}
            registry.recorder.log_metrics(
                "ner-1", task="ner", split="validation", metrics=metrics, step=step, epoch=step, chosen=chosen
            )
        shown = registry.runs.get("ner-1")
        assert nested(shown.scores)["validation"]["ner"] == {"f1": 0.6, "per_type": {"only-2": {"f1": 0.6}}}
        assert [(row.step, row.value) for row in shown.metrics if row.type is None] == [
            (1, 0.4),
            (2, 0.6),
            (3, 0.5),
        ]
        assert registry.runs.search()[0].validation == 0.6

    def test_scoring_a_step_again_replaces_its_figures(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        for f1 in (0.1, 0.2):
            registry.recorder.log_metrics(
                "ner-1", task="ner", split="validation", metrics={"f1": f1}, step=5, epoch=1.0
            )
        assert [row.value for row in registry.runs.get("ner-1").metrics] == [0.2]

    def test_best_and_last_move_to_newer_checkpoints(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        folders = [a_checkpoint(registry, "ner-1", f"step-{n}", step=n, best=n < 3) for n in (1, 2, 3)]
        shown = registry.runs.get("ner-1")
        assert [(one.step, one.best, one.last) for one in shown.checkpoints] == [
            (1, False, False),
            (2, True, False),
            (3, False, True),
        ]
        assert shown.best
        assert shown.best.files["model.safetensors"] == (90_000_000_000, "ab" * 32)
        assert shown.best.path == "runs/ner-1/step-2"
        assert registry.runs.checkpoint_folder("ner-1") == folders[1]

    def test_a_deleted_checkpoint_is_remembered_as_such(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        folder = a_checkpoint(registry, "ner-1", "best", best=True)
        registry.recorder.log_checkpoint_deletion(folder)
        shown = registry.runs.get("ner-1")
        assert shown.checkpoints[0].removed
        assert (shown.best, shown.last) == (None, None)
        with pytest.raises(RegistryError, match="has no checkpoint any more"):
            registry.runs.checkpoint_folder("ner-1")
        registry.recorder.log_checkpoint_deletion(folder)  # as after an interrupt in the middle of it
        with pytest.raises(RegistryError, match="no checkpoint is recorded at"):
            registry.recorder.log_checkpoint_deletion(folder.parent / "other")

    def test_a_folder_used_again_is_a_new_checkpoint(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        for step in (1, 2):
            a_checkpoint(registry, "ner-1", "best", step=step, best=True)
        old, new = registry.runs.get("ner-1").checkpoints
        assert (bool(old.removed), old.best, new.removed, new.best, new.step) == (True, False, None, True, 2)

    def test_a_checkpoint_outside_the_home_is_refused(self, registry: Registry, tmp_path: Path) -> None:
        registry.recorder.start(a_run())
        with pytest.raises(RegistryError, match="is not inside"):
            registry.recorder.log_checkpoint("ner-1", tmp_path / "x", step=1, epoch=1.0, best=True, files={})

    def test_moving_the_home_loses_nothing(self, home: Home, tmp_path: Path) -> None:
        with Registry.open(home, create=True) as registry:
            registry.recorder.start(a_run())
            a_checkpoint(registry, "ner-1", "best", best=True)
        moved = replace(home, root=tmp_path / "elsewhere" / "home")
        moved.root.parent.mkdir()
        shutil.move(home.root, moved.root)
        for create in (False, True):
            with Registry.open(moved, create=create) as registry:
                assert registry.runs.checkpoint_folder("ner-1") == moved.runs / "ner-1" / "best"
        with Registry.open(moved, create=False) as registry:
            checkpoint = registry.runs.get("ner-1").checkpoints[0]
        assert checkpoint.root == str(moved.root)

    def test_a_checkpoint_of_another_home_is_elsewhere(self, home: Home, tmp_path: Path) -> None:
        url = home.url or f"sqlite:///{tmp_path / 'shared.db'}"
        with Registry.open(replace(home, url=url), create=True) as registry:
            registry.recorder.start(a_run())
            a_checkpoint(registry, "ner-1", "best", best=True)
        with Registry.open(Home(root=tmp_path / "other", url=url), create=True) as registry:
            checkpoint = registry.runs.get("ner-1").checkpoints[0]
            assert checkpoint.folder is None
            assert checkpoint.place == f"elsewhere ({checkpoint.host}:{home.root})"
            with pytest.raises(RegistryError, match=r"the checkpoint of 'ner-1' is elsewhere"):
                registry.runs.checkpoint_folder("ner-1")

    def test_a_run_ends_once(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        registry.recorder.finish("ner-1", "failed", seconds=2.5, error="no memory", hint="smaller batches")
        with pytest.raises(RegistryError, match="'ner-1' has ended already: failed"):
            registry.recorder.finish("ner-1", "finished", seconds=9.0)
        shown = registry.runs.get("ner-1")
        assert (shown.status, shown.seconds, shown.error, shown.hint) == (
            "failed",
            2.5,
            "no memory",
            "smaller batches",
        )
        assert shown.ended
        assert shown.ended.tzinfo is UTC

    def test_nothing_is_recorded_of_a_run_that_was_never_started(self, registry: Registry) -> None:
        for record in (
            lambda: registry.recorder.finish("x", "finished", seconds=1.0),
            lambda: registry.recorder.update("x", precision="fp32"),
            lambda: registry.recorder.heartbeat("x"),
            lambda: registry.recorder.log_metrics("x", task="t", split="test", metrics={"f1": 1}, step=1, epoch=1.0),
            lambda: registry.recorder.log_checkpoint("x", registry.home.runs, step=1, epoch=1.0, best=True, files={}),
            lambda: registry.runs.get("x"),
            lambda: registry.runs.checkpoint_folder("x"),
        ):
            with pytest.raises(RegistryError, match="no run 'x' in the registry"):
                record()

    def test_a_sign_of_life_is_recorded(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        assert registry.runs.search()[0].heartbeat == START
        registry.recorder.heartbeat("ner-1")
        assert registry.runs.search()[0].heartbeat > START

    def test_runs_are_listed_newest_first(self, registry: Registry) -> None:
        for minutes, (id_, task) in enumerate([("b", "ner"), ("a", "pos"), ("c", "ner")]):
            registry.recorder.start(
                a_run(id_, task=task, group=f"g{minutes}", started=START + timedelta(minutes=minutes))
            )
        registry.recorder.finish("b", "interrupted", seconds=1.0)
        assert [run.id for run in registry.runs.search()] == ["c", "a", "b"]
        assert [run.id for run in registry.runs.search(limit=2)] == ["c", "a"]
        registry.recorder.heartbeat("c")
        assert [run.id for run in registry.runs.search(task="ner", status="running")] == ["c"]
        assert [run.id for run in registry.runs.search(group="g1")] == ["a"]

    def test_the_key_figures_of_a_list_are_of_the_runs_own_metric(self, registry: Registry) -> None:
        registry.recorder.start(a_run(metric_key="accuracy"))
        metrics = {"f1": 0.1, "accuracy": 0.9, "per_type": {"PER": {"accuracy": 0.2}}}
        only_a_type = {"f1": 0.3, "per_type": {"PER": {"accuracy": 0.2}}}
        for split, scores in (("validation", only_a_type), ("test", metrics)):
            registry.recorder.log_metrics(
                "ner-1", task="ner", split=split, metrics=scores, step=1, epoch=1.0, chosen=True
            )
        (run,) = registry.runs.search()
        assert (run.validation, run.test) == (None, 0.9)

    def test_every_way_to_end_can_be_recorded(self, registry: Registry) -> None:
        for status in get_args(events.Status):
            registry.recorder.start(a_run(status))
            registry.recorder.finish(status, status, seconds=1.0)
        assert {run.status for run in registry.runs.search()} == set(get_args(events.Status))

    @pytest.mark.parametrize(
        "text", ["naïve Ωμέγα 漢字", "👩🏽‍🚀 emoji", "a\nb\tc", "'; DROP TABLE runs; --", "%s %(x)s :y ?", "\\"]
    )
    def test_any_text_comes_back_as_it_was(self, registry: Registry, text: str) -> None:
        record = a_run(name=text, command=text, schema={text: [text]}, plan=(PlanValue(key=text, text=text),))
        registry.recorder.start(record)
        registry.annotations.add_note("ner-1", text)
        registry.recorder.log_metrics("ner-1", task="ner", split="test", metrics={text: text}, step=1, epoch=1.0)
        registry.recorder.finish("ner-1", "failed", seconds=1.0, error=text)
        shown = registry.runs.get(registry.runs.find(text).id)
        assert shown.record == record
        assert (shown.error, shown.notes[0].text) == (text, text)
        assert [(row.name, row.text) for row in shown.metrics] == [(text, text)]

    @pytest.mark.parametrize(("text", "kept"), [("a\0b", r"a\x00b"), ("caf\udce9", r"caf\udce9")])
    def test_what_no_database_holds_is_kept_escaped(self, registry: Registry, text: str, kept: str) -> None:
        registry.recorder.start(a_run(name=text, schema={"ner": text}, plan=(PlanValue.of("k", text),)))
        registry.annotations.add_note("ner-1", text)
        shown = registry.runs.get(registry.runs.find(text).id)
        assert (shown.record.name, shown.record.plan[0].text, shown.notes[0].text) == (kept, kept, kept)
        assert shown.record.schema == {"ner": text}

    def test_a_setting_that_is_no_number_is_none(self, registry: Registry) -> None:
        registry.recorder.start(a_run(plan=(PlanValue.of("a", math.nan), PlanValue.of("b", math.inf))))
        assert [value.number for value in registry.runs.get("ner-1").record.plan] == [None, math.inf]

    def test_great_numbers_fit(self, registry: Registry) -> None:
        great = 2**63 - 1
        split = SplitRecord(split="train", ref="x", content_hash="00", examples=great, words=great)
        registry.recorder.start(a_run(seed=great, peak_memory=great, splits=(split,)))
        registry.recorder.log_metrics("ner-1", task="ner", split="test", metrics={"f1": 1e308}, step=great, epoch=1e300)
        shown = registry.runs.get("ner-1")
        assert (shown.record.seed, shown.record.peak_memory, shown.record.splits) == (great, great, (split,))
        assert [(row.step, row.epoch, row.value) for row in shown.metrics] == [(great, 1e300, 1e308)]

    def test_rows_are_sorted_alike_everywhere(self, registry: Registry) -> None:
        keys = ["B", "_", "a", "a.b", "a_b", "aB", "b", "é"]
        registry.recorder.start(a_run(plan=tuple(PlanValue.of(key, 1) for key in reversed(keys))))
        assert [value.key for value in registry.runs.get("ner-1").record.plan] == sorted(keys)

    def test_a_run_that_ended_goes_on_and_its_attempts_are_kept(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        registry.recorder.finish("ner-1", "failed", seconds=2.0, error="no memory")
        registry.recorder.resume("ner-1")
        with pytest.raises(RegistryError, match="is running"):
            registry.recorder.resume("ner-1")
        registry.recorder.finish("ner-1", "finished", seconds=3.0)
        shown = registry.runs.get("ner-1")
        assert (shown.status, shown.seconds, shown.error) == ("finished", 5.0, None)
        (before,) = shown.attempts
        assert (before.number, before.status, before.error) == (1, "failed", "no memory")
        assert before.ended <= before.resumed
        assert before.resumed.tzinfo is UTC
        with pytest.raises(RegistryError, match="is finished"):
            registry.recorder.resume("ner-1")

    def test_words_about_a_run_are_kept(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        registry.annotations.add_tags("ner-1", "paper", "b", "paper")
        registry.annotations.add_tags("ner-1", "b", "a")
        for text in ("first", "second"):
            registry.annotations.add_note("ner-1", text)
        shown = registry.runs.get("ner-1")
        assert shown.tags == ("a", "b", "paper")
        assert [note.text for note in shown.notes] == ["first", "second"]
        assert shown.notes[0].created.tzinfo is UTC

    def test_evaluations_are_counted_by_what_was_scored(self, registry: Registry) -> None:
        gold = {"task": "ner", "ref": "x", "split": "test", "content_hash": "ff", "examples": 3}
        split = SplitRecord(split="test", ref="x", content_hash="ff", examples=3, words=7)
        for run in ("ner-1", "ner-2"):
            registry.recorder.start(a_run(run, splits=(split,)))
        registry.recorder.log_metrics("ner-1", task="ner", split="test", metrics=SCORES, step=1, epoch=1.0, chosen=True)
        registry.recorder.log_evaluation("ner-2", metrics=SCORES, **gold)  # type: ignore[arg-type]
        registry.recorder.log_evaluation("ner-2", metrics={}, **{**gold, "content_hash": "00"})  # type: ignore[arg-type]
        first, second = registry.runs.get("ner-1"), registry.runs.get("ner-2")
        assert (first.test_scored, second.test_scored) == (2, 2)
        assert [one.source for one in first.evaluations] == ["run"]
        assert [one.content_hash for one in second.evaluations] == ["ff", "00"]
        assert nested(second.evaluations[0].figures) == {"test": {"ner": SCORES}}
        with pytest.raises(RegistryError, match="no run 'x' in the registry"):
            registry.recorder.log_evaluation("x", metrics={}, **gold)  # type: ignore[arg-type]

    def test_files_that_a_labeller_wrote_are_kept(self, registry: Registry, tmp_path: Path) -> None:
        registry.recorder.start(a_run())
        written = tmp_path / "out.conll"
        registry.recorder.log_output("ner-1", written, step=4, kind="labelled", size=2**40, sha256="ab", records=9)
        (output,) = registry.runs.get("ner-1").outputs
        assert (output.path, output.step, output.size, output.records) == (str(written), 4, 2**40, 9)
        assert output.created.tzinfo is UTC

    def test_what_was_pushed_is_kept_once(self, registry: Registry) -> None:
        registry.recorder.start(a_run())
        pushed = Publication(
            run="ner-1", step=4, endpoint="http://hub", repository="me/m", revision="main", commit_id="a" * 40
        )
        for _ in range(2):
            registry.recorder.log_publication(pushed)
        assert registry.runs.get("ner-1").publications == (pushed,)
        assert registry.lineage.origin_of_publication("me/m", "aaa").run == "ner-1"
