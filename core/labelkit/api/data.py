"""The data that functions of the API take: a reference, a path, or an object in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from labelkit.config.environment import Environment
from labelkit.data.in_memory import ACCEPTED, IN_MEMORY, memory_splits
from labelkit.errors import DataError
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, LoadContext

if TYPE_CHECKING:
    import datasets
    import pandas as pd

    Rows: TypeAlias = datasets.Dataset | pd.DataFrame | Iterable[Example]
    #: a reference, a path, or data in memory, with or without splits
    Data: TypeAlias = str | Path | datasets.DatasetDict | Mapping[str, Rows] | Rows
    #: of a run of several tasks: the same for all, or task → its data
    TasksData: TypeAlias = Data | Mapping[str, Data]
else:
    Data = TasksData = Any


def with_data(
    environment: Environment, data: object, tasks: Sequence[str], *, only_memory: bool = False
) -> tuple[str | None, Environment]:
    """Return the reference by which the data of a run is read and recorded, and an environment with what is in memory.

    :param data: as for :func:`data_reference`; of several tasks also task → its data.
    :param only_memory: see :func:`data_reference`.
    :raises DataError: it is of a type that cannot be read, or names a task that the run has not.
    """
    if len(tasks) < 2 or not isinstance(data, Mapping) or not any(task in data for task in tasks):
        reference, memory = data_reference(data, only_memory=only_memory)
        return reference, replace(environment, memory=memory)
    if unknown := next((name for name in data if name not in tasks), None):
        raise DataError(f"data= names '{unknown}', which is no task of the run", hint=f"its tasks: {', '.join(tasks)}")
    found = {task: data_reference(of_task, only_memory=only_memory) for task, of_task in data.items()}
    reference = ",".join(f"{task}={text}" for task, (text, _) in found.items())
    return reference, replace(environment, memory_of={task: memory for task, (_, memory) in found.items() if memory})


def data_reference(data: object, *, only_memory: bool = False) -> tuple[str | None, dict[str, Any]]:
    """Return the reference by which data is read and recorded, and split → data for what is in memory.

    :param only_memory: a reference, or a path, is not accepted.
    :raises DataError: it is of a type that cannot be read.
    """
    if isinstance(data, str | Path) and only_memory:
        hint = "leave it out where the run was trained on files: its record says which"
        raise DataError("data= is for a run whose data was given in memory", hint=hint)
    if data is None or isinstance(data, str):
        return data, {}
    if isinstance(data, os.PathLike):
        path = os.fspath(data)
        if isinstance(path, str):  # a path is never the name of a source
            return (path if os.sep in path else os.path.join(os.curdir, path)), {}
    if isinstance(data, bytes | int | float):
        raise DataError(f"data of type {type(data).__name__} cannot be read", hint=f"give {ACCEPTED}")
    return IN_MEMORY, memory_splits(data)


def read(path: str | Path, *, format: str | None = None, ctx: LoadContext | None = None) -> Iterator[Example]:  # noqa: A002 - the name of the setting
    """Return the examples of a labelled file, read one by one in the format that every command would recognise.

    A source reads its files with ``yield from labelkit.read(ctx.folder("pets") / f"{split}.conll", ctx=ctx)``.

    :param path: a file, or a folder that is read as one; the first of several shards stands for all of them.
    :param format: the name of its format; None: that of ``data.format``, or else of the file's ending.
    :param ctx: encoding, columns, layer, kind, settings and policy to read with; None for the defaults.
    :raises LabelkitError: the format is unknown, or does not hold examples of ``ctx.kind``.
    :raises DataError: the file is missing or invalid, with file and line; when the example is accessed.

    >>> examples = list(labelkit.read("train.conll"))  # doctest: +SKIP
    """
    from labelkit.data.resolved_splits import read_shards
    from labelkit.data.split_files import shards_of
    from labelkit.formats.recognition import reader_for

    path, ctx = Path(path), ctx or LoadContext()
    formats = ctx.formats or Catalog.load(only=Environment.read().plugins).formats
    option = "labelkit.read(…, format='NAME') or --set data.format=NAME"
    chosen = reader_for(path, formats, format or ctx.settings.format, kind=ctx.kind, option=option, ctx=ctx)
    return read_shards(shards_of(path), chosen, ctx)
