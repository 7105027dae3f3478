"""Find which own fields of a record an output format does not hold."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from labelkit.errors import LabelkitError
from labelkit.files.output import new_output
from labelkit.formats.delimited import as_text
from labelkit.formats.layers import held_layers
from labelkit.records import Format, Labelled, LoadContext, ReadingPolicy

_MARK = "labelkit0own0field"


def tasks_left_out(writer: Format, record: Labelled) -> tuple[str, ...]:
    """Return what a format does not hold of the tasks that labelled a record: every one but the first, for most."""
    held = held_layers(writer.name, record)
    return tuple(f"labels of {task}" for task in record.layers if task not in held)


def fields_left_out(writer: Format, record: Labelled) -> tuple[str, ...]:
    """Return the own fields of a record that are not read back after it was written, or not found in the file.

    None where the format cannot write or read this record: whoever writes it reports that.
    """
    assert writer.write is not None  # writer_for returns writers only
    record = replace(record, layers={})  # the labels of further tasks may stand in a column that was kept
    suffix = writer.suffixes[0] if writer.suffixes else ".probe"
    with tempfile.TemporaryDirectory(prefix="labelkit-") as folder:
        path = Path(folder) / f"probe{suffix}"
        try:
            with new_output(path, force=False) as output:
                writer.write([record if writer.read else _marked(record)], output)
            if writer.read is None:
                content = b"".join(file.read_bytes() for file in path.parent.rglob("*") if file.is_file())
                return () if _MARK.encode() in content else tuple(record.extra)
            ctx = LoadContext(
                kind="text" if record.words is None else "token",
                policy=ReadingPolicy(labels="ignored", keep_columns=True),
            )
            example = next(iter(writer.read(path, ctx)), None)
        except LabelkitError:
            return ()
    kept = {} if example is None else {"document": example.document, **example.extra}
    missing = {name: value for name, value in record.extra.items() if as_text(kept.get(name)) != as_text(value)}
    return tuple(name for name in missing if not _is_written(writer, record, name))


def _is_written(writer: Format, record: Labelled, name: str) -> bool:
    """Whether an own field stands in the file although it is not read back, as one named like a prediction's."""
    assert writer.write is not None
    with tempfile.TemporaryDirectory(prefix="labelkit-") as folder:
        path = Path(folder) / "probe"
        try:
            with new_output(path, force=False) as output:
                writer.write([replace(record, extra={**record.extra, name: _MARK})], output)
        except LabelkitError:
            return False
        return any(_MARK.encode() in file.read_bytes() for file in path.parent.rglob("*") if file.is_file())


def _marked(record: Labelled) -> Labelled:
    return replace(record, extra=dict.fromkeys(record.extra, _MARK))
