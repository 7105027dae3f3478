"""Keep the ONNX model of a run's best checkpoint beside it, so that labelling starts without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from labelkit.config.plan import Plan
from labelkit.errors import LabelkitError, explanation
from labelkit.events import Event, Noted, Stage
from labelkit.inference.engine import Engine
from labelkit.inference.onnx.export import onnx_installed
from labelkit.inference.onnx.kept import keep_model
from labelkit.inference.torch_engine import load_joint_engines, load_torch_engine
from labelkit.models.checkpoint import CheckpointInfo, read_checkpoint


def keep_onnx_model(run: str, plans: Sequence[Plan], checkpoint: Path, emit: Callable[[Event], object]) -> None:
    """Write the ONNX model of a checkpoint beside it, where ``labelkit[fast]`` is installed and the plan wants it.

    The run is finished all the same where this fails or is interrupted: torch labels then, and a note of the run says
    why.

    :param plans: one for each task.
    """
    plan = plans[0]
    if not plan.train.onnx or plan.context.trial or not onnx_installed():
        return
    emit(Stage(run=run, name="exporting", detail="the checkpoint to ONNX"))
    info = read_checkpoint(checkpoint)
    try:
        engine, *further = torch_engines(checkpoint, info, plans)
        keep_model(engine, checkpoint, info, further=further)
    except (Exception, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, LabelkitError) else explanation(error)
        emit(Noted(run=run, text=f"no ONNX model is kept with the checkpoint: {why or 'interrupted'}"))


def torch_engines(checkpoint: Path, info: CheckpointInfo, plans: Sequence[Plan]) -> list[Engine]:
    """Return the engine of a checkpoint on the processor in fp32; of several tasks one for each group.

    :param plans: one for each task.
    :raises LabelkitError: the model cannot be loaded.
    """
    first = plans[0]
    if not info.others:
        return [load_torch_engine(checkpoint, info, first.head, "fp32", first.context, "cpu")]
    heads = {plan.task.name: plan.head for plan in plans}
    contexts = {plan.task.name: plan.context for plan in plans}
    return load_joint_engines(checkpoint, info, heads, "fp32", contexts, "cpu")[0]
