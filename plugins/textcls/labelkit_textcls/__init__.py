"""Text classification as a labelkit plugin: reviews, topics, any classes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import labelkit

EXAMPLES = (
    ("A warm, funny film that I would watch again.", "POSITIVE"),
    ("Two hours of my life that I will not get back.", "NEGATIVE"),
    ("The cast is wonderful and the story moved me.", "POSITIVE"),
    ("Flat, slow and badly written.", "NEGATIVE"),
)


@labelkit.hookimpl
def labelkit_tasks() -> Iterable[labelkit.Task]:
    """Yield the task ``textcls``."""
    yield labelkit.Task(
        name="textcls",
        summary="one class for each text: sentiment of reviews, topics, any labels",
        kind="text",
        layer="label",
        source="sample-reviews",
        metrics=("classification",),
        recipes=Path(__file__).parent / "recipes",
        examples=tuple(
            labelkit.Example(id=str(number), text=text, labels={"label": label})
            for number, (text, label) in enumerate(EXAMPLES, 1)
        ),
    )
