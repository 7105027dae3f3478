"""Texts on which an export is compared with the labeller that it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    return [_plain(example, number, info) for number, example in enumerate((*own, *made))]


def _plain(example: Example, number: int, info: CheckpointInfo) -> Example:
    """Return an example with words alone, or for kind ``text`` with a text alone."""
    plain = replace(example, id=str(number), labels={}, document=None, extra={}, surface=None, offsets=None)
    if info.kind == "token":
        return replace(plain, text=None)
    return replace(plain, text=example.text if example.text is not None else " ".join(example.words or ()), words=None)
