"""``train.teacher``: a run learns from the probabilities of others, which are asked once and named by their ids."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import labelkit
from labelkit import Schema
from labelkit.encode.alignment import Window
from labelkit.errors import LabelkitError
from labelkit.events import Event, Scored, Stage, StepDone
from labelkit.records.heads import IGNORE_INDEX
from labelkit.registry import Home, Registry
from labelkit.train.teacher_targets import TeacherTargets
from labelkit.train.trainer import learned_labels, teacher_array

PLAIN = str(Path(__file__).parent / "plain.toml")
Train = Callable[..., labelkit.RunResult]


@pytest.fixture
def own_home(trained: labelkit.RunResult, home: Path, tmp_path: Path) -> Path:
    """Return a home with the run ``shared``, whose teacher's answers are not kept yet."""
    return Path(shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns("teacher")))


@pytest.fixture
def learn(tiny: Path, corpus: Path, own_home: Path) -> Train:
    """Return ``labelkit.run("ner")`` for one epoch of three steps with the run ``shared`` as the teacher."""

    def run(**options: Any) -> labelkit.RunResult:
        fast = {"train.precision": "fp32", "train.onnx": False, "train.save_minutes": 0}
        settings = {**fast, "train.teacher": "shared", **options.pop("settings", {})}
        given = {"task": "ner", "data": str(corpus), "model": str(tiny), "recipe": PLAIN, "epochs": 1, "home": own_home}
        return labelkit.run(**{**given, "lr": 5e-3, **options}, settings=settings)

    return run


def weights_of(result: labelkit.RunResult) -> bytes:
    return (result.checkpoint / "model.safetensors").read_bytes()


# -- what is learned --------------------------------------------------------------------------------------------------


def a_window(words: list[int], example: int) -> Window:
    return Window(np.arange(len(words), dtype=np.int32), np.array(words, np.int32), example)


def test_a_window_gets_the_probabilities_of_the_words_that_begin_in_it() -> None:
    probabilities = np.arange(10, dtype=np.float16).reshape(5, 2)
    targets = TeacherTargets(probabilities, np.array([0, 3]), 0.5)
    assert targets.of_window(a_window([-1, 1, 1, 2, -1], 0), text=False).tolist() == [[2, 3], [4, 5]]
    assert targets.of_window(a_window([-1, 0, 1, -1], 1), text=False).tolist() == [[6, 7], [8, 9]]
    assert targets.of_window(a_window([-1, 0, 0, -1], 1), text=True).tolist() == [[6, 7]]


@pytest.mark.parametrize("left", [False, True])
def test_a_batch_has_them_at_the_first_subword_of_each_word(left: bool) -> None:
    rows = np.array([[0.25, 0.75], [1, 0]], np.float32)
    items = [
        {"words": np.array([-1, 4, 4, 5, -1], np.int32), "teacher": rows},
        {"words": np.array([-1, 0, -1], np.int32), "teacher": rows[1:]},
    ]
    found = teacher_array(items, Schema(name="pos", kind="token", labels=("A", "B")), left=left)
    expected = np.zeros((2, 5, 2))
    expected[0, 1], expected[0, 3], expected[1, 3 if left else 1] = rows[0], rows[1], rows[1]
    assert np.array_equal(found, expected)


def test_a_run_learns_from_its_teacher_which_the_plan_names_by_its_id(
    learn: Train, trained: labelkit.RunResult, own_home: Path
) -> None:
    events: list[Event] = []
    taught = learn(listeners=[events.append])
    asked = [event.detail for event in events if isinstance(event, Stage) and event.name == "asking"]
    assert asked == [f"the teacher {trained.run}"]
    with Registry.open(Home(root=own_home), create=False) as registry:
        (entry,) = (one for one in registry.runs.get(taught.run).record.plan if one.key == "train.teacher")
    assert (entry.text, "shared" in entry.origin) == (trained.run, True)
    (kept,) = (own_home / "cache" / "teacher").iterdir()
    probabilities = np.load(kept)
    assert np.allclose(probabilities.astype(np.float32).sum(axis=1), 1, atol=0.01)
    alone = learn(settings={"train.teacher": None})
    hardly = learn(settings={"train.teacher_weight": 1e-9})
    assert weights_of(alone) != weights_of(taught)
    assert hardly.metrics["validation"]["ner"]["loss"] == pytest.approx(alone.metrics["validation"]["ner"]["loss"])


@pytest.mark.slow
def test_the_teacher_is_asked_once_and_again_where_its_answers_are_damaged(learn: Train, own_home: Path) -> None:
    first = learn()
    events: list[Event] = []
    again = learn(listeners=[events.append])
    assert not [event for event in events if isinstance(event, Stage) and event.name == "asking"]
    assert weights_of(again) == weights_of(first)
    (kept,) = (own_home / "cache" / "teacher").iterdir()
    kept.write_bytes(kept.read_bytes()[:200])
    assert weights_of(learn(listeners=[events.append])) == weights_of(first)
    assert [event for event in events if isinstance(event, Stage) and event.name == "asking"]


def test_a_resumed_run_learns_the_same(learn: Train, own_home: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            raise KeyboardInterrupt

    whole = learn()
    with pytest.raises(KeyboardInterrupt):
        learn(listeners=[stop])
    assert weights_of(labelkit.resume("latest", home=own_home)) == weights_of(whole)


def learned(teacher: str, learn: Train, home: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return what a teacher answers."""
    shutil.rmtree(home / "cache" / "teacher")
    learn(settings={"train.teacher": teacher})
    (kept,) = (home / "cache" / "teacher").iterdir()
    answers: np.ndarray[Any, np.dtype[np.float32]] = np.load(kept).astype(np.float32)
    return answers


def test_the_teacher_alone_teaches_what_it_knows(learn: Train) -> None:
    taught = learn(settings={"train.teacher_weight": 1}, epochs=6, lr=1e-2)
    assert taught.metrics["validation"]["ner"]["f1"] > 0.7  # all of it is learned from the teacher


@pytest.mark.slow
def test_several_teachers_are_averaged_and_a_group_is_all_its_runs(
    learn: Train, trained: labelkit.RunResult, own_home: Path
) -> None:
    seeds = learn(settings={"train.teacher": None}, seeds=2)
    assert seeds.group is not None
    plans = []
    for teacher in (f"shared, {seeds.group.runs[0]}", seeds.group.id):
        taught = learn(settings={"train.teacher": teacher})
        with Registry.open(Home(root=own_home), create=False) as registry:
            plan = registry.runs.get(taught.run).record.plan
            plans += [one.text for one in plan if one.key == "train.teacher"]
    assert plans == [f"{trained.run},{seeds.group.runs[0]}", ",".join(seeds.group.runs)]
    answers = [learned(f"{run}", learn, own_home) for run in (*seeds.group.runs, ",".join(seeds.group.runs))]
    assert not np.allclose(answers[0], answers[1], atol=1e-4)
    assert np.allclose((answers[0] + answers[1]) / 2, answers[2], atol=1e-3)


@pytest.mark.slow
def test_texts_are_learned_from_a_teacher_too_a_random_window_of_each(
    learn: Train, own_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    rows = "".join(f"{text * 9},{label}\n" for text, label in (("good film ", "good"), ("dull film ", "bad")) * 4)
    for split in ("train", "dev", "test"):
        (folder / f"{split}.csv").write_text("text,label\n" + rows, encoding="utf-8")
    alone: list[Event] = []
    taught: list[Event] = []
    options: dict[str, Any] = {"task": "textcls", "data": str(folder), "epochs": 4}
    settings: dict[str, Any] = {"train.teacher": None, "train.random_window": 16}
    with pytest.warns(UserWarning, match="are the same"):
        learn(**options, settings=settings, name="critic", listeners=[alone.append])
    with pytest.warns(UserWarning, match="are the same"):
        learn(**options, settings={**settings, "train.teacher": "critic"}, listeners=[taught.append])
    losses = [[one.train_loss for one in heard if isinstance(one, Scored)] for heard in (alone, taught)]
    assert losses[0][:4] != losses[1][:4]
    (kept,) = (own_home / "cache" / "teacher").iterdir()
    assert np.load(kept).shape == (8, 2)
    kept.unlink()
    (tmp_path / "more.txt").write_text("a film so good\n" + "a film so dull \n", encoding="utf-8")
    settings |= {"train.teacher": "critic", "train.teacher_text": str(tmp_path / "more.txt")}
    with pytest.warns(UserWarning, match="2 examples of .* are learned from teachers alone"):
        learn(**options, settings=settings)
    (kept,) = (own_home / "cache" / "teacher").iterdir()
    assert np.load(kept).shape == (10, 2)


# -- text without gold labels ----------------------------------------------------------------------------------------


@pytest.fixture
def few(corpus: Path, tmp_path: Path) -> str:
    """Return a reference to data with three sentences in train, and the validation split of :func:`corpus`."""
    sentences = (corpus / "train.conll").read_text(encoding="utf-8").split("\n\n")
    both = [one for one in sentences if "PER" in one and "LOC" in one]
    (tmp_path / "few.conll").write_text("\n\n".join(both[:3]) + "\n", encoding="utf-8")
    return f"train={tmp_path / 'few.conll'},validation={corpus / 'dev.conll'}"


def test_text_without_gold_labels_is_learned_from_the_teacher(learn: Train, corpus: Path, few: str) -> None:
    options: dict[str, Any] = {"data": few, "epochs": 20, "lr": 1e-2}
    alone = learn(**options, settings={"train.teacher": None})
    settings = {"train.teacher_text": str(corpus / "train.conll"), "train.teacher_weight": 1e-9}  # of gold words alone
    with pytest.warns(
        UserWarning, match=r"learned from teachers alone; \d+ are empty, repeated or in the data, and left"
    ):
        with_text = learn(**options, settings=settings)
    assert alone.metrics["validation"]["ner"]["f1"] < 0.5
    assert with_text.metrics["validation"]["ner"]["f1"] > 0.7


def test_it_is_plain_text_or_data_and_each_example_counts_once(
    learn: Train, own_home: Path, tmp_path: Path, corpus: Path
) -> None:
    known = labelkit.read(corpus / "test.conll")
    text = tmp_path / "more.txt"
    text.write_text("Ada met Bob in Rome .\n\nIt rained, all day.\nIt  rained, all day.\n", encoding="utf-8")
    with text.open("a", encoding="utf-8") as file:
        file.write(" ".join(next(known).words or ()) + "\n")  # of test: it must not be learned
    with pytest.warns(UserWarning, match="2 examples of .* are learned from teachers alone; 3 are empty"):
        taught = learn(settings={"train.teacher_text": str(text)})
    with Registry.open(Home(root=own_home), create=False) as registry:
        splits = {one.split: one for one in registry.runs.get(taught.run).record.splits}
    recorded = splits["teacher_text"]
    assert (recorded.examples, recorded.words, recorded.ref) == (2, 12, str(text))
    assert splits["train"].examples == 48
    (kept,) = (own_home / "cache" / "teacher").iterdir()
    assert len(np.load(kept)) == splits["train"].words + 12
    assert labelkit.evaluate(taught.run, split="validation", home=own_home).metrics  # its data is read without the text


def test_text_that_the_data_holds_already_is_refused(learn: Train, corpus: Path) -> None:
    with pytest.raises(LabelkitError, match=r"test\.conll' holds nothing that the data lacks"):
        learn(settings={"train.teacher_text": str(corpus / "test.conll")})


@pytest.mark.filterwarnings("ignore:1 examples")
def test_a_run_is_resumed_only_with_the_same_text(learn: Train, own_home: Path, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            raise KeyboardInterrupt

    text = tmp_path / "more.txt"
    text.write_text("Ada met Bob in Rome .\n", encoding="utf-8")
    settings = {"train.teacher_text": str(text)}
    whole = learn(settings=settings)
    with pytest.raises(KeyboardInterrupt):
        learn(settings=settings, listeners=[stop])
    text.write_text("Ada met Tim in Rome .\n", encoding="utf-8")
    with pytest.raises(LabelkitError, match="has changed since it began: teacher_text"):
        labelkit.resume("latest", home=own_home)
    text.write_text("Ada met Bob in Rome .\n", encoding="utf-8")
    assert weights_of(labelkit.resume("latest", home=own_home)) == weights_of(whole)


def test_what_teachers_alone_know_counts_in_the_mean_loss() -> None:
    labels = torch.tensor([[1, IGNORE_INDEX, 0, IGNORE_INDEX]])
    teacher = torch.tensor(
        [[[0.5, 0.5], [0.1, 0.9], [0.0, 0.0], [0.0, 0.0]]]
    )  # the third goes on a word, the last is none
    assert learned_labels({"labels": labels, "teacher": teacher}).tolist() == [[1, 0, 0, IGNORE_INDEX]]
    assert learned_labels({"labels": labels}).tolist() == labels.tolist()


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": {"train.teacher": "nobody"}}, r"train\.teacher: .*nobody"),
        ({"task": "pos", "data": "sample"}, r"cannot learn from it: the teacher \S+ has other labels: "),
        ({"task": "ner+pos", "data": "sample"}, r"train\.teacher cannot be combined with several tasks"),
        ({"settings": {"train.teacher": ","}}, r"train\.teacher names no run"),
        ({"settings": {"train.teacher": ""}}, r"train\.teacher names no run"),
        ({"settings": {"train.teacher_weight": 0}}, r"train\.teacher_weight"),
        (
            {"settings": {"train.teacher": None, "train.teacher_text": "sample"}},
            r"teacher_text is learned from teachers",
        ),
        ({"settings": {"train.teacher_text": "no.txt"}}, r"no\.txt"),
    ],
)
def test_what_cannot_be_learned_is_one_line_before_anything_starts(
    learn: Train, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LabelkitError, match=message):
        learn(**options)
