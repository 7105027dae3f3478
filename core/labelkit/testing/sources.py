"""What a source promises: the same well-formed examples each time, in every split and layer that it declares."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from labelkit.catalog import Catalog
from labelkit.environment import Environment
from labelkit.errors import LabelkitError
from labelkit.records import Example, Schema, Source
from labelkit.testing.base import (
    Broken,
    DataAbsentError,
    WatchedContext,
    kind_fault,
    layer_fault,
    plainly,
    require,
    require_none,
)


def questions(source: Source, catalog: Catalog) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the questions about ``source`` by name; its splits are read once for most of them."""
    loaded = _Loaded(source)
    yield "splits", partial(_splits, source, loaded)
    yield "repeats", partial(_repeats, source, loaded)
    yield "layers", partial(_layers, source, loaded)
    yield "schemas", partial(_schemas, source, loaded, catalog)
    yield "ids", partial(_ids, source, loaded)
    if source.counts:
        yield "counts", partial(_counts, source, loaded)


class _Loaded:
    """The splits of a source, each read when it is first asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._splits: dict[str, list[Example]] = {}

    def __getitem__(self, split: str) -> list[Example]:
        """Return the examples of a split; what is not an example is left to the check of splits."""
        return [item for item in self.everything(split) if isinstance(item, Example)]

    def everything(self, split: str) -> list[Example]:
        if split not in self._splits:
            self._splits[split] = self.again(split)
        return self._splits[split]

    def again(self, split: str) -> list[Example]:
        """Read a split anew, without a network and with an empty cache.

        :raises DataAbsentError: the corpus is not there.
        :raises Broken: it cannot be read.
        """
        with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
            ctx = WatchedContext(root=Environment.read().data, cache=Path(folder), offline=True)
            try:
                return list(self._source.load(split, ctx))
            except DataAbsentError:
                raise
            except Exception as error:
                raise Broken(
                    f"load('{split}', ctx) of source '{self._source.name}' fails with {plainly(error)}: every split "
                    "in splits= must be readable; take folders from ctx.folder(name)"
                ) from error


def _splits(source: Source, loaded: _Loaded) -> None:
    require(source.splits, f"source '{source.name}' declares no splits: write splits=('train', …)")
    for split in source.splits:
        examples = loaded.everything(split)
        require(
            examples, f"split '{split}' of source '{source.name}' is empty: yield examples, or take it from splits="
        )
        faults = (kind_fault(example, source.kind) for example in examples)
        require_none(f"split '{split}': {fault}" for fault in faults if fault)


def _repeats(source: Source, loaded: _Loaded) -> None:
    for split in source.splits:
        require(
            _digest(loaded.everything(split)) == _digest(loaded.again(split)),
            f"split '{split}' of source '{source.name}' differs when it is read again: seed what is random, sort what "
            "has no order (sets, folders), and keep no state between calls",
        )


def _digest(examples: list[Example]) -> str:
    """Return a hash of all that a run sees of the examples."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(repr(_seen(example)).encode() if isinstance(example, Example) else repr(type(example)).encode())
    return digest.hexdigest()


def _seen(example: Example) -> tuple[object, ...]:
    labels = sorted(example.labels.items())
    return (
        example.id,
        example.words,
        example.text,
        labels,
        example.document,
        example.offsets,
        sorted(example.extra.items()),
    )


def _layers(source: Source, loaded: _Loaded) -> None:
    require(source.layers, f"source '{source.name}' declares no layers: write layers={{'LAYER': None}}")
    for split in source.splits:
        faults = (layer_fault(example, layer, source.kind) for layer in source.layers for example in loaded[split])
        require_none(f"split '{split}': {fault}" for fault in faults if fault)


def _schemas(source: Source, loaded: _Loaded, catalog: Catalog) -> None:
    for layer, name in source.layers.items():
        if name is None:
            continue
        try:
            schema: Schema = catalog.find("schema", name)
        except LabelkitError as error:
            raise Broken(
                f"layer '{layer}' of source '{source.name}' names a schema that cannot be used: {error}"
            ) from error
        require(
            schema.kind == source.kind,
            f"schema '{name}' is of kind '{schema.kind}', source '{source.name}' of '{source.kind}': make them agree",
        )
        for split in source.splits:
            _fits(source, split, loaded[split], layer, schema)


def _fits(source: Source, split: str, examples: list[Example], layer: str, schema: Schema) -> None:
    seen: dict[str, str] = {}
    for example in examples:
        labels = example.labels.get(layer, ())
        for label in (labels,) if isinstance(labels, str) else labels:
            seen.setdefault(label, example.id)
    require_none(
        f"label '{label}' (example {example}, split '{split}') is not in schema '{schema.name}' of layer '{layer}': "
        "correct the labels, add it to the schema, or name no schema (None) to take it from train"
        for label, example in seen.items()
        if label not in schema.label_names
    )


def _ids(source: Source, loaded: _Loaded) -> None:
    for split in source.splits:
        often = Counter(example.id for example in loaded[split])
        require_none(
            f"{count} examples of split '{split}' have the id '{id_}': number them, ids are unique in a split"
            for id_, count in often.items()
            if count > 1
        )


def _counts(source: Source, loaded: _Loaded) -> None:
    unknown = [split for split in source.counts if split not in source.splits]
    require(not unknown, f"counts= of source '{source.name}' has {unknown}, which splits= lacks: make them agree")
    require_none(
        f"split '{split}' of source '{source.name}' has {len(loaded.everything(split))} examples, counts= declares "
        f"{count}: correct counts=, or find what was lost"
        for split, count in source.counts.items()
        if len(loaded.everything(split)) != count
    )
