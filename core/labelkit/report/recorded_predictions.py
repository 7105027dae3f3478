"""Read the predictions that ``labelkit evaluate -o`` wrote for a run."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labelkit.data.corpus import content_hash
from labelkit.evaluation.evaluation import GOLD
from labelkit.records import Example, Labels, Schema
from labelkit.registry import OutputRecord, RunDetails

#: the layer of the gold labels of the examples
LAYER = "gold"


@dataclass(frozen=True, slots=True)
class RecordedPredictions:
    """Gold examples and their predicted labels, from a file."""

    path: Path
    examples: list[Example]
    predicted: list[Labels]
    schema: Schema


def recorded_predictions(details: RunDetails, schema: Schema) -> Iterator[tuple[str, RecordedPredictions]]:
    """Yield the split and the content of each file of predictions on this machine that is unchanged, newest first.

    The split is the one whose words and gold labels have the same content hash.
    """
    sizes = {one.examples for one in details.record.splits}
    for output in reversed(details.outputs):
        if output.kind != "predictions" or output.records not in sizes or not is_unchanged(output):
            continue
        for pairs in (False, True):  # a field "pair" is the second text, or one of the user's own
            if found := read_predictions(Path(output.path), schema, pairs=pairs):
                digest = content_hash(found.examples, LAYER, schema.scheme)
                yield from ((one.split, found) for one in details.record.splits if one.content_hash == digest)


def is_unchanged(output: OutputRecord) -> bool:
    """Return whether a JSON Lines file is on this machine as it was written."""
    from labelkit.models.checkpoint_files import sha256_of

    path = Path(output.path)
    try:
        same = output.host == platform.node() and path.suffix == ".jsonl" and path.stat().st_size == output.size
        return same and sha256_of(path) == output.sha256
    except OSError:
        return False


def read_predictions(path: Path, schema: Schema, *, pairs: bool = False) -> RecordedPredictions | None:
    """Return the examples of a JSON Lines file; None if it lacks gold or predicted labels of the schema.

    :param pairs: the examples are pairs of texts; None if there are no second texts.
    """
    known, texts = set(schema.label_names), schema.kind == "text"
    found = RecordedPredictions(path, [], [], schema)
    try:
        with path.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                pair = row["pair"] if pairs else None
                if schema.multilabel:
                    gold, predicted = tuple(row[GOLD]), tuple(row["labels"])
                    example = Example(id=str(row["id"]), text=row["text"], pair=pair, labels={LAYER: gold})
                elif texts:
                    gold, predicted = (str(row[GOLD]),), (str(row["label"]),)
                    example = Example(id=str(row["id"]), text=row["text"], pair=pair, labels={LAYER: gold[0]})
                else:
                    gold, predicted = tuple(row[GOLD]), tuple(row["labels"])
                    example = Example(id=str(row["id"]), words=tuple(row["words"]), labels={LAYER: gold})
                if not known.issuperset((*gold, *predicted)):
                    return None
                found.examples.append(example)
                found.predicted.append(predicted[0] if texts and not schema.multilabel else predicted)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found
