"""Predictions that ``labelkit evaluate -o`` wrote for a run, read again: what is recorded needs no second labelling."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.data.corpus import content_hash
from labelkit.evaluate.evaluation import GOLD
from labelkit.records import Example, Labels, Schema
from labelkit.registry.entities import OutputRecord, RunDetails

#: what the labels are called in the examples read
LAYER = "gold"
_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class RecordedPredictions:
    """Gold examples and the labels that they were given, from a file."""

    path: Path
    examples: list[Example]
    predicted: list[Labels]


def recorded_predictions(details: RunDetails, schema: Schema) -> Iterator[tuple[str, RecordedPredictions]]:
    """Yield the split and the content of each file of predictions that is here, as it was written, newest first.

    Content decides which split it is: the hash of its words and gold labels is that of the split.
    """
    sizes = {one.examples for one in details.record.splits}
    for output in reversed(details.outputs):
        if output.kind != "predictions" or output.records not in sizes or not _is_here(output):
            continue
        found = _read(Path(output.path), schema)
        digest = content_hash(found.examples, LAYER, schema.scheme) if found else None
        for split in details.record.splits:
            if found and split.content_hash == digest:
                yield split.split, found


def _is_here(output: OutputRecord) -> bool:
    """Return whether a file is still what was written."""
    from labelkit.models.checkpoint_files import sha256_of

    path = Path(output.path)
    try:
        here = output.host == platform.node() and path.suffix == _SUFFIX and path.stat().st_size == output.size
        return here and sha256_of(path) == output.sha256
    except OSError:
        return False


def _read(path: Path, schema: Schema) -> RecordedPredictions | None:
    """Return the examples of a file; None for one that does not hold gold labels beside predicted ones."""
    known = set(schema.label_names)
    found = RecordedPredictions(path, [], [])
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                example, predicted = _pair(json.loads(line), schema)
                if not known.issuperset((*_each(example.labels[LAYER]), *_each(predicted))):
                    return None
                found.examples.append(example)
                found.predicted.append(predicted)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def _pair(row: Mapping[str, Any], schema: Schema) -> tuple[Example, Labels]:
    if schema.kind == "text":
        return Example(id=str(row["id"]), text=row["text"], labels={LAYER: row[GOLD]}), str(row["label"])
    example = Example(id=str(row["id"]), words=tuple(row["words"]), labels={LAYER: tuple(row[GOLD])})
    return example, tuple(row["labels"])


def _each(labels: Labels) -> Sequence[str]:
    return (labels,) if isinstance(labels, str) else labels
