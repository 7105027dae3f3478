"""Mark the words, and leave out the texts, whose label is unknown in partly annotated data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from labelkit.data.scheme_conversion import labels_of, with_labels
from labelkit.data.views import map_examples, select_examples
from labelkit.errors import DataError
from labelkit.labels.unknown import SPELLINGS, UNKNOWN, spellings
from labelkit.records import Example, LoadContext, Schema

#: layers whose labels are plain labels, whatever they look like
PLAIN_LAYERS = ("pos", "upos", "xpos")
#: where more words than this have no label, a note says that few remain to learn from and to score
_MANY = 0.5
_OPTION = "--set data.unknown_label=LABEL says otherwise, and an empty one that no label means this"


def mark_unknown(
    splits: Mapping[str, Sequence[Example]], layer: str, ctx: LoadContext
) -> Mapping[str, Sequence[Example]]:
    """Return the splits with :data:`UNKNOWN` for each word whose label is unknown, without texts that have none.

    What is taken as unknown, and how much of it, is an assumption of the policy of ``ctx``.

    :raises DataError: no text of a split has a label.
    """
    written = unknown_labels(layer, ctx)
    return {name: _mark(name, examples, layer, written, ctx) for name, examples in splits.items()}


def with_real_labels(ctx: LoadContext, *, of_source: bool = False, schema: Schema | None = None) -> LoadContext:
    """Return a context in which ``_``, ``?`` and ``-100`` are labels, where they are no marks of partial annotation.

    They are labels where a plugin's source gives them, as ``_`` is among morphological features, and where
    ``schema`` has one of them. ``data.unknown_label`` decides where it is set.

    :param of_source: the examples are those of a source, not of files.
    """
    real = of_source or (schema is not None and not {*SPELLINGS}.isdisjoint(schema.labels))
    if not real or ctx.settings.unknown_label is not None:
        return ctx
    return replace(ctx, settings=replace(ctx.settings, unknown_label=""))


def unknown_labels(layer: str, ctx: LoadContext) -> frozenset[str]:
    """Return the labels of files, and :data:`UNKNOWN`, that say that the label is unknown."""
    plain = layer in PLAIN_LAYERS or ctx.settings.plain_labels is True
    return frozenset({UNKNOWN, *spellings(ctx.settings.unknown_label, plain=plain)})


def unknown_notes(splits: Mapping[str, Sequence[Example]], layer: str) -> Iterator[str]:
    """Yield a line for each split with words whose label is unknown: how many, and what that means where many are."""
    for name, examples in splits.items():
        unknown, words = count_unknown(examples, layer)
        if unknown:
            many = ": little is left to learn from and to score" if unknown > _MANY * words else ""
            share = f"{unknown:,} of {words:,} words ({unknown / words:.1%})"
            yield f"{name}: the label of {share} is unknown; they are ignored in loss and scores{many}"


def count_unknown(examples: Sequence[Example], layer: str) -> tuple[int, int]:
    """Return the number of words whose label is unknown, and the number of words; 0 of texts."""
    unknown = words = 0
    for example in examples:
        labels = example.labels.get(layer)
        if isinstance(labels, tuple) and example.words is not None:
            unknown += labels.count(UNKNOWN)
            words += len(labels)
    return unknown, words


def _mark(
    name: str, examples: Sequence[Example], layer: str, written: frozenset[str], ctx: LoadContext
) -> Sequence[Example]:
    found = Counter[str]()
    texts: list[int] = []
    for position, example in enumerate(examples):
        if layer not in example.labels or written.isdisjoint(labels_of(example, layer)):
            continue
        found.update(written.intersection(labels_of(example, layer)))
        if example.words is None:
            texts.append(position)
    if not found:
        return examples
    shown = ", ".join(f"'{label}'" for label in sorted(found))
    kind = "texts" if texts else "words"
    ctx.policy.assume(f"{shown} of '{layer}' means {kind} whose label is unknown", _OPTION)
    if not texts:
        return map_examples(examples, partial(_mark_words, layer=layer, written=written))
    if len(texts) == len(examples):
        raise DataError(f"no text of {name} has a label, all are {shown}", hint=_OPTION)
    ctx.policy.assume(f"{name}: {len(texts):,} texts are left out, as their label is unknown", _OPTION)
    left_out = set(texts)
    return select_examples(examples, [index for index in range(len(examples)) if index not in left_out])


def _mark_words(example: Example, *, layer: str, written: frozenset[str]) -> Example:
    labels = labels_of(example, layer) if layer in example.labels else ()
    if written.isdisjoint(labels):
        return example
    return with_labels(example, layer, tuple([UNKNOWN if label in written else label for label in labels]))
