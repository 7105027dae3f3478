"""Parse and check what joint training of several tasks is given: their names, data, settings and selection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelkit.config.plan import Plan, Request, Setting
from labelkit.config.validation import parse_set
from labelkit.errors import DataError, LabelkitError, nearest
from labelkit.plugins.catalog import Catalog
from labelkit.records import Task
from labelkit.settings import SETTINGS

#: stands between the names of tasks that are trained together
JOINED_BY = "+"
LOSS_WEIGHT = "train.loss_weight"
#: the settings of each task; all others are shared: encoder, training, and how texts are cut into windows
_OF_TASK = (
    "data", "metric", "decoder", "preprocess", "train.head", "train.class_weights", "train.label_smoothing_factor",
)  # fmt: skip
_SHARED_DATA = ("data.max_length", "data.overlap", "data.mark_case", "data.splitter", "data.without_test_of")


def joint_tasks(text: str, catalog: Catalog) -> tuple[Task, ...]:
    """Return the tasks of a name such as ``ner+pos``, the first one first.

    :raises LabelkitError: a task is unknown or comes twice, two tasks name one layer, or a name is missing.
    """
    names = [name.strip() for name in text.split(JOINED_BY)]
    if not all(names):
        raise LabelkitError(f"'{text}' lacks the name of a task", hint="write it as ner+pos")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise LabelkitError(f"'{text}' names task '{twice}' twice", hint="name each task once")
    tasks = tuple(catalog.find("task", name) for name in names)
    by_layer: dict[str, str] = {}
    for task in tasks:
        other = by_layer.setdefault(task.layer, task.name)
        if other != task.name:
            raise LabelkitError(
                f"tasks '{other}' and '{task.name}' both name the layer '{task.layer}'", hint="leave out one of them"
            )
    return tasks


def joint_data(text: str, tasks: Sequence[str]) -> dict[str, str]:
    """Return task → its data reference: the same one for all, or those of ``ner=wnut17,pos=ud_ewt``.

    A reference may itself hold commas and equals signs: only ``TASK=`` of one of the tasks begins another one.

    >>> joint_data("ner=train=a.txt,test=b.txt,pos=ud_ewt", ["ner", "pos"])
    {'ner': 'train=a.txt,test=b.txt', 'pos': 'ud_ewt'}

    :raises DataError: a task has no data, or two references.
    """
    key = re.compile(rf"(?:^|,)({'|'.join(map(re.escape, tasks))})=")
    found = list(key.finditer(text))
    if not found or found[0].start() > 0:
        return dict.fromkeys(tasks, text)
    data: dict[str, str] = {}
    ends = [match.start() for match in found[1:]] + [len(text)]
    for match, end in zip(found, ends, strict=True):
        if match[1] in data:
            raise DataError(f"'{text}' gives the data of task '{match[1]}' twice", hint="one reference for each task")
        if match.end() == end:
            raise DataError(f"'{text}' names no data for task '{match[1]}'", hint=f"write {match[1]}=REF")
        data[match[1]] = text[match.end() : end]
    if missing := [task for task in tasks if task not in data]:
        raise DataError(f"'{text}' names no data for task '{missing[0]}'", hint=f"add {missing[0]}=REF")
    return {task: data[task] for task in tasks}


def check_selection(select: str | None, tasks: Sequence[str]) -> None:
    """Raise if the checkpoint cannot be chosen by the main metric of this task.

    :param select: None for the mean of all tasks.
    :raises LabelkitError: it is not one of the tasks.
    """
    if select is not None and select not in tasks:
        raise LabelkitError(f"the run has no task '{select}' to select the checkpoint by", hint=nearest(select, tasks))


def check_loss_weights(weights: Mapping[str, float], tasks: Sequence[str]) -> None:
    """Raise if the weights of the tasks in the loss are invalid.

    :raises LabelkitError: a weight is of another task, or is not a number above 0.
    """
    for task, weight in weights.items():
        if task not in tasks:
            raise LabelkitError(f"train.loss_weight.{task}: the run has no task '{task}'", hint=nearest(task, tasks))
        if not 0 < weight < float("inf"):
            raise LabelkitError(
                f"train.loss_weight.{task}={weight:g}: the weight of a task must be above 0",
                hint=f"train without '{task}' in place of a weight of 0",
            )


def is_of_task(key: str) -> bool:
    """Return whether each task of a run has a value of its own of this setting."""
    return key in _OF_TASK or (key.startswith("data.") and key not in _SHARED_DATA)


def joint_requests(request: Request, tasks: Sequence[str]) -> dict[str, Request]:
    """Return task → its part of a request for several tasks.

    ``--set TASK.KEY=VALUE`` sets a setting for one task, ``--set train.loss_weight.TASK=X`` its weight in the loss.

    :raises LabelkitError: the data lacks a task, or a setting of one task is one that all share.
    """
    own, parts, weights = _split_sets(request.sets, tasks)
    common = {key: value for key, value in request.overrides.items() if _task_of(key, tasks) is None}
    if weights:
        common[LOSS_WEIGHT] = ({**(common.get(LOSS_WEIGHT, ({}, ""))[0] or {}), **weights}, "--set")
    data, origin = common.get("data", (None, ""))
    found: dict[str, Request] = {}
    references = joint_data(data, tasks) if isinstance(data, str) and not request.frozen else {}
    for task in tasks:
        overrides = dict(common)
        if task in references:
            overrides["data"] = (references[task], origin)
        for key, value in request.overrides.items():
            if _task_of(key, tasks) == task:
                overrides[key.removeprefix(f"{task}.")] = value
        overrides |= parts[task]
        found[task] = replace(request, task=task, overrides=overrides, sets=own[task])
    return found


def _task_of(key: str, tasks: Sequence[str]) -> str | None:
    """Return the task that ``TASK.KEY`` sets a setting for; None where the key is that of all.

    :raises LabelkitError: all tasks share the setting.
    """
    task, _, rest = key.partition(".")
    if task not in tasks or rest not in SETTINGS:
        return None
    if not is_of_task(rest):
        raise LabelkitError(f"{key}: all tasks of a run share {rest}", hint=f"set {rest}, or train the tasks apart")
    return task


def _split_sets(
    sets: Sequence[str], tasks: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, tuple[Any, str]]], dict[str, float]]:
    """Return task → its ``--set``, task → its data and parts that ``--set`` names, and task → its weight in the loss.

    ``--set`` of a run of one task has no data and parts, which are options of the command; those of one task of several
    have no other place.

    :raises LabelkitError: a weight is not a number.
    """
    own: dict[str, list[str]] = {task: [] for task in tasks}
    parts: dict[str, dict[str, tuple[Any, str]]] = {task: {} for task in tasks}
    weights: dict[str, float] = {}
    for text in sets:
        key, value = parse_set(text)
        if key.startswith(f"{LOSS_WEIGHT}."):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise LabelkitError(f"invalid {key}: {value!r}", hint="it takes a number above 0")
            weights[key.removeprefix(f"{LOSS_WEIGHT}.")] = float(value)
            continue
        task = _task_of(key, tasks)
        if task is not None and "." not in (part := key.removeprefix(f"{task}.")):
            parts[task][part] = (value, "--set")
            continue
        for name in tasks if task is None else (task,):
            own[name].append(text if task is None else text.removeprefix(f"{task}."))
    return {task: tuple(texts) for task, texts in own.items()}, parts, weights


def with_shared_settings(plan: Plan, first: Plan) -> Plan:
    """Return the plan of a further task with the settings that it shares with the first."""
    own, changes = plan.entries(), {}
    for key, (value, _) in first.entries().items():
        if not is_of_task(key) and (key not in own or own[key].value != value):
            changes[key] = Setting(value, f"task {first.task.name}")
    return plan.updated(changes) if changes else plan


def without_random_window(plan: Plan) -> Plan:
    """Return the plan of the first of several tasks: all windows are read, unless the user asked for random ones."""
    setting = plan.entries()["train.random_window"]
    if not setting.value or not setting.origin.startswith("recipe "):
        return plan
    return plan.updated({"train.random_window": Setting(0, "several tasks")})


def joint_entries(plans: Sequence[Plan]) -> dict[str, Setting]:
    """Return every setting of the first plan by its key, and those of others that differ by ``TASK.KEY``."""
    first = plans[0].entries()
    found = dict(first)
    for plan in plans[1:]:
        for key, setting in plan.entries().items():
            if is_of_task(key) and (key not in first or first[key].value != setting.value):
                found[f"{plan.task.name}.{key}"] = setting
    return found


def check_joint_settings(plans: Sequence[Plan]) -> None:
    """Raise if settings of several tasks are invalid, or given for one task.

    :raises LabelkitError: one is.
    """
    train, tasks = plans[0].train, [plan.task.name for plan in plans]
    if len(plans) == 1:
        for name, default in (("select", None), ("sampling_smoothing", 1.0), ("loss_weight", None)):
            if getattr(train, name) != default:
                raise LabelkitError(f"train.{name} is for several tasks", hint=f"leave it out, or run {tasks[0]}+TASK")
        return
    check_selection(train.select, tasks)
    check_loss_weights(train.loss_weight or {}, tasks)
    for name, default in (("lora_rank", None), ("random_window", 0), ("teacher", None), ("teacher_text", None)):
        if getattr(train, name) != default:
            raise LabelkitError(
                f"train.{name} cannot be combined with several tasks",
                hint="leave it out, or train the tasks one by one",
            )
    directions = {plan.metrics[0].higher_is_better for plan in plans if plan.metrics}
    if train.select is None and len(directions) > 1:
        raise LabelkitError(
            f"the metrics {', '.join(plan.metrics[0].name for plan in plans)} have no mean: of some lower is better",
            hint="select the checkpoint by one task: --select TASK",
        )
