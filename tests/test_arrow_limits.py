"""Arrow files that stand for far more than they hold: refused before they are unpacked, or read row by row."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelkit.errors import DataError
from labelkit.formats import arrow_messages
from labelkit.formats.arrow_messages import messages
from labelkit.formats.arrow_sizes import decoded_bytes
from labelkit.formats.tables import read_arrow, read_parquet
from labelkit.records import Example, LoadContext
from labelkit.settings import DataSettings

LIMIT = 5000
CONTEXT = LoadContext(settings=DataSettings(max_record=LIMIT), layer="label", kind="text")
LONG, MANY = "x" * 100_000, 1000
WRITERS: dict[str, Callable[..., Any]] = {"file": pa.ipc.new_file, "stream": pa.ipc.new_stream}
#: columns of a thousand rows, each of which is one long text or list that is stored once
SHARED: dict[str, Callable[[], pa.Array]] = {
    "a dictionary": lambda: pa.DictionaryArray.from_arrays(pa.array([0] * MANY, pa.int32()), pa.array([LONG])),
    "runs": lambda: pa.RunEndEncodedArray.from_arrays(pa.array([MANY], pa.int32()), pa.array([LONG])),
    "lists of a dictionary": lambda: pa.ListArray.from_arrays(
        pa.array(range(MANY + 1), pa.int32()), SHARED["a dictionary"]()
    ),
    "list views": lambda: pa.ListViewArray.from_arrays(
        pa.array([0] * MANY, pa.int32()), pa.array([1] * MANY, pa.int32()), pa.array([LONG])
    ),
    "lists of nothing": lambda: pa.FixedSizeListArray.from_arrays(pa.nulls(MANY * 10_000), 10_000),
}


def write(path: Path, column: pa.Array, writer: str = "file", compression: str | None = "zstd") -> Path:
    table = pa.table({"text": column, "label": ["a"] * len(column)})
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with WRITERS[writer](str(path), table.schema, options=options) as sink:
        sink.write_table(table)
    return path


def read(path: Path, context: LoadContext = CONTEXT) -> list[Example]:
    return list(read_arrow(path, context))


def reason(path: Path) -> str:
    """Return why a file is refused; empty if it is read."""
    try:
        read(path)
    except DataError as error:
        return error.message
    return ""


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("packed", ["zstd", "lz4", "gzip"])
def test_a_batch_that_unpacks_to_far_more_is_refused(
    writer: str, packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_messages, "MAX_BATCH", 1_000_000)
    path = write(tmp_path / "bomb.arrow", pa.array([LONG] * 20), writer, None if packed == "gzip" else packed)
    assert len(path.read_bytes()) < 20_000 or packed == "gzip"
    if packed == "gzip":
        assert len(read(path, replace(CONTEXT, settings=DataSettings()))) == 20  # as large as it says
        path = path.with_suffix(".arrow.gz")
        path.write_bytes(gzip.compress((tmp_path / "bomb.arrow").read_bytes()))
    with pytest.raises(DataError, match=r"has a record batch that unpacks to 2,\d{3},\d{3} bytes, more than 1,000,000"):
        read(path)


@pytest.mark.parametrize("writer", WRITERS)
def test_an_announced_size_is_not_believed(writer: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.arrow", pa.array([LONG] * 20), writer)
    told = (2_000_000).to_bytes(8, "little")
    content = path.read_bytes()
    assert content.count(told) == 1
    path.write_bytes(content.replace(told, (1 << 50).to_bytes(8, "little")))
    with pytest.raises(DataError, match="unpacks to 1,125,899,906,8"):
        read(path)


def test_a_body_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    content = write(tmp_path / "a.arrow", pa.array(["short"] * 20), "stream", None).read_bytes()
    with (tmp_path / "a.arrow").open("rb") as stream:
        body = list(messages(stream))[1].body
    told = body.to_bytes(8, "little")
    path = tmp_path / "b.arrow"
    path.write_bytes(content.replace(told, (1 << 40).to_bytes(8, "little")))
    with pytest.raises(DataError, match="unpacks to 1,099,511,627,776 bytes"):
        read(path)


@pytest.mark.parametrize("shared", SHARED)
def test_rows_that_share_their_bytes_count_with_all_they_refer_to(shared: str, tmp_path: Path) -> None:
    column = SHARED[shared]()
    path = write(tmp_path / "shared.arrow", column)
    assert path.stat().st_size < 20_000
    batch = pa.record_batch({"text": column})
    least = 10_000 if shared == "lists of nothing" else len(LONG)
    assert decoded_bytes(batch) >= MANY * least
    assert least <= decoded_bytes(batch.slice(7, 1)) < 2 * least
    with pytest.raises(DataError, match=f"a row that has more than {LIMIT:,} bytes"):
        read(path)


def test_views_and_maps_are_counted_as_they_are_sliced() -> None:
    views = pa.array(["x" * length for length in (5, 30, 100)], pa.string_view())
    maps = pa.array([[("k", "x" * 40)], [("k", "x" * 50)], [("k", "x" * 60)]], pa.map_(pa.string(), pa.string()))
    structs = pa.array([{"a": "x" * 100}] * 3)
    batch = pa.record_batch({"views": views, "maps": maps, "structs": structs})
    sizes = [decoded_bytes(batch.select([name]).slice(1, 1)) for name in batch.schema.names]
    assert sizes[0] == 30
    assert 50 < sizes[1] < 80
    assert 100 <= sizes[2] < 120


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_rows_of_a_large_dictionary_are_read(writer: str, compression: str | None, tmp_path: Path) -> None:
    texts = [f"text {number:010}" for number in range(2000)]
    column = pa.array(texts).dictionary_encode()
    assert column.dictionary.nbytes > LIMIT
    found = read(write(tmp_path / "a.arrow", column, writer, compression))
    assert [one.text for one in found] == texts


@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_descriptions_are_one_line(writer: str, tmp_path: Path) -> None:
    content = write(tmp_path / "a.arrow", pa.array(["short"] * 20), writer).read_bytes()
    path = tmp_path / "b.arrow"
    for at in range(0, len(content), 7):
        for damaged in (content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :], content[:at]):
            path.write_bytes(damaged)
            assert "\n" not in reason(path)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_damaged_name_of_a_column_is_a_damaged_file(ending: str, tmp_path: Path) -> None:
    path, table = tmp_path / f"train.{ending}", pa.table({"text": ["Ada lives"], "label": ["good"], "a-name": ["x"]})
    if ending == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    path.write_bytes(path.read_bytes().replace(b"a-name", b"a\x80name"))
    with pytest.raises(DataError, match="is not a valid"):
        list((read_parquet if ending == "parquet" else read_arrow)(path, LoadContext(kind="text")))
