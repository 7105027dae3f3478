"""Parse and check what joint training of several tasks is given: their names, data, weights and selection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from labelkit.errors import DataError, LabelkitError, nearest
from labelkit.plugins.catalog import Catalog
from labelkit.records import Task

#: stands between the names of tasks that are trained together
JOINED_BY = "+"


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
            raise DataError(f"'{text}' names no data for task '{match[1]}'")
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
