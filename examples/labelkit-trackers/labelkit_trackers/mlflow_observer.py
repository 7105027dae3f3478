"""Log runs to an MLflow store in a SQLite file: the plan as parameters, scores as metrics, and how the run ends."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import labelkit
from labelkit import events
from labelkit_trackers.figures import figures_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

requires_labelkit = ">=0.1"
hook_api = 2

#: how a run of labelkit ends → how MLflow calls it
STATUSES = {"finished": "FINISHED", "interrupted": "KILLED"}
#: the tag that names the run of labelkit
TAG = "labelkit.run"
#: the longest value of a parameter
LIMIT = 500
#: the most parameters or metrics in a request
BATCH = 100


@dataclass(frozen=True)
class MlflowSettings:
    """Where runs are logged."""

    tracking_uri: Annotated[str | None, labelkit.Doc("MLflow store, e.g. sqlite:///mlflow.db; None: no log")] = None
    experiment: Annotated[str, labelkit.Doc("name of the MLflow experiment")] = "labelkit"

    def __post_init__(self) -> None:
        if self.tracking_uri is not None and not self.tracking_uri.startswith("sqlite:///"):
            raise ValueError(f"mlflow.tracking_uri '{self.tracking_uri}' is no SQLite file: write sqlite:///mlflow.db")


@dataclass(frozen=True)
class MlflowRun:
    """A run of MLflow that is logged to."""

    client: MlflowClient
    id: str

    @classmethod
    def start(cls, event: events.RunStarted, settings: MlflowSettings) -> MlflowRun:
        """Return a new run, or the one that this run of labelkit had before it was resumed."""
        from mlflow import MlflowClient

        client = MlflowClient(settings.tracking_uri)
        found = client.get_experiment_by_name(settings.experiment)
        experiment = found.experiment_id if found else client.create_experiment(settings.experiment)
        for run in client.search_runs([experiment], f"tags.`{TAG}` = '{event.run}'", max_results=1):
            client.update_run(run.info.run_id, status="RUNNING")
            return cls(client, run.info.run_id)
        created = client.create_run(experiment, run_name=event.run, tags={TAG: event.run, "task": event.task})
        return cls(client, created.info.run_id)

    def log_plan(self, event: events.RunStarted) -> None:
        """Log every setting as a parameter; of a resumed run they are there."""
        from mlflow.entities import Param

        known = self.client.get_run(self.id).data.params
        texts = {key: _text(entry["value"])[:LIMIT] for key, entry in event.plan.items() if key not in known}
        params = [Param(key, text) for key, text in texts.items()]
        for start in range(0, len(params), BATCH):
            self.client.log_batch(self.id, params=params[start : start + BATCH])

    def log_scores(self, event: events.Scored) -> None:
        """Log the figures of an evaluation."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, event.step) for name, value in figures_of(event)]
        for start in range(0, len(metrics), BATCH):
            self.client.log_batch(self.id, metrics=metrics[start : start + BATCH])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)


#: run of labelkit → its run of MLflow, while it is under way
RUNS: dict[str, MlflowRun] = {}


@labelkit.hookimpl
def labelkit_settings() -> list[labelkit.Settings]:
    """Yield the settings ``mlflow.…``."""
    return [labelkit.Settings(name="mlflow", fields=MlflowSettings, summary="where runs are logged")]


@labelkit.hookimpl
def labelkit_event(event: events.Event, ctx: labelkit.RunContext) -> None:
    """Log the plan, scores and end of a run; other events pass, and made-up ones."""
    settings = ctx.settings_of(MlflowSettings)
    if ctx.trial or settings.tracking_uri is None:
        return
    if isinstance(event, events.RunStarted):
        RUNS[event.run] = MlflowRun.start(event, settings)
        RUNS[event.run].log_plan(event)
    elif isinstance(event, events.Scored):
        RUNS[event.run].log_scores(event)
    elif isinstance(event, events.RunEnded):
        run = RUNS.pop(event.run)
        run.client.set_terminated(run.id, STATUSES.get(event.status, "FAILED"))
