"""Load a checkpoint as an engine on torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labelkit.encode.alignment import Encoding
from labelkit.errors import LabelkitError, nearest
from labelkit.hardware import Hardware, detect, precision_for
from labelkit.inference.engine import Engine, fallback_of
from labelkit.models import architectures
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.models.loading import bind_head, load_classifier, silence_transformers
from labelkit.models.tokenizer import load_tokenizer
from labelkit.records import Context, Head

#: kind of device → initial batch size in subwords, padding included; on a processor bounded by its caches
BATCH_SIZES = {"cpu": 1024, "cuda": 65536}
#: where an engine may be loaded
DEVICES = ("auto", "cpu", "cuda")


def load_torch_engine(
    folder: Path, info: CheckpointInfo, head: Head, precision: str, ctx: Context, device: str = "auto"
) -> Engine:
    """Load model and tokenizer of a checkpoint onto the device.

    :param head: the head that it was trained with.
    :param precision: ``"fp32"``, ``"bf16"`` or ``"auto"``.
    :param ctx: that of the checkpoint, for the functions of the head.
    :param device: one of :data:`DEVICES`; ``"auto"``: a GPU where there is one.
    :raises LabelkitError: the device is unknown or not there, or the model cannot be loaded.
    """
    with silence_transformers():
        bound = bind_head(head, folder, info.schema, ctx)
        model: Any = load_classifier(folder, bound, trained=True)
        tokenizer = load_tokenizer(folder, for_words=info.tokenizer_input == "words")
    hardware: Hardware = detect(cpu=device == "cpu")
    check_device(device, hardware.type)
    model = model.to(hardware.type).eval()
    encoding = Encoding.of(tokenizer, info.max_length, info.overlap)
    fallback = fallback_of(info.schema, info.fallback)
    chosen, _ = architectures.precision_for(model.config, precision_for(wanted_precision(info, precision), hardware))
    return Engine(model, encoding, chosen, BATCH_SIZES[hardware.type], head=bound, **fallback)


def wanted_precision(info: CheckpointInfo, precision: str) -> str:
    """Return the precision to compute in: in bf16 numbers of a regression are right to two or three digits only."""
    return "fp32" if info.schema.numeric and precision == "auto" else precision


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
