"""Parquet and Arrow files, and folders saved by ``datasets``, read in blocks of rows."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from labelkit.errors import DataError
from labelkit.files.reading import open_bytes, reading_errors, too_long
from labelkit.files.small import read_json
from labelkit.formats.arrow_messages import ARROW_MAGIC, check_messages
from labelkit.formats.arrow_sizes import decoded_bytes
from labelkit.formats.columns import check_columns
from labelkit.formats.examples import ClassNames, read_records
from labelkit.formats.labelled_json import is_gold, to_record
from labelkit.formats.parquet_pages import VALUES_FACTOR, check_pages
from labelkit.records import Example, Format, Labelled, LoadContext, Output

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_ROWS = 1000  # in memory at once


def read_parquet(path: Path, ctx: LoadContext, names: ClassNames | None = None) -> Iterator[Example]:
    """Yield the rows of a Parquet file; their line is the number of the row, from 1.

    :param names: column → class names; None for those that the file itself gives.
    :raises DataError: the file is invalid, lacks a column, or a row cannot be used.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _open_table(path, "Parquet") as stream:
        # without buffering, a column chunk is read whole, and a file may have a single chunk
        table = pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20)
        try:
            rows = check_pages(path, stream, table, VALUES_FACTOR * ctx.settings.max_record)
        except ValueError as error:
            raise pa.ArrowInvalid(str(error)) from error
        yield from _examples(path, ctx, table.schema_arrow, table.iter_batches(batch_size=rows), names)


def read_arrow(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the rows of an Arrow file, or of a folder that ``datasets`` saved a split in.

    :raises DataError: it is neither, lacks a column, or a row cannot be used.
    """
    files = [path]
    if path.is_dir():
        state = path / "state.json"
        if not state.is_file():
            raise DataError(
                f"{path} is not a dataset saved by datasets.save_to_disk", hint="it must hold state.json and *.arrow"
            )
        files = [path / str(entry["filename"]) for entry in _read_json(state).get("_data_files", [])]
    count = 0
    for file in files:
        with _open_table(file, "Arrow") as stream:
            schema, batches = open_arrow(file, stream)
            for example in _examples(path, ctx, schema, batches, None, count):
                count += 1
                yield example


def write_parquet(records: Iterable[Labelled], output: Output) -> None:
    """Write a row per record; the first thousand determine the columns and their types.

    :raises DataError: a later record has another column, or another type in a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = map(_parquet_row, records)
    block = list(islice(rows, _BLOCK_ROWS))
    columns = dict.fromkeys(name for row in block for name in row)
    try:
        found = pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in block]).schema
        # a column that is empty so far holds text where it holds anything
        schema = pa.schema([field.with_type(pa.string()) if field.type == pa.null() else field for field in found])
        with pq.ParquetWriter(output.stream, schema) as writer:
            while block:
                for row in block:
                    if new := [name for name in row if name not in columns]:  # pyarrow would drop it silently
                        raise DataError(
                            f"record '{row['id']}' has a field '{new[0]}' that the first {_BLOCK_ROWS} lack",
                            hint="another format can hold it, e.g. --to jsonl",
                        )
                writer.write_table(pa.Table.from_pylist(block, schema=schema))
                block = list(islice(rows, _BLOCK_ROWS))
    except (pa.ArrowException, UnicodeEncodeError, TypeError) as error:
        raise DataError(
            f"Parquet cannot hold these records: {first_line(error)}",
            hint="each field needs one type throughout; another format can hold it, e.g. --to jsonl",
        ) from error


FORMATS = (
    Format(
        name="parquet",
        pairs=True,
        kinds=("token", "text"),
        suffixes=(".parquet",),
        read=read_parquet,
        write=write_parquet,
        multilabel=True,
        summary="Parquet: words and tags, a text and spans, or a text and a label in columns",
        needs_file=True,
        same_fields=True,
    ),
    Format(
        name="arrow",
        pairs=True,
        kinds=("token", "text"),
        suffixes=(".arrow",),
        read=read_arrow,
        summary="Arrow files, and folders saved by datasets.save_to_disk",
    ),
)


def saved_splits(folder: Path) -> dict[str, Path] | None:
    """Return split → folder of what ``DatasetDict.save_to_disk`` wrote; ``{"": folder}`` for a single dataset.

    None for any other folder.
    """
    if (folder / "state.json").is_file():
        return {"": folder}
    index = folder / "dataset_dict.json"
    if not index.is_file():
        return None
    return {str(name): folder / str(name) for name in _read_json(index).get("splits", [])}


def class_names(schema: pa.Schema) -> ClassNames:
    """Return column → class names, from the features that ``datasets`` keeps in a file's metadata."""
    metadata = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(metadata)["info"]["features"] if metadata else {}
    except (ValueError, KeyError, TypeError):
        return {}
    found = ((column, class_label_names(feature)) for column, feature in features.items())
    return {column: names for column, names in found if names}


def class_label_names(feature: Any) -> Sequence[str]:
    """Return the names of a feature ``ClassLabel``, or of a list of them; nothing for other features."""
    if isinstance(feature, list):
        return class_label_names(feature[0]) if feature else ()
    if not isinstance(feature, dict):
        return ()
    if feature.get("_type") == "ClassLabel":
        return list(feature.get("names") or ())
    return class_label_names(feature.get("feature"))


def open_arrow(path: Path, stream: BinaryIO) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Open either kind of Arrow data: ``datasets`` writes streams, others write files.

    :raises DataError: a record batch unpacks to far more than it should.
    :raises pyarrow.ArrowInvalid: the data are damaged.
    """
    import pyarrow as pa

    try:
        check_messages(path, stream)
    except ValueError as error:
        raise pa.ArrowInvalid(str(error)) from error
    magic = stream.read(len(ARROW_MAGIC))
    stream.seek(0)
    if magic == ARROW_MAGIC:
        file = pa.ipc.open_file(stream)
        return file.schema, (file.get_batch(number) for number in range(file.num_record_batches))
    reader = pa.ipc.open_stream(stream)
    return reader.schema, iter(reader)


def plain_value(value: Any) -> Any:
    """Return a value of a table as JSON can hold it: dates and the like as text, bytes as base64, NaN as None."""
    if isinstance(value, list):
        return [plain_value(item) for item in value] if value and not isinstance(value[0], str) else value
    if isinstance(value, dict):
        return {name: plain_value(inner) for name, inner in value.items()}
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta | decimal.Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, float) and math.isnan(value):
        return None  # what is missing in a table of pandas
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def first_line(error: Exception) -> str:
    """Return the first line of an error's message; pyarrow's may have many."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


@contextmanager
def _open_table(path: Path, kind: str) -> Iterator[BinaryIO]:
    import pyarrow as pa

    with reading_errors(path), open_bytes(path) as stream:
        try:
            yield stream
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # a damaged name of a column, for the last
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk, not the content of the file
            raise DataError(
                f"{path} is not a valid {kind} file: {first_line(error)}", hint="check the file and its ending"
            ) from error


def _examples(
    path: Path,
    ctx: LoadContext,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    names: ClassNames | None,
    start: int = 0,
) -> Iterator[Example]:
    check_columns(path, ctx, schema.names)
    blocks = (block.to_pylist() for batch in batches for block in _small_blocks(path, batch, ctx.settings.max_record))
    rows = ({name: plain_value(value) for name, value in row.items()} for row in chain.from_iterable(blocks))
    numbered = enumerate(rows, start=start + 1)
    return read_records(path, ctx, numbered, class_names(schema) if names is None else names, start)


def _small_blocks(path: Path, batch: pa.RecordBatch, limit: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a batch in blocks of at most a thousand, and long rows one by one.

    :raises DataError: a row has more than ``limit`` bytes.
    :raises pyarrow.ArrowInvalid: the batch is damaged.
    """
    batch.validate(full=True)  # reading a damaged Arrow file may end the process: pyarrow trusts its offsets
    for first in range(0, batch.num_rows, _BLOCK_ROWS):
        block = batch.slice(first, _BLOCK_ROWS)
        if decoded_bytes(block) <= limit:
            yield block
            continue
        for index in range(block.num_rows):
            row = block.slice(index, 1)
            if decoded_bytes(row) > limit:
                raise too_long(str(path), "table has a row that", limit, "bytes")
            yield row


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="check the folder") from error
    return content if isinstance(content, dict) else {}


def _parquet_row(labelled: Labelled) -> dict[str, Any]:
    row = to_record(labelled)
    if not is_gold(labelled):  # all figures of the coverage, as pyarrow drops those that appear in later rows only
        row["coverage"] = {**asdict(labelled.coverage), **row["coverage"]}
    return row
