"""Continue from a trained run: ``--model RUN`` takes up its encoder, and its head where task and labels agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labelkit.config.plan import Plan
from labelkit.errors import UnknownRunError
from labelkit.models import references
from labelkit.models.checkpoint import CheckpointInfo, read_checkpoint
from labelkit.models.checkpoint_files import CHECKPOINT_INFO, sha256_of, weights_of
from labelkit.plugins.catalog import Catalog
from labelkit.records import LoadContext, ResolvedEncoder, Schema
from labelkit.registry.checkpoint_folders import resolve_checkpoint
from labelkit.registry.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """The checkpoint that a run continues from.

    :param difference: why its head is not taken up; empty where it is.
    :param further: the head is that of a further task of a checkpoint of several.
    """

    run: str
    step: int
    difference: str
    further: bool = False

    @classmethod
    def of(cls, info: CheckpointInfo, plan: Plan, schema: Schema) -> Continuation:
        """Return the continuation of a plan with labels in ``schema`` from the checkpoint of ``info``."""
        further = plan.task.name in info.of_tasks and plan.task.name != info.task
        return cls(run=info.run, step=info.step, difference=_difference(info, plan, schema), further=further)

    @property
    def takes_head(self) -> bool:
        """Whether the weights of the head are taken up, too."""
        return not self.difference

    @property
    def note(self) -> str:
        """What is taken up, for the user and the record."""
        taken = "its encoder and head are taken up" if self.takes_head else "its encoder is taken up, with a new head"
        why = f", since {self.difference}" if self.difference else ""
        return f"continues from run {self.run} at step {self.step:,}: {taken}{why}"


def joint_note(parts: Mapping[str, Continuation]) -> str:
    """Return what several tasks take up of a checkpoint, for the user and the record.

    :param parts: task → its continuation.
    """
    first = next(iter(parts.values()))
    taken = [task for task, one in parts.items() if one.takes_head]
    heads = f" and the head{'s' if len(taken) > 1 else ''} of {', '.join(taken)}" if taken else ""
    new = [f"; a new head for {task}, since {one.difference}" for task, one in parts.items() if not one.takes_head]
    verb = "are" if taken else "is"
    return f"continues from run {first.run} at step {first.step:,}: its encoder{heads} {verb} taken up{''.join(new)}"


def _difference(checkpoint: CheckpointInfo, plan: Plan, schema: Schema) -> str:
    """Return why no head of a checkpoint fits a plan; empty where one does."""
    info = checkpoint.of_tasks.get(plan.task.name)
    if info is None:
        names = list(checkpoint.of_tasks)
        return f"its task is {names[0]}" if len(names) == 1 else f"its tasks are {', '.join(names)}"
    if info.head != plan.head.name:
        return f"its head is {info.head}"
    if info.schema.label_names != schema.label_names or info.schema.multilabel != schema.multilabel:
        return "its labels are others"
    if info.output_of:
        return "its outputs are in another order than the labels"
    return ""


def resolve_model(
    reference: str, catalog: Catalog, ctx: LoadContext, home: Home
) -> tuple[ResolvedEncoder, CheckpointInfo | None]:
    """Resolve a model reference, which may be that of a run.

    :returns: the encoder, and the info of its checkpoint where labelkit trained it.
    :raises LabelkitError: there is no such model or run, or its checkpoint is missing or damaged.
    """
    kind, rest = references.parse_model(reference, set(catalog.encoders))
    if kind == "path" and not references.is_path(rest) and "/" not in rest:
        try:
            found = resolve_checkpoint(reference, home, catalog.tasks)
        except UnknownRunError:
            pass  # the error below names models, too
        else:
            sha256 = sha256_of(*weights_of(found.folder))
            revision = f"step {found.info.step}"
            return ResolvedEncoder(folder=found.folder, revision=revision, sha256=sha256), found.info
    encoder = references.resolve(reference, catalog.encoders, ctx)
    return encoder, read_checkpoint(encoder.folder) if (encoder.folder / CHECKPOINT_INFO).is_file() else None
