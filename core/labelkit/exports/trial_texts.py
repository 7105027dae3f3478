"""Texts on which an export is compared with the labeller that it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labelkit.models.checkpoint import CheckpointInfo
from labelkit.records import Example, Task
from labelkit.sample.corpus import sentences
from labelkit.sample.reviews import reviews

#: number of made-up texts beside the examples of the task
COUNT = 24


def trial_examples(info: CheckpointInfo, tasks: Mapping[str, Task]) -> list[Example]:
    """Return unlabelled examples of the kind that the labeller reads, each of one window.

    :param tasks: that are installed, by name; the examples of the labeller's own task come first.
    """
    task = tasks.get(info.task)
    own: Sequence[Example] = task.examples if task is not None and task.kind == info.kind else ()
    made = list((sentences if info.kind == "token" else reviews)(COUNT))
    if info.kind == "token":
        words = [example.words for example in (*own, *made)]
        return [Example(id=str(number), words=one) for number, one in enumerate(words)]
    texts = [example.text if example.text is not None else " ".join(example.words or ()) for example in (*own, *made)]
    seconds = [*texts[1:], *texts[:1]] if info.pairs else [None] * len(texts)
    pairs = enumerate(zip(texts, seconds, strict=True))
    return [Example(id=str(number), text=text, pair=second) for number, (text, second) in pairs]
