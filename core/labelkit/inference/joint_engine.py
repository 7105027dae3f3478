"""The engine of several tasks over one encoder: their outputs side by side, from one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelkit.encode.alignment import Encoding
from labelkit.inference.engine import BLANK_TEXT_BIAS, IMPOSSIBLE, Engine, WordScores, fallback_of
from labelkit.models.heads import LINEAR, BoundHead, parameters_of
from labelkit.models.joint import JointModel
from labelkit.records import Head, HeadContext, Schema


class JoinedClassifiers(torch.nn.Module):
    """Classifiers of several tasks of one kind as one classifier, whose outputs stand side by side.

    :param tasks: in the order of their outputs.
    """

    def __init__(self, joint: JointModel, tasks: tuple[str, ...]) -> None:
        super().__init__()
        self.joint = joint
        self._tasks = tasks

    @property
    def config(self) -> Any:
        """The configuration of the first task's classifier."""
        return self.joint.config

    @property
    def device(self) -> torch.device:
        """The device of the encoder."""
        return self.joint.device

    def forward(self, **inputs: torch.Tensor) -> SimpleNamespace:
        """Return the outputs of all tasks as ``logits``, from one pass of the encoder."""
        outputs = self.joint(**inputs)
        return SimpleNamespace(logits=torch.cat([outputs[task]["logits"] for task in self._tasks], dim=-1))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutputs:
    """The head of a task in a joined engine.

    :param fallback: the arguments of an engine for what no window covers.
    """

    head: BoundHead
    fallback: Mapping[str, Any]

    @classmethod
    def of(cls, head: BoundHead, fallback: str) -> TaskOutputs:
        """Return the outputs of a head with the label of words and texts that no window covers."""
        return cls(head=head, fallback=fallback_of(head.context.schema, fallback))


def joined_head(heads: Mapping[str, BoundHead]) -> BoundHead:
    """Return a head whose scores are those of several heads of one kind, side by side."""
    outputs = np.cumsum([len(head.output_names) for head in heads.values()])
    names = tuple(f"{task}:{number}" for task, head in heads.items() for number in range(head.labels))

    def scores(values: NDArray[np.float32], ctx: HeadContext) -> NDArray[np.float32]:
        parts = np.split(values, outputs[:-1], axis=1)
        return np.concatenate([head.scores(part) for head, part in zip(heads.values(), parts, strict=True)], axis=1)

    kind = next(iter(heads.values())).context.schema.kind
    joined = Head(name="joined", kinds=(kind,), loss=LINEAR.loss, scores=scores, outputs=lambda ctx: int(outputs[-1]))
    return BoundHead(joined, HeadContext(schema=Schema(name="joined", kind=kind, labels=names), hidden_size=0))


def joined_engine(
    joint: JointModel, parts: Mapping[str, TaskOutputs], encoding: Encoding, precision: str, budget: int
) -> Engine:
    """Return an engine that computes the scores of several tasks of one kind side by side.

    :param parts: task → its head.
    """
    head = joined_head({task: part.head for task, part in parts.items()})
    starts = np.concatenate(([0], np.cumsum([part.head.labels for part in parts.values()])))
    fallback = [int(start) + part.fallback["fallback"] for start, part in zip(starts, parts.values(), strict=False)]
    model: Any = JoinedClassifiers(joint, tuple(parts))
    return Engine(model, encoding, precision, budget, fallback=fallback, head=head)


def split_scores(found: WordScores, parts: Mapping[str, TaskOutputs], joint: JointModel) -> dict[str, WordScores]:
    """Return task → its scores, of those that a joined engine computed."""
    ends = np.cumsum([part.head.labels for part in parts.values()])[:-1]
    columns = np.split(found.values, ends, axis=1)
    scores = {}
    for (task, part), values in zip(parts.items(), columns, strict=True):
        own = np.ascontiguousarray(values)
        if part.head.context.schema.kind == "text":
            own[~found.covered] = _blank_scores(part)
        scores[task] = WordScores(own, found.lengths, found.covered, parameters_of(joint.models[task]))
    return scores


def _blank_scores(part: TaskOutputs) -> NDArray[np.float32]:
    """Return the scores of a text without subwords, as :meth:`Engine.score_texts` gives them."""
    schema = part.head.context.schema
    if schema.numeric:
        return np.array([part.fallback["fallback_number"]], np.float32)
    if schema.multilabel:
        return np.full(part.head.labels, IMPOSSIBLE, np.float32)
    values = np.zeros(part.head.labels, np.float32)
    values[part.fallback["fallback"]] = BLANK_TEXT_BIAS
    normalised: NDArray[np.float32] = values - np.logaddexp.reduce(values)
    return normalised
