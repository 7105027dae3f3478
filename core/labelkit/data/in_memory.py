"""Labelled data that is given in Python: ``datasets``, DataFrames of pandas, and examples, as splits to read.

``datasets`` and pandas are never imported here: whoever has an object of theirs has imported them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labelkit.data.example_validation import example_fault
from labelkit.data.references import split_key
from labelkit.errors import DataError
from labelkit.files.split_names import SPLITS
from labelkit.formats.columns import check_columns, find_columns
from labelkit.formats.examples import ClassNames, read_records
from labelkit.formats.tables import class_label_names, plain_value
from labelkit.records import Example, LoadContext

#: the data reference of such data, which a run records
IN_MEMORY = "in memory"
#: what may be given as data
ACCEPTED = "a reference, a Path, a DatasetDict, a Dataset, or a mapping of split → Dataset, DataFrame or Examples"
_BLOCK_ROWS = 1000  # in memory at once, as Python objects


def memory_splits(data: object) -> dict[str, Any]:
    """Return split → its data, of which each is a ``datasets.Dataset``, a DataFrame or a sequence of examples.

    Data without splits is train. Examples that can be iterated over only once are kept in a list.

    :raises DataError: it is of another type, or a split is unknown or given twice.
    """
    given = data if isinstance(data, Mapping) else {"train": data}
    if not given:
        raise DataError("the data has no splits", hint=f"give {ACCEPTED}")
    splits: dict[str, Any] = {}
    for name, value in given.items():
        split = split_key(str(name), "the data")
        if split in splits:
            raise DataError(f"the data gives the {split} split twice", hint="one entry for each split")
        splits[split] = _checked(value, None if value is data else split)
    return {split: splits[split] for split in SPLITS if split in splits}


def describe(value: object) -> str:
    """Return the reference to a split in memory that a run records.

    >>> describe([])
    'in memory: list of Example'
    """
    kind = "Dataset" if _is_dataset(value) else "DataFrame" if _is_frame(value) else "list of Example"
    return f"{IN_MEMORY}: {kind}"


def read_memory(split: str, value: Any, ctx: LoadContext, *, where: str = IN_MEMORY) -> Iterator[Example]:
    """Yield the examples of a split, one of :func:`memory_splits`; their line is the number of the row, from 1.

    :param where: the name of the data in messages.
    :raises DataError: a column is missing, or a row cannot be used; names the split and the row.
    """
    path = Path(f"{where} {split}")
    if _is_dataset(value):
        yield from _read_dataset(path, value, ctx)
    elif _is_frame(value):
        yield from _read_frame(path, value, ctx)
    else:
        yield from _checked_examples(path, value, ctx)


def _is_dataset(value: object) -> bool:
    datasets = sys.modules.get("datasets")
    return datasets is not None and isinstance(value, datasets.Dataset)


def _is_frame(value: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def _checked(value: object, split: str | None) -> Any:
    """Return the data of a split as it can be read again and again.

    :param split: None where the data has no splits.
    :raises DataError: it is of another type.
    """
    if _is_dataset(value) or _is_frame(value):
        return value
    type_, where = type(value), "data" if split is None else f"data['{split}']"
    hint = f"give {ACCEPTED}"
    if type_.__name__.startswith("Iterable") and type_.__module__.startswith("datasets"):
        hint = "it is read more than once: load it without streaming=True, or make it a Dataset"
    elif isinstance(value, str | Path):
        hint = "give files by one reference: 'train=PATH,test=PATH'"
    elif isinstance(value, Iterable) and not isinstance(value, Mapping | bytes):
        found = value if isinstance(value, Sequence) else list(value)
        if all(isinstance(one, Example) for one in found):
            return found
        wrong = next(one for one in found if not isinstance(one, Example))
        hint = "give labelkit.Example records, or rows as datasets.Dataset.from_list(…) or a DataFrame"
        raise DataError(f"{where} holds a {type(wrong).__name__}, not only labelkit.Example", hint=hint)
    raise DataError(f"{where} is of type {type_.__name__}, which cannot be read", hint=hint)


def _read_dataset(path: Path, dataset: Any, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of a ``datasets.Dataset`` as of an Arrow file; names of classes are those of its features."""
    if not dataset.column_names:
        raise DataError(f"{path} has no columns", hint="give each row tokens and labels, or a text and a label")
    check_columns(path, ctx, dataset.column_names)
    features = dict(dataset.features or {})
    names: ClassNames = {column: found for column in features if (found := _class_names(features[column]))}
    # a table for each batch: neither decoded images nor the whole as Python objects
    tables = dataset.with_format("arrow").iter(_BLOCK_ROWS)
    rows = (row for table in tables for row in table.to_pylist())
    records = ({name: plain_value(value) for name, value in row.items()} for row in rows)
    yield from read_records(path, ctx, enumerate(records, start=1), names)


def _class_names(feature: Any) -> Sequence[str]:
    """Return the names of a ``ClassLabel``, or of a list of them; nothing for other features."""
    if isinstance(feature, list):
        return _class_names(feature[0]) if feature else ()
    if type(feature).__name__ == "ClassLabel":
        return class_label_names({"_type": "ClassLabel", "names": feature.names})
    inner = getattr(feature, "feature", None)
    return () if inner is None else _class_names(inner)


def _read_frame(path: Path, frame: Any, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of a DataFrame; what pandas takes for missing is missing."""
    names = [str(name) for name in frame.columns]
    if not names:
        raise DataError(f"{path} has no columns", hint="give each row tokens and labels, or a text and a label")
    check_columns(path, ctx, names)
    columns = find_columns(names, ctx)
    read = {*columns.roles.values(), *columns.layers.values()} - set(columns.own)
    rows = enumerate(_frame_rows(names, frame), start=1)
    yield from read_records(path, ctx, _of_one_type(path, rows, read))


def _of_one_type(
    path: Path, rows: Iterable[tuple[int, dict[str, Any]]], columns: Iterable[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a DataFrame, in which no column that is read mixes text and numbers.

    :raises DataError: one does: a number among names of classes would be read as one more name.
    """
    first: dict[str, Any] = {}
    for number, row in rows:
        for column in columns:
            value = row[column]
            if isinstance(value, str | int | float):
                known = first.setdefault(column, value)
                if isinstance(known, str) is not isinstance(value, str):
                    raise DataError(
                        f"{path}:{number}: column '{column}' mixes text and numbers: {value!r:.40} after {known!r:.40}",
                        hint="give it one type, e.g. table[column] = table[column].astype(str)",
                    )
        yield number, row


def _frame_rows(names: Sequence[str], frame: Any) -> Iterator[dict[str, Any]]:
    for start in range(0, len(frame), _BLOCK_ROWS):
        block = frame.iloc[start : start + _BLOCK_ROWS]
        columns = [[_python_value(value) for value in block.iloc[:, index].tolist()] for index in range(len(names))]
        yield from (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _python_value(value: Any) -> Any:
    """Return a cell of a DataFrame as JSON can hold it: arrays as lists, what is missing as None."""
    if hasattr(value, "tolist"):  # arrays and scalars of numpy
        value = value.tolist()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return plain_value(list(value) if isinstance(value, tuple) else value)


def _checked_examples(path: Path, examples: Iterable[Example], ctx: LoadContext) -> Iterator[Example]:
    """Yield well-formed examples with ids that are unique."""
    ids: set[str] = set()
    for number, example in enumerate(examples, start=1):
        fault = example_fault(example, ctx.kind or ("text" if example.words is None else "token"))
        if not fault and example.id in ids:
            fault = f"the id '{example.id}' is repeated; number them, ids are unique in a split"
        if fault:
            ctx.policy.skip_record(DataError(f"{path}:{number}: {fault}", hint="correct the example"))
            continue
        ids.add(example.id)
        yield example
