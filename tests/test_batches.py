"""The batch labeller: Arrow tables in and out, pickled, verified, by ``datasets.map`` and as Spark calls it."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import labelkit
from label_command import SENTENCES
from labelkit.errors import LabelkitError, ModelError
from labelkit.label.arrow_rows import JsonRows, ResultColumns
from labelkit.label.cluster.spool import Spool, read_shards
from labelkit.label.records import FailedRecord
from labelkit.label.result_json import input_from_json, input_to_json
from labelkit.label.stream import InputRecord
from labelkit.records import Example, Place


@pytest.fixture(scope="module")
def batches(trained: labelkit.RunResult, home: Path) -> labelkit.BatchLabeller:
    return labelkit.BatchLabeller("shared", home=home, engine="torch")


@pytest.fixture(scope="module")
def labeller(trained: labelkit.RunResult, home: Path) -> labelkit.Labeller:
    return labelkit.load("shared", home=home, engine="torch")


def test_a_table_comes_back_with_labels(batches: labelkit.BatchLabeller, labeller: labelkit.Labeller) -> None:
    table = pa.table({"text": SENTENCES, "author": ["a", "b", "c"]})
    found = batches(table)
    assert found.schema == batches.schema(table.schema)
    assert found.select(["text", "author"]).equals(table)
    for row, record in zip(found.to_pylist(), labeller.label_all(SENTENCES), strict=True):
        assert (tuple(row["predicted_words"]), tuple(row["predicted_labels"])) == (record.words, record.labels)
        assert [(one["start"], one["end"], one["text"], one["score"]) for one in row["predicted_spans"]] == [
            (one.start, one.end, one.text, one.score) for one in record.spans or ()
        ]
        assert row["predicted_coverage"]["words"] == len(record.words or ())
        assert row["predicted_error"] is None


def test_a_row_that_cannot_be_labelled_says_why_and_the_others_are_labelled(batches: labelkit.BatchLabeller) -> None:
    rows: list[list[str | None] | None] = [["Ada", "slept"], None, ["a", None], []]
    found = batches(pa.table({"tokens": pa.array(rows, pa.list_(pa.string()))})).to_pylist()
    assert [row["predicted_error"] for row in found] == [
        None, "row 2: column 'tokens' is null", "row 3: a word of column 'tokens' is null", None,
    ]  # fmt: skip
    assert [row["predicted_labels"] is None for row in found] == [False, True, True, False]
    assert found[3]["predicted_labels"] == []


def test_it_can_be_pickled_and_labels_elsewhere(batches: labelkit.BatchLabeller) -> None:
    table = pa.table({"text": SENTENCES})
    expected = batches(table)
    content = pickle.dumps(batches)
    assert len(content) < 10_000, "the model is not in it"
    assert pickle.dumps(pickle.loads(content)) == content
    assert pickle.loads(content)(table).equals(expected)


def test_datasets_map_takes_it(batches: labelkit.BatchLabeller, tmp_path: Path) -> None:
    import datasets

    dataset = datasets.Dataset.from_dict({"text": [*SENTENCES] * 3}).with_format("arrow")
    labelled = dataset.map(batches, batched=True, batch_size=4, cache_file_name=str(tmp_path / "labelled.arrow"))
    assert (
        labelled.with_format(None)["predicted_labels"][:3]
        == batches(pa.table({"text": SENTENCES}))["predicted_labels"].to_pylist()
    )


def test_spark_calls_it_with_record_batches(batches: labelkit.BatchLabeller) -> None:
    table = pa.table({"text": [*SENTENCES] * 2})
    given = table.to_batches(max_chunksize=4)
    found = list(pickle.loads(pickle.dumps(batches.label_batches))(iter(given)))
    assert [type(one) for one in found] == [pa.RecordBatch] * 2
    assert pa.Table.from_batches(found).equals(batches(table).combine_chunks())
    (empty,) = batches.label_batches([pa.RecordBatch.from_pylist([], table.schema)])
    assert (empty.num_rows, empty.schema) == (0, batches.schema(table.schema))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"body": ["x"]}, "no column is called tokens or"),
        ({"text": [1]}, "column 'text' is of type int64"),
        ({"text": ["x"], "predicted_labels": [1]}, "the table has a column 'predicted_labels' already"),
    ],
)
def test_what_is_no_text_is_one_error(
    batches: labelkit.BatchLabeller, columns: dict[str, Sequence[Any]], said: str
) -> None:
    with pytest.raises(LabelkitError, match=said):
        batches(pa.table(columns))


def test_a_checkpoint_that_differs_or_is_missing_is_not_loaded(trained: labelkit.RunResult, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(trained.checkpoint or "", folder)
    batches = labelkit.BatchLabeller(folder, home=tmp_path / "home", engine="torch")
    content = pickle.dumps(batches)
    config = folder / "config.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(ModelError, match=r"config\.json differs from that of the machine that asked"):
        pickle.loads(content)(pa.table({"text": ["x"]}))
    config.unlink()
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        pickle.loads(content)(pa.table({"text": ["x"]}))
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="is not on this machine"):
        pickle.loads(content)(pa.table({"text": ["x"]}))


def test_a_machine_without_the_checkpoint_fetches_it_once(trained: labelkit.RunResult, tmp_path: Path) -> None:
    folder, kept = tmp_path / "copy", tmp_path / "kept"
    shutil.copytree(trained.checkpoint or "", folder)
    shutil.copytree(folder, kept)
    batches = labelkit.BatchLabeller(folder, home=tmp_path / "home", engine="torch")
    table = pa.table({"text": SENTENCES})
    expected = batches(table)
    shutil.rmtree(folder)
    asked: list[str] = []

    def fetch(name: str) -> bytes:
        asked.append(name)
        return (kept / name).read_bytes()

    for _ in range(2):
        other = pickle.loads(pickle.dumps(batches))
        other.fetch = fetch
        assert other(table).equals(expected)
    assert sorted(asked) == sorted(one.relative_to(kept).as_posix() for one in kept.rglob("*") if one.is_file())
    shutil.rmtree(tmp_path / "home" / "cache")
    other = pickle.loads(pickle.dumps(batches))
    other.fetch = lambda name: fetch(name)[:-1] + b" "
    with pytest.raises(ModelError, match="differs from that of the machine that asked"):
        other(table)


def test_columns_of_texts_numbers_and_several_tasks() -> None:
    one = ResultColumns("p_", {"p_": ("text", False, True)}, {}, pairs=False)
    assert list(one.types()) == ["p_label", "p_score", "p_number", "p_coverage", "p_error"]
    two = ResultColumns("p_", {"p_a_": ("text", True, False), "p_b_": ("token", False, False)}, {}, pairs=False)
    assert list(two.types()) == ["p_a_labels", "p_b_words", "p_b_labels", "p_b_spans", "p_coverage", "p_error"]
    assert one.row(FailedRecord("no")) == {"p_error": "no"}


@pytest.mark.parametrize(
    "item",
    [
        FailedRecord("a.txt:3: no", "do", ends_file=True),
        Example(id="1", text="a \ud800 b", extra={"x": [1, None]}, place=Place(file="a.txt", line=3), document="d"),
        Example(id="2", words=("a", "b"), text="a b", offsets=((0, 1), (2, 3))),
        Example(id="3", text="a", pair="b"),
    ],
)
def test_inputs_come_back_from_json(item: InputRecord, tmp_path: Path) -> None:
    assert input_from_json(input_to_json(item)) == item
    spool = Spool(tmp_path)
    spool.put(0, [item, item], large=True)
    spool.end(1)
    (shard,) = read_shards(str(tmp_path), 0)
    table = pa.table({"input": shard["inputs"].combine_chunks().flatten()})
    assert list(JsonRows.read(table, "token")) == [item, item]
    assert shard["large"].to_pylist() == [True]


def test_a_reader_of_shards_can_start_again_where_some_are_done(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for shard in range(4, 8):
        spool.put(shard, [Example(id=str(shard), text="x")], large=False)
    reader = read_shards(str(tmp_path), 4)
    assert [next(reader)["shard"][0].as_py() for _ in range(4)] == [4, 5, 6, 7]
    spool.done(4)
    spool.done(5)
    again = read_shards(str(tmp_path), 4)
    assert [len(next(again)["inputs"][0]) for _ in range(4)] == [0, 0, 1, 1]
    spool.end(8)
    assert list(again) == list(reader) == []
