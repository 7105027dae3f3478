"""A search called ``s`` whose runs are made up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from labelkit.config.environment import Environment
from labelkit.config.plan import Request, make_plan
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, PlanValue, Registry, RunRecord, SearchRecord
from labelkit.registry.liveness import STALE_AFTER, now
from labelkit.search.domains import Choices, Range, Space
from labelkit.search.settings import SearchSettings, searched_plan
from labelkit.search.study import SearchStudy
from labelkit.search.trials import Surroundings
from labelkit.search.worker import Worker
from labelkit.train.preparation import PreparedRun

SPACE: Space = {
    "train.learning_rate": Range(low=1e-5, high=1e-3, log=True),
    "train.label_smoothing_factor": Choices(choices=(0.0, 0.1)),
}
LONG_AGO = (now() - 2 * STALE_AFTER).isoformat()


@dataclass
class MadeUp:
    """Records runs in place of training them.

    :param fails: which runs fail; ``kills``: which kill their process.
    :param unscored: runs finish without scores.
    """

    home: Home
    fails: Mapping[str, Exception] = field(default_factory=dict)
    kills: set[str] = field(default_factory=set)
    unscored: bool = False
    started: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)

    def start(self, prepared: Any, around: Surroundings, *, run: str, group: str) -> None:
        plan = prepared.plan
        self.started.append(run)
        record = RunRecord(
            id=run, task="ner", kind="token", data="d", model="m", metric="seqeval", metric_key="f1", labelkit="0",
            seed=plan.train.seed, group=group,
            plan=tuple(PlanValue.of(key, *one) for key, one in plan.entries().items()),
        )  # fmt: skip
        with Registry.open(self.home, create=True) as registry:
            registry.recorder.start(record)
        if run in self.kills:
            self.kills.discard(run)
            raise KeyboardInterrupt
        self.finish(run, plan.train.learning_rate, test=plan.train.score_test)

    def resume(self, run: str, around: Surroundings, callbacks: tuple[Any, ...] = ()) -> None:
        self.resumed.append(run)
        with Registry.open(self.home, create=True) as registry:
            (rate,) = (one.number for one in registry.runs.get(run).record.plan if one.key == "train.learning_rate")
            registry.recorder.resume(run)
        self.finish(run, rate or 0.0, test=False)

    def finish(self, run: str, rate: float, *, test: bool) -> None:
        with Registry.open(self.home, create=True) as registry:
            if (error := self.fails.get(run)) is not None:
                registry.recorder.resume(run) if run in self.resumed else None
                registry.recorder.finish(run, "failed", seconds=1.0, error=str(error))
                raise error
            score: dict[str, Any] = {
                "metrics": {"f1": rate * 100},
                "task": "ner",
                "step": 1,
                "epoch": 1.0,
                "chosen": True,
            }
            if not self.unscored:
                registry.recorder.log_metrics(run, split="validation", **score)
            if test:
                registry.recorder.log_metrics(run, split="test", **score)
            registry.recorder.finish(run, "finished", seconds=1.0)


@dataclass
class Process:
    """What one process has of a search."""

    settings: SearchSettings
    prepared: Any
    around: Surroundings
    study: SearchStudy

    def work(self, **options: Any) -> None:
        Worker("s", self.settings, self.study, self.prepared, self.around, **options).work()


def process(home: Home, catalog: Catalog, *, new: bool = True, **options: Any) -> Process:
    """Return a process of a search called ``s``, which the first one records."""
    plan = make_plan(Request(task="ner", overrides={"train.learning_rate": (2e-4, "--lr")}), catalog)
    corpus = SimpleNamespace(splits={"test": SimpleNamespace(content_hash="f")})
    prepared: Any = PreparedRun(plan=plan, corpus=corpus, encoder=None)  # type: ignore[arg-type]
    chosen: dict[str, Any] = {"sampler": "tpe", "pruner": "none", "trials": 4, "seeds": 3, "space": SPACE, **options}
    settings = SearchSettings.of(prepared, plan, chosen.pop("space"), **chosen)
    prepared = replace(prepared, plan=searched_plan(plan))
    if new:
        with Registry.open(home, create=True) as registry:
            registry.searches.start(SearchRecord(name="s", task="ner", settings=settings.to_json()))
    around = Surroundings(catalog=catalog, environment=Environment(), home=home)
    return Process(settings, prepared, around, SearchStudy.of(home, "s", settings))


def ended_process() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def runs_of(home: Home, group: str = "s") -> list[tuple[str, str]]:
    with Registry.open(home, create=False) as registry:
        return sorted((run.id, run.shown) for run in registry.runs.search(group=group))


def recorded(home: Home) -> SearchRecord:
    with Registry.open(home, create=False) as registry:
        return registry.searches.get("s")


NAMES = [f"s-{place:03d}" for place in range(4)]
FINISHED = [(name, "finished") for name in NAMES]
