"""Gold data for a labeller that exists: read under its schema, without asking for a train split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from labelkit.data.corpus import content_hash, context_for
from labelkit.data.layer_schema import check_examples
from labelkit.data.reading import Parts, read_raw
from labelkit.data.scheme_conversion import convert_scheme, place_of, with_labels
from labelkit.data.views import changed
from labelkit.errors import DataError
from labelkit.labels.schemes import split_tag
from labelkit.records import Example, Labels, LoadContext, Schema

#: which split is scored when none is named
PREFERRED = ("test", "validation", "train")
#: what a file is called of which nothing says which split it is
ALL = "all"
#: so many unknown labels are named
_SHOWN = 20


class UnknownLabelsError(DataError):
    """Gold data has labels that the labeller lacks.

    :ivar labels: these types of spans, or labels; ``known``: those of the labeller.

    :param places: label → where it stands first.
    """

    def __init__(self, places: Mapping[str, str], schema: Schema) -> None:
        self.labels, self.known = tuple(places), schema.types or schema.labels
        what = ("type" if schema.scheme else "label") + ("s" if len(places) > 1 else "")
        shown = ", ".join(f"'{name}'" for name in self.labels[:_SHOWN])
        more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        super().__init__(
            f"{places[self.labels[0]]}: the labeller does not know the {what} {shown}{more}",
            hint=f"it knows: {', '.join(self.known)}",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Gold:
    """One split to score on.

    :param ref: where it came from.
    :param repaired: tags that were changed because they did not fit their scheme.
    """

    split: str
    examples: Sequence[Example]
    ref: str
    content_hash: str
    repaired: int = 0


def read_gold(
    reference: str,
    split: str | None,
    *,
    layer: str,
    schema: Schema,
    catalog: Parts,
    ctx: LoadContext,
    trained_on: bool = False,
    relabel: Callable[[Labels], Labels] | None = None,
) -> Gold:
    """Read a split of a data reference: the one named, else test, else validation, else all there is.

    The only split of a lone file is called ``all``.

    :param trained_on: the labeller learned from this train split, which is then scored only when it is named.
    :param relabel: makes labels of the data those of ``schema``, once they are in its scheme; the content hash stays.
    :raises DataError: it cannot be read, has no such split, or holds a label that ``schema`` lacks (file and line).
    """
    settings = ctx.settings
    if schema.kind == "token" and schema.scheme is None and settings.plain_labels is None:
        settings = replace(settings, plain_labels=True)
    within = context_for(replace(ctx, settings=settings), layer, schema.kind)
    raw = read_raw(reference, schema.kind, catalog, within)
    # what a run learned from is its train split, even as the only file there is
    splits = {ALL: raw.splits["train"]} if raw.lone and not trained_on else raw.splits
    name = _choose(reference, split, splits, trained_on=trained_on)
    examples, repaired = splits[name], 0
    check_examples(name, examples, layer, schema.kind)
    if schema.scheme:
        tagged = convert_scheme(
            {name: examples}, layer, schema.scheme, source=settings.source_scheme, repair=settings.repair
        )
        examples, repaired = tagged.splits[name], tagged.repaired
    digest = content_hash(examples, layer, schema.scheme)
    if relabel is not None:
        examples = changed(examples, lambda example: with_labels(example, layer, relabel(example.labels[layer])))
    _check_labels(examples, layer, schema)
    ref = raw.refs.get("train" if name == ALL else name, reference)
    return Gold(split=name, examples=examples, ref=ref, content_hash=digest, repaired=repaired)


def _choose(reference: str, split: str | None, splits: Mapping[str, Sequence[Example]], *, trained_on: bool) -> str:
    if split is not None and split not in splits:
        raise DataError(f"'{reference}' has no {split} split", hint=f"it has: {', '.join(splits)}")
    chosen = split or next(name for name in (*PREFERRED, ALL) if name in splits)
    if chosen == "train" and trained_on and split is None:
        raise DataError(f"'{reference}' has only what the run learned from", hint="give gold data: --data REF")
    return chosen


def _check_labels(examples: Sequence[Example], layer: str, schema: Schema) -> None:
    known, places = set(schema.label_names), dict[str, str]()
    for example in examples:
        labels = example.labels[layer]
        for word, label in enumerate([labels] if isinstance(labels, str) else labels):
            if label not in known:
                # people know types: the tag of the file may be another one
                name = split_tag(label)[1] if schema.scheme else label
                places.setdefault(name, place_of(example, None if isinstance(labels, str) else word))
    if places:
        raise UnknownLabelsError(places, schema)
