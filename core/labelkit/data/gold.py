"""Read gold data for a trained labeller: one split, under the labeller's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from labelkit.data.corpus import content_hash, context_for, reading_settings
from labelkit.data.label_notation import read_labels
from labelkit.data.layer_schema import check_examples
from labelkit.data.reading import read_raw_corpus
from labelkit.data.resolved_splits import DataCatalog
from labelkit.data.scheme_conversion import labels_of, place_of, with_labels
from labelkit.data.unknown_labels import unknown_notes, with_real_labels
from labelkit.data.views import map_examples
from labelkit.errors import DataError
from labelkit.labels.schemes import split_tag
from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example, Labels, LoadContext, Schema

#: the name of the split of a single file that names none
ALL = "all"
#: the first of these splits is scored where none is named
PREFERRED = ("test", "validation", "train", ALL)
_SHOWN = 20  # unknown labels in a message


class UnknownLabelsError(DataError):
    """Gold data has labels that the labeller lacks.

    :ivar labels: the unknown span types, or labels.
    :ivar known: those of the labeller.

    :param places: unknown label → the place of the first one.
    """

    def __init__(self, places: Mapping[str, str], schema: Schema) -> None:
        self.labels, self.known = tuple(places), schema.types or schema.labels
        noun = ("type" if schema.scheme else "label") + ("s" if len(places) > 1 else "")
        shown = ", ".join(f"'{name}'" for name in self.labels[:_SHOWN])
        more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        super().__init__(
            f"{places[self.labels[0]]}: the labeller does not know the {noun} {shown}{more}",
            hint=f"it knows: {', '.join(self.known)}",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Gold:
    """One split to score on.

    :param ref: where it came from.
    :param repaired: the number of tags that were changed because they did not fit their scheme.
    :param assumptions: what was assumed of the files where no setting says so.
    """

    split: str
    examples: Sequence[Example]
    ref: str
    content_hash: str
    repaired: int = 0
    assumptions: tuple[str, ...] = ()


def read_gold(
    reference: str,
    split: str | None,
    *,
    layer: str,
    schema: Schema,
    catalog: DataCatalog,
    ctx: LoadContext,
    trained_on: bool = False,
    relabel: Callable[[Labels], Labels] | None = None,
) -> Gold:
    """Read a split of a data reference; the only split of a single file is called ``all``.

    :param split: None for test, or else validation, or else train.
    :param trained_on: the labeller was trained on this train split, which is then scored only when it is named.
    :param relabel: maps labels of the data, in the scheme of ``schema``, to its labels; the content hash stays.
    :raises DataError: it cannot be read, has no such split, or holds a label that ``schema`` lacks (file and line).
    """
    settings = reading_settings(ctx.settings, schema.kind, schema.scheme)
    settings = replace(settings, numbers=schema.numeric, multilabel=schema.multilabel)
    within = context_for(replace(ctx, settings=settings), layer, schema.kind)
    raw = read_raw_corpus(reference, schema.kind, catalog, within)
    # the single file that a run was trained on stays its train split
    splits = {ALL: raw.splits["train"]} if raw.single_file and not trained_on else raw.splits
    if split is not None and split not in splits:
        raise DataError(f"'{reference}' has no {split} split", hint=f"it has: {', '.join(splits)}")
    name = split or next(name for name in PREFERRED if name in splits)
    if name == "train" and trained_on and split is None:
        raise DataError(f"'{reference}' has only data that the run was trained on", hint="give gold data: --data REF")
    check_examples(name, splits[name], layer, schema.kind, multilabel=schema.multilabel, numeric=schema.numeric)
    if len(schema.types) == 1 and settings.default_type is None:
        settings = replace(settings, default_type=schema.types[0])
    labelled = with_real_labels(replace(within, settings=settings), of_source=raw.source is not None, schema=schema)
    conversion = read_labels({name: splits[name]}, layer, schema.scheme, labelled)
    examples = conversion.splits[name]
    digest = content_hash(examples, layer, schema.scheme)
    if relabel is not None:
        examples = map_examples(examples, lambda example: with_labels(example, layer, relabel(example.labels[layer])))
    if not schema.numeric and (unknown := find_unknown_labels(examples, layer, schema)):
        raise UnknownLabelsError(unknown, schema)
    ref = raw.refs.get("train" if name == ALL else name, reference)
    return Gold(
        split=name,
        examples=examples,
        ref=ref,
        content_hash=digest,
        repaired=conversion.repaired,
        assumptions=(*within.policy.assumptions, *unknown_notes({name: examples}, layer)),
    )


def find_unknown_labels(examples: Sequence[Example], layer: str, schema: Schema) -> dict[str, str]:
    """Return span type (or plain label) → the place of the first one, for those that ``schema`` lacks."""
    known, places = {*schema.label_names, UNKNOWN}, dict[str, str]()
    for example in examples:
        for index, label in enumerate(labels_of(example, layer)):
            if label not in known:
                # users know types: the tag in the file may be another one
                name = split_tag(label)[1] if schema.scheme else label
                places.setdefault(name, place_of(example, None if example.words is None else index))
    return places
