"""What a source promises: the same well-formed examples each time, in every split and layer that it declares."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from pathlib import Path

from labelkit.config.environment import Environment
from labelkit.errors import LabelkitError, NetworkError
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Schema, Source
from labelkit.testing.base import (
    Broken,
    DataAbsentError,
    Question,
    WatchedContext,
    calling_offline,
    example_fault,
    layer_fault,
    require,
    require_none,
)
from labelkit.testing.elsewhere import Repeatable
from labelkit.testing.kinds import KIND


class Corpus:
    """A source with its splits, each read when it is first asked for."""

    def __init__(self, source: Source, catalog: Catalog) -> None:
        self.source = source
        self.name = source.name
        self.kind = source.kind
        self.catalog = catalog
        self._splits: dict[str, list[Example]] = {}

    def __getitem__(self, split: str) -> list[Example]:
        """Return the examples of a split."""
        if split not in self._splits:
            self._splits[split] = self.again(split)
        return self._splits[split]

    def again(self, split: str) -> list[Example]:
        """Read a split anew, without a network and with an empty cache.

        :raises DataAbsentError: the corpus is not there.
        :raises Broken: it cannot be read.
        """
        what = f"load('{split}', ctx) of source '{self.name}'"
        advice = "every split in splits= must be readable; take folders from ctx.folder(name)"
        with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
            ctx = WatchedContext(root=Environment.read().data, cache=Path(folder), offline=True)
            try:
                with calling_offline(what, advice, may=NetworkError):
                    return list(self.source.load(split, ctx))
            except NetworkError as error:
                raise DataAbsentError(f"data absent: {error.message}", hint=error.hint) from error


def _names(corpus: Corpus) -> None:
    """What it names has to be there also where its data is not."""
    require(corpus.source.layers, f"source '{corpus.name}' declares no layers", "write layers={'LAYER': None}")
    for layer, name in corpus.source.layers.items():
        if name is not None:
            _schema(corpus, layer, name)


def _schema(corpus: Corpus, layer: str, name: str) -> Schema:
    """Return the schema that a layer names.

    :raises Broken: there is none, or it is of another kind.
    """
    require(
        isinstance(layer, str) and isinstance(name, str),
        f"layers= of source '{corpus.name}' has {layer!r}: {name!r}",
        "write 'LAYER': 'SCHEMA', or 'LAYER': None for a schema that is taken from train",
    )
    try:
        schema: Schema = corpus.catalog.find("schema", name)
    except LabelkitError as error:
        raise Broken(
            f"layer '{layer}' of source '{corpus.name}' names a schema that cannot be used ({error})",
            "correct layers=, or yield the schema in labelkit_schemas()",
        ) from error
    require(
        schema.kind == corpus.kind,
        f"schema '{name}' is of kind '{schema.kind}', source '{corpus.name}' of '{corpus.kind}'",
        "make them agree",
    )
    return schema


def _splits(corpus: Corpus) -> None:
    require(corpus.source.splits, f"source '{corpus.name}' declares no splits", "write splits=('train', …)")
    for split in corpus.source.splits:
        examples = corpus[split]
        require(
            examples, f"split '{split}' of source '{corpus.name}' is empty", "yield examples, or take it from splits="
        )
        faults = (example_fault(example, corpus.kind) for example in examples)
        require_none((f"split '{split}': {fault}" for fault in faults if fault), "correct load(), or kind=")


def _repeats(corpus: Corpus) -> None:
    for split in corpus.source.splits:
        require(
            _digest(corpus[split]) == _digest(corpus.again(split)),
            f"split '{split}' of source '{corpus.name}' differs when it is read again",
            "seed what is random, sort what has no order (sets, folders), and keep no state between calls",
        )


def _digest(examples: list[Example]) -> str:
    """Return a hash of all that a run sees of the examples."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(repr(_seen(example)).encode())
    return digest.hexdigest()


def _seen(example: Example) -> tuple[object, ...]:
    labels = sorted(example.labels.items(), key=repr)
    return (
        example.id,
        example.words,
        example.text,
        labels,
        example.document,
        example.offsets,
        sorted(example.extra.items(), key=repr),
    )


def _layers(corpus: Corpus) -> None:
    for split in corpus.source.splits:
        faults = (
            layer_fault(example, layer, corpus.kind) for layer in corpus.source.layers for example in corpus[split]
        )
        require_none((f"split '{split}': {fault}" for fault in faults if fault), "correct load(), or layers=")


def _schemas(corpus: Corpus) -> None:
    for layer, name in corpus.source.layers.items():
        if name is None:
            continue
        schema = _schema(corpus, layer, name)
        for split in corpus.source.splits:
            _fits(split, corpus[split], layer, schema)


def _fits(split: str, examples: list[Example], layer: str, schema: Schema) -> None:
    seen: dict[str, str] = {}
    for example in examples:
        labels = example.labels.get(layer, ())
        for label in (labels,) if isinstance(labels, str) else labels:
            seen.setdefault(label, example.id)
    known = set(schema.label_names)
    require_none(
        (
            f"label '{label}' (example {example}, split '{split}') is not in schema '{schema.name}' of layer '{layer}'"
            for label, example in seen.items()
            if label not in known
        ),
        "correct the labels, add it to the schema, or name no schema (None) to take it from train",
    )


def _ids(corpus: Corpus) -> None:
    for split in corpus.source.splits:
        often = Counter(example.id for example in corpus[split])
        require_none(
            (f"{count} examples of split '{split}' have the id '{id_}'" for id_, count in often.items() if count > 1),
            "number them, ids are unique in a split",
        )


def _counts(corpus: Corpus) -> None:
    counts = corpus.source.counts
    unknown = [split for split in counts if split not in corpus.source.splits]
    require(not unknown, f"counts= of source '{corpus.name}' has {unknown}, which splits= lacks", "make them agree")
    require_none(
        (
            f"split '{split}' of source '{corpus.name}' has {len(corpus[split])} examples, counts= declares {count}"
            for split, count in counts.items()
            if len(corpus[split]) != count
        ),
        "correct counts=, or find what was lost",
    )


def _prints(corpus: Corpus) -> dict[str, str]:
    return {f"split '{split}'": _digest(corpus[split]) for split in corpus.source.splits}


def _without_counts(corpus: Corpus) -> str:
    return "" if corpus.source.counts else "it declares no counts"


#: what another process has to give as well
REPEATABLE = Repeatable(what="examples", prints=_prints, needs=("repeats",))
QUESTIONS = (
    KIND,
    Question(
        name="names",
        asks="it has layers, and the schemas that they name exist and are of its kind",
        ask=_names,
        needs=("kind",),
    ),
    Question(
        name="splits",
        asks="each declared split gives well-formed examples of its kind, without a network",
        ask=_splits,
        needs=("kind",),
    ),
    Question(
        name="repeats", asks="the same ones, in the same order, when it is read again", ask=_repeats, needs=("splits",)
    ),
    Question(
        name="layers",
        asks="each declared layer is on each example, one label per word",
        ask=_layers,
        needs=("names", "splits"),
    ),
    Question(
        name="schemas",
        asks="the labels are those of the schema that the layer names",
        ask=_schemas,
        needs=("layers",),
    ),
    Question(name="ids", asks="ids are unique in a split", ask=_ids, needs=("splits",)),
    Question(
        name="counts",
        asks="there are as many examples as declared",
        ask=_counts,
        needs=("splits",),
        unless=_without_counts,
    ),
)
