"""A data reference made into a corpus: hashed splits in one scheme and schema, always with a validation."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from labelkit.data.holdout import hold_out_validation
from labelkit.data.layer_schema import check_classes, check_examples, schema_of
from labelkit.data.reading import Parts, Raw, read_raw
from labelkit.data.scheme_conversion import SchemeConversion, convert_scheme
from labelkit.errors import DataError, UnknownNameError, nearest
from labelkit.labels import schemes
from labelkit.records import Example, Kind, Labels, LoadContext, Schema, Scheme


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """One split.

    :param ref: where it came from: a path, or ``SOURCE:SPLIT``.
    :param content_hash: SHA-256 over words (or text) and the layer's labels, in order; the same for every
        file format and tagging scheme.
    :param words: how many there are; for texts, what white space separates.
    :param held_out: held out from train by labelkit.
    """

    name: str
    examples: Sequence[Example]
    ref: str
    content_hash: str
    words: int
    held_out: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """Labelled data, ready to train on.

    :param reference: as the user gave it.
    :param splits: ``train``, ``validation`` and, where there is one, ``test``.
    :param scheme_read: the scheme that the data was in; None for plain labels.
    :param repaired: tags that were changed because they did not fit it.
    :param synthetic: made by a program.
    :param notes: what is odd without being wrong, one line each.
    """

    reference: str
    layer: str
    kind: Kind
    schema: Schema
    splits: Mapping[str, Split]
    scheme_read: Scheme | None = None
    repaired: int = 0
    synthetic: bool = False
    notes: tuple[str, ...] = ()


def load_corpus(
    reference: str,
    *,
    layer: str,
    kind: Kind,
    scheme: Scheme | None,
    catalog: Parts,
    ctx: LoadContext,
    seed: int = 0,
) -> Corpus:
    """Read all splits of a data reference and convert them to one scheme; hold out validation where it is absent.

    :param scheme: the task's tagging scheme; None for plain labels.
    :param seed: the seed of a held-out validation split where ``data.validation_seed`` is None.
    :raises DataError: the data cannot be used as it stands; names file and line where there is one.
    :raises UnknownNameError: nothing has that name.
    """
    settings = ctx.settings
    target = (settings.train_scheme or scheme) if scheme else None
    raw = read_raw(reference, kind, catalog, context_for(ctx, layer, kind))
    named = _named(raw, layer, catalog)
    if "train" not in raw.splits:
        raise DataError(f"'{reference}' has no train split", hint="add it: --data train=PATH,…")
    for split, examples in raw.splits.items():
        check_examples(split, examples, layer, kind)
    tagged = None
    if target:
        tagged = convert_scheme(raw.splits, layer, target, source=settings.source_scheme, repair=settings.repair)
    splits = tagged.splits if tagged else raw.splits
    schema = schema_of(splits, layer, kind, target, named=named, allow_new=settings.allow_new_labels)
    if kind == "text" and named is None:
        check_classes(schema, len(splits["train"]), most=settings.max_labels)
    held_out = "validation" not in splits
    if held_out:
        seed = seed if settings.validation_seed is None else settings.validation_seed
        train, validation = hold_out_validation(splits["train"], layer, kind, settings.validation_fraction, seed)
        splits = {**splits, "train": train, "validation": validation}
    return _corpus(reference, layer, schema, raw, splits, tagged, held_out=held_out)


def content_hash(examples: Iterable[Example], layer: str, scheme: Scheme | None) -> str:
    """Return the SHA-256 of the words (or texts) and labels; ``scheme`` is the one that the labels are in."""
    return _measured(examples, layer, scheme)[0]


def _measured(examples: Iterable[Example], layer: str, scheme: Scheme | None) -> tuple[str, int]:
    """Return the content hash and the number of words, in one pass."""
    digest, words = hashlib.sha256(), 0
    for example in examples:
        labels: Labels = example.labels[layer]
        if scheme is not None and scheme != "IOB2" and not isinstance(labels, str):
            labels = schemes.convert(labels, scheme, "IOB2")
        content = example.text if example.words is None else example.words
        line = json.dumps([content, labels], ensure_ascii=False, separators=(",", ":"))
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
        words += len((example.text or "").split()) if example.words is None else len(example.words)
    return digest.hexdigest(), words


def _corpus(
    reference: str,
    layer: str,
    schema: Schema,
    raw: Raw,
    splits: Mapping[str, Sequence[Example]],
    tagged: SchemeConversion | None,
    *,
    held_out: bool,
) -> Corpus:
    made = {
        name: _split(name, splits[name], raw.refs.get(name, raw.refs["train"]), layer, schema, held_out)
        for name in ("train", "validation", "test")
        if name in splits
    }
    return Corpus(
        reference=reference,
        layer=layer,
        kind=schema.kind,
        schema=schema,
        splits=made,
        scheme_read=tagged.source if tagged else None,
        repaired=tagged.repaired if tagged else 0,
        synthetic=raw.source is not None and raw.source.synthetic,
        notes=(*raw.notes, *_no_test(made)),
    )


def _no_test(splits: Mapping[str, Split]) -> Iterable[str]:
    """Tell of a test split whose examples training or selection sees."""
    for name, split in splits.items():
        if name != "test" and "test" in splits and split.content_hash == splits["test"].content_hash:
            yield f"test and {name} are the same {len(split.examples):,} examples: scores on them are no test scores"


def _split(name: str, examples: Sequence[Example], ref: str, layer: str, schema: Schema, held_out: bool) -> Split:
    content, words = _measured(examples, layer, schema.scheme)
    return Split(
        name=name,
        examples=examples,
        ref=ref,
        content_hash=content,
        words=words,
        held_out=held_out and name == "validation",
    )


def context_for(ctx: LoadContext, layer: str, kind: Kind) -> LoadContext:
    """Return the context in which a reference is read for one layer, with counts of its own."""
    return replace(ctx, layer=layer, kind=kind, policy=replace(ctx.policy, counts=Counter()))


def _named(raw: Raw, layer: str, catalog: Parts) -> Schema | None:
    """Return the schema that the source names for the layer."""
    if raw.source is None:
        return None
    if layer not in raw.source.layers:
        raise DataError(f"source '{raw.source.name}' has no layer '{layer}'", hint=nearest(layer, raw.source.layers))
    name = raw.source.layers[layer]
    if name is None:
        return None
    if name not in catalog.schemas:
        raise UnknownNameError(
            f"source '{raw.source.name}' names the schema '{name}', which nobody supplies",
            hint=nearest(name, catalog.schemas),
        )
    return catalog.schemas[name]
