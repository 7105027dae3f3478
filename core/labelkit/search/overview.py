"""What a search has found so far: its trials, the importances of settings, and the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from labelkit.registry import Home, Registry, RunSummary, SearchRecord
from labelkit.search.settings import SearchSettings
from labelkit.search.storage import require_optuna
from labelkit.search.study import SearchStudy, error_of, pruned_at
from labelkit.search.worker import trial_run

#: ``stopped``: its run can be resumed
TrialState = Literal["finished", "pruned", "failed", "running", "stopped"]
_STATES: Mapping[str, TrialState] = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOverview:
    """A trial.

    :param run: the id of its run, which may not be recorded yet.
    :param values: the values of the searched settings.
    :param value: the metric on validation.
    :param pruned_at: the evaluation after which it was pruned.
    """

    place: int
    run: str
    state: TrialState
    default: bool
    values: Mapping[str, Any]
    value: float | None
    pruned_at: int | None
    seconds: float | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOverview:
    """A search, with its trials in the order of their places."""

    record: SearchRecord
    settings: SearchSettings
    trials: tuple[TrialOverview, ...]
    importances: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the content for JSON."""
        settings = self.settings
        return {
            "search": self.record.name,
            "task": settings.task,
            "metric": settings.metric,
            "space": {key: str(domain) for key, domain in settings.space.items()},
            "sampler": settings.sampler,
            "pruner": settings.pruner,
            "trials": [{name: getattr(one, name) for name in one.__dataclass_fields__} for one in self.trials],
            "importances": dict(self.importances),
            "result": self.record.result,
        }


def overview(home: Home, record: SearchRecord) -> SearchOverview:
    """Return what a search has found so far.

    :raises LabelkitError: Optuna is missing, or the database refuses.
    """
    require_optuna()
    settings = SearchSettings.from_record(record)
    study = SearchStudy.of(home, record.name, settings)
    with Registry.open(home, create=False) as registry:
        runs = {run.id: run for run in registry.runs.search(group=record.name)}
    trials = tuple(
        _trial(place, trial, runs.get(trial_run(record.name, place)), record.name, settings)
        for place, trial in sorted(study.held().items())
    )
    return SearchOverview(
        record=record, settings=settings, trials=trials, importances=study.importances(settings.space)
    )


def _trial(place: int, trial: Any, run: RunSummary | None, search: str, settings: SearchSettings) -> TrialOverview:
    stopped = run is not None and run.shown in ("interrupted", "stale")
    values = {key: domain.decode(trial.params[key]) for key, domain in settings.space.items() if key in trial.params}
    if settings.is_default(place):
        values |= {key: settings.defaults[key] for key in settings.unfit_defaults}
    return TrialOverview(
        place=place,
        run=trial_run(search, place),
        state=_STATES.get(trial.state.name, "stopped" if stopped else "running"),
        default=settings.is_default(place),
        values=values,
        value=run.validation if run else None,
        pruned_at=pruned_at(trial),
        seconds=run.seconds if run else None,
        error=error_of(trial) or (run.error if run else None),
    )
