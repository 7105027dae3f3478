"""The events of a run, as they arrive in the registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from labelkit import events
from labelkit.registry import Home, Registry, RegistryObserver, RunRecord, nested

START = datetime(2025, 11, 21, 15, 30, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Return a registry in which the run ner-1 has begun."""
    facts: dict[str, Any] = {
        "task": "ner",
        "kind": "token",
        "data": "d",
        "model": "m",
        "metric": "s",
        "metric_key": "f1",
    }
    with Registry.open(Home(root=tmp_path / "home"), create=True) as registry:
        registry.recorder.start(RunRecord(id="ner-1", labelkit="0", seed=1, started=START, **facts))
        yield registry


def test_events_are_recorded(registry: Registry) -> None:
    folder = registry.home.runs / "ner-1" / "best"
    folder.mkdir(parents=True)
    observe = RegistryObserver(registry)
    scored = events.Scored(
        run="ner-1",
        split="validation",
        task="ner",
        step=4,
        epoch=1.0,
        metrics={"f1": 0.5},
        train_loss=0.25,
        best=True,
    )
    observe(events.StepDone(run="ner-1", step=4, epoch=1.0))
    observe(scored)
    observe(replace(scored, step=8, metrics={"f1": 0.4}, best=False))
    observe(replace(scored, split="test", metrics={"f1": 0.3}, train_loss=None, best=False))
    saved = events.CheckpointSaved(run="ner-1", path=folder, step=4, epoch=1.0, best=True, files={"a": (1, "ff")})
    observe(saved)
    observe(events.CheckpointRemoved(run="ner-1", path=folder))
    observe(events.RunEnded(run="ner-1", status="failed", seconds=2.0, error="e", hint="h"))
    shown = registry.runs.get("ner-1")
    assert nested(shown.scores) == {"validation": {"ner": {"f1": 0.5}}, "test": {"ner": {"f1": 0.3}}}
    assert [(row.step, row.name, row.value) for row in shown.metrics if row.split != "test"] == [
        (4, "loss", 0.25),
        (4, "f1", 0.5),
        (8, "loss", 0.25),
        (8, "f1", 0.4),
    ]
    assert shown.checkpoints[0].removed
    assert shown.checkpoints[0].files == {"a": (1, "ff")}
    assert (shown.status, shown.error, shown.hint) == ("failed", "e", "h")
