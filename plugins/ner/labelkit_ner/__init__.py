"""Named-entity recognition as a labelkit plugin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import labelkit

EXAMPLES = (
    ("Ada Lovelace was born in London .", "B-person I-person O O O B-location O"),
    ("The Red Cross sent help to Peru .", "O B-organization I-organization O O O B-location O"),
    ("It rained all day .", "O O O O O"),
    ("Marie Curie moved from Warsaw to Paris .", "B-person I-person O O B-location O B-location O"),
)


@labelkit.hookimpl
def labelkit_tasks() -> Iterable[labelkit.Task]:
    """Yield the task ``ner``."""
    yield labelkit.Task(
        name="ner",
        summary="named entities: persons, places, organizations and whatever types the data has",
        kind="token",
        layer="ner",
        source="sample",
        metrics=("seqeval",),
        recipes=Path(__file__).parent / "recipes",
        scheme="IOB2",
        examples=tuple(
            labelkit.Example(id=str(number), words=tuple(words.split()), labels={"ner": tuple(tags.split())})
            for number, (words, tags) in enumerate(EXAMPLES, 1)
        ),
    )
