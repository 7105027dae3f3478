"""Part-of-speech tagging as a labelkit plugin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import labelkit

EXAMPLES = (
    ("Ada Lovelace wrote programs .", "PROPN PROPN VERB NOUN PUNCT"),
    ("It rained all day .", "PRON VERB DET NOUN PUNCT"),
    ("The red car stopped quickly .", "DET ADJ NOUN VERB ADV PUNCT"),
)


@labelkit.hookimpl
def labelkit_tasks() -> Iterable[labelkit.Task]:
    """Yield the task ``pos``."""
    yield labelkit.Task(
        name="pos",
        summary="parts of speech: a tag for each word, Universal, Penn or whatever the data has",
        kind="token",
        layer="pos",
        source="sample",
        metrics=("accuracy",),
        recipes=Path(__file__).parent / "recipes",
        examples=tuple(
            labelkit.Example(id=str(number), words=tuple(words.split()), labels={"pos": tuple(tags.split())})
            for number, (words, tags) in enumerate(EXAMPLES, 1)
        ),
    )
