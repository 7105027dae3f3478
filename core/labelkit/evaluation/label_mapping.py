"""Map the labels of other data, or of the labeller, to common ones by a mapping file.

.. code-block:: toml

    person = "PER"           # a label of the data = the labeller's
    "creative-work" = ""     # no span: left out

    [predicted]              # a label of the labeller = what it counts as
    corporation = "ORG"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labelkit.errors import LabelkitError, nearest
from labelkit.files.small import read_toml
from labelkit.labels.schemes import spans_of, tags_of
from labelkit.records import Labels, Predictions, Schema


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A mapping of labels: types of spans, or plain labels. A label that it does not name stays as it is.

    :param gold: a label of the data → the label to compare; empty to drop the span.
    :param predicted: a label of the labeller → the label to compare; empty to drop the span.
    """

    gold: Mapping[str, str] = field(default_factory=dict)
    predicted: Mapping[str, str] = field(default_factory=dict)

    def relabel(self, labels: Labels, schema: Schema) -> Labels:
        """Return gold labels, in the scheme of ``schema``, mapped."""
        return map_labels(labels, self.gold, schema)

    def schema(self, own: Schema) -> Schema:
        """Return the schema of the mapped labels.

        :param own: the labeller's.
        :raises LabelkitError: the mapping names a label that the labeller does not have.
        """
        known = own.types or own.labels
        if unknown := [name for name in self.predicted if name not in known]:
            raise LabelkitError(
                f"the mapping of predicted labels names '{unknown[0]}', which the labeller does not have",
                hint=nearest(unknown[0], known),
            )
        mapped = (self.predicted.get(name, name) for name in known)
        names = tuple(dict.fromkeys(name for name in mapped if name))
        return replace(own, types=names) if own.types else replace(own, labels=names)

    def predictions(self, given: Predictions, own: Schema) -> Predictions:
        """Return predictions mapped; their references are mapped already.

        :param own: the labeller's schema, which the predictions are in.
        """
        if not self.predicted:
            return given
        mapped = [map_labels(labels, self.predicted, own) for labels in given.predictions]
        return replace(given, predictions=mapped, schema=self.schema(own), scores=None)


def read_label_map(path: Path, schema: Schema) -> LabelMap:
    """Read a mapping file.

    :param schema: the labeller's; only spans can be dropped.
    :raises LabelkitError: the file cannot be read, or a label is mapped to an invalid value.
    """
    try:
        content = read_toml(path)
    except (OSError, ValueError) as error:
        raise LabelkitError(
            f"{path} cannot be read as a mapping: {error}", hint='each line is: "label of the data" = "label"'
        ) from error
    tables: dict[str, dict[str, Any]] = {
        name: content.pop(name) for name in ("gold", "predicted") if isinstance(content.get(name), dict)
    }
    parts = {**content, **tables.get("gold", {})}, tables.get("predicted", {})
    for name, value in (item for part in parts for item in part.items()):
        if not isinstance(value, str):
            raise LabelkitError(f"{path}: invalid label for '{name}'", hint='write it as "LABEL"')
        if not value and schema.scheme is None:
            raise LabelkitError(f"{path}: '{name}' is mapped to nothing", hint="every example needs a label here")
    gold, predicted = (
        {name: "" if value == "O" and schema.scheme else value for name, value in part.items()} for part in parts
    )
    return LabelMap(gold, predicted)


def map_labels(labels: Labels, mapping: Mapping[str, str], schema: Schema) -> Labels:
    """Return labels in the scheme of ``schema`` mapped; spans that are mapped to nothing are dropped."""
    if isinstance(labels, str):
        return mapping.get(labels, labels)
    if schema.scheme is None:
        return tuple(mapping.get(label, label) for label in labels)
    # by spans, not tags: neighbouring spans that get the same type stay two
    spans = [(start, stop, mapping.get(type_, type_)) for start, stop, type_ in spans_of(labels, schema.scheme)]
    return tags_of([span for span in spans if span[2]], len(labels), schema.scheme)
