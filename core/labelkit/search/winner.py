"""Retrain the winner of a search and the default recipe over fresh seeds, and return the gain on test."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelkit.config.plan import Setting
from labelkit.config.validation import validate
from labelkit.errors import LabelkitError, TrainingError
from labelkit.metrics.scoring import is_better
from labelkit.registry import Registry, RunSummary
from labelkit.search.settings import ORIGIN, SearchSettings
from labelkit.search.study import SearchStudy
from labelkit.search.trials import Surroundings, resume_run, start_run, with_changes
from labelkit.search.worker import WAIT
from labelkit.train.preparation import PreparedRun

WINNER, DEFAULT = "winner", "default"
#: degrees of freedom → the 97.5% quantile of Student's t distribution
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """How much better one recipe is than another in runs with the same seeds.

    :param gain: the mean difference; positive where the first is better.
    :param interval: 95% CI of it, by Student's t distribution of the differences.
    """

    gain: float
    interval: tuple[float, float]

    @classmethod
    def of(cls, first: Sequence[float], second: Sequence[float], *, maximize: bool) -> Gain:
        """Return the gain of one recipe over another.

        :param first: the metric of one recipe by seed, and ``second`` of the other.

        >>> round(Gain.of([0.5, 0.6, 0.7], [0.4, 0.5, 0.6], maximize=True).gain, 6)
        0.1
        """
        sign = 1 if maximize else -1
        differences = [sign * (one - other) for one, other in zip(first, second, strict=True)]
        mean, freedom = statistics.fmean(differences), len(differences) - 1
        half = _T[min(freedom, len(_T)) - 1] * statistics.stdev(differences) / math.sqrt(len(differences))
        return cls(gain=mean, interval=(mean - half, mean + half))

    @property
    def better(self) -> bool:
        """Whether the first is better beyond chance."""
        return self.interval[0] > 0


def choose_winner(study: SearchStudy, settings: SearchSettings) -> dict[str, Any]:
    """Return the trial with the best metric on validation that was not pruned, the first of equals, for JSON.

    :raises LabelkitError: no trial finished.
    """
    finished = [(place, one) for place, one in sorted(study.held().items()) if one.state.name == "COMPLETE"]
    if not finished:
        raise TrainingError(
            "no trial finished, so there is no winner", hint="give the search more time: raise --minutes"
        )
    best, trial = finished[0]
    for place, one in finished[1:]:
        if is_better(_value(one), _value(trial), higher=settings.maximize):
            best, trial = place, one
    values = {key: domain.decode(trial.params[key]) for key, domain in settings.space.items() if key in trial.params}
    default = all(values.get(key, settings.defaults[key]) == settings.defaults[key] for key in settings.space)
    return {"place": best, "validation": _value(trial), "values": values, "default": default}


def _score(run: RunSummary, split: str, search: str) -> float:
    """Return the score of a finished run.

    :raises TrainingError: it has none, for example because its metric is not defined on the data.
    """
    found: float | None = getattr(run, split)
    if found is None:
        raise TrainingError(
            f"the run '{run.id}' has no score on {split}, so the gain is unknown",
            hint=f"labelkit runs rm {run.id}, then labelkit search --resume {search} trains it again",
        )
    return found


def _value(trial: Any) -> float:
    return float(trial.value)


class Retraining:
    """The runs of the winner and of the default recipe over fresh seeds, which processes share like trials.

    :param winner: what :func:`choose_winner` returned.
    """

    def __init__(
        self,
        name: str,
        settings: SearchSettings,
        winner: Mapping[str, Any],
        prepared: PreparedRun,
        around: Surroundings,
    ) -> None:
        self._name, self._settings, self._winner = name, settings, winner
        self._prepared, self._around = prepared, around
        first = settings.seed + 1  # the seed of the trials is not fresh
        validate("train.seed", first + settings.seeds - 1)
        self._seeds = range(first, first + settings.seeds)

    @property
    def groups(self) -> dict[str, str]:
        """Recipe → the group of its runs; the winner's alone where it is the default recipe."""
        groups = {WINNER: f"{self._name}-{self._winner['place']:03d}-seeds", DEFAULT: f"{self._name}-default-seeds"}
        return {DEFAULT: groups[DEFAULT]} if self._winner["default"] else groups

    def train(self) -> dict[str, Any]:
        """Train what is missing, wait for what other processes train, and return the scores and the gain, for JSON.

        :raises LabelkitError: a run failed.
        """
        waiting = False
        while missing := self._missing():
            mine = [one for one in missing if one[2] is None or one[2].shown in ("interrupted", "stale")]
            if mine:
                self._run(*mine[0])
                continue
            if not waiting:
                self._around.on_stage("waiting", "other processes retrain the winner")
            waiting = True
            time.sleep(WAIT)
        return self._result()

    def _run(self, recipe: str, seed: int, recorded: RunSummary | None) -> None:
        run = self._run_id(recipe, seed)
        what = "the winner" if recipe == WINNER else "the default recipe"
        self._around.on_stage("retraining", f"{what} with seed {seed}")
        try:
            if recorded is not None:
                resume_run(run, self._around)
                return
            changes = self._winner["values"] if recipe == WINNER else {}
            prepared = with_changes(self._prepared, self._settings, changes, self._around)
            fresh = {"train.seed": Setting(seed, ORIGIN), "train.score_test": Setting(True, ORIGIN)}
            if recipe == DEFAULT and not self._winner["default"]:  # only the winner is used
                fresh["train.onnx"] = Setting(False, ORIGIN)
            prepared = replace(prepared, plan=prepared.plan.updated(fresh))
            start_run(prepared, self._around, run=run, group=self.groups[recipe])
        except LabelkitError:
            found = self._runs().get(run)
            if found is None or found.shown not in ("running", "finished"):  # else another process was faster
                raise

    def _run_id(self, recipe: str, seed: int) -> str:
        return f"{self.groups[recipe]}-{seed}"

    def _runs(self) -> dict[str, RunSummary]:
        with Registry.open(self._around.home, create=False) as registry:
            found = [run for group in self.groups.values() for run in registry.runs.search(group=group)]
        return {run.id: run for run in found}

    def _missing(self) -> list[tuple[str, int, RunSummary | None]]:
        """Return recipe, seed and record of the runs that have not finished, seed by seed.

        :raises TrainingError: a run failed.
        """
        runs = self._runs()
        missing = []
        for seed in self._seeds:
            for recipe in self.groups:
                run = runs.get(self._run_id(recipe, seed))
                if run is not None and run.status == "failed":
                    raise TrainingError(
                        f"the run '{run.id}' failed: {run.error}",
                        hint=f"labelkit run --resume {run.id}, then labelkit search --resume {self._name}",
                    )
                if run is None or run.status != "finished":
                    missing.append((recipe, seed, run))
        return missing

    def _result(self) -> dict[str, Any]:
        runs = self._runs()
        split = "test" if "test" in self._prepared.corpus.splits else "validation"
        scores = {
            recipe: [_score(runs[self._run_id(recipe, seed)], split, self._name) for seed in self._seeds]
            for recipe in self.groups
        }
        found: dict[str, Any] = {
            "split": split,
            "seeds": list(self._seeds),
            "scores": scores,
            "groups": self.groups,
            "gain": None,
            "interval": None,
            "better": False,
        }
        if WINNER in scores:
            gain = Gain.of(scores[WINNER], scores[DEFAULT], maximize=self._settings.maximize)
            found |= {"gain": gain.gain, "interval": list(gain.interval), "better": gain.better}
        return found
