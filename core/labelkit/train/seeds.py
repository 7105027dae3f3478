"""Several runs that differ in their seed alone, recorded as a group with the mean and spread of their scores."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelkit.config.plan import Plan, Setting
from labelkit.config.validation import validate
from labelkit.errors import LabelkitError, TrainingError
from labelkit.metrics.scoring import is_better
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Group, Home, Registry, new_run_id
from labelkit.train.disk_space import check_disk_space, estimate_disk_space
from labelkit.train.listeners import Listener
from labelkit.train.preparation import PreparedRun, check_name
from labelkit.train.resolution import resolve_plan
from labelkit.train.run import RunResult, train

_ORIGIN = "--seeds"


class SeedsFailedError(TrainingError):
    """Some runs of a group failed.

    :ivar result: the best of the others, with the group.
    """

    def __init__(self, message: str, *, hint: str | None, result: RunResult) -> None:
        super().__init__(message, hint=hint)
        self.result = result


@dataclass(frozen=True, slots=True)
class _Failure:
    seed: int
    error: Exception

    @property
    def text(self) -> str:
        known = isinstance(self.error, LabelkitError)
        return f"seed {self.seed}: {self.error.message if known else f'{type(self.error).__name__}: {self.error}'}"  # type: ignore[attr-defined]


def seeds_of(plan: Plan, count: int) -> list[int]:
    """Return the seeds of ``count`` runs, from the plan's on.

    :raises LabelkitError: they are more than a seed may be.
    """
    first: int = plan["train.seed"]
    validate("train.seed", first + count - 1)
    return list(range(first, first + count))


def prepare_seeds(prepared: PreparedRun, count: int, home: Home) -> list[PreparedRun]:
    """Return ``prepared`` once for each seed: the same data and validation split, each with a name of its own.

    :raises LabelkitError: a name is taken, there is a group of that name, or a seed is too great.
    """
    plan = prepared.plan
    found = []
    for number, seed in enumerate(seeds_of(plan, count), 1):
        name = None if plan.name is None else f"{plan.name}-{number}"
        check_name(name, home)
        found.append(replace(prepared, plan=_with_seed(plan, seed, name)))
    if plan.name is not None:
        _check_group(plan.name, home)
    return found


def _with_seed(plan: Plan, seed: int, name: str | None) -> Plan:
    settings: dict[str, Setting] = {**plan.settings, "train.seed": Setting(seed, _ORIGIN)}
    if plan["data.validation_seed"] is None:
        settings["data.validation_seed"] = Setting(plan["train.seed"], _ORIGIN)
    return replace(plan, settings=settings, name=name)


def _check_group(name: str, home: Home) -> None:
    with Registry.open(home, create=False) as registry:
        if registry.runs.search(group=name, limit=1):
            raise LabelkitError(f"there is a group '{name}' already", hint="choose another --name")


def train_group(
    prepared: PreparedRun,
    count: int,
    catalog: Catalog,
    home: Home,
    *,
    listeners: Sequence[Listener] = (),
    warn: Callable[[str], object] = lambda line: None,
    say: Callable[[str, str], object] = lambda stage, detail: None,
) -> RunResult:
    """Train once for each seed, and return the best run by validation, with the group.

    Data is read once, and encoded once: later runs find it in the cache. A run that fails does not keep the others
    from being trained; an interrupt stops the group, and the runs that finished stay.

    :param say: told the name and detail of each run that begins.
    :raises SeedsFailedError: some runs failed.
    :raises LabelkitError: all did, or none could begin.
    """
    plan, _ = resolve_plan(prepared)
    group = plan.name or new_run_id(f"{plan.task.name}-seeds")
    runs = prepare_seeds(replace(prepared, plan=plan), count, home)
    check_disk_space(estimate_disk_space(prepared, plan), home, count)
    done: list[RunResult] = []
    failed: list[_Failure] = []
    for number, one in enumerate(runs, 1):
        say(f"run {number} of {count}", f"seed {one.plan['train.seed']}, group {group}")
        try:
            done.append(train(one, catalog, home, listeners=listeners, warn=warn, group=group))
        except KeyboardInterrupt:
            warn(f"{len(done)} of {count} runs finished: labelkit runs list --group {group}")
            raise
        except Exception as error:  # it is recorded; the others may well be better
            _let_go(error)
            failed.append(_Failure(one.plan["train.seed"], error))
            warn(failed[-1].text)
    return _result(done, failed, plan, home, group)


def _let_go(error: BaseException | None) -> None:
    """Forget the variables of the frames that an error went through: the model and its memory are among them."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _result(done: Sequence[RunResult], failed: Sequence[_Failure], plan: Plan, home: Home, group: str) -> RunResult:
    if not done:
        raise failed[0].error
    best = replace(best_of(done, plan), group=_recorded(home, group))
    if failed:
        hint = failed[0].error.hint if isinstance(failed[0].error, LabelkitError) else None
        message = f"{len(failed)} of {len(done) + len(failed)} runs failed: {'; '.join(one.text for one in failed)}"
        raise SeedsFailedError(message, hint=hint, result=best) from failed[0].error
    return best


def _recorded(home: Home, group: str) -> Group:
    with Registry.open(home, create=False) as registry:
        return registry.runs.group(group)


def best_of(done: Sequence[RunResult], plan: Plan) -> RunResult:
    """Return the run whose chosen checkpoint is best on validation; of equals the first."""
    metric = plan.metrics[0]

    def figure(one: RunResult) -> float:
        figures: Mapping[str, Any] = one.metrics["validation"][one.task]
        return float(figures[metric.key])

    best = done[0]
    for one in done[1:]:
        if is_better(figure(one), figure(best), higher=metric.higher_is_better):
            best = one
    return best
