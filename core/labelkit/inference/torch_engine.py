"""Load a checkpoint as an engine on torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from labelkit.encode.alignment import Encoding
from labelkit.errors import LabelkitError, nearest
from labelkit.hardware import Hardware, detect, precision_for
from labelkit.inference.engine import Engine, HeadOutputs, fallback_of
from labelkit.inference.joint_engine import grouped_tasks, joined_torch_engine, outputs_of
from labelkit.models import architectures
from labelkit.models.checkpoint import CheckpointInfo, FirstTask
from labelkit.models.joint import JointModel, load_joint, load_task
from labelkit.models.loading import bind_head, load_classifier, silence_transformers
from labelkit.models.tokenizer import load_tokenizer
from labelkit.records import Context, Head

#: kind of device → initial batch size in subwords, padding included; on a processor bounded by its caches
BATCH_SIZES = {"cpu": 1024, "cuda": 65536}
#: where an engine may be loaded
DEVICES = ("auto", "cpu", "cuda")


def load_torch_engine(
    folder: Path,
    info: CheckpointInfo,
    head: Head,
    precision: str,
    ctx: Context,
    device: str = "auto",
    first: FirstTask | None = None,
) -> Engine:
    """Load model and tokenizer of a checkpoint onto the device.

    :param head: the head that it was trained with.
    :param precision: ``"fp32"``, ``"bf16"`` or ``"auto"``.
    :param ctx: that of the checkpoint, for the functions of the head.
    :param device: one of :data:`DEVICES`; ``"auto"``: a GPU where there is one.
    :param first: the first task, where ``info`` is that of a further one of several.
    :raises LabelkitError: the device is unknown or not there, or the model cannot be loaded.
    """
    with silence_transformers():
        bound = bind_head(head, folder, info.schema, ctx)
        model: Any
        if first is None:
            model = load_classifier(folder, bound, trained=True)
        else:
            model = load_task(folder, bind_head(first.head, folder, first.info.schema, ctx), info.task, bound)
        tokenizer = load_tokenizer(folder, for_words=info.tokenizer_input == "words")
    hardware: Hardware = detect(cpu=device == "cpu")
    check_device(device, hardware.type)
    model = model.to(hardware.type).eval()
    encoding = Encoding.of(tokenizer, info.max_length, info.overlap)
    fallback = fallback_of(info.schema, info.fallback)
    chosen = inference_precision(model.config, [info], precision, hardware)
    return Engine(model, encoding, chosen, BATCH_SIZES[hardware.type], head=bound, **fallback)


def load_joint_engines(
    folder: Path,
    info: CheckpointInfo,
    heads: Mapping[str, Head],
    precision: str,
    contexts: Mapping[str, Context],
    device: str = "auto",
) -> tuple[list[Engine], dict[str, HeadOutputs], JointModel]:
    """Load the model of a checkpoint of several tasks onto the device.

    :param heads: task → the head that it was trained with.
    :param contexts: task → that of the checkpoint, for the functions of its head.
    :returns: an engine for each group of tasks, see :func:`labelkit.inference.joint_engine.grouped_tasks`; task → its
        head; and the model.
    :raises LabelkitError: the device is unknown or not there, or the model cannot be loaded.
    """
    infos = info.of_tasks
    with silence_transformers():
        bound = {task: bind_head(heads[task], folder, one.schema, contexts[task]) for task, one in infos.items()}
        joint = load_joint(folder, bound, trained=True)
        encoding = Encoding.of(load_tokenizer(folder), info.max_length, info.overlap)
    hardware = detect(cpu=device == "cpu")
    check_device(device, hardware.type)
    joint = joint.to(hardware.type).eval()
    outputs = {task: outputs_of(bound[task], one.fallback, joint.models[task]) for task, one in infos.items()}
    chosen, budget = (
        inference_precision(joint.config, list(infos.values()), precision, hardware),
        BATCH_SIZES[hardware.type],
    )
    groups = [{task: outputs[task] for task in names} for names in grouped_tasks(info)]
    return [joined_torch_engine(joint, group, encoding, chosen, budget) for group in groups], outputs, joint


def inference_precision(
    config: PreTrainedConfig, infos: Sequence[CheckpointInfo], precision: str, hardware: Hardware
) -> str:
    """Return the precision in which a model labels.

    In bf16 numbers of a regression are right to two or three digits only.

    :param infos: of its tasks.
    :param precision: ``"fp32"``, ``"bf16"`` or ``"auto"``.
    """
    numeric = any(info.schema.numeric for info in infos)
    wanted = "fp32" if numeric and precision == "auto" else precision
    chosen, _ = architectures.precision_for(config, precision_for(wanted, hardware))
    return chosen


def check_device(wanted: str, found: str) -> None:
    """Raise if a device is unknown, or is not there.

    :param wanted: one of :data:`DEVICES`.
    :param found: the device that would be used.
    :raises LabelkitError: it cannot be used.
    """
    if wanted not in DEVICES:
        raise LabelkitError(f"unknown device '{wanted}'", hint=nearest(wanted, DEVICES))
    if wanted == "cuda" and found != "cuda":
        raise LabelkitError("no GPU can be used here", hint="device='cpu', or 'auto'; ONNX engines run on the CPU")
