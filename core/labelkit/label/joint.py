"""The labeller of several tasks: one pass gives the labels of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError
from labelkit.label.assembly import PreparedBatch, ScoredBatch, assemble_records
from labelkit.label.labeller import Labeller
from labelkit.label.loading import (
    EngineOptions,
    find_decoder,
    find_head,
    find_preprocessors,
    require_torch,
)
from labelkit.label.plugin_settings import CheckpointContext, checkpoint_context
from labelkit.label.records import drop_low_scores
from labelkit.labels.numbers import refuse_numbers
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.plugins.catalog import Catalog
from labelkit.records import Decoder, Example, Labelled, Preprocessor

if TYPE_CHECKING:
    from threading import Event

    from labelkit.inference.engine import HeadOutputs
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

    @property
    def reads(self) -> tuple[Any, ...]:
        """What tells whether two tasks read the same windows: the kind and the preprocessors."""
        return (self.info.kind, self.info.preprocessors)


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """Tasks that read the same windows, and the labeller that prepares them and computes the scores of all."""

    tasks: Mapping[str, LabelledTask]
    labeller: Labeller


@dataclass(frozen=True, slots=True)
class JointBatch(PreparedBatch):
    """Examples ready for the model, as each group of tasks reads them."""

    groups: Sequence[PreparedBatch]


@dataclass(frozen=True, slots=True)
class JointScores(ScoredBatch):
    """The scores of a prepared batch for each group of tasks."""

    groups: Sequence[ScoredBatch]


class JointLabeller(Labeller):
    """The labeller of a checkpoint of several tasks. Its records have the labels of each task in ``layers``.

    Tasks of one kind with the same preprocessors are labelled in one pass; words and texts are cut into windows in
    different ways, and take a pass each.
    """

    def __init__(self, folder: Path, info: CheckpointInfo, groups: Sequence[TaskGroup], joint: JointModel) -> None:
        self._groups = groups
        self._joint = joint
        first = groups[0].labeller
        super().__init__(
            folder, info, first.decoder, first.preprocessors, first.engine, None, context=first.checkpoint_context
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of its tasks, the first one first."""
        return tuple(self.info.of_tasks)

    @property
    def joint(self) -> JointModel:
        """The classifiers of all tasks over their encoder."""
        return self._joint

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
        from labelkit.inference.joint_engine import split_scores

        scored = scored or self.compute(batch)
        assert isinstance(batch, JointBatch)
        assert isinstance(scored, JointScores)
        found: dict[str, list[Labelled]] = {}
        for group, prepared, scores in zip(self._groups, batch.groups, scored.groups, strict=True):
            parts = {task: one.outputs for task, one in group.tasks.items()}
            for task, own in split_scores(scores.scores, parts).items():
                one = group.tasks[task]
                found[task] = assemble_records(prepared, ScoredBatch(own, scores.engine), one.info, one.decoder)
        ordered = [found[task] for task in self.tasks]
        return [
            replace(layers[0], layers=dict(zip(self.tasks, layers, strict=True)))
            for layers in zip(*ordered, strict=True)
        ]

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


def load_joint_labeller(folder: Path, info: CheckpointInfo, catalog: Catalog, how: EngineOptions) -> JointLabeller:
    """Load the labeller of a checkpoint of several tasks; see :meth:`Labeller.open`.

    :raises LabelkitError: the checkpoint is damaged, a plugin that it needs is missing, or an option is for one task.
    """
    check_options(info, how)
    require_torch(folder, "torch", "")
    from labelkit.encode.alignment import Encoding
    from labelkit.hardware import detect
    from labelkit.inference.joint_engine import joined_torch_engine, outputs_of
    from labelkit.inference.torch_engine import BATCH_SIZES, check_device, inference_precision
    from labelkit.models.joint import load_joint
    from labelkit.models.loading import bind_head, silence_transformers
    from labelkit.models.tokenizer import load_tokenizer

    infos = info.of_tasks
    contexts = {
        task: checkpoint_context(one, catalog, offline=how.offline, trial=how.trial) for task, one in infos.items()
    }
    with silence_transformers():
        heads = {
            task: bind_head(find_head(catalog, one), folder, one.schema, contexts[task].context)
            for task, one in infos.items()
        }
        joint = load_joint(folder, heads, trained=True)
        encoding = Encoding.of(load_tokenizer(folder), info.max_length, info.overlap)
    hardware = detect(cpu=how.device == "cpu")
    check_device(how.device, hardware.type)
    joint = joint.to(hardware.type).eval()
    tasks = {
        task: LabelledTask(
            info=replace(one, others=()),
            decoder=find_decoder(catalog, one.decoder, one, contexts[task].context),
            preprocessors=find_preprocessors(catalog, one, contexts[task].context),
            outputs=outputs_of(heads[task], one.fallback, joint.models[task]),
        )
        for task, one in infos.items()
    }
    precision = inference_precision(joint.config, list(infos.values()), how.precision, hardware)
    groups = []
    for members in _grouped(tasks):
        outputs = {task: one.outputs for task, one in members.items()}
        joined = joined_torch_engine(joint, outputs, encoding, precision, BATCH_SIZES[hardware.type])
        groups.append(TaskGroup(members, _group_labeller(folder, members, joined, contexts)))
    return JointLabeller(folder, info, groups, joint)


def check_options(info: CheckpointInfo, how: EngineOptions) -> None:
    """Raise if an option is for the labeller of one task.

    :raises LabelkitError: one is.
    """
    for what, value, general in (("decoder", how.decoder, (None,)), ("engine", how.engine, ("auto", "torch"))):
        if value not in general:
            raise LabelkitError(
                f"{what} '{value}' is for one task, and the labeller has several: {', '.join(info.of_tasks)}",
                hint="choose the task, too",
            )


def _grouped(tasks: Mapping[str, LabelledTask]) -> Iterable[dict[str, LabelledTask]]:
    """Return the tasks that read the same windows together, the group of the first task first."""
    groups: dict[Any, dict[str, LabelledTask]] = {}
    for task, one in tasks.items():
        groups.setdefault(one.reads, {})[task] = one
    return groups.values()


def _group_labeller(
    folder: Path, members: Mapping[str, LabelledTask], engine: Any, contexts: Mapping[str, CheckpointContext]
) -> Labeller:
    """Return the labeller that prepares the windows of a group and computes its scores."""
    task, first = next(iter(members.items()))
    return Labeller(folder, first.info, first.decoder, first.preprocessors, engine, None, contexts[task])
