"""One run from a prepared plan to a tested, recorded checkpoint; also one that goes on where it stopped."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from labelkit import hardware
from labelkit.config.plan import Plan
from labelkit.errors import LabelkitError
from labelkit.events import Noted, RunEnded, RunStarted, Status
from labelkit.models import architectures
from labelkit.models import loading as model
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Group, Home, Registry, RegistryObserver, RunRecord, new_run_id
from labelkit.registry.liveness import BEAT_SECONDS
from labelkit.train import distributed
from labelkit.train import oom_recovery as memory
from labelkit.train.disk_space import check_disk_space, estimate_disk_space
from labelkit.train.fit import Fit
from labelkit.train.listeners import Emitter, Listener
from labelkit.train.preparation import PreparedRun
from labelkit.train.record import run_record
from labelkit.train.resolution import encode_splits, resolve_plan
from labelkit.train.resumption import differences, find_training_state, rewind
from labelkit.train.training_state import TrainingState

Metrics = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a finished run gives.

    :param metrics: split → task → figures, ``per_type`` inside; of the chosen checkpoint.
    :param checkpoint: the folder of the chosen checkpoint.
    :param group: of several seeds, whose best run this is then.
    """

    run: str
    task: str
    status: Status
    metrics: Mapping[str, Mapping[str, Metrics]]
    checkpoint: Path
    seconds: float
    name: str | None = None
    synthetic: bool = False
    group: Group | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        content = {**asdict(self), "checkpoint": str(self.checkpoint)}
        if self.group is None:
            del content["group"]
        return content


@model.silence_transformers()
def train(
    prepared: PreparedRun,
    catalog: Catalog,
    home: Home,
    *,
    listeners: Sequence[Listener] = (),
    warn: Callable[[str], object] = lambda line: None,
    group: str | None = None,
    note: str | None = None,
    at_step: int | None = None,
) -> RunResult:
    """Train, select on validation, score test once, and record everything.

    A run that is ``prepared`` to be resumed goes on from its newest state, or from its beginning where it has none.

    :param listeners: hear the events of the run.
    :param warn: told of what is odd without stopping the run.
    :param group: what it shares with other runs.
    :param note: goes into its record.
    :param at_step: stop after this step in place of ``train.max_minutes``.
    :raises LabelkitError: what stopped it; the run is recorded as failed, or as interrupted after Ctrl-C.
    """
    started = time.monotonic()
    emit = Emitter(listeners, catalog.observers(), warn)
    plan, device = resolve_plan(prepared)
    run = prepared.resumes.record.id if prepared.resumes else new_run_id(plan.task.name)
    record = replace(run_record(run, plan, device, prepared, catalog), group=group)
    if not prepared.resumes:
        check_disk_space(estimate_disk_space(prepared, plan), home)
    state = find_training_state(run, home) if prepared.resumes else None
    with Registry.open(home, create=True) as registry:
        _begin(registry, prepared, record, state, warn)
        emit.add_first(RegistryObserver(registry))
        with _ended(run, emit, started), _alive(registry, run), _measured(registry, run, device):
            emit(RunStarted(run=run, task=plan.task.name, plan=plan.as_dict()))
            for said in _worth_noting(note, prepared, plan):
                emit(Noted(run=run, text=said))
            if prepared.resumes:
                state = find_training_state(run, home)  # again: gc could remove it before the run was running
                rewind(registry, run, home, state)
            ready = encode_splits(run, plan, device, prepared, home, emit)
            with memory.explain_out_of_memory():
                kept, metrics = Fit(ready, emit, state, at_step=at_step).run()
    return RunResult(
        run=run,
        task=plan.task.name,
        status="finished",
        metrics={split: {plan.task.name: figures} for split, figures in metrics.items()},
        checkpoint=kept.path,
        seconds=time.monotonic() - started,
        name=plan.name,
        synthetic=prepared.corpus.synthetic,
    )


def _begin(
    registry: Registry,
    prepared: PreparedRun,
    record: RunRecord,
    state: TrainingState | None,
    warn: Callable[[str], object],
) -> None:
    """Record that the run begins, or goes on: then also say what is not as it was."""
    if prepared.resumes is None:
        registry.recorder.start(record)
        return
    for line in _notes(prepared.resumes.record, record, state):
        warn(line)
    registry.recorder.resume(record.id)


def _worth_noting(note: str | None, prepared: PreparedRun, plan: Plan) -> list[str]:
    """Return what goes into the record of the run in words."""
    together = f"{distributed.world_size()} processes train together" if distributed.world_size() > 1 else None
    found = (note, together, *architectures.warnings(prepared.encoder.folder, plan.task.kind))
    return [said for said in found if said]


@model.silence_transformers()
def train_worker(prepared: PreparedRun, home: Home) -> None:
    """Train along with the process that leads and keeps the record, see :mod:`labelkit.train.distributed`.

    :raises LabelkitError: what stopped this process.
    """
    plan, device = resolve_plan(prepared)
    run = prepared.resumes.record.id if prepared.resumes else "follower"
    state = find_training_state(run, home) if prepared.resumes else None
    ready = encode_splits(run, plan, device, prepared, home, emit=lambda event: None)
    Fit(ready, lambda event: None, state).follow()


def _notes(before: RunRecord, now: RunRecord, state: TrainingState | None) -> Iterator[str]:
    """Yield what the user should know of a run that goes on."""
    yield from differences(before, now)
    if state is None:
        yield "no state of this run was kept: it starts from its beginning"


@contextlib.contextmanager
def _ended(run: str, emit: Emitter, started: float) -> Iterator[None]:
    """Say how the run ended, whichever way that is."""

    def end(status: Status, error: str | None = None, hint: str | None = None) -> None:
        emit(RunEnded(run=run, status=status, seconds=time.monotonic() - started, error=error, hint=hint))

    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(LabelkitError):
            end("interrupted", "interrupted")
        raise
    except BaseException as error:
        hint = error.hint if isinstance(error, LabelkitError) else None
        message = error.message if isinstance(error, LabelkitError) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(LabelkitError):  # the registry may be what failed; the first error tells more
            end("failed", message, hint)
        raise
    end("finished")


@contextlib.contextmanager
def _alive(registry: Registry, run: str) -> Iterator[None]:
    """Show every now and then that the run lives, also while nothing else is recorded for long."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            with contextlib.suppress(LabelkitError):  # the run itself says what is wrong with the registry
                registry.recorder.heartbeat(run)

    thread = threading.Thread(target=beat, name="labelkit-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _measured(registry: Registry, run: str, device: hardware.Hardware) -> Iterator[None]:
    """Record the peak memory, however the run ends."""
    try:
        yield
    finally:
        with contextlib.suppress(LabelkitError):
            registry.recorder.update(run, peak_memory=hardware.peak_memory(device.type))
