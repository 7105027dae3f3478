"""The label schema of a layer: the one that a source names, or the labels of train."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from labelkit.data.scheme_conversion import labels_of, place_of
from labelkit.errors import DataError, UnknownNameError, nearest
from labelkit.formats.class_labels import SKIP_HINT
from labelkit.labels.schemes import split_tag
from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example, Kind, LoadContext, Schema, Scheme, Source

Occurrence = tuple[Example, int, str]
"""An example, the index of one of its labels, and that label."""


def check_examples(
    split: str,
    examples: Collection[Example],
    layer: str,
    kind: Kind,
    *,
    multilabel: bool = False,
    numeric: bool = False,
    pairs: bool | None = None,
) -> None:
    """Check that each example is of ``kind`` and has labels in ``layer``: one per word, or one of the text.

    :param multilabel: a text may have several labels.
    :param numeric: a text has a number, or a text that writes one.
    :param pairs: all are pairs of texts, or none is; None for either.
    :raises DataError: an example does not.
    """
    for example in examples:
        labels = example.labels.get(layer)
        if labels is None:
            message, hint = _missing_labels(example, layer, kind, split)
            hint = SKIP_HINT if any(layer in other.labels for other in examples) else hint
        elif pairs is not None and (example.pair is not None) is not pairs:
            message = "a single text, others are pairs" if pairs else "a pair of texts, others are single"
            hint = "name both texts where they are: --columns text=…,pair=…"
        elif kind == "text" and example.text is None:
            message, hint = "a text is needed, this example has none", "choose its field: --columns text=…"
        elif kind == "text":
            if isinstance(labels, str | tuple if multilabel else str | int | float if numeric else str):
                continue
            several = labels if isinstance(labels, int | float) else f"{len(labels)} labels"
            message = f"a text of {split} has {several} of '{layer}', as a {type(labels).__name__}"
            hint = "give each text one label, as a str; numbers are learned with --set train.head=regression, tuples of"
            hint += " labels with --set data.multilabel=true"
        elif example.words is None:
            message, hint = "words are needed, this example has none", "choose their field: --columns tokens=…"
        elif isinstance(labels, str) or len(labels) != len(example.words):
            count = 1 if isinstance(labels, str) else len(labels)
            message = f"{len(example.words)} words have {count} labels of '{layer}'"
            hint = "each word needs one label, O outside of spans"
            hint += "" if example.text is None else "; labels of the whole text are for textcls"
        else:
            continue
        raise DataError(f"{place_of(example)}: {message}", hint=hint)


def are_pairs(splits: Mapping[str, Sequence[Example]], ctx: LoadContext) -> bool:
    """Return whether examples are to be pairs of texts: the first one is, or ``--columns`` names a second text."""
    first = next((example for examples in splits.values() for example in examples), None)
    return "pair" in ctx.columns or (first is not None and first.pair is not None)


def schema_of(
    splits: Mapping[str, Sequence[Example]],
    layer: str,
    kind: Kind,
    scheme: Scheme | None,
    *,
    named: Schema | None = None,
    allow_new: bool = False,
    numeric: bool = False,
) -> Schema:
    """Return the schema of ``layer``: ``named``, or the sorted types (or labels) of train.

    :param splits: complete, before a validation split is held out from train.
    :param scheme: the tagging scheme of the labels; None for plain labels.
    :param numeric: labels are numbers, of which there is no list.
    :param allow_new: append labels that the schema lacks instead of raising.
    :raises DataError: a label that the schema lacks; names file and line.
    """
    if numeric:
        return named or Schema(name=layer, kind=kind, numeric=True)
    if named is not None and (named.scheme is None) != (scheme is None):
        needed = "plain labels" if scheme is None else "span types"
        raise DataError(f"schema '{named.name}' of layer '{layer}' does not hold the {needed} that the task needs")
    occurrences = {split: first_occurrences(examples, layer, scheme) for split, examples in splits.items()}
    known = tuple(sorted(occurrences["train"])) if named is None else named.types or named.labels
    new: set[str] = set()
    for split, found in occurrences.items():
        new |= found.keys() - set(known)
        if new and not allow_new:
            name = next(name for name in found if name in new)
            raise _unknown_label(split, name, found[name], known, named)
    names = (*known, *sorted(new))
    if not names:
        raise DataError(
            f"the training split contains only 'O' labels for '{layer}'",
            hint=f"annotate some spans; or choose the column of the labels: --columns tokens=0,{layer}=NUMBER",
        )
    types, labels = (names, ()) if scheme else ((), names)
    if named is not None:
        return replace(named, scheme=scheme, types=types, labels=labels)
    return Schema(name=layer, kind=kind, types=types, labels=labels, scheme=scheme)


def check_numeric(numbers: bool, named: Schema | None, layer: str, kind: Kind) -> None:
    """Check that labels are numbers where they are to be, and only there.

    :param numbers: ``data.numbers``.
    :param named: the schema that a source names.
    :raises DataError: they are not.
    """
    if numbers and kind != "text":
        raise DataError("data.numbers is for labels of texts, these are words", hint="leave it out")
    if named is not None and named.numeric != numbers:
        found, hint = (
            ("numbers", "learn them with --set train.head=regression; data commands read them with data.numbers=true")
            if named.numeric
            else ("classes, not numbers", "choose a head for classes, such as linear, and no data.numbers")
        )
        raise DataError(f"labels of '{layer}' are {found}, by schema '{named.name}'", hint=hint)


def named_schema(source: Source, layer: str, schemas: Mapping[str, Schema]) -> Schema | None:
    """Return the schema that a source names for a layer; None where its labels are taken from train.

    :raises DataError: the source has no such layer.
    :raises UnknownNameError: no plugin supplies the schema.
    """
    if layer not in source.layers:
        raise DataError(f"source '{source.name}' has no layer '{layer}'", hint=nearest(layer, source.layers))
    name = source.layers[layer]
    if name is not None and name not in schemas:
        raise UnknownNameError(
            f"source '{source.name}' names the schema '{name}', which no plugin supplies", hint=nearest(name, schemas)
        )
    return None if name is None else schemas[name]


def check_classes(schema: Schema, texts: int, *, most: int) -> None:
    """Check that the labels of texts look like classes, not like numbers or free text.

    :param texts: the number of texts in train.
    :param most: how many labels there may be.
    :raises DataError: there are more than ``most``, or more than half as many as texts when over 20.
    """
    count = len(schema.labels)  # none where labels are numbers
    if count > most or (count > 20 and count > texts / 2):
        few = ", ".join(f"'{label[:20]}'" for label in schema.labels[:3])
        raise DataError(
            f"train has {count:,} different labels of '{schema.name}' for {texts:,} texts: {few}, …",
            hint=f"choose the column of the classes with --columns {schema.name}=…"
            + (f", or allow more with --set data.max_labels={count}" if count > most else ""),
        )


def check_types(schema: Schema, *, most: int) -> None:
    """Check that the labels of words are not too many: each word has a score for each of them.

    :param most: how many span types, or plain labels, there may be.
    :raises DataError: there are more.
    """
    names = schema.types or schema.labels
    if len(names) > most:
        what = "span types" if schema.types else "different labels"
        few = ", ".join(f"'{name[:20]}'" for name in names[:3])
        raise DataError(
            f"train has {len(names):,} {what} of '{schema.name}', more than {most:,}: {few}, …",
            hint=f"choose the column of the labels with --columns {schema.name}=…, "
            f"or allow more with --set data.max_types={len(names)}",
        )


def first_occurrences(examples: Iterable[Example], layer: str, scheme: Scheme | None) -> dict[str, Occurrence]:
    """Return span type (or plain label) → its first occurrence."""
    found: dict[str, Occurrence] = {}
    seen: set[str] = set()
    for example in examples:
        labels = labels_of(example, layer)
        if seen.issuperset(labels):
            continue
        for index, label in enumerate(labels):
            seen.add(label)
            if label == UNKNOWN:
                continue
            name = label if scheme is None else split_tag(label)[1]
            if name or scheme is None:
                found.setdefault(name, (example, index, label))
    return found


def _missing_labels(example: Example, layer: str, kind: Kind, split: str) -> tuple[str, str]:
    """Return the message and the hint for an example without labels in ``layer``."""
    known = f"only {', '.join(example.labels)}" if example.labels else "nor any other"
    if example.extra:
        fields = ", ".join(list(example.extra)[:20])
        hint = f"say which field holds them: --columns {layer}=FIELD, with one of {fields}"
    else:
        content = "tokens=0" if kind == "token" else "text=FIELD"
        hint = f"say where its labels are: --columns {content},{layer}=NUMBER"
    return f"no labels of '{layer}' in {split}, {known}", hint


def _unknown_label(
    split: str, name: str, occurrence: Occurrence, known: tuple[str, ...], named: Schema | None
) -> DataError:
    """Return the error for a label, or its type ``name``, that the schema lacks."""
    example, index, label = occurrence
    place = place_of(example, None if example.words is None else index)
    of_type = "" if label == name else f" of type '{name}'"
    fault = f"is not in schema '{named.name}'" if named else f"occurs in {split} but never in train"
    hint = f"correct it ({nearest(name, known)}), or accept it with --allow-new-labels"
    return DataError(f"{place}: label '{label}'{of_type} {fault}", hint=hint)
