"""The schema of a layer: named, or taken from train; and every split held to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from labelkit.data.scheme_conversion import place_of
from labelkit.errors import DataError, nearest
from labelkit.labels.schemes import split_tag
from labelkit.records import Example, Kind, Schema, Scheme

Seen = dict[str, tuple[Example, int, str]]
"""Span type (or plain label) → the example, the index and the label with which it is first seen."""


def check_examples(split: str, examples: Iterable[Example], layer: str, kind: Kind) -> None:
    """Check that each example is of ``kind`` and carries ``layer``, one label per word for kind ``token``.

    :raises DataError: one does not.
    """
    for example in examples:
        labels = example.labels.get(layer)
        if labels is None:
            known = f"only {', '.join(example.labels)}" if example.labels else "nor any other"
            raise DataError(
                f"{place_of(example)}: no labels of '{layer}' in {split}, {known}",
                hint=_where(example, layer, kind),
            )
        if kind == "token":
            _check_words(example, labels, layer)
        elif example.text is None:
            raise DataError(
                f"{place_of(example)}: a text is needed, this example has none",
                hint="choose its field: --columns text=…",
            )


def schema_of(
    splits: Mapping[str, Sequence[Example]],
    layer: str,
    kind: Kind,
    scheme: Scheme | None,
    *,
    named: Schema | None = None,
    allow_new: bool = False,
) -> Schema:
    """Return the schema of ``layer``: ``named``, or the sorted types (or labels) of train.

    :param splits: complete, before a validation split is carved out of train.
    :param scheme: the scheme that the labels are in; None for plain labels.
    :param allow_new: add what the schema lacks at its end instead of refusing it.
    :raises DataError: a label that the schema lacks; names file and line.
    """
    if named is not None and (named.scheme is None) != (scheme is None):
        wants = "plain labels" if scheme is None else "span types"
        raise DataError(f"schema '{named.name}' of layer '{layer}' does not hold the {wants} that the task needs")
    seen = {split: _seen(examples, layer, scheme) for split, examples in splits.items()}
    known = tuple(sorted(seen["train"])) if named is None else named.types or named.labels
    new = _unknown(seen, known, named, allow_new=allow_new)
    return _schema(layer, kind, scheme, (*known, *new), named)


def check_classes(schema: Schema, texts: int, *, most: int) -> None:
    """Check that the labels of texts look like classes, not like numbers or free text.

    :param texts: how many there are in train.
    :param most: how many labels there may be.
    :raises DataError: there are more than ``most``, or more than half as many as texts when over 20.
    """
    count = len(schema.labels)
    if count > most or (count > 20 and count > texts / 2):
        few = ", ".join(f"'{label[:20]}'" for label in schema.labels[:3])
        raise DataError(
            f"train has {count:,} different labels of '{schema.name}' for {texts:,} texts: {few}, …",
            hint=f"choose the column of the classes with --columns {schema.name}=…"
            + (f", or allow more with --set data.max_labels={count}" if count > most else ""),
        )


def _check_words(example: Example, labels: tuple[str, ...] | str, layer: str) -> None:
    if example.words is None:
        raise DataError(
            f"{place_of(example)}: words are needed, this example has none",
            hint="choose their field: --columns tokens=…",
        )
    if isinstance(labels, str) or len(labels) != len(example.words):
        count = 1 if isinstance(labels, str) else len(labels)
        raise DataError(
            f"{place_of(example)}: {len(example.words)} words have {count} labels of '{layer}'",
            hint="each word needs one label, O where there is nothing to mark",
        )


def _where(example: Example, layer: str, kind: Kind) -> str:
    if example.extra:
        return f"say which field holds them: --columns {layer}=FIELD, with one of {', '.join(list(example.extra)[:20])}"
    return f"say where its labels are: --columns {'tokens=0' if kind == 'token' else 'text=FIELD'},{layer}=NUMBER"


def _seen(examples: Iterable[Example], layer: str, scheme: Scheme | None) -> Seen:
    seen: Seen = {}
    met: set[str] = set()
    for example in examples:
        labels = example.labels[layer]
        values = (labels,) if isinstance(labels, str) else labels
        if met.issuperset(values):
            continue
        for index, label in enumerate(values):
            met.add(label)
            name = label if scheme is None else split_tag(label)[1]
            if name or scheme is None:
                seen.setdefault(name, (example, index, label))
    return seen


def _unknown(seen: Mapping[str, Seen], known: tuple[str, ...], named: Schema | None, *, allow_new: bool) -> list[str]:
    new: set[str] = set()
    for split, names in seen.items():
        new |= names.keys() - set(known)
        if new and not allow_new:
            first = next(name for name in names if name in new)
            raise _refusal(split, first, names[first], known, named)
    return sorted(new)


def _refusal(
    split: str, name: str, where: tuple[Example, int, str], known: tuple[str, ...], named: Schema | None
) -> DataError:
    example, index, label = where
    place = place_of(example, index if example.words is not None else None)
    what = f"label '{label}'" if label == name else f"label '{label}' of type '{name}'"
    fault = f"is not in schema '{named.name}'" if named else f"stands in {split} but never in train"
    hint = f"correct it ({nearest(name, known)}), or accept it with --allow-new-labels"
    return DataError(f"{place}: {what} {fault}", hint=hint)


def _schema(layer: str, kind: Kind, scheme: Scheme | None, names: tuple[str, ...], named: Schema | None) -> Schema:
    if not names:
        raise DataError(
            f"train has no label of '{layer}' but O",
            hint=f"choose its column: --columns tokens=0,{layer}=NUMBER",
        )
    if named is not None:
        return replace(named, scheme=scheme, types=names if scheme else (), labels=() if scheme else names)
    if scheme is None:
        return Schema(name=layer, kind=kind, labels=names)
    return Schema(name=layer, kind=kind, types=names, scheme=scheme)
