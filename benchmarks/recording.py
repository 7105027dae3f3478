"""Records runs with labelkit or with MLflow, with the same calls, and says how many a second.

``registry.py recording`` runs this file once per turn, with the Python of each. A call returns when its record is on
the disk: labelkit's SQLite file syncs every commit, and so does MLflow's own SQLite store.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARAMETERS = {f"parameter{index}": index * 0.5 for index in range(20)}
STEPS = 5
METRICS = {f"metric{index}": index / 7 for index in range(6)}


def labelkit(folder: Path) -> Callable[[int], None]:
    """Return what records a run in labelkit."""
    from labelkit.registry import Home, PlanValue, Registry, RunRecord

    registry = Registry.open(Home(root=folder / "home"), create=True)
    facts: dict[str, Any] = {"task": "ner", "kind": "token", "data": "d", "model": "m", "labelkit": "0", "seed": 1}

    def record(number: int) -> None:
        run = f"ner-{number}"
        registry.recorder.start(RunRecord(id=run, metric="seqeval", metric_key="metric0", **facts))
        registry.recorder.update(run, plan=tuple(PlanValue.of(name, value) for name, value in PARAMETERS.items()))
        for step in range(STEPS):
            registry.recorder.log_metrics(run, task="ner", split="validation", metrics=METRICS, step=step, epoch=step)
        registry.recorder.finish(run, "finished", seconds=1.0)

    return record


def mlflow(folder: Path) -> Callable[[int], None]:
    """Return what records a run in MLflow, by its client: without what its fluent interface adds."""
    from mlflow import MlflowClient  # type: ignore[import-not-found, unused-ignore]
    from mlflow.entities import Metric, Param  # type: ignore[import-not-found, unused-ignore]

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.create_experiment("ner", artifact_location=str(folder / "artifacts"))

    def record(number: int) -> None:
        run = client.create_run(experiment, run_name=f"ner-{number}").info.run_id
        client.log_batch(run, params=[Param(name, str(value)) for name, value in PARAMETERS.items()])
        for step in range(STEPS):
            moment = int(time.time() * 1000)
            client.log_batch(run, metrics=[Metric(name, value, moment, step) for name, value in METRICS.items()])
        client.set_terminated(run)

    return record


def main() -> None:
    """Print the runs per second of ``labelkit`` or ``mlflow``: the first, which makes tables, does not count."""
    which, runs = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        record = {"labelkit": labelkit, "mlflow": mlflow}[which](Path(folder))
        record(0)
        start = time.perf_counter()
        for number in range(1, runs + 1):
            record(number)
        print(runs / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
