"""Keep the ONNX model of a run's best checkpoint beside it, so that labelling starts without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labelkit.config.plan import Plan
from labelkit.errors import LabelkitError, explanation
from labelkit.events import Event, Noted, Stage
from labelkit.inference.onnx.export import onnx_installed
from labelkit.inference.onnx.kept import keep_model
from labelkit.inference.torch_engine import load_torch_engine
from labelkit.models.checkpoint import read_checkpoint


def keep_onnx_model(run: str, plan: Plan, checkpoint: Path, emit: Callable[[Event], object]) -> None:
    """Write the ONNX model of a checkpoint beside it, where ``labelkit[fast]`` is installed and the plan wants it.

    The run is finished all the same where this fails or is interrupted: torch labels then, and a note of the run says
    why.
    """
    if not plan.train.onnx or plan.context.trial or not onnx_installed():
        return
    emit(Stage(run=run, name="exporting", detail="the checkpoint to ONNX"))
    info = read_checkpoint(checkpoint)
    try:
        engine = load_torch_engine(checkpoint, info, plan.head, "fp32", plan.context, "cpu")
        keep_model(engine, checkpoint, info)
    except (Exception, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, LabelkitError) else explanation(error)
        emit(Noted(run=run, text=f"no ONNX model is kept with the checkpoint: {why or 'interrupted'}"))
