"""The engine of several tasks over one encoder: their outputs side by side, from one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.alignment import Encoding
from labelkit.inference.engine import Engine, HeadOutputs, WordScores, fallback_of
from labelkit.inference.score_blocks import new_scores
from labelkit.models.heads import LINEAR, BoundHead, parameters_of
from labelkit.records import Head, HeadContext, Schema

if TYPE_CHECKING:
    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.models.joint import JointModel


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


def joined_engine(engine: Engine, heads: Mapping[str, HeadOutputs]) -> Engine:
    """Return an engine that computes the scores of several tasks of one kind side by side.

    :param engine: whose model or session gives the outputs of the tasks side by side.
    :param heads: task → its head, in the order of their outputs.
    """
    head = joined_head({task: one.head for task, one in heads.items()})
    return replace(engine, head=head, joined=tuple(heads.values()))


def joined_torch_engine(
    joint: JointModel, heads: Mapping[str, HeadOutputs], encoding: Encoding, precision: str, budget: int
) -> Engine:
    """Return an engine on torch that computes the scores of several tasks of one kind side by side.

    Each score has the same bits as that of an engine of the task alone, except where batches are smaller as there are
    so many labels together.

    :param heads: task → its head.
    """
    model: Any = joined_classifiers(joint, tuple(heads))
    first = next(iter(heads.values())).head
    return joined_engine(Engine(model, encoding, precision, budget, fallback=0, head=first), heads)


def joined_classifiers(joint: JointModel, tasks: tuple[str, ...]) -> Any:
    """Return the classifiers of several tasks of one kind as one classifier, whose outputs stand side by side.

    :param tasks: in the order of their outputs.
    """
    import torch

    class JoinedClassifiers(torch.nn.Module):
        """The classifiers of some tasks of a joint model."""

        def __init__(self) -> None:
            super().__init__()
            self.joint, self.tasks = joint, tasks
            self.train(joint.training)  # a new module is in training mode, and evaluation goes back to its mode

        @property
        def config(self) -> Any:
            return joint.config

        @property
        def device(self) -> torch.device:
            return joint.device

        def set_attn_implementation(self, name: str) -> None:
            joint.first.set_attn_implementation(name)

        def forward(self, **inputs: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=self.side_by_side(self.joint(**inputs)))

        def side_by_side(self, outputs: Mapping[str, Any]) -> torch.Tensor:
            return torch.cat([outputs[task]["logits"] for task in tasks], dim=-1)

    return JoinedClassifiers()


def grouped_tasks(info: CheckpointInfo) -> list[list[str]]:
    """Return the tasks that read the same windows together, of one kind and with the same preprocessors.

    The group of the first task is the first.
    """
    groups: dict[object, list[str]] = {}
    for task, one in info.of_tasks.items():
        groups.setdefault((one.kind, one.preprocessors), []).append(task)
    return list(groups.values())


def outputs_of(head: BoundHead, fallback: str, classifier: Any = None) -> HeadOutputs:
    """Return a head with what it predicts for words and texts that no window covers.

    :param fallback: their label.
    :param classifier: holds the trained module of the head.
    """
    parameters = {} if classifier is None else parameters_of(classifier)
    return HeadOutputs(head, **fallback_of(head.context.schema, fallback), parameters=parameters)


def split_scores(found: WordScores, heads: Mapping[str, HeadOutputs]) -> dict[str, WordScores]:
    """Return task → its scores, of those that a joined engine computed."""
    scores, start = {}, 0
    for task, one in heads.items():
        own = new_scores(len(found.values), one.head.labels)
        own[:] = found.values[:, start : start + one.head.labels]
        scores[task] = WordScores(own, found.lengths, found.covered, one.parameters)
        start += one.head.labels
    return scores
