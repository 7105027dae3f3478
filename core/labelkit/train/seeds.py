"""Train a group of runs that differ only in their seed, for the mean and spread of their scores."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from labelkit.config.plan import Plan, Setting
from labelkit.config.validation import validate
from labelkit.errors import LabelkitError, TrainingError
from labelkit.metrics.scoring import is_better
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, Registry, new_run_id
from labelkit.train.disk_space import check_disk_space, estimate_disk_space
from labelkit.train.listeners import Listener
from labelkit.train.preparation import PreparedRun, check_name
from labelkit.train.resolution import resolve
from labelkit.train.run import RunResult, id_of_tasks, train
from labelkit.train.scoring import Selection

_ORIGIN = "--seeds"


class SeedsFailedError(TrainingError):
    """Some runs of a group failed.

    :ivar result: the best finished run, with the group.
    """

    def __init__(self, message: str, *, hint: str | None, result: RunResult) -> None:
        super().__init__(message, hint=hint)
        self.result = result


@dataclass(frozen=True, slots=True)
class FailedSeed:
    """A run of a group that failed."""

    seed: int
    error: Exception

    def __str__(self) -> str:
        error = self.error
        message = error.message if isinstance(error, LabelkitError) else f"{type(error).__name__}: {error}"
        return f"seed {self.seed}: {message}"


def seeds_of(plan: Plan, count: int) -> list[int]:
    """Return the seeds of ``count`` runs, starting with that of the plan.

    :raises LabelkitError: they are greater than a seed may be.
    """
    first = plan.train.seed
    validate("train.seed", first + count - 1)
    return list(range(first, first + count))


def prepare_seeds(prepared: PreparedRun, count: int, home: Home) -> list[PreparedRun]:
    """Return ``prepared`` once per seed, with the same data and validation split, and a name for each run.

    :raises LabelkitError: a name is taken, a group has the name of the plan, or a seed is too great.
    """
    plan = prepared.plan
    runs = []
    for number, seed in enumerate(seeds_of(plan, count), 1):
        name = None if plan.name is None else f"{plan.name}-{number}"
        check_name(name, home)
        changes = {"train.seed": Setting(seed, _ORIGIN)}
        if plan.data.validation_seed is None:
            changes["data.validation_seed"] = Setting(plan.train.seed, _ORIGIN)
        changed = prepared.updated(changes)
        runs.append(replace(changed, plan=replace(changed.plan, name=name)))
    if plan.name is not None:
        with Registry.open(home, create=False) as registry:
            if registry.runs.search(group=plan.name, limit=1):
                raise LabelkitError(f"there is a group '{plan.name}' already", hint="choose another --name")
    return runs


def train_group(
    prepared: PreparedRun,
    count: int,
    catalog: Catalog,
    home: Home,
    *,
    listeners: Sequence[Listener] = (),
    warn: Callable[[str], object] = lambda line: None,
    on_stage: Callable[[str, str], object] = lambda stage, detail: None,
) -> RunResult:
    """Train once per seed, and return the best run by validation, with the group.

    Data is read and encoded once: later runs find it in the cache. A run that fails does not stop the others; an
    interrupt stops the group, and keeps its finished runs.

    :param on_stage: called with the name and detail of each run that starts.
    :raises SeedsFailedError: some runs failed.
    :raises LabelkitError: all runs failed, or none could start.
    """
    resolved, _ = resolve(prepared)
    plan = resolved.plan
    group = plan.name or new_run_id(f"{id_of_tasks(prepared.task)}-seeds")
    runs = prepare_seeds(resolved, count, home)
    check_disk_space(estimate_disk_space(prepared, plan), home, count)
    results: list[RunResult] = []
    failed: list[FailedSeed] = []
    for number, run in enumerate(runs, 1):
        seed = run.plan.train.seed
        on_stage(f"run {number} of {count}", f"seed {seed}, group {group}")
        try:
            results.append(train(run, catalog, home, listeners=listeners, warn=warn, group=group))
        except KeyboardInterrupt:
            warn(f"{len(results)} of {count} runs finished: labelkit runs list --group {group}")
            raise
        except Exception as error:  # it is recorded; other seeds may well succeed
            _clear_frames(error)
            failed.append(FailedSeed(seed, error))
            warn(str(failed[-1]))
    if not results:
        raise failed[0].error
    with Registry.open(home, create=False) as registry:
        best = replace(
            best_run(results, Selection.of([one.plan for one in resolved.of_tasks])), group=registry.runs.group(group)
        )
    if failed:
        hint = failed[0].error.hint if isinstance(failed[0].error, LabelkitError) else None
        message = f"{len(failed)} of {count} runs failed: {'; '.join(map(str, failed))}"
        raise SeedsFailedError(message, hint=hint, result=best) from failed[0].error
    return best


def _clear_frames(error: BaseException | None) -> None:
    """Clear the frames of a traceback, which hold the model and its memory."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def best_run(results: Sequence[RunResult], selection: Selection) -> RunResult:
    """Return the run whose best checkpoint has the best metric on validation; the first of equals."""

    def value(result: RunResult) -> float:
        return selection.value(result.metrics["validation"])

    best = results[0]
    for result in results[1:]:
        if is_better(value(result), value(best), higher=selection.higher_is_better):
            best = result
    return best
