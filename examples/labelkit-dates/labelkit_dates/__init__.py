"""Dates, times and amounts as a labelkit plugin: a task, its labels and its own source of sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import labelkit
from labelkit import Example, LoadContext, Schema, Source, Task
from labelkit_dates.sentences import SIZES, TYPES, sentences

requires_labelkit = ">=0.1"
hook_api = 2

EXAMPLES = (
    ("The invoice of 12 March 2021 is due .", "O O O B-date I-date I-date O O O"),
    ("She paid € 12.50 at 5:30 pm .", "O O B-money I-money O B-time I-time O"),
    ("Sales rose 7.5 % to 3,000 tons .", "O O B-percent I-percent O B-quantity I-quantity O"),
    ("Nobody knew why .", "O O O O"),
)


def load(split: str, ctx: LoadContext) -> Iterator[Example]:
    """Yield the sentences of a split, the same ones each time."""
    for number, (words, labels) in enumerate(sentences(split), 1):
        yield Example(id=f"{split}-{number}", words=words, labels={"dates": labels})


@labelkit.hookimpl
def labelkit_tasks() -> Iterable[Task]:
    """Yield the task ``dates``."""
    yield Task(
        name="dates",
        summary="dates, times, sums of money, percentages and quantities",
        kind="token",
        layer="dates",
        source="dates",
        metrics=("seqeval",),
        scheme="IOB2",
        examples=tuple(
            Example(id=str(number), words=tuple(words.split()), labels={"dates": tuple(labels.split())})
            for number, (words, labels) in enumerate(EXAMPLES, 1)
        ),
    )


@labelkit.hookimpl
def labelkit_sources() -> Iterable[Source]:
    """Yield the corpus ``dates``."""
    yield Source(
        name="dates",
        kind="token",
        layers={"dates": "dates"},
        splits=tuple(SIZES),
        load=load,
        licence="Apache-2.0",
        summary="synthetic sentences with dates and amounts in the ways that they are written",
        counts=SIZES,
        synthetic=True,
    )


@labelkit.hookimpl
def labelkit_schemas() -> Iterable[Schema]:
    """Yield the labels of dates and amounts."""
    yield Schema.bio("dates", *TYPES)
