"""Data that is given in Python: datasets, DataFrames and examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

import labelkit
from labelkit.api.data import data_reference
from labelkit.cli.main import main
from labelkit.config.requests import columns_text
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.in_memory import IN_MEMORY, memory_splits
from labelkit.errors import DataError, LabelkitError, PlanError
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Kind
from labelkit.registry import Home, Registry
from reading_contexts import reading

NAMES = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
TEXTS = {"text": ["good film", "bad film", "fine play"], "label": ["pos", "neg", "pos"]}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture(scope="module")
def sentences(corpus: Path) -> dict[str, list[Example]]:
    """Return the small corpus as examples of the layer ``ner``."""
    files = {"train": "train.conll", "validation": "dev.conll", "test": "test.conll"}
    return {
        split: [replace(one, labels={"ner": one.labels["labels"]}) for one in labelkit.read(corpus / name)]
        for split, name in files.items()
    }


@pytest.fixture(scope="module")
def saved(sentences: Mapping[str, list[Example]]) -> DatasetDict:
    """Return the small corpus as ``datasets`` keeps it, labels as numbers with names."""
    features = Features(
        {"tokens": datasets.Sequence(Value("string")), "ner": datasets.Sequence(ClassLabel(names=NAMES))}
    )
    return DatasetDict({
        split: Dataset.from_list([{"tokens": one.words, "ner": one.labels["ner"]} for one in found], features=features)
        for split, found in sentences.items()
    })  # fmt: skip


@pytest.fixture
def read(catalog: Catalog) -> Callable[..., Corpus]:
    def load(data: Any, kind: Kind = "text", columns: Mapping[str, str] | None = None) -> Corpus:
        reference, memory = data_reference(data)
        assert reference == IN_MEMORY
        layer, scheme = ("ner", "IOB2") if kind == "token" else ("label", None)
        ctx = replace(reading(columns=dict(columns or {})), memory=memory)
        return load_corpus(reference, layer=layer, kind=kind, scheme=scheme, catalog=catalog, ctx=ctx)  # type: ignore[arg-type]

    return load


def frames(sentences: Mapping[str, list[Example]]) -> dict[str, pd.DataFrame]:
    return {
        split: pd.DataFrame({"words": [one.words for one in found], "tags": [list(one.labels["ner"]) for one in found]})
        for split, found in sentences.items()
    }


def test_the_same_sentences_have_the_same_hashes_whatever_holds_them(
    read: Callable[..., Corpus], corpus: Path, catalog: Catalog, saved: DatasetDict, sentences: dict[str, list[Example]]
) -> None:
    ctx = reading(columns={"tokens": "0", "ner": "1"})
    files = load_corpus(str(corpus), layer="ner", kind="token", scheme="IOB2", catalog=catalog, ctx=ctx)
    generated = {split: iter(found) for split, found in sentences.items()}
    columns = {"tokens": "words", "ner": "tags"}
    for found in (
        read(saved, "token"), read(dict(saved), "token"), read(generated, "token"),
        read(frames(sentences), "token", columns),
    ):  # fmt: skip
        assert found.schema == files.schema
        assert [(one.content_hash, one.words) for one in found.splits.values()] == [
            (one.content_hash, one.words) for one in files.splits.values()
        ]
    assert read(saved, "token").splits["train"].ref == "in memory: Dataset"


def test_rows_that_were_selected_are_those_that_are_read(read: Callable[..., Corpus], saved: DatasetDict) -> None:
    few = saved["train"].shuffle(seed=1).select(range(20))
    assert [one.words for one in read({"train": few, "test": few}, "token").splits["test"].examples] == [
        tuple(row["tokens"]) for row in few
    ]


def test_data_without_splits_is_train(read: Callable[..., Corpus]) -> None:
    many = pd.concat([pd.DataFrame(TEXTS)] * 10)
    assert {split: len(one.examples) for split, one in read(many).splits.items()} == {"train": 27, "validation": 3}
    named = Dataset.from_dict(
        {"text": ["a", "b"] * 10, "label": [1, 0] * 10},
        features=Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])}),
    )
    assert read(named).schema.labels == ("no", "yes")


def test_pandas_types_are_read_as_what_they_hold(read: Callable[..., Corpus]) -> None:
    frame = pd.DataFrame({
        "text": pd.Series(["a", "b", "c"] * 10, dtype="string"), "label": pd.Categorical(["x", "y", "x"] * 10),
        "when": pd.Timestamp("2026-01-02"), "number": 1.5, "none": pd.NA,
    })  # fmt: skip
    first = read({"train": frame, "test": frame}).splits["train"].examples[0]
    assert (first.text, first.labels) == ("a", {"label": "x"})
    assert dict(first.extra) == {"when": "2026-01-02 00:00:00", "number": 1.5, "none": None}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pd.DataFrame({"text": ["a", float("nan")], "label": ["x", "y"]}), "in memory train:2: the text is missing"),
        (pd.DataFrame({"text": ["a", "b"], "label": ["x", None]}), "in memory train:2: the label is missing"),
        (pd.DataFrame({"text": ["a", 5], "label": ["x", "y"]}), "in memory train:2: column 'text' mixes text"),
        (pd.DataFrame({"text": ["a", "b"], "label": ["x", 1.5]}), "in memory train:2: column 'label' mixes text"),
        (pd.DataFrame({"txt": ["a"], "label": ["x"]}), "in memory train: no column of the text"),
        (pd.DataFrame(), "in memory train has no columns"),
        (Dataset.from_dict({}), "in memory train has no columns"),
        (Dataset.from_dict({"text": [], "label": []}), "in memory train is empty"),
        ([Example(id="1", text="a", labels={"label": "x"})] * 2, "in memory train:2: the id '1' is repeated"),
        ([Example(id="1", words=("a",), labels={})], "in memory train:1: example 1 has no text"),
    ],
)  # fmt: skip
def test_invalid_rows_are_one_line_that_names_them(data: Any, message: str, read: Callable[..., Corpus]) -> None:
    with pytest.raises(DataError) as raised:
        read(data)
    assert raised.value.message.startswith(message)
    assert len(str(raised.value)) < 500


def test_class_numbers_without_a_name_are_refused(read: Callable[..., Corpus], saved: DatasetDict) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    wrong = Dataset.from_dict({"text": ["a"], "label": [-1]}, features=features)
    with pytest.raises(DataError, match="in memory train:1: label -1 has no name, there are 2"):
        read(wrong)
    # numbers of tags whose names a Dataset does not know
    plain = Features({"tokens": datasets.Sequence(Value("string")), "ner": datasets.Sequence(Value("int64"))})
    with pytest.raises(DataError, match=r"label_names"):
        read(saved.cast(plain), "token")


def test_words_and_labels_of_different_lengths_are_refused(read: Callable[..., Corpus]) -> None:
    ragged = Dataset.from_dict({"tokens": [["a", "b"], ["a", "b"]], "ner": [["O", "O"], ["O"]]})
    with pytest.raises(DataError, match="in memory train:2: 2 words have 1 labels of 'ner'"):
        read(ragged, "token")


def test_a_column_that_is_not_there_names_the_nearest(read: Callable[..., Corpus]) -> None:
    with pytest.raises(DataError, match=r"no column 'txet' for 'text'.*did you mean text"):
        read(pd.DataFrame(TEXTS), columns={"text": "txet"})
    assert columns_text({"tokens": "words", "ner": 3}) == "tokens=words,ner=3"
    with pytest.raises(DataError, match="columns cannot name 'a,b'"):
        columns_text({"text": "a,b"})


LONG = ["word"] * 100_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LONG, "data holds a str, not only labelkit.Example"),
        (b"bytes", "data of type bytes cannot be read"),
        (3, "data of type int cannot be read"),
        (object(), "data is of type object, which cannot be read"),
        ({"train": LONG}, "data['train'] holds a str, not only labelkit.Example"),
        ({"train": {"text": LONG}}, "data['train'] is of type dict, which cannot be read"),
        ({"train": "a.conll"}, "data['train'] is of type str, which cannot be read"),
        ({"text": LONG, "label": LONG}, "unknown split 'text' in the data"),
        ({"dev": [], "validation": []}, "the data gives the validation split twice"),
        ({}, "the data has no splits"),
        (Dataset.from_dict({"text": ["a"]}).to_iterable_dataset(), "data is of type IterableDataset, which cannot"),
    ],
)
def test_objects_of_other_types_are_refused_without_their_content(data: Any, message: str) -> None:
    with pytest.raises(LabelkitError) as raised:
        labelkit.run("ner", data=data)
    assert raised.value.message.startswith(message)
    assert raised.value.hint
    assert len(str(raised.value)) < 400


def test_a_path_is_never_the_name_of_a_source() -> None:
    assert data_reference(Path("wnut17")) == ("./wnut17", {})
    assert data_reference("wnut17") == ("wnut17", {})
    assert memory_splits({"dev": [], "train": []}).keys() == {"train", "validation"}


@pytest.mark.slow
def test_a_run_in_memory_says_what_its_commands_need(
    tiny: Path, saved: DatasetDict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))

    def stop(event: labelkit.events.Event) -> None:
        if isinstance(event, labelkit.events.StepDone):
            raise KeyboardInterrupt

    given: dict[str, Any] = {"model": tiny, "recipe": Path(__file__).parent / "plain.toml", "epochs": 1}
    with pytest.raises(KeyboardInterrupt):
        labelkit.run("ner", data=saved, listeners=[stop], **given)
    assert main(["run", "--resume", "latest"]) == 1
    assert "data of this run was given in memory" in capsys.readouterr().err
    with pytest.raises(LabelkitError, match="data= is for a run whose data was given in memory"):
        labelkit.resume("latest", data="somewhere")
    changed = DatasetDict({**saved, "test": saved["test"].select(range(3))})
    with pytest.raises(LabelkitError, match="has changed since it began: test"):
        labelkit.resume("latest", data=changed)
    result = labelkit.resume("latest", data=saved)
    assert main(["runs", "repeat", "latest"]) == 1
    assert "labelkit.resume, evaluate or find_errors" in capsys.readouterr().err
    with Registry.open(Home.find({"LABELKIT_HOME": str(tmp_path / "home")}), create=False) as registry:
        record = registry.runs.get(result.run).record
    splits = {(one.split, one.ref, one.examples) for one in record.splits}
    assert (record.data, ("train", "in memory: Dataset", 48) in splits) == ("in memory", True)


@pytest.mark.slow
def test_data_in_memory_gives_the_weights_that_files_give(
    tiny: Path, corpus: Path, saved: DatasetDict, sentences: dict[str, list[Example]], tmp_path: Path
) -> None:
    def train(data: Any, columns: Any = None) -> bytes:
        result = labelkit.run(
            "ner", data=data, columns=columns, model=tiny, recipe=Path(__file__).parent / "plain.toml", epochs=2,
            lr=1e-2, settings={"train.precision": "fp32"}, home=tmp_path / "home",
        )  # fmt: skip
        return (result.checkpoint / "model.safetensors").read_bytes()

    files = train(corpus, {"tokens": 0, "ner": 1})
    assert train(saved) == files
    assert train(frames(sentences), {"tokens": "words", "ner": "tags"}) == files
    assert train({split: iter(found) for split, found in sentences.items()}) == files


def test_several_errors_of_a_plan_come_together() -> None:
    with pytest.raises(PlanError, match="2 errors"):
        labelkit.run("ner", data=pd.DataFrame(TEXTS), columns={"tokens": "tokens"}, lr=-1)


def test_a_listener_that_raises_is_dropped_and_callbacks_are_called(
    tiny: Path, saved: DatasetDict, tmp_path: Path
) -> None:
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        """Stops after the second step, as a budget of a service might."""

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            control.should_training_stop = state.global_step >= 2

    heard: list[labelkit.events.Event] = []

    def faulty(event: labelkit.events.Event) -> None:
        heard.append(event)
        raise ValueError("not today")

    given: dict[str, Any] = {"model": tiny, "recipe": Path(__file__).parent / "plain.toml", "home": tmp_path / "home"}
    with pytest.warns(UserWarning, match=r"listener .*faulty failed and gets no more events: ValueError: not today"):
        first = labelkit.run("ner", data=saved, name="nightly", listeners=[faulty], callbacks=[Stop()], **given)
    assert len(heard) == 1
    assert first.checkpoint.name.startswith("step-")
    assert "2" in first.checkpoint.name
    # the name goes on to the next run, and the run before keeps its id
    with pytest.raises(LabelkitError, match="nightly"):
        labelkit.run("ner", data=saved, name="nightly", **given)
    second = labelkit.run("ner", data=saved, name="nightly", replace=True, epochs=1, **given)
    with Registry.open(Home(root=tmp_path / "home"), create=False) as registry:
        assert registry.runs.find("nightly").id == second.run
        before = registry.runs.get(first.run)
    assert before.record.name is None
    assert [note.text for note in before.notes][-1] == f"was called nightly until run {second.run} took the name"
    with pytest.raises(LabelkitError, match="--replace needs the name"):
        labelkit.run("ner", data=saved, replace=True, **given)
