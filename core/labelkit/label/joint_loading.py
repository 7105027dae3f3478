"""Load the labeller of several tasks: on torch, or on the ONNX model of all tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError, nearest
from labelkit.inference.joint_engine import grouped_tasks, joined_engine
from labelkit.inference.onnx.kept import KeptModel, read_kept_model
from labelkit.label.engine_selection import EngineSelector
from labelkit.label.joint import JointLabeller, LabelledTask, TaskGroup
from labelkit.label.labeller import Labeller
from labelkit.label.loading import (
    EngineOptions,
    TorchlessChoice,
    choose_torchless,
    find_decoder,
    find_head,
    find_preprocessors,
    require_torch,
)
from labelkit.label.plugin_settings import CheckpointContext, checkpoint_context
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.models.checkpoint_files import Checksum
from labelkit.plugins.catalog import Catalog

if TYPE_CHECKING:
    from labelkit.inference.engine import Engine, HeadOutputs
    from labelkit.models.joint import JointModel


@dataclass(frozen=True, slots=True)
class LoadedGroups:
    """The engines of the groups of tasks of a checkpoint.

    :param engines: one for each group.
    :param heads: task → its head.
    :param joint: torch's model, where it was loaded.
    :param kept: the ONNX model beside the checkpoint, where it computes.
    :param note: why torch computes in place of that model, in one line; empty where there is nothing to say.
    """

    engines: Sequence[Engine]
    heads: Mapping[str, HeadOutputs]
    joint: JointModel | None = None
    kept: KeptModel | None = None
    note: str = ""


def load_joint_labeller(
    folder: Path, info: CheckpointInfo, catalog: Catalog, how: EngineOptions, cache: Path, checksum: Checksum
) -> JointLabeller:
    """Load the labeller of a checkpoint of several tasks; see :meth:`Labeller.open`.

    :param cache: folder of ONNX models.
    :raises LabelkitError: the checkpoint is damaged, a plugin that it needs is missing, or an option is for one task.
    """
    check_options(info, how)
    infos = info.of_tasks
    contexts = {
        task: checkpoint_context(one, catalog, offline=how.offline, trial=how.trial) for task, one in infos.items()
    }
    loaded = load_groups(folder, info, catalog, how, contexts, cache, checksum)
    tasks = {
        task: LabelledTask(
            info=replace(one, others=()),
            decoder=find_decoder(catalog, one.decoder, one, contexts[task].context),
            preprocessors=find_preprocessors(catalog, one, contexts[task].context),
            outputs=loaded.heads[task],
        )
        for task, one in infos.items()
    }
    members = grouped_tasks(info)
    groups = []
    for names, engine in zip(members, loaded.engines, strict=True):
        first = tasks[names[0]]
        labeller = Labeller(folder, first.info, first.decoder, first.preprocessors, engine, None, contexts[names[0]])
        if how.engine == "auto" and (loaded.kept or len(members) == 1):
            kept = loaded.kept.onnx.of_tasks(names) if loaded.kept else None
            labeller._selector = EngineSelector(engine, folder, cache, kept)
        groups.append(TaskGroup({task: tasks[task] for task in names}, labeller))
    groups[0].labeller._selector.notes += [loaded.note] if loaded.note else []
    return JointLabeller(folder, info, groups, loaded.joint)


def check_options(info: CheckpointInfo, how: EngineOptions) -> None:
    """Raise if an option is for the labeller of one task, or the engine is unknown.

    :raises LabelkitError: one is.
    """
    from labelkit.inference.onnx.engine import ENGINES

    if how.decoder is not None:
        raise LabelkitError(
            f"decoder '{how.decoder}' is for one task, and the labeller has several: {', '.join(info.of_tasks)}",
            hint="choose the task, too: --task NAME, or task= in Python",
        )
    if how.engine not in ENGINES:
        raise LabelkitError(f"unknown engine '{how.engine}'", hint=nearest(how.engine, ENGINES))


def load_groups(
    folder: Path,
    info: CheckpointInfo,
    catalog: Catalog,
    how: EngineOptions,
    contexts: Mapping[str, CheckpointContext],
    cache: Path,
    checksum: Checksum,
) -> LoadedGroups:
    """Load the engines of all groups of tasks, without torch where that labels as torch does.

    :raises LabelkitError: a package is missing, or the model cannot be loaded.
    """
    infos, note = info.of_tasks, ""
    chosen, kept = (
        choose_torchless(list(infos.values()), how.precision, how.engine, how.device),
        read_kept_model(folder),
    )
    if chosen and kept:
        problem = kept.mismatch(info, checksum) if kept.tasks else "is that of the first task only"
        try:
            if problem is None:
                return _load_kept_groups(kept, chosen, info, catalog, contexts, cache)
        except LabelkitError as error:
            if how.engine != "auto":
                raise
            problem = f"cannot be used: {error.message}"
        note = f"the ONNX model beside the checkpoint {problem}"
    require_torch(folder, how.engine, note)
    from labelkit.inference.torch_engine import check_device, load_joint_engines

    found = {task: find_head(catalog, one) for task, one in infos.items()}
    device = "cpu" if how.engine not in ("auto", "torch") and how.device == "auto" else how.device
    within = {task: one.context for task, one in contexts.items()}
    engines = load_joint_engines(folder, info, found, how.precision, within, device)
    loaded = LoadedGroups(*engines)
    if how.engine not in ("auto", "torch"):
        from labelkit.inference.onnx.engine import load_onnx_engine

        check_device(how.device, "cpu")
        computing = [
            load_onnx_engine(engine, folder, how.engine, cache, loaded.engines[1:], names)
            for engine, names in zip(loaded.engines, grouped_tasks(info), strict=True)
        ]
        loaded = replace(loaded, engines=computing)
    return replace(loaded, note=note and f"torch labels, as {note}")


def _load_kept_groups(
    kept: KeptModel,
    chosen: TorchlessChoice,
    info: CheckpointInfo,
    catalog: Catalog,
    contexts: Mapping[str, CheckpointContext],
    cache: Path,
) -> LoadedGroups:
    from labelkit.inference.onnx.engine import load_onnx_engine, with_onnx_model

    parts = {task: (one, find_head(catalog, one), contexts[task].context) for task, one in info.of_tasks.items()}
    heads = {task: kept.head(*part) for task, part in parts.items()}
    engines = []
    for names in grouped_tasks(info):
        precision = "fp32" if kept.fp32_only else chosen.precision
        engine = replace(kept.engine(*parts[names[0]]), precision=precision)
        engine = joined_engine(engine, {task: heads[task] for task in names})
        if chosen.int8:
            wanted = f"{chosen.runtime}-int8"
            engines.append(load_onnx_engine(engine, kept.checkpoint, wanted, cache, tasks=names))
        else:
            engines.append(with_onnx_model(engine, kept.onnx.of_tasks(names), chosen.runtime))
    return LoadedGroups(engines, heads, kept=kept)
