"""A folder through which the inputs of labelling go, shard by shard, to the process that hands them to workers.

Shards are numbered files that appear atomically. One is removed when its results have arrived, so that a reader that is
killed can start again from the first one: those that are missing are done.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.errors import StorageError
from labelkit.files.atomic import storage_errors
from labelkit.formats.jsonl import json_line
from labelkit.label.result_json import input_to_json
from labelkit.label.stream import InputRecord
from labelkit.records import Example

if TYPE_CHECKING:
    import pyarrow as pa

#: seconds between two looks for the next shard
_PAUSE = 0.01
_END = "end"


class Spool:
    """The shards that wait for their results.

    :param folder: an empty one on this machine.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, shard: int, inputs: Sequence[InputRecord], *, large: bool) -> None:
        """Write a shard; its number is one more than that of the last one.

        :param large: the faster engine labels it.
        :raises DataError: JSON cannot hold a field of a record.
        :raises StorageError: the disk is full.
        """
        lines = [json_line(input_to_json(one), one.id if isinstance(one, Example) else "") for one in inputs]
        self._write(str(shard), b"".join([b"1\n" if large else b"0\n", *lines]))

    def end(self, shards: int) -> None:
        """Say that there are no more shards than those up to the number ``shards``, excluded."""
        self._write(_END, str(shards).encode())

    def done(self, shard: int) -> None:
        """Remove a shard whose results are here."""
        (self.folder / str(shard)).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        hidden = self.folder / f".{name}"
        try:
            with storage_errors(hidden):
                hidden.write_bytes(content)
                hidden.rename(self.folder / name)
        except StorageError as error:
            raise StorageError(error.message, hint="free disk space there, or name another folder: TMPDIR") from error


def read_shards(folder: str, first: int) -> Iterator[pa.Table]:
    """Yield each shard as a table of one row, until the end; wait for those that are not there yet.

    The column ``inputs`` holds a list of inputs as JSON, ``large`` whether the faster engine labels it. A shard whose
    results are known has no inputs. What ends the process that writes the shards removes the folder.

    :param first: number of the first shard.
    :raises FileNotFoundError: the folder was removed.
    """
    import pyarrow as pa

    shard, place = first, Path(folder)
    while True:
        # looked for before the shard itself, so that it was written by then
        last = _end_of(place)
        written = shard < (_newest(place) if last is None else last)
        if last is not None and not written:
            return
        content = _content(place / str(shard))
        if content is None and not written:
            time.sleep(_PAUSE)
            continue
        lines = [] if content is None else content.split(b"\n")[:-1]
        yield pa.table({
            "shard": pa.array([shard], pa.int64()),
            "large": pa.array([lines[:1] == [b"1"]]),
            "inputs": pa.array([lines[1:]], pa.large_list(pa.large_binary())),
        })  # fmt: skip
        shard += 1


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _end_of(folder: Path) -> int | None:
    content = _content(folder / _END)
    return None if content is None else int(content)


def _newest(folder: Path) -> int:
    """Return the number of the last shard that is there; 0 if there is none.

    :raises FileNotFoundError: the folder was removed.
    """
    return max((int(file.name) for file in folder.iterdir() if file.name.isdecimal()), default=0)
