"""Recorded runs without training, whose checkpoints are real folders."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labelkit.events import Status
from labelkit.registry import Home, Registry, RunRecord
from labelkit.registry.run_lock import LOCK, hold_lock

START = datetime(2025, 11, 21, 15, 30, tzinfo=UTC)


def start(registry: Registry, id_: str = "ner-1", **facts: Any) -> str:
    """Record the start of a run, and return its id; with the id of another process, that held its lock and died."""
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
        "host": platform.node(),
    }
    registry.recorder.start(RunRecord(id=id_, **{**given, **facts}))
    if facts.get("pid", os.getpid()) != os.getpid():
        leave_lock(registry.home, id_)
    return id_


def leave_lock(home: Home, run: str) -> Path:
    """Leave the lock of a run as a killed process of this machine does, and return its file."""
    place = home.runs / run / LOCK
    with hold_lock(place.parent):
        content = place.read_bytes()
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    return place


def files_of(run: str, step: int) -> dict[str, bytes]:
    """Return the content of a checkpoint: the tokenizer is the same in all of them."""
    info = {"run": run, "step": step, "epoch": 1.0, "task": "ner"}
    return {
        "labelkit.json": json.dumps(info).encode(),
        "model.safetensors": f"weights of {run} at {step}".encode() * 1000,
        "tokenizer.json": b"{}",
    }


def save(
    registry: Registry, run: str, step: int = 1, *, best: bool = True, files: Mapping[str, bytes] | None = None
) -> Path:
    """Write a checkpoint, with its validation score of step / 10, and record both; return its folder."""
    folder = registry.home.runs / run / "checkpoints" / f"step-{step:06d}"
    folder.mkdir(parents=True)
    recorded = {}
    for name, content in (files or files_of(run, step)).items():
        (folder / name).write_bytes(content)
        recorded[name] = (len(content), hashlib.sha256(content).hexdigest())
    registry.recorder.log_metrics(
        run, task="ner", split="validation", metrics={"f1": step / 10}, step=step, epoch=float(step), chosen=best
    )
    registry.recorder.log_checkpoint(run, folder, step=step, epoch=float(step), best=best, files=recorded)
    return folder


def ended(registry: Registry, id_: str = "ner-1", status: Status = "finished", **facts: Any) -> str:
    """Record a run with one checkpoint, from start to end, and return its id."""
    start(registry, id_, **facts)
    save(registry, id_)
    registry.recorder.finish(id_, status, seconds=1.0)
    return id_


def write_output(registry: Registry, run: str, path: Path, content: bytes, step: int = 1) -> Path:
    """Write a labelled file and record it."""
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    registry.recorder.log_output(run, path, step=step, kind="labelled", size=len(content), sha256=sha256, records=3)
    return path


def on_disk(folder: Path) -> set[str]:
    """Return everything in ``folder``, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def fill(folder: Path) -> Path:
    """Write until nothing more fits, and return the file."""
    path = folder / "fill"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return path
