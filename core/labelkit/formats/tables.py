"""Parquet and Arrow files, and the folders that ``datasets`` saves: rows of columns, read block by block."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from labelkit.errors import DataError
from labelkit.files.reading import open_bytes, reading_errors
from labelkit.formats.labelled_json import is_gold, to_record, without_predictions
from labelkit.formats.rows import Names, Record, check_columns, read_rows
from labelkit.records import Example, Format, Labelled, LoadContext, Output

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1000  # in memory at once
_ARROW_FILE = b"ARROW1"


def read_parquet(path: Path, ctx: LoadContext, names: Names | None = None) -> Iterator[Example]:
    """Yield the rows of a Parquet file; their line is the row, counted from 1.

    :param names: column → the names of its numbers; None for those that the file knows itself.
    :raises DataError: it is no Parquet file, lacks a column, or a row cannot be used.
    """
    import pyarrow.parquet as pq

    with _opened(path, "Parquet") as stream:
        # without this, a column chunk is read whole, and a file may hold one chunk only
        table = pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20)
        yield from _examples(path, ctx, table.schema_arrow, table.iter_batches(batch_size=_ROWS), names)


def read_arrow(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the rows of an Arrow file, or of a folder that ``datasets`` saved one split in.

    :raises DataError: it is neither, lacks a column, or a row cannot be used.
    """
    files = _data_files(path) if path.is_dir() else [path]
    start = 0
    for file in files:
        with _opened(file, "Arrow") as stream:
            schema, batches = _arrow(stream)
            for batch in _examples(path, ctx, schema, batches, None, start):
                start += 1
                yield batch


def write_parquet(records: Iterable[Labelled], output: Output) -> None:
    """Write a row per record; the first thousand decide the columns and their types.

    :raises DataError: a later record has another column, or another type in one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = (_row(labelled) for labelled in records)
    first = list(islice(rows, _ROWS))
    try:
        schema = pa.Table.from_pylist(_filled(first)).schema
        with pq.ParquetWriter(output.stream, schema) as writer:
            block = first
            while block:
                writer.write_table(pa.Table.from_pylist(_known(block, schema.names), schema=schema))
                block = list(islice(rows, _ROWS))
    except (pa.ArrowException, UnicodeEncodeError, TypeError) as error:
        raise DataError(
            f"Parquet cannot hold these records: {one_line(error)}",
            hint="each field needs one type throughout; another format can hold it, e.g. --to jsonl",
        ) from error


FORMATS = (
    Format(
        name="parquet",
        kinds=("token", "text"),
        suffixes=(".parquet",),
        read=read_parquet,
        write=write_parquet,
        summary="Parquet: words and tags, a text and spans, or a text and a label in columns",
        needs_file=True,
    ),
    Format(
        name="arrow",
        kinds=("token", "text"),
        suffixes=(".arrow",),
        read=read_arrow,
        summary="Arrow files, and folders saved by datasets.save_to_disk",
    ),
)


def saved_splits(folder: Path) -> dict[str, Path] | None:
    """Return split → folder for what ``DatasetDict.save_to_disk`` wrote; ``{"": folder}`` for a single data set.

    None for any other folder.
    """
    if (folder / "state.json").is_file():
        return {"": folder}
    index = folder / "dataset_dict.json"
    if not index.is_file():
        return None
    names = _json(index).get("splits", [])
    return {str(name): folder / str(name) for name in names}


def class_names(schema: pa.Schema) -> Names:
    """Return column → names of its numbers, as ``datasets`` keeps them in a file."""
    kept = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(kept)["info"]["features"] if kept else {}
    except (ValueError, KeyError, TypeError):
        return {}
    found = ((column, _names(feature)) for column, feature in features.items())
    return {column: names for column, names in found if names}


def one_line(error: Exception) -> str:
    """Return the first line of an error, pyarrow's may have many."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


@contextmanager
def _opened(path: Path, what: str) -> Iterator[BinaryIO]:
    import pyarrow as pa

    with reading_errors(path), open_bytes(path) as stream:
        try:
            yield stream
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk, not what the file holds
            raise DataError(
                f"{path} is no {what} file, or a broken one: {one_line(error)}", hint="check the file and its ending"
            ) from error


def _examples(
    path: Path,
    ctx: LoadContext,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    names: Names | None,
    start: int = 0,
) -> Iterator[Example]:
    check_columns(path, ctx, schema.names)
    rows = chain.from_iterable(_rows(batch) for batch in batches)
    return read_rows(
        path, ctx, enumerate(rows, start=start + 1), class_names(schema) if names is None else names, start
    )


def _rows(batch: pa.RecordBatch) -> Iterator[Record]:
    for start in range(0, batch.num_rows, _ROWS):
        for row in batch.slice(start, _ROWS).to_pylist():
            yield without_predictions({name: _plain(value) for name, value in row.items()})


def _plain(value: Any) -> Any:
    """Return a value of a table as JSON could hold it: dates and the like as text, bytes as base64."""
    if isinstance(value, list):
        return [_plain(item) for item in value] if value and not isinstance(value[0], str) else value
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta | decimal.Decimal | uuid.UUID):
        return str(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _arrow(stream: BinaryIO) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Open either kind of Arrow file: ``datasets`` writes streams, others write files."""
    import pyarrow as pa

    start = stream.read(len(_ARROW_FILE))
    stream.seek(0)
    if start == _ARROW_FILE:
        file = pa.ipc.open_file(stream)
        return file.schema, (file.get_batch(number) for number in range(file.num_record_batches))
    reader = pa.ipc.open_stream(stream)
    return reader.schema, iter(reader)


def _data_files(folder: Path) -> list[Path]:
    state = folder / "state.json"
    if not state.is_file():
        raise DataError(
            f"{folder} is no data set saved by datasets.save_to_disk", hint="it must hold state.json and *.arrow"
        )
    return [folder / str(entry["filename"]) for entry in _json(state).get("_data_files", [])]


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _names(feature: Any) -> Sequence[str]:
    """Return the names of a ``ClassLabel``, or of a list of them."""
    if isinstance(feature, list):
        return _names(feature[0]) if feature else ()
    if not isinstance(feature, dict):
        return ()
    if feature.get("_type") == "ClassLabel":
        return list(feature.get("names") or ())
    return _names(feature.get("feature"))


def _row(labelled: Labelled) -> dict[str, Any]:
    """Return the columns of a record; all figures of the coverage, as pyarrow drops those that come late."""
    found = to_record(labelled)
    if is_gold(labelled):
        return found
    return {**found, "coverage": {**asdict(labelled.coverage), **found["coverage"]}}


def _filled(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give every row every column that one of them has."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]


def _known(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Mapping[str, Any]]:
    """Refuse columns that the first rows had not; pyarrow would drop them in silence."""
    for row in rows:
        if new := [name for name in row if name not in names]:
            raise DataError(
                f"record '{row['id']}' has a field '{new[0]}' that the first {_ROWS} have not",
                hint="another format can hold it, e.g. --to jsonl",
            )
    return list(rows)
