"""A run of several tasks as a run of one of them, for what evaluates or inspects one task."""

from __future__ import annotations

from dataclasses import replace

from labelkit.config.joint import JOINED_BY, is_of_task
from labelkit.errors import RegistryError
from labelkit.registry.entities import RunDetails, RunRecord
from labelkit.registry.plan_values import PlanValue


def details_of_task(details: RunDetails, task: str | None = None) -> RunDetails:
    """Return a run as one of ``task`` only: its plan, splits, schema and scores. A run of one task stays as it is.

    :param task: None for the first task.
    :raises RegistryError: the run has no such task.
    """
    tasks = details.record.task.split(JOINED_BY)
    if task is not None and task not in tasks:
        raise RegistryError(
            f"the run '{details.record.id}' has no task '{task}'", hint=f"its tasks are {', '.join(tasks)}"
        )
    if len(tasks) == 1:
        return details
    chosen = task or tasks[0]
    return replace(
        details,
        record=_record_of_task(details, tasks, chosen),
        scores=tuple(one for one in details.scores if one.task == chosen),
        metrics=tuple(one for one in details.metrics if one.task == chosen),
        evaluations=tuple(one for one in details.evaluations if one.task == chosen),
    )


def _record_of_task(details: RunDetails, tasks: list[str], task: str) -> RunRecord:
    record = details.record
    plan = _plan_of_task(record.plan, tasks, task)
    texts = {value.key: value.text for value in plan}
    summary = [one.name for one in details.scores if one.task == record.task]
    own = [name.removeprefix(f"{task}.") for name in summary if name.startswith(f"{task}.")]
    schema = ((record.schema or {}).get("tasks") or {}).get(task)
    return replace(
        record,
        task=task,
        kind=(schema or {}).get("kind", record.kind),
        data=texts.get("data", record.data),
        metric=texts.get("metric", record.metric),
        metric_key=own[0] if own else record.metric_key,
        schema=schema,
        plan=plan,
        splits=tuple(
            replace(split, split=split.split.removeprefix(f"{task}."))
            for split in record.splits
            if split.split.startswith(f"{task}.")
        ),
    )


def _plan_of_task(plan: tuple[PlanValue, ...], tasks: list[str], task: str) -> tuple[PlanValue, ...]:
    """Return the settings of a task: its own, and those that all tasks share."""
    own: dict[str, PlanValue] = {}
    common: dict[str, PlanValue] = {}
    for value in plan:
        name, _, key = value.key.partition(".")
        if name not in tasks or not is_of_task(key):
            common[value.key] = value
        elif name == task:
            own[key] = replace(value, key=key)
    return tuple({**common, **own}.values())
