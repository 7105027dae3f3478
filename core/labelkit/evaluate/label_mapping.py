"""Labels of other data, or of the labeller, made comparable by a mapping file.

.. code-block:: toml

    person = "PER"           # a label of the data = the labeller's
    "creative-work" = ""     # no span: left out

    [predicted]              # a label of the labeller = what it counts as
    corporation = "ORG"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labelkit.errors import LabelkitError, nearest
from labelkit.labels.schemes import spans_of, tags_of
from labelkit.records import Labels, Predictions, Schema

_TABLES = ("gold", "predicted")


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Which label counts as which: types of spans, or plain labels. What is not named stays as it is.

    :param gold: a label of the data → the label to compare; empty: none.
    :param predicted: a label of the labeller → the label to compare; empty: none.
    """

    gold: Mapping[str, str] = field(default_factory=dict)
    predicted: Mapping[str, str] = field(default_factory=dict)

    def relabel(self, labels: Labels, schema: Schema) -> Labels:
        """Return gold labels, in the scheme of ``schema``, as they are compared."""
        return _mapped(labels, self.gold, schema)

    def schema(self, own: Schema) -> Schema:
        """Return the labels that are compared.

        :raises LabelkitError: the mapping names a label that the labeller does not have.
        """
        known = own.types or own.labels
        if unknown := [name for name in self.predicted if name not in known]:
            raise LabelkitError(
                f"the mapping of predicted labels names '{unknown[0]}', which the labeller does not have",
                hint=nearest(unknown[0], known),
            )
        names = _distinct(self.predicted.get(name, name) for name in known)
        return replace(own, types=names) if own.types else replace(own, labels=names)

    def predictions(self, given: Predictions, own: Schema) -> Predictions:
        """Return predictions with the labels that are compared; the references have them already.

        :param own: the labeller's labels, in which the predictions are.
        """
        if not self.predicted:
            return given
        guessed = [_mapped(labels, self.predicted, own) for labels in given.predictions]
        return replace(given, predictions=guessed, schema=self.schema(own), scores=None)


def read_label_map(path: Path, schema: Schema) -> LabelMap:
    """Read a mapping file.

    :param schema: the labeller's; plain labels cannot be left out.
    :raises LabelkitError: it cannot be read, or holds something else than text.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabelkitError(
            f"{path} cannot be read as a mapping: {error}", hint='each line is: "label of the data" = "label"'
        ) from error
    tables: dict[str, dict[str, Any]] = {
        name: content.pop(name) for name in _TABLES if isinstance(content.get(name), dict)
    }
    found = LabelMap(gold={**content, **tables.get("gold", {})}, predicted=tables.get("predicted", {}))
    for name, value in (*found.gold.items(), *found.predicted.items()):
        _check(path, name, value, schema)
    return LabelMap(*({name: "" if value == "O" and schema.scheme else value for name, value in part.items()}
                      for part in (found.gold, found.predicted)))  # fmt: skip


def _check(path: Path, name: str, value: object, schema: Schema) -> None:
    if not isinstance(value, str):
        raise LabelkitError(f"{path}: '{name}' is mapped to something else than a label", hint='write it as "LABEL"')
    if not value and schema.scheme is None:
        raise LabelkitError(f"{path}: '{name}' is mapped to nothing", hint="every example needs a label here")


def _mapped(labels: Labels, mapping: Mapping[str, str], schema: Schema) -> Labels:
    if isinstance(labels, str):
        return mapping.get(labels, labels)
    if schema.scheme is None:
        return tuple(mapping.get(label, label) for label in labels)
    # by spans, so that in every scheme neighbours that become one type stay two
    spans = [(start, stop, mapping.get(type_, type_)) for start, stop, type_ in spans_of(labels, schema.scheme)]
    return tags_of([span for span in spans if span[2]], len(labels), schema.scheme)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
