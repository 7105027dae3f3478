"""Train and record one run: prepare → resolve → fit → test, from its beginning or resumed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from labelkit.config.joint import JOINED_BY
from labelkit.config.plan import Plan
from labelkit.errors import LabelkitError
from labelkit.events import Noted, RunEnded, RunStarted, Status
from labelkit.hardware import peak_memory
from labelkit.models.architectures import warnings
from labelkit.models.loading import silence_transformers
from labelkit.plugins.catalog import Catalog
from labelkit.records import RunContext
from labelkit.records.html import score_tables
from labelkit.registry import Group, Home, Registry, RegistryObserver, RunRecord, new_run_id
from labelkit.registry.liveness import BEAT_SECONDS
from labelkit.registry.run_lock import RunLock, hold_lock
from labelkit.train import distributed
from labelkit.train.annotations import record_annotations
from labelkit.train.disk_space import check_disk_space, estimate_disk_space
from labelkit.train.fit import TrainingRun
from labelkit.train.listeners import Emitter, Listener
from labelkit.train.oom_recovery import explain_out_of_memory
from labelkit.train.preparation import PreparedRun
from labelkit.train.record import run_record
from labelkit.train.resolution import encode_splits, resolve
from labelkit.train.resumption import find_training_state, provenance_changes, rewind
from labelkit.train.training_state import TrainingState

Metrics = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunResult:
    """The result of a finished run.

    :param metrics: split → task → metrics of the best checkpoint, ``per_type`` inside.
    :param checkpoint: the folder of the best checkpoint.
    :param group: the group of several seeds, of which this is the best run.
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

    def __repr__(self) -> str:
        scores = {split: {task: headline(one) for task, one in tasks.items()} for split, tasks in self.metrics.items()}
        return f"RunResult(run={self.run!r}, task={self.task!r}, scores={scores}, checkpoint={str(self.checkpoint)!r})"

    def _repr_html_(self) -> str:
        """Return the scores as tables for notebooks."""
        parts = [
            score_tables(f"{split} ({task})", figures)
            for split, tasks in self.metrics.items()
            for task, figures in tasks.items()
        ]
        return "".join(parts) + f"<p>run {escape(self.run)}, {self.seconds:.0f} s: {escape(str(self.checkpoint))}</p>"

    def to_json(self) -> dict[str, Any]:
        """Return the content for JSON."""
        content = {**asdict(self), "checkpoint": str(self.checkpoint)}
        if self.group is None:
            del content["group"]
        return content

    def push(self, repository: str, **options: Any) -> Any:
        """Push the checkpoint to the Hugging Face Hub; see :func:`labelkit.push`.

        :param repository: ``org/name``.
        :raises LabelkitError: the token may not write, or the Hub refuses.
        """
        import labelkit

        home = self.checkpoint.parents[3]  # HOME/runs/ID/checkpoints/STEP
        return labelkit.push(self.run, repository, **{"home": home, **options})


def headline(figures: Metrics) -> dict[str, float]:
    """Return the few figures that say most, rounded."""
    wanted = [name for name in ("f1", "accuracy", "pearson", "mse") if isinstance(figures.get(name), int | float)]
    return {name: round(float(figures[name]), 4) for name in wanted[:2]}


@silence_transformers()
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
    run_id: str | None = None,
) -> RunResult:
    """Train a run, or resume it from its latest state, and record it.

    :param listeners: called with the events of the run; ``warn``: with its warnings.
    :param group: of runs that differ in their seed; ``note``: for the record of the run.
    :param at_step: stop after this step in place of ``train.max_minutes``; ``run_id``: the id of a new run.
    :raises LabelkitError: the run failed, recorded as failed or, after Ctrl-C, as interrupted.
    """
    started = time.monotonic()
    prepared, device = resolve(prepared)
    run = prepared.resumes.record.id if prepared.resumes else run_id or new_run_id(id_of_tasks(prepared.task))
    emit = Emitter(listeners, catalog.observers(_run_context(run, prepared.plan, home)), warn)
    record = run_record(run, device, prepared, catalog, group)
    state = find_training_state(run, home) if prepared.resumes else None
    if not prepared.resumes:
        check_disk_space(estimate_disk_space(prepared, prepared.plan), home)
    with Registry.open(home, create=True) as registry, hold_lock(home.runs / run) as lock:
        _start_or_resume(registry, prepared, record, state, lock, home, warn)
        emit.add_first(RegistryObserver(registry))
        with record_end(registry, run, device.type, emit, started), heartbeat(registry, run):
            _emit_start(run, prepared, note, emit)
            if prepared.resumes:  # find it again: gc could remove it until the run was recorded as running
                state = rewind(registry, run, home, find_training_state(run, home))
            resolved = encode_splits(run, device, prepared, home, emit, record.suppliers)
            check = partial(check_writable, registry, run, lock)
            with explain_out_of_memory():
                best, metrics = TrainingRun(resolved, emit, state, at_step=at_step, check_writable=check).fit_and_test()
            registry.check_in_place(best.path)
            registry.storage.share(run, warn)
    return RunResult(
        run=run,
        task=prepared.task,
        status="finished",
        metrics=metrics,
        checkpoint=best.path,
        seconds=time.monotonic() - started,
        name=prepared.plan.name,
        synthetic=prepared.synthetic,
    )


def id_of_tasks(task: str) -> str:
    """Return the name of a task, or the joined ones of several, as it begins the id of a run.

    >>> id_of_tasks("ner+pos")
    'ner-pos'
    """
    return task.replace(JOINED_BY, "-")


def _run_context(run: str, plan: Plan, home: Home) -> RunContext:
    ctx = plan.context
    return RunContext(folder=home.runs / run, offline=ctx.offline, trial=ctx.trial, plugin_settings=ctx.plugin_settings)


def _start_or_resume(
    registry: Registry,
    prepared: PreparedRun,
    record: RunRecord,
    state: TrainingState | None,
    lock: RunLock,
    home: Home,
    warn: Callable[[str], object],
) -> None:
    """Record that the run starts, or is resumed, after warnings of what has changed."""
    if prepared.resumes is None:
        registry.recorder.start(record, takes_name=prepared.takes_name)
        record_annotations(record.id, prepared.annotations, registry, home)
        return
    for change in provenance_changes(prepared.resumes.record, record):
        warn(change)
    if state is None:
        warn("no state of this run was saved: it starts from its beginning")
    registry.recorder.resume(record.id, lock=lock.before)


def check_writable(registry: Registry, run: str, lock: RunLock) -> None:
    """Raise if this process may not write the checkpoints and states of a run any more.

    :raises RegistryError: the run was deleted, or another process has resumed it.
    :raises StorageError: its folder was moved or deleted.
    """
    lock.check()
    registry.recorder.check_attempt(run)


def _emit_start(run: str, prepared: PreparedRun, note: str | None, emit: Emitter) -> None:
    plan = {key: {"value": value, "from": origin} for key, (value, origin) in prepared.entries.items()}
    emit(RunStarted(run=run, task=prepared.task, plan=plan))
    processes = distributed.world_size()
    together = f"{processes} processes train together" if processes > 1 else None
    kinds = dict.fromkeys(one.plan.task.kind for one in prepared.of_tasks)
    warned = dict.fromkeys(line for kind in kinds for line in warnings(prepared.encoder.folder, kind))
    for text in (note, prepared.continued, together, *warned):
        if text:
            emit(Noted(run=run, text=text))


@silence_transformers()
def train_worker(prepared: PreparedRun, home: Home) -> None:
    """Train along with the main process, which alone keeps the record, see :mod:`labelkit.train.distributed`.

    :raises LabelkitError: this process failed.
    """
    prepared, device = resolve(prepared)
    run = prepared.resumes.record.id if prepared.resumes else "follower"
    state = find_training_state(run, home) if prepared.resumes else None
    resolved = encode_splits(run, device, prepared, home, emit=lambda event: None)
    TrainingRun(resolved, lambda event: None, state).fit()


@contextlib.contextmanager
def record_end(registry: Registry, run: str, device: str, emit: Emitter, started: float) -> Iterator[None]:
    """Record the peak memory of a run, and how it ended: finished, interrupted or failed.

    :param device: ``"cpu"`` or ``"cuda"``.
    :param started: on the monotonic clock.
    """
    status: Status = "finished"
    message: str | None = None
    hint: str | None = None
    # the registry may be what failed, so its errors are suppressed: the first error says more
    try:
        try:
            yield
        finally:
            with contextlib.suppress(LabelkitError):
                registry.recorder.update(run, peak_memory=peak_memory(device))
    except KeyboardInterrupt:
        status, message = "interrupted", "interrupted"
        raise
    except LabelkitError as error:
        status, message, hint = "failed", error.message, error.hint
        raise
    except BaseException as error:
        status, message = "failed", f"{type(error).__name__}: {error}"
        raise
    finally:
        with contextlib.nullcontext() if status == "finished" else contextlib.suppress(LabelkitError):
            seconds = time.monotonic() - started
            emit(RunEnded(run=run, status=status, seconds=seconds, error=message, hint=hint))


@contextlib.contextmanager
def heartbeat(registry: Registry, run: str) -> Iterator[None]:
    """Record the heartbeat of a run from a thread, also while nothing else is recorded for long."""
    over = threading.Event()

    def beat() -> None:
        # the first at once, as a new record has the time of this machine, not of the database
        while True:
            with contextlib.suppress(LabelkitError):  # the run itself reports an error of the registry
                registry.recorder.heartbeat(run)
            if over.wait(BEAT_SECONDS):
                return

    thread = threading.Thread(target=beat, name="labelkit-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
