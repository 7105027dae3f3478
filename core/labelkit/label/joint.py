"""The labeller of several tasks: one pass gives the labels of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from labelkit.errors import LabelkitError
from labelkit.label.assembly import PreparedBatch, ScoredBatch, assemble_records
from labelkit.label.labeller import Labeller
from labelkit.label.records import drop_low_scores
from labelkit.labels.numbers import refuse_numbers
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.records import Decoder, Example, Labelled, Preprocessor

if TYPE_CHECKING:
    from threading import Event

    from labelkit.inference.engine import Engine, HeadOutputs
    from labelkit.models.heads import BoundHead
    from labelkit.models.joint import JointModel

_OF_ONE_TASK = "this is for the labels of one task, and the labeller has several"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTask:
    """A task of a labeller.

    :param outputs: its head in the engine of its group.
    """

    info: CheckpointInfo
    decoder: Decoder
    preprocessors: Sequence[Preprocessor]
    outputs: HeadOutputs


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """Tasks that read the same windows, and the labeller that prepares them and computes the scores of all."""

    tasks: Mapping[str, LabelledTask]
    labeller: Labeller


@dataclass(frozen=True, slots=True)
class ScoredTask:
    """A batch as one task of a labeller reads it, with its scores."""

    info: CheckpointInfo
    decoder: Decoder
    batch: PreparedBatch
    scored: ScoredBatch


@dataclass(frozen=True, slots=True)
class JointBatch(PreparedBatch):
    """Examples ready for the model, as each group of tasks reads them."""

    groups: Sequence[PreparedBatch]

    def by_example(self) -> list[Self]:
        """Return a batch for each example."""
        parts = zip(*(group.by_example() for group in self.groups), strict=True)
        return [replace(self, examples=own[0].examples, encoded=own[0].encoded, groups=own) for own in parts]

    @classmethod
    def joined(cls, batches: Sequence[PreparedBatch]) -> PreparedBatch:
        """Return one batch of the examples of several."""
        parts = zip(*(batch.groups for batch in batches if isinstance(batch, JointBatch)), strict=True)
        groups = [PreparedBatch.joined(own) for own in parts]
        return cls(groups[0].examples, groups[0].encoded, groups)


@dataclass(frozen=True, slots=True)
class JointScores(ScoredBatch):
    """The scores of a prepared batch for each group of tasks."""

    groups: Sequence[ScoredBatch]


class JointLabeller(Labeller):
    """The labeller of a checkpoint of several tasks. Its records have the labels of each task in ``layers``.

    Tasks of one kind with the same preprocessors are labelled in one pass; words and texts are cut into windows in
    different ways, and take a pass each.
    """

    def __init__(
        self, folder: Path, info: CheckpointInfo, groups: Sequence[TaskGroup], joint: JointModel | None
    ) -> None:
        self._groups = groups
        self._joint = joint
        first = groups[0].labeller
        super().__init__(
            folder, info, first.decoder, first.preprocessors, first.engine, None, context=first.checkpoint_context
        )
        self._selector = first._selector

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of its tasks, the first one first."""
        return tuple(self.info.of_tasks)

    @property
    def joint(self) -> JointModel:
        """The classifiers of all tasks over their encoder.

        :raises LabelkitError: the labeller was loaded without torch.
        """
        if self._joint is None:
            raise LabelkitError("this labeller was loaded without torch", hint="load it with engine='torch'")
        return self._joint

    @property
    def notes(self) -> list[str]:
        """The notes of the labellers of all groups, the same line once."""
        return list(dict.fromkeys(note for group in self._groups for note in group.labeller.notes))

    @property
    def group_engines(self) -> list[Engine]:
        """The engine of each group of tasks that read the same windows, that of the first task first."""
        return [group.labeller.engine for group in self._groups]

    def head_of(self, task: str) -> BoundHead:
        """Return the head of a task."""
        return next(group.tasks[task].outputs.head for group in self._groups if task in group.tasks)

    def prepare(self, examples: Sequence[Example]) -> JointBatch:
        """Split, preprocess and encode examples as each group of tasks reads them."""
        prepared = [group.labeller.prepare(examples) for group in self._groups]
        return JointBatch(prepared[0].examples, prepared[0].encoded, prepared)

    def compute(self, batch: PreparedBatch, *, large: bool = False, stop: Event | None = None) -> JointScores:
        """Run inference on a batch, one pass for each group of tasks."""
        assert isinstance(batch, JointBatch)
        scored = [
            group.labeller.compute(prepared, large=large, stop=stop)
            for group, prepared in zip(self._groups, batch.groups, strict=True)
        ]
        return JointScores(scored[0].scores, scored[0].engine, scored)

    def finish(self, batch: PreparedBatch, scored: ScoredBatch | None = None) -> list[Labelled]:
        """Decode a batch and return its records in order, with the labels of each task in ``layers``."""
        parts = self.by_task(batch, scored or self.compute(batch))
        ordered = [
            self.at_operating_point(assemble_records(one.batch, one.scored, one.info, one.decoder), one.info)
            for one in parts.values()
        ]
        return [
            replace(layers[0], layers=dict(zip(self.tasks, layers, strict=True)))
            for layers in zip(*ordered, strict=True)
        ]

    def by_task(self, batch: PreparedBatch, scored: ScoredBatch) -> dict[str, ScoredTask]:
        """Return task → the batch as it reads it, with its own scores; the first task first."""
        from labelkit.inference.joint_engine import split_scores

        assert isinstance(batch, JointBatch)
        assert isinstance(scored, JointScores)
        found: dict[str, ScoredTask] = {}
        for group, prepared, scores in zip(self._groups, batch.groups, scored.groups, strict=True):
            outputs = {task: one.outputs for task, one in group.tasks.items()}
            for task, own in split_scores(scores.scores, outputs).items():
                one = group.tasks[task]
                found[task] = ScoredTask(one.info, one.decoder, prepared, ScoredBatch(own, scores.engine))
        return {task: found[task] for task in self.tasks}

    def above(self, min_score: float, record: Labelled) -> Labelled:
        """Return a record without what is scored lower, of any task.

        :raises LabelkitError: a task predicts numbers, which have no scores.
        """
        layers = {}
        for task, info in self.info.of_tasks.items():
            refuse_numbers(info.schema, f"min_score of task '{task}'")
            layers[task] = drop_low_scores(record.layers[task], min_score, info.schema.scheme)
        return replace(layers[self.tasks[0]], layers=layers)

    def probabilities(self, *args: Any, **options: Any) -> Any:
        """Raise: probabilities are those of one task.

        :raises LabelkitError: always.
        """
        raise self._one_task()

    def scores(self, *args: Any, **options: Any) -> Any:
        """Raise: scores are those of one task.

        :raises LabelkitError: always.
        """
        raise self._one_task()

    def score(self, *args: Any, **options: Any) -> Any:
        """Raise: metrics are those of one task.

        :raises LabelkitError: always.
        """
        raise self._one_task()

    def _one_task(self) -> LabelkitError:
        names = ", ".join(self.tasks)
        return LabelkitError(_OF_ONE_TASK, hint=f"choose one: labelkit.load(…, task=NAME) with {names}")
