"""Chunking (shallow parsing) as a labelkit plugin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import labelkit

EXAMPLES = (
    ("Ada Lovelace wrote the first program .", "B-NP I-NP B-VP B-NP I-NP I-NP O"),
    ("It rained in London .", "B-NP B-VP B-PP B-NP O"),
    ("The red car has stopped .", "B-NP I-NP I-NP B-VP I-VP O"),
)


@labelkit.hookimpl
def labelkit_tasks() -> Iterable[labelkit.Task]:
    """Yield the task ``chunk``."""
    yield labelkit.Task(
        name="chunk",
        summary="chunks: noun phrases, verb phrases and the like, as in CoNLL-2000",
        kind="token",
        layer="chunk",
        source="sample",
        metrics=("seqeval",),
        recipes=Path(__file__).parent / "recipes",
        scheme="IOB2",
        examples=tuple(
            labelkit.Example(id=str(number), words=tuple(words.split()), labels={"chunk": tuple(tags.split())})
            for number, (words, tags) in enumerate(EXAMPLES, 1)
        ),
    )
