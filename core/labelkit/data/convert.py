"""Convert labelled data from one format into another, without a change of labels and without losses.

What was written is read back and compared, example by example, before it takes the target's place: whatever the
target format cannot hold is found, for the format of a plugin too.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import zip_longest
from pathlib import Path
from typing import Any

from labelkit.console.output import open_output
from labelkit.data.label_notation import LabelNotation, find_notation
from labelkit.data.layer_schema import check_examples
from labelkit.data.multilabel import reading_several
from labelkit.data.plugin_errors import write_format
from labelkit.data.reading import kind_of, reading_notes
from labelkit.data.references import files_read
from labelkit.data.resolution import resolve_reference
from labelkit.data.resolved_splits import DataCatalog
from labelkit.data.scheme_conversion import place_of
from labelkit.errors import DataError
from labelkit.files.output import new_output
from labelkit.files.targets import check_target, is_stream
from labelkit.formats.columns import usual_layer
from labelkit.formats.delimited import as_text
from labelkit.formats.labelled_json import gold_coverage
from labelkit.formats.own_fields import with_same_fields
from labelkit.formats.recognition import writer_for
from labelkit.labels.notation import as_iob2, notation_of
from labelkit.plugins.functions import with_context
from labelkit.records import Example, Kind, Labelled, LoadContext, ReadingPolicy
from labelkit.records.contents import count_words
from labelkit.settings import DataSettings

#: what ``drop`` may name, beside layers and the caller's own fields
DROPPABLE = ("id", "text", "document", "scheme", "extra", "blank")


#: what is counted where ``drop`` names ``blank``
BLANK = "examples without words or text were left out"


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """What to convert.

    :param layer: the only layer to convert; None for all, the first one as the target's labels.
    :param drop: what to leave out: :data:`DROPPABLE`, layers, or own fields.
    :param split: the split of a reference that has several.
    """

    reference: str
    target: Path
    to: str
    layer: str | None = None
    drop: Collection[str] = ()
    split: str = "train"
    force: bool = False

    def without_blank(self, examples: Iterable[Example], policy: ReadingPolicy) -> Iterator[Example]:
        """Yield examples; those without words or text are left out and counted if ``drop`` names them."""
        for example in examples:
            if "blank" in self.drop and is_blank(example):
                policy.counts[BLANK] += 1
            else:
                yield example

    def select(self, example: Example, kind: Kind, *, multilabel: bool = False) -> Example:
        """Return the content of an example that is to be written.

        :param multilabel: a text may have several labels.

        :raises DataError: the example lacks a layer, or labels of one.
        """
        drop = set(self.drop)
        layers = [self.layer] if self.layer else [layer for layer in example.labels if layer not in drop]
        for layer in layers or [usual_layer(kind)]:
            check_examples(self.split, [example], layer, kind, multilabel=multilabel)
        labels = {layer: example.labels[layer] for layer in layers}
        if "scheme" in drop and kind == "token":
            labels = {name: one if isinstance(one, str) else as_iob2(one) for name, one in labels.items()}
        return replace(
            example,
            id="" if "id" in drop else example.id,
            text=None if "text" in drop and kind == "token" else example.text,
            offsets=None if "text" in drop else example.offsets,
            document=None if "document" in drop else example.document,
            labels=labels,
            extra={name: value for name, value in example.extra.items() if not drop & {name, "extra"}},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversionResult:
    """The outcome of a conversion.

    :param checked: it was read back and compared; some formats can only be written.
    :param notes: what was left out while reading.
    :param assumptions: what was assumed of the files where no setting says so.
    """

    examples: int
    kind: Kind
    checked: bool
    notes: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


def convert(conversion: Conversion, catalog: DataCatalog, ctx: LoadContext) -> ConversionResult:
    """Write a split of a data reference to a file in another format, or to standard output, a device or a pipe.

    :raises DataError: something cannot be read or written, or the target does not hold all of it.
    """
    if not is_stream(conversion.target):
        return _convert_to_file(conversion, catalog, ctx)
    writer_for(None, catalog.formats, conversion.to)  # a format that needs a file is an error before data is read
    with tempfile.TemporaryDirectory(prefix="labelkit-convert-") as folder:
        file = Path(folder) / "converted"  # what is read back and compared cannot be a stream
        result = _convert_to_file(replace(conversion, target=file), catalog, ctx)
        with open_output(conversion.target, conversion.to) as output, file.open("rb") as content:
            shutil.copyfileobj(content, output.stream)
    return result


def _convert_to_file(conversion: Conversion, catalog: DataCatalog, ctx: LoadContext) -> ConversionResult:
    writer_for(conversion.target, catalog.formats, conversion.to)  # an unknown name is an error before data is read
    check_target(conversion.target, force=conversion.force, inputs=files_read(conversion.reference))
    ctx = replace(ctx, layer=conversion.layer, policy=replace(ctx.policy, keep_columns=True))
    kind = kind_of(conversion.reference, catalog, ctx)
    ctx = replace(ctx, kind=kind, policy=ctx.policy.renewed())
    return reading_several(ctx, partial(_convert_kind, conversion, catalog))


def _convert_kind(conversion: Conversion, catalog: DataCatalog, ctx: LoadContext) -> ConversionResult:
    kind = ctx.kind
    assert kind is not None
    writer = with_context(writer_for(conversion.target, catalog.formats, conversion.to, kind=kind), ctx)
    resolved = resolve_reference(conversion.reference, kind, catalog, ctx)

    def read_as_written(within: LoadContext) -> Iterator[Example]:
        found = conversion.without_blank(resolved.open(conversion.split, within), within.policy)
        return (conversion.select(example, kind, multilabel=bool(ctx.settings.multilabel)) for example in found)

    notations = _find_notations(conversion.split, read_as_written, ctx) if kind == "token" else []

    def read_examples(within: LoadContext) -> Iterator[Example]:
        return (
            reduce(lambda one, notation: notation.read(one), notations, example) for example in read_as_written(within)
        )

    with new_output(conversion.target, force=conversion.force) as output:
        first_pass, silent = (replace(ctx, policy=ctx.policy.renewed()) for _ in range(2))
        records = GoldRecords(read_examples(first_pass))
        passes = iter((GoldRecords(read_examples(silent)), records) if writer.same_fields else (records,))
        write_format(writer, with_same_fields(writer, lambda: next(passes)), output)
        if not records.count:
            raise DataError(f"'{conversion.reference}' is empty: it holds no examples", hint="check the file")
        output.close()
        if writer.read is not None:
            layer = usual_layer(kind)
            settings = DataSettings(
                splitter=ctx.settings.splitter, plain_labels=records.plain, multilabel=ctx.settings.multilabel
            )
            with output.readable() as path:
                back = LoadContext(
                    settings=settings,
                    layer=layer,
                    kind=kind,
                    plugin_settings=ctx.plugin_settings,
                    policy=ReadingPolicy(keep_columns=True),
                )
                written = writer.read(path, back)
                second_pass = replace(ctx, policy=ctx.policy.renewed())
                check_lossless(read_examples(second_pass), _read_back(written, path.parent, writer.name), writer.name)
    return ConversionResult(
        examples=records.count,
        kind=kind,
        checked=writer.read is not None,
        notes=tuple(reading_notes(None, {}, first_pass)),
        assumptions=(*first_pass.policy.assumptions, *ctx.policy.assumptions),
    )


class _Reread:
    """Examples that are read anew each time they are iterated."""

    def __init__(self, read: Callable[[], Iterator[Example]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Example]:
        return self._read()


def _find_notations(
    split: str, read: Callable[[LoadContext], Iterator[Example]], ctx: LoadContext
) -> list[LabelNotation]:
    """Return how the labels of each layer of words are written."""
    silent = replace(ctx, policy=ctx.policy.renewed())
    first = next(read(silent), None)
    examples = {split: _Reread(lambda: read(silent))}
    return [find_notation(examples, layer, ctx, spans=None) for layer in (first.labels if first else ())]


class GoldRecords:
    """Makes examples into records, to be iterated once; those without an id are numbered.

    :ivar count: the number of records so far.
    :ivar plain: whether the labels of the words are plain labels, not tags of a scheme.
    """

    def __init__(self, examples: Iterable[Example]) -> None:
        self._examples = examples
        self.count = 0
        self.plain = False

    def __iter__(self) -> Iterator[Labelled]:
        for example in self._examples:
            self.count += 1
            labelled = to_labelled(example if example.id else replace(example, id=str(self.count)))
            self.plain = self.plain or notation_of(labelled.labels or ()) == "plain"
            yield labelled


def to_labelled(example: Example, *, numbers: bool = False) -> Labelled:
    """Return a gold example as a record: its first layer as the labels, its other layers among its own fields.

    :param numbers: labels are numbers.
    :raises DataError: the example has an own field with the name of a layer, and another content.
    """
    main, *others = example.labels
    fields: dict[str, Any] = {layer: list(example.labels[layer]) for layer in others}
    if example.document is not None:
        fields["document"] = example.document
    if clash := [name for name in fields if example.extra.get(name, fields[name]) != fields[name]]:
        raise DataError(
            f"{place_of(example)}: the field '{clash[0]}' is there twice", hint=f"leave one out: --drop {clash[0]}"
        )
    fields.update(example.extra)
    common: dict[str, Any] = {"id": example.id, "coverage": gold_coverage(1), "extra": fields}
    if example.words is None and isinstance(example.labels[main], tuple):
        labels = tuple(example.labels[main])
        return Labelled(text=example.text or "", pair=example.pair, labels=labels, **common)
    if example.words is None:
        text, label = example.text or "", str(example.labels[main])
        number = float(label) if numbers else None
        return Labelled(text=text, pair=example.pair, label=label, number=number, **common)
    return Labelled(
        id=example.id,
        text=" ".join(example.words) if example.text is None else example.text,
        words=example.words,
        labels=tuple(example.labels[main]),
        offsets=example.offsets,
        coverage=gold_coverage(len(example.words)),
        extra=fields,
    )


def check_lossless(given: Iterable[Example], found: Iterable[Example], format_name: str) -> None:
    """Compare the examples that were read back with those that were written.

    :raises DataError: they differ; names the first example, all that the format cannot hold, and what to do.
    """
    lost: dict[str, Example] = {}
    main, others, first, has_blank = "", list[str](), None, False
    for before, after in zip_longest(given, found):
        if before is None or after is None:
            raise DataError(
                f"format '{format_name}' does not give back as many examples as were written",
                hint=f"it cannot hold blank ones: --drop blank leaves them out, or {_other_format(format_name)}"
                if has_blank or (before is not None and is_blank(before))
                else _other_format(format_name),
            )
        has_blank = has_blank or is_blank(before)
        for name in lost_content(before, after):
            lost.setdefault(name, before)
            main, *others = before.labels
            first = first or before
        if has_blank and "words" in lost:
            break  # what follows is compared with other examples
    if first is None:
        return
    hint = _other_format(format_name)
    if has_blank and "words" in lost:
        hint = f"it may not hold blank examples: --drop blank leaves them out, or {hint}"
    elif not lost.keys() & {"words", "labels"}:
        hint = f"leave it out with --drop {','.join(lost)}, or {hint}"
        if lost.keys() & set(others):
            hint = f"convert one layer, --layer {main}, or {hint}"
    shown = {name: f"the {name}" for name in ("words", "labels", *DROPPABLE)} | {"pair": "the second text of the pair"}
    names = ", ".join(shown.get(name, f"the field '{name}'") for name in lost)
    raise DataError(f"{place_of(first)}: format '{format_name}' cannot hold {names} of example '{first.id}'", hint=hint)


def is_blank(example: Example) -> bool:
    """Return whether an example has no words, or a text without any."""
    return not count_words(example)


def lost_content(before: Example, after: Example) -> Iterator[str]:
    """Yield what differs after an example was written and read: words, labels, scheme, text, id, or a field."""
    main, *others = before.labels
    joined = before.words is not None and before.text == " ".join(before.words) and after.text is None
    text = (before.text, before.offsets if before.offsets is not None else after.offsets)
    labels = before.labels[main], next(iter(after.labels.values()), None)
    pairs: Mapping[str, tuple[Any, Any]] = {
        "words": (before.words, after.words),
        "labels": labels,
        "text": (text, (after.text, after.offsets)) if before.text is not None and not joined else ("", ""),
        "pair": (before.pair, after.pair),
        "id": (before.id, after.id) if before.id else ("", ""),
        "document": (before.document, after.document),
    }
    for name, (given, found) in pairs.items():
        if given != found:
            tags = name == "labels" and isinstance(given, tuple) and isinstance(found, tuple)
            yield "scheme" if tags and as_iob2(given) == as_iob2(found) else name
    fields = {**{layer: list(before.labels[layer]) for layer in others}, **before.extra}
    kept = {"document": after.document, **after.extra}
    yield from (name for name, value in fields.items() if as_text(value) != as_text(kept.get(name)))


def _read_back(found: Iterable[Example], folder: Path, format_name: str) -> Iterator[Example]:
    """Yield what was read back; what cannot be read is something that the format does not hold."""
    try:
        yield from found
    except DataError as error:
        message = error.message.replace(f"{folder}/", "")
        raise DataError(
            f"format '{format_name}' does not give back what was written: {message}", hint=_other_format(format_name)
        ) from error


def _other_format(name: str) -> str:
    return "use another format" + (": labelkit formats lists them" if name == "jsonl" else ", e.g. --to jsonl")
