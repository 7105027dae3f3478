"""A field of records that names their splits, which are files of their own here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from labelkit.files.split_names import canonical_split
from labelkit.formats.columns import Record
from labelkit.records import LoadContext

_FIELDS = ("split", "set", "subset", "partition")


def noting_splits(path: Path, records: Iterable[tuple[int, Record]], ctx: LoadContext) -> Iterator[tuple[int, Record]]:
    """Yield the records; at the end it is noted if a field names several splits, as it does not separate them."""
    found: dict[str, dict[str, None]] = {name: {} for name in _FIELDS}
    for line, record in records:
        for name in _FIELDS:
            if isinstance(value := record.get(name), str) and canonical_split(value):
                found[name][value] = None
        yield line, record
    for name, values in found.items():
        if len(values) > 1 and ctx.policy.labels == "required":
            ctx.policy.assume(
                f"all records of {path.name} are of one split, whatever their field '{name}' says "
                f"({', '.join(values)})",
                "a file for each split says otherwise",
            )
