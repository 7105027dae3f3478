"""Read the labels of a layer as they are written: numbers that have names, and tags in other notations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from labelkit.data.scheme_conversion import (
    SchemeConversion,
    convert_scheme,
    is_tag,
    labels_of,
    place_of,
    with_labels,
)
from labelkit.data.unknown_labels import PLAIN_LAYERS, mark_unknown, unknown_labels
from labelkit.data.views import map_examples
from labelkit.errors import DataError
from labelkit.labels.label_sets import with_label_set
from labelkit.labels.number_names import named_numbers
from labelkit.labels.numbers import with_number
from labelkit.labels.tag_styles import TagStyle, detect_style, joined_tag
from labelkit.labels.unknown import UNKNOWN, hide_unknown, keep_unknown
from labelkit.records import DataSettings, Example, LoadContext, ReadingPolicy, Scheme

Splits = Mapping[str, Sequence[Example]]
#: layers whose labels stand for spans
_SPAN_LAYERS = ("ner", "chunk")


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelNotation:
    """How the labels of one layer are written.

    :param names: number → name of the label; empty where labels are names.
    :param style: the notation of tags; None for tags of the four schemes, and for plain labels.
    :param unknown: labels of what is not annotated, which stay as they are.
    """

    layer: str
    names: Mapping[str, str]
    style: TagStyle | None
    unknown: frozenset[str] = frozenset({UNKNOWN})

    def read(self, example: Example) -> Example:
        """Return the example with its labels by name, as tags of one of the four schemes."""
        before = example.labels.get(self.layer)
        if before is None:
            return example
        if isinstance(before, str):
            after: tuple[str, ...] | str = self.names.get(before, before)
        else:
            after = tuple([self.names.get(label, label) for label in before]) if self.names else before
            if self.style:
                after = keep_unknown(before, self.style.translate(hide_unknown(after, self.unknown)), self.unknown)
        return example if after == before else with_labels(example, self.layer, after)


def numeric_splits(splits: Mapping[str, Sequence[Example]], layer: str) -> dict[str, Sequence[Example]]:
    """Return splits whose labels are written in one way.

    :raises DataError: a label is not a number; names file and line.
    """

    def convert(example: Example) -> Example:
        return with_number(example, layer)

    return {name: map_examples(examples, convert) for name, examples in splits.items()}


def read_labels(
    splits: Splits, layer: str, target: Scheme | None, ctx: LoadContext, *, named: bool = False
) -> SchemeConversion:
    """Return the splits with the labels of ``layer`` as tags of ``target``, or as plain labels where it is None.

    :param named: a schema names the labels, which are then in one of the four schemes, or plain.
    :raises DataError: a label is invalid; names file and line.
    """
    settings = ctx.settings
    if settings.numbers:
        return SchemeConversion(splits=numeric_splits(splits, layer), source=None)
    if settings.multilabel:
        ordered = partial(with_label_set, layer=layer)
        splits = {name: map_examples(examples, ordered) for name, examples in splits.items()}
    else:
        splits = dict(mark_unknown(splits, layer, ctx))
    read = splits if named else read_notation(splits, layer, ctx, spans=target is not None)
    if target is None:
        return SchemeConversion(splits=read, source=None)
    return convert_scheme(read, layer, target, source=settings.source_scheme, repair=settings.repair)


def read_notation(splits: Splits, layer: str, ctx: LoadContext, *, spans: bool | None) -> Splits:
    """Return the splits with the labels of ``layer`` as labelkit writes them, and note what was assumed.

    :param spans: the labels stand for spans; False for plain labels, None where it is not known.
    :raises DataError: a number has no name, or ``data.scheme`` names IOE1 or IOE2 and a tag violates it.
    """
    notation = find_notation(splits, layer, ctx, spans=spans)
    if not notation.names and notation.style is None:
        return splits
    if notation.style is not None and notation.style.mirrored and not ctx.settings.repair:
        _check_mirrored(splits, notation.style, layer, ctx.settings)
    return {name: map_examples(examples, partial(_read, notation=notation)) for name, examples in splits.items()}


def find_notation(
    splits: Mapping[str, Iterable[Example]], layer: str, ctx: LoadContext, *, spans: bool | None
) -> LabelNotation:
    """Return how the labels of ``layer`` are written, and note what was assumed.

    :param spans: see :func:`read_notation`.
    :raises DataError: a number has no name.
    """
    names = named_numbers(ctx.settings.label_names)
    unknown = unknown_labels(layer, ctx)
    counts = Counter[str]()
    for labels in _sequences(splits, layer, unknown):
        counts.update(labels)
    if names:
        _check_names(splits, layer, names, counts)
        for number in [label for label in counts if label in names]:
            counts[names[number]] += counts.pop(number)
    plain = layer in PLAIN_LAYERS or ctx.settings.plain_labels is True
    if spans is False or (spans is None and plain):
        if plain:
            _note_tags(counts, layer, ctx.policy)
        return LabelNotation(layer=layer, names=names, style=None, unknown=unknown)
    if (several := joined_tag(counts)) is not None:
        raise DataError(
            f"{_first_place(splits, layer, several)}: a word has several tags, '{several}'",
            hint="write one tag for each word; of nested spans, keep the outer ones",
        )
    style = detect_style(
        counts,
        lambda: ([names.get(label, label) for label in labels] for labels in _sequences(splits, layer, unknown)),
        scheme=ctx.settings.file_scheme,
        default_type=ctx.settings.default_type,
        spans=spans or (True if layer in _SPAN_LAYERS else None),
    )
    for assumption in style.assumptions if style else ():
        ctx.policy.assume(*assumption)
    return LabelNotation(layer=layer, names=names, style=style, unknown=unknown)


def _read(example: Example, *, notation: LabelNotation) -> Example:
    return notation.read(example)


def _sequences(
    splits: Mapping[str, Iterable[Example]], layer: str, unknown: frozenset[str]
) -> Iterator[tuple[str, ...]]:
    """Yield the labels of each example that has any, without those that are ``unknown``."""
    for example in chain.from_iterable(splits.values()):
        if layer in example.labels:
            yield tuple([label for label in labels_of(example, layer) if label not in unknown])


def _check_names(
    splits: Mapping[str, Iterable[Example]], layer: str, names: Mapping[str, str], counts: Iterable[str]
) -> None:
    """Raise :class:`~labelkit.errors.DataError` for a label that is neither a number with a name nor a name.

    A tag of a span is named by its type, where spans have numbers.
    """
    known = {*names, *names.values(), "O"}
    unnamed = {label for label in counts if label not in known and label.partition("-")[2] not in known}
    if not unnamed:
        return
    for example in chain.from_iterable(splits.values()):
        for index, label in enumerate(labels_of(example, layer) if layer in example.labels else ()):
            if label in unnamed:
                place = place_of(example, None if example.words is None else index)
                raise DataError(
                    f"{place}: label {label!r} has no name in data.label_names, which names {len(names)} labels",
                    hint="add its name; -1 and -100 often mean: not labelled",
                )


def _first_place(splits: Mapping[str, Iterable[Example]], layer: str, wanted: str) -> str:
    """Return where a label of words occurs first."""
    for example in chain.from_iterable(splits.values()):
        labels = example.labels.get(layer, ())
        if not isinstance(labels, str) and wanted in labels:
            return place_of(example, labels.index(wanted))
    return layer


def _check_mirrored(splits: Splits, style: TagStyle, layer: str, settings: DataSettings) -> None:
    for example in chain.from_iterable(splits.values()):
        labels = example.labels.get(layer, ())
        if isinstance(labels, str):
            continue
        if (word := style.first_violation(labels)) is not None:
            raise DataError(
                f"{place_of(example, word)}: tag '{labels[word]}' does not fit {style.mirrored} where it stands",
                hint="correct the tag, or let --set data.repair=true read it as the CoNLL scorer does",
            )


def _note_tags(counts: Mapping[str, int], layer: str, policy: ReadingPolicy) -> None:
    """Note where plain labels look like tags of spans: probably another column was meant."""
    marked = [label for label in counts if label != "O"]
    if marked and all(map(is_tag, marked)):
        policy.assume(
            f"the plain labels of '{layer}' look like tags of spans ({', '.join(sorted(marked)[:3])})",
            f"choose another column with --columns {layer}=…",
        )
