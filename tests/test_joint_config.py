"""What joint training of several tasks is given."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from labelkit.config.joint import check_loss_weights, check_selection, joint_data, joint_requests, joint_tasks
from labelkit.config.plan import Request
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog

CATALOG = Catalog.load()
TASKS = ("ner", "pos")


def test_tasks_are_found_in_the_order_of_their_names() -> None:
    assert [task.name for task in joint_tasks("ner+pos+chunk", CATALOG)] == ["ner", "pos", "chunk"]
    assert [task.name for task in joint_tasks("pos", CATALOG)] == ["pos"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ner+pos+ner", "'ner+pos+ner' names task 'ner' twice"),
        ("ner+", "'ner+' lacks the name of a task"),
        ("ner+poss", "unknown task 'poss'"),
    ],
)
def test_names_that_cannot_be_trained_together(text: str, message: str) -> None:
    with pytest.raises(LabelkitError) as caught:
        joint_tasks(text, CATALOG)
    assert caught.value.message == message
    assert caught.value.hint


def test_two_tasks_of_one_layer() -> None:
    ner = CATALOG.find("task", "ner")
    tasks = {"ner": ner, "names": dataclasses.replace(ner, name="names")}
    catalog: Any = SimpleNamespace(find=lambda kind, name: tasks[name])
    with pytest.raises(LabelkitError, match="tasks 'ner' and 'names' both name the layer 'ner'"):
        joint_tasks("ner+names", catalog)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("conll2003", ("conll2003", "conll2003")),
        ("train=a,test=b", ("train=a,test=b", "train=a,test=b")),
        ("ner=wnut17,pos=ud_ewt", ("wnut17", "ud_ewt")),
        ("pos=ud_ewt,ner=train=a.txt,test=b.txt", ("train=a.txt,test=b.txt", "ud_ewt")),
    ],
)
def test_each_task_gets_its_data(text: str, data: tuple[str, str]) -> None:
    assert joint_data(text, TASKS) == dict(zip(TASKS, data, strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ner=a,ner=b,pos=c", "gives the data of task 'ner' twice"),
        ("ner=a", "names no data for task 'pos'"),
        ("ner=,pos=c", "names no data for task 'ner'"),
    ],
)
def test_data_that_lacks_a_task(text: str, message: str) -> None:
    with pytest.raises(LabelkitError, match=message):
        joint_data(text, TASKS)


def test_the_checkpoint_is_selected_by_one_of_the_tasks() -> None:
    check_selection(None, TASKS)
    check_selection("pos", TASKS)
    with pytest.raises(LabelkitError, match="the run has no task 'chunk' to select"):
        check_selection("chunk", TASKS)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_are_numbers_above_0(weight: float) -> None:
    check_loss_weights({"pos": 0.5}, TASKS)
    with pytest.raises(LabelkitError, match="the weight of a task must be above 0"):
        check_loss_weights({"pos": weight}, TASKS)
    with pytest.raises(LabelkitError, match="the run has no task 'chunk'"):
        check_loss_weights({"chunk": 1.0}, TASKS)


def test_each_task_gets_its_part_of_the_request() -> None:
    sets = ("pos.data.columns=tokens=0,pos=1", "train.loss_weight.pos=0.5", "train.weight_decay=0.1")
    request = Request(task="ner+pos", sets=sets, overrides={"data": ("ner=a,pos=b", "--data")})
    found = joint_requests(request, TASKS)
    assert found["ner"].sets == ("train.weight_decay=0.1",)
    assert found["pos"].sets == ("data.columns=tokens=0,pos=1", "train.weight_decay=0.1")
    assert [one.overrides["data"][0] for one in found.values()] == ["a", "b"]
    assert all(one.overrides["train.loss_weight"][0] == {"pos": 0.5} for one in found.values())


def test_each_task_gets_its_data_and_parts_by_set() -> None:
    sets = ("ner.metric=seqeval-strict", "pos.data=ud_ewt", 'pos.preprocess=["lowercase"]')
    request = Request(task="ner+pos", sets=sets, overrides={"data": ("wnut17", "--data"), "metric": ("f1", "--metric")})
    found = joint_requests(request, TASKS)
    assert [one.sets for one in found.values()] == [(), ()]
    values = {task: {key: value for key, (value, _) in one.overrides.items()} for task, one in found.items()}
    assert values == {
        "ner": {"data": "wnut17", "metric": "seqeval-strict"},
        "pos": {"data": "ud_ewt", "metric": "f1", "preprocess": ["lowercase"]},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pos.model=bundled", "all tasks of a run share model"),
        ("pos.train.learning_rate=1e-3", "all tasks of a run share train.learning_rate"),
        ("pos.data.max_length=64", "all tasks of a run share data.max_length"),
        ("train.loss_weight.pos=much", "invalid train.loss_weight.pos: 'much'"),
    ],
)
def test_settings_that_a_task_cannot_have(text: str, message: str) -> None:
    with pytest.raises(LabelkitError, match=message):
        joint_requests(Request(task="ner+pos", sets=(text,)), TASKS)
