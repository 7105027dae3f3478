"""Labelled data from one format into another: labels as they are, and nothing lost.

What was written is read back and compared, example by example, before it takes its place: so whatever the target
cannot hold is found, for the format of a plugin too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from labelkit.data.layer_schema import check_examples
from labelkit.data.reading import Parts, kind_of, open_split
from labelkit.data.scheme_conversion import place_of
from labelkit.errors import DataError
from labelkit.files.output import new_output
from labelkit.formats.delimited import as_text
from labelkit.formats.labelled_json import gold_coverage
from labelkit.formats.recognition import writer_for
from labelkit.labels.notation import as_iob2, notation_of
from labelkit.records import Example, Kind, Labelled, Labels, LoadContext
from labelkit.settings import DataSettings

#: what can be left out knowingly, beside the layers and the caller's own fields by their names
DROPPABLE = ("id", "text", "document", "scheme", "extra")


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """What to convert.

    :param layer: the layer to convert alone; None for all, the first one being the target's own.
    :param drop: what to leave out: :data:`DROPPABLE`, layers, or own fields.
    :param split: of a reference that has several.
    """

    reference: str
    target: Path
    to: str
    layer: str | None = None
    drop: Collection[str] = ()
    split: str = "train"
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """What was done.

    :param checked: it was read back and compared; some formats can only be written.
    :param notes: what was left out while reading.
    """

    examples: int
    kind: Kind
    checked: bool
    notes: tuple[str, ...] = ()


def convert(asked: Conversion, parts: Parts, ctx: LoadContext) -> Converted:
    """Write a data reference in another format.

    :raises DataError: something cannot be read or written, or the target does not hold all of it.
    """
    writer_for(asked.target, parts.formats, asked.to)  # a wrong name is an error before data is read
    kind = kind_of(asked.reference, parts, ctx)
    writer = writer_for(asked.target, parts.formats, asked.to, kind=kind)
    counts = Counter[str]()

    def examples(counts: Counter[str]) -> Iterator[Example]:
        within = replace(ctx, kind=kind, layer=asked.layer, policy=replace(ctx.policy, counts=counts))
        found = open_split(asked.reference, asked.split, kind, parts, within)
        return (_wanted(example, asked, kind) for example in found)

    with new_output(asked.target, force=asked.force) as output:
        counter = _Numbered()
        assert writer.write is not None  # writer_for offers writers only
        writer.write(counter.each(examples(counts)), output)
        if not counter.count:
            raise DataError(f"'{asked.reference}' is empty: it holds no examples", hint="check the file")
        output.close()
        if writer.read is not None:
            layer = "labels" if kind == "token" else "label"
            settings = DataSettings(splitter=ctx.settings.splitter, plain_labels=counter.plain)
            again = LoadContext(settings=settings, layer=layer, kind=kind)
            with output.readable() as path:
                _compare(examples(Counter()), _readable(writer.read(path, again), path.parent, asked), asked)
    notes = tuple(f"{what}: {count:,}" for what, count in counts.items())
    return Converted(examples=counter.count, kind=kind, checked=writer.read is not None, notes=notes)


class _Numbered:
    """Makes examples into records and counts them; those without an id are numbered.

    ``plain`` tells whether the labels of words are no tags.
    """

    def __init__(self) -> None:
        self.count = 0
        self.plain = False

    def each(self, examples: Iterable[Example]) -> Iterator[Labelled]:
        for self.count, example in enumerate(examples, start=1):
            labelled = to_labelled(example if example.id else replace(example, id=str(self.count)))
            self.plain = self.plain or notation_of(labelled.labels or ()) == "plain"
            yield labelled


def to_labelled(example: Example) -> Labelled:
    """Return a gold example as a record: its first layer as the labels, its other layers among its own fields."""
    main, *others = example.labels
    own: dict[str, Any] = {layer: list(example.labels[layer]) for layer in others}
    if example.document is not None:
        own["document"] = example.document
    if example.words is None:
        return Labelled(
            id=example.id,
            text=example.text or "",
            label=str(example.labels[main]),
            coverage=gold_coverage(1),
            extra=_joined(own, example),
        )
    return Labelled(
        id=example.id,
        text=" ".join(example.words) if example.text is None else example.text,
        words=example.words,
        labels=tuple(example.labels[main]),
        offsets=example.offsets,
        coverage=gold_coverage(len(example.words)),
        extra=_joined(own, example),
    )


def _joined(own: Mapping[str, Any], example: Example) -> dict[str, Any]:
    if clash := [name for name in own if example.extra.get(name, own[name]) != own[name]]:
        raise DataError(
            f"{place_of(example)}: the field '{clash[0]}' is there twice", hint=f"leave one out: --drop {clash[0]}"
        )
    return {**own, **example.extra}


def _wanted(example: Example, asked: Conversion, kind: Kind) -> Example:
    """Return what is to be written of an example, once it is found whole."""
    layers = [asked.layer] if asked.layer else [layer for layer in example.labels if layer not in asked.drop]
    for layer in layers or ["labels" if kind == "token" else "label"]:
        check_examples(asked.split, [example], layer, kind)
    drop = set(asked.drop)
    extra = {} if "extra" in drop else {name: value for name, value in example.extra.items() if name not in drop}
    return replace(
        example,
        id="" if "id" in drop else example.id,
        text=None if "text" in drop and kind == "token" else example.text,
        offsets=None if "text" in drop else example.offsets,
        document=None if "document" in drop else example.document,
        labels={layer: _labels(example.labels[layer], drop) for layer in layers},
        extra=extra,
    )


def _readable(found: Iterable[Example], folder: Path, asked: Conversion) -> Iterator[Example]:
    """Yield what was read back; what cannot be is something that the format does not hold."""
    try:
        yield from found
    except DataError as error:
        message = error.message.replace(f"{folder}/", "")
        raise DataError(
            f"format '{asked.to}' does not give back what was written: {message}",
            hint=_another(asked.to),
        ) from error


def _labels(labels: Labels, drop: Collection[str]) -> Labels:
    """Return labels as they are, or as IOB2 where their scheme may be lost."""
    return labels if isinstance(labels, str) or "scheme" not in drop else as_iob2(labels)


def _compare(given: Iterable[Example], found: Iterable[Example], asked: Conversion) -> None:
    name = asked.to
    for before, after in zip_longest(given, found):
        if before is None or after is None:
            raise DataError(
                f"format '{name}' does not give back as many examples as were written",
                hint=f"it cannot hold empty ones, perhaps; {_another(name)}",
            )
        if lost := list(dict.fromkeys(_differences(before, after))):
            raise DataError(
                f"{place_of(before)}: format '{name}' cannot hold {', '.join(map(_called, lost))} "
                f"of example '{before.id}'",
                hint=_advice(lost, before, _another(name)),
            )


def _called(lost: str) -> str:
    return f"the {lost}" if lost in ("words", "labels", *DROPPABLE) else f"the field '{lost}'"


def _another(name: str) -> str:
    """Advise another format than the one called ``name``."""
    return "use another format" + (": labelkit formats lists them" if name == "jsonl" else ", e.g. --to jsonl")


def _advice(lost: list[str], example: Example, another: str) -> str:
    main, *others = example.labels
    if set(lost) & set(others):
        return f"convert one layer, --layer {main}, or {another}"
    if set(lost) & {"words", "labels"}:
        return another
    return f"leave it out with --drop {','.join(lost)}, or {another}"


def _same_spans(before: Labels, after: Labels | None) -> bool:
    """Whether labels of words mean the same spans."""
    if isinstance(before, str) or after is None or isinstance(after, str):
        return False
    return as_iob2(before) == as_iob2(after)


def _differences(before: Example, after: Example) -> Iterator[str]:
    """Yield the names of what was not read back as it was."""
    main, *others = before.labels
    text = (before.text, before.offsets if before.offsets is not None else after.offsets)
    pairs: Mapping[str, tuple[Any, Any]] = {
        "words": (before.words, after.words),
        "labels": (before.labels[main], next(iter(after.labels.values()), None)),
        "text": (text, (after.text, after.offsets)) if before.text is not None else ("", ""),
        "id": (before.id, after.id) if before.id else ("", ""),
        "document": (before.document, after.document),
    }
    lost = [name for name, (given, found) in pairs.items() if given != found]
    if "labels" in lost and _same_spans(*pairs["labels"]):
        lost[lost.index("labels")] = "scheme"
    yield from lost
    kept = {"document": after.document, **after.extra}
    own = {**{layer: list(before.labels[layer]) for layer in others}, **before.extra}
    yield from (name for name, value in own.items() if as_text(value) != as_text(kept.get(name)))
