"""Contract checks of sources: the same well-formed examples each time, in every split and layer that is declared."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from pathlib import Path

from labelkit.data.example_validation import example_fault, layer_fault
from labelkit.data.resolved_splits import source_context
from labelkit.errors import LabelkitError, MissingDataError, NetworkError
from labelkit.records import Example, Schema, Source
from labelkit.testing.contexts import Setup
from labelkit.testing.framework import (
    KIND,
    Broken,
    CheckSet,
    DataAbsentError,
    offline_call,
    require,
    require_none,
)
from labelkit.testing.subprocess_checks import Reproducible, digest


class SourceReader:
    """A source, each split of which is read when it is first needed."""

    def __init__(self, source: Source, setup: Setup) -> None:
        self.source = source
        self.name = source.name
        self.kind = source.kind
        self.setup = setup
        self.catalog = setup.catalog
        self._splits: dict[str, list[Example]] = {}

    def __getitem__(self, split: str) -> list[Example]:
        """Return the examples of a split."""
        if split not in self._splits:
            self._splits[split] = self.read(split)
        return self._splits[split]

    def read(self, split: str) -> list[Example]:
        """Read a split anew, without a network and with an empty cache.

        :raises DataAbsentError: the data of the source is not there.
        :raises Broken: it cannot be read.
        """
        what = f"load('{split}', ctx) of source '{self.name}'"
        advice = "every split in splits= must be readable; take folders from ctx.folder(name)"
        with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
            ctx = source_context(self.source, self.setup.load_context(Path(folder)), self.catalog.formats)
            try:
                with offline_call(what, advice, may=(NetworkError, MissingDataError)):
                    return list(self.source.load(split, ctx))
            except (NetworkError, MissingDataError) as error:
                raise DataAbsentError(f"data absent: {error.message}", hint=error.hint) from error

    def is_multilabel(self, layer: str) -> bool:
        """Return whether the schema of a layer allows several labels of a text."""
        schema = self.catalog.schemas.get(self.source.layers[layer] or "")
        return schema is not None and schema.multilabel

    def schema(self, layer: str, name: str) -> Schema:
        """Return the schema that a layer names.

        :raises Broken: there is none, or it is of another kind.
        """
        require(
            isinstance(layer, str) and isinstance(name, str),
            f"layers= of source '{self.name}' has {layer!r}: {name!r}",
            "write 'LAYER': 'SCHEMA', or 'LAYER': None for a schema that is taken from train",
        )
        try:
            schema: Schema = self.catalog.find("schema", name)
        except LabelkitError as error:
            raise Broken(
                f"layer '{layer}' of source '{self.name}' names a schema that cannot be used ({error})",
                "correct layers=, or yield the schema in labelkit_schemas()",
            ) from error
        require(
            schema.kind == self.kind,
            f"schema '{name}' is of kind '{schema.kind}', source '{self.name}' of '{self.kind}'",
            "make them agree",
        )
        return schema


CHECKS = CheckSet(KIND)


@CHECKS.check("references", needs=("kind",))
def check_references(reader: SourceReader) -> None:
    """It has layers, and the schemas that they name exist and are of its kind."""
    layers = reader.source.layers
    require(layers, f"source '{reader.name}' declares no layers", "write layers={'LAYER': None}")
    for layer, name in layers.items():
        if name is not None:
            reader.schema(layer, name)


@CHECKS.check("splits", needs=("kind",))
def check_splits(reader: SourceReader) -> None:
    """Each declared split gives well-formed examples of its kind, without a network."""
    require(reader.source.splits, f"source '{reader.name}' declares no splits", "write splits=('train', …)")
    for split in reader.source.splits:
        require(
            reader[split],
            f"split '{split}' of source '{reader.name}' is empty",
            "yield examples, or take it from splits=",
        )
        faults = (example_fault(example, reader.kind) for example in reader[split])
        require_none((f"split '{split}': {fault}" for fault in faults if fault), "correct load(), or kind=")


@CHECKS.check("repeats", needs=("splits",))
def check_repeatable(reader: SourceReader) -> None:
    """The same ones, in the same order, when it is read again."""
    for split in reader.source.splits:
        require(
            digest_examples(reader[split]) == digest_examples(reader.read(split)),
            f"split '{split}' of source '{reader.name}' differs when it is read again",
            "seed what is random, sort what has no order (sets, folders), and keep no state between calls",
        )


@CHECKS.check("layers", needs=("references", "splits"))
def check_layers(reader: SourceReader) -> None:
    """Each declared layer is on each example, one label per word."""
    for split in reader.source.splits:
        faults = (
            layer_fault(example, layer, reader.kind, multilabel=reader.is_multilabel(layer))
            for layer in reader.source.layers
            for example in reader[split]
        )
        require_none((f"split '{split}': {fault}" for fault in faults if fault), "correct load(), or layers=")


@CHECKS.check("schemas", needs=("layers",))
def check_schemas(reader: SourceReader) -> None:
    """The labels are those of the schema that the layer names."""
    named = [(layer, name) for layer, name in reader.source.layers.items() if name is not None]
    for layer, name in named:
        schema = reader.schema(layer, name)
        known = set(schema.label_names)
        for split in reader.source.splits:
            first: dict[str, str] = {}  # label → the first example that has it
            for example in reader[split]:
                labels = example.labels.get(layer, ())
                for label in (labels,) if isinstance(labels, str) else labels:
                    first.setdefault(label, example.id)
            require_none(
                (
                    f"label '{label}' (example {first[label]}, split '{split}') is not in schema '{schema.name}' of "
                    f"layer '{layer}'"
                    for label in first
                    if label not in known
                ),
                "correct the labels, add it to the schema, or name no schema (None) to take it from train",
            )


@CHECKS.check("ids", needs=("splits",))
def check_unique_ids(reader: SourceReader) -> None:
    """Ids are unique in a split."""
    for split in reader.source.splits:
        often = Counter(example.id for example in reader[split])
        require_none(
            (f"{count} examples of split '{split}' have the id '{id_}'" for id_, count in often.items() if count > 1),
            "number them, ids are unique in a split",
        )


@CHECKS.check(
    "counts", needs=("splits",), skip_reason=lambda reader: "" if reader.source.counts else "it declares no counts"
)
def check_counts(reader: SourceReader) -> None:
    """There are as many examples as declared."""
    counts = reader.source.counts
    unknown = [split for split in counts if split not in reader.source.splits]
    require(not unknown, f"counts= of source '{reader.name}' has {unknown}, which splits= lacks", "make them agree")
    require_none(
        (
            f"split '{split}' of source '{reader.name}' has {len(reader[split])} examples, counts= declares {count}"
            for split, count in counts.items()
            if len(reader[split]) != count
        ),
        "correct counts=, or find what was lost",
    )


def digest_examples(examples: list[Example]) -> str:
    """Return the digest of every field of the examples that a run sees."""
    whole = hashlib.sha256()
    for each in examples:
        mappings = sorted(each.labels.items(), key=repr), sorted(each.extra.items(), key=repr)
        fields = (each.id, each.words, each.text, each.document, each.offsets, *mappings)
        whole.update(digest(fields).encode())
    return whole.hexdigest()


REPRODUCIBLE = Reproducible(
    "examples",
    lambda reader: {f"split '{split}'": digest_examples(reader[split]) for split in reader.source.splits},
    needs=("repeats",),
)
