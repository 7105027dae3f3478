"""Text without gold labels that a run learns from its teachers alone, named by ``train.teacher_text``."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from labelkit.config.plan import Plan
from labelkit.data.corpus import Corpus, Split, content_hash
from labelkit.data.fingerprints import content_key
from labelkit.data.preprocess import apply
from labelkit.data.unlabelled_text import read_unlabelled
from labelkit.data.views import JoinedExamples, map_examples, select_examples
from labelkit.errors import DataError, LabelkitError
from labelkit.labels.unknown import UNKNOWN
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Kind, LoadContext
from labelkit.records.contents import count_words
from labelkit.text.splitters import Splitter, find_splitter

#: the name of its split in the record of a run
NAME = "teacher_text"


def read_teacher_text(plan: Plan, corpus: Corpus, catalog: Catalog, ctx: LoadContext) -> tuple[Corpus, Split | None]:
    """Return data with notes on its text for teachers, and that text, with unknown labels; None where it has none.

    It is train of what ``train.teacher_text`` names, without what occurs in a split of the data, and once each.

    :raises LabelkitError: no teacher is named; or nothing is left of it.
    """
    reference = plan.train.teacher_text
    if reference is None:
        return corpus, None
    if plan.train.teacher is None:
        raise LabelkitError("train.teacher_text is learned from teachers", hint="name one: --set train.teacher=RUN")
    raw = read_unlabelled(reference, catalog, ctx)
    if "train" not in raw.splits:
        raise DataError(f"train.teacher_text: '{reference}' has no train split", hint="name a file, or train=FILE")
    words_of = find_splitter(plan.data.splitter)
    found = map_examples(
        raw.splits["train"], partial(_without_labels, layer=corpus.layer, kind=corpus.kind, words_of=words_of)
    )
    kept = array("q", _new_positions(found, corpus))
    if not kept:
        raise DataError(f"train.teacher_text: '{reference}' holds nothing that the data lacks", hint="name other text")
    examples = select_examples(found, kept)
    split = Split(
        name=NAME, examples=apply(plan.preprocessors, examples), ref=raw.refs["train"],
        content_hash=content_hash(examples, corpus.layer, None), words=sum(map(count_words, examples)),
    )  # fmt: skip
    left_out = f"; {len(found) - len(kept):,} are empty, repeated or in the data, and left out"
    note = f"{len(kept):,} examples of {reference} are learned from teachers alone"
    notes = (*corpus.notes, note + (left_out if len(kept) < len(found) else ""))
    return replace(corpus, notes=notes, assumptions=(*corpus.assumptions, *raw.assumptions)), split


def with_teacher_text(train: Split, text: Split | None) -> Split:
    """Return what is learned: train, and behind it the text for teachers."""
    if text is None:
        return train
    return replace(
        train, examples=JoinedExamples(train.examples, text.examples), words=train.words + text.words,
        content_hash=f"{train.content_hash}+{text.content_hash}",
    )  # fmt: skip


def _without_labels(example: Example, *, layer: str, kind: Kind, words_of: Splitter) -> Example:
    """Return an example of a kind whose labels are unknown."""
    if kind == "text":
        text = " ".join(example.words or ()) if example.text is None else example.text
        return Example(id=example.id, text=text, labels={layer: UNKNOWN}, place=example.place)
    words, text = example.words, example.text or ""
    if words is None:
        words = tuple(text[start:end] for start, end in words_of(text))
    return Example(id=example.id, words=words, labels={layer: (UNKNOWN,) * len(words)}, place=example.place)


def _new_positions(examples: Sequence[Example], corpus: Corpus) -> Iterator[int]:
    """Yield the positions of the examples that hold something, and that neither the data nor one before them holds."""
    seen = {content_key(Example(id="", text=""))}
    seen.update(content_key(one) for split in corpus.splits.values() for one in split.examples)
    for position, example in enumerate(examples):
        if (key := content_key(example)) not in seen:
            seen.add(key)
            yield position
