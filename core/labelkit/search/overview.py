"""What a search has found so far: its trials, the importances of settings, and the result."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
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

    :param run: the id of its run.
    :param recorded: the run is in the registry: it has begun, and was not deleted.
    :param values: the values of the searched settings.
    :param value: the metric on validation.
    :param pruned_at: the evaluation after which it was pruned.
    """

    place: int
    run: str
    recorded: bool
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
    with closing(SearchStudy.of(home, record.name, settings)) as study:
        held, importances = study.held(), study.importances(settings.space)
    with Registry.open(home, create=False) as registry:
        runs = {run.id: run for run in registry.runs.search(group=record.name)}
    trials = tuple(
        _trial(place, trial, runs.get(trial_run(record.name, place)), record.name, settings)
        for place, trial in sorted(held.items())
    )
    return SearchOverview(record=record, settings=settings, trials=trials, importances=importances)


def _trial(place: int, trial: Any, run: RunSummary | None, search: str, settings: SearchSettings) -> TrialOverview:
    stopped = run is not None and run.shown in ("interrupted", "stale")
    values = {key: domain.decode(trial.params[key]) for key, domain in settings.space.items() if key in trial.params}
    if settings.is_default(place):
        values |= {key: settings.defaults[key] for key in settings.unfit_defaults}
    return TrialOverview(
        place=place,
        run=trial_run(search, place),
        recorded=run is not None,
        state=_STATES.get(trial.state.name, "stopped" if stopped else "running"),
        default=settings.is_default(place),
        values=values,
        value=run.validation if run else None,
        pruned_at=pruned_at(trial),
        seconds=run.seconds if run else None,
        error=error_of(trial) or (run.error if run else None),
    )


def result_lines(result: Mapping[str, Any], metric: str) -> list[str]:
    """Return the result of a search in sentences."""
    winner, retrained = result["winner"], result.get("retrained")
    named = f"trial {winner['place']}, {metric} {winner['validation']:.4f} on validation"
    if winner["default"]:
        lines = [f"no better than the default: the winner is the default recipe ({named})"]
    else:
        lines = [f"winner: {named}"]
    if retrained is None:
        return [*lines, "it has not been retrained yet"]
    seeds = ", ".join(map(str, retrained["seeds"]))
    for recipe, scores in retrained["scores"].items():
        mean = sum(scores) / len(scores)
        lines.append(f"{recipe}: {metric} {mean:.4f} on {retrained['split']}, mean of seeds {seeds}")
    if retrained["gain"] is not None:
        low, high = retrained["interval"]
        verdict = "better than the default" if retrained["better"] else "no better than the default"
        lines.append(f"{verdict}: gain {retrained['gain']:+.4f}, 95% CI [{low:+.4f}, {high:+.4f}]")
    if retrained["split"] != "test":
        lines.append("the data has no test split: these are scores on validation, which chose the winner")
    return lines


def setting_text(value: object) -> str:
    """Return the value of a setting, a number with three digits."""
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
