"""Load what a labeller needs: checkpoint folder, model and tokenizer, decoder and preprocessors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError, nearest
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.models.heads import reordered
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.functions import with_context
from labelkit.plugins.suppliers import find_part
from labelkit.records import Context, Decoder, Head, Preprocessor

if TYPE_CHECKING:
    from labelkit.hardware import Hardware
    from labelkit.inference.engine import Engine

#: kind of device → initial batch size in subwords, padding included; on a processor bounded by its caches
BATCH_SIZES = {"cpu": 1024, "cuda": 65536}


def load_engine(
    folder: Path,
    info: CheckpointInfo,
    head: Head,
    precision: str,
    name: str,
    cache: Path,
    ctx: Context,
    device: str = "auto",
) -> Engine:
    """Load model and tokenizer of a checkpoint onto the device.

    :param head: the head that it was trained with.
    :param precision: ``"fp32"``, ``"bf16"`` or ``"auto"``.
    :param name: one of :data:`labelkit.inference.onnx.engine.ENGINES`; ``"auto"`` loads torch.
    :param cache: folder of ONNX models.
    :param ctx: that of the checkpoint, for the functions of the head.
    :param device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
    :raises LabelkitError: if the engine is unknown, a package is missing, or the model cannot be loaded.
    """
    from labelkit.encode.alignment import Encoding
    from labelkit.hardware import detect, precision_for
    from labelkit.inference.engine import Engine, fallback_of
    from labelkit.inference.onnx.engine import ENGINES, load_onnx_engine
    from labelkit.models import architectures
    from labelkit.models.loading import bind_head, load_classifier, silence_transformers
    from labelkit.models.tokenizer import load_tokenizer

    if name not in ENGINES:
        raise LabelkitError(f"unknown engine '{name}'", hint=nearest(name, ENGINES))
    with silence_transformers():
        bound = bind_head(head, folder, info.schema, ctx)
        model: Any = load_classifier(folder, bound, trained=True)
        tokenizer = load_tokenizer(folder, for_words=info.tokenizer_input == "words")
    onnx = name not in ("auto", "torch")
    hardware: Hardware = detect(cpu=onnx or device == "cpu")
    check_device(device, hardware.type)
    model = model.to(hardware.type).eval()
    encoding = Encoding.of(tokenizer, info.max_length, info.overlap)
    # in bf16 the numbers of a regression are right to two or three digits only
    wanted = "fp32" if info.schema.numeric and precision == "auto" else precision
    fallback = fallback_of(info.schema, info.fallback)
    chosen, _ = architectures.precision_for(model.config, precision_for(wanted, hardware))
    engine = Engine(model, encoding, chosen, BATCH_SIZES[hardware.type], head=bound, **fallback)
    return load_onnx_engine(engine, folder, name, cache) if onnx else engine


def check_device(wanted: str, found: str) -> None:
    """Raise if a device is unknown, or is not there.

    :param wanted: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    :param found: the device that would be used.
    :raises LabelkitError: it cannot be used.
    """
    devices = ("auto", "cpu", "cuda")
    if wanted not in devices:
        raise LabelkitError(f"unknown device '{wanted}'", hint=nearest(wanted, devices))
    if wanted == "cuda" and found != "cuda":
        raise LabelkitError("no GPU can be used here", hint="device='cpu', or 'auto'; ONNX engines run on the CPU")


def find_decoder(catalog: Catalog, name: str, info: CheckpointInfo, ctx: Context) -> Decoder:
    """Return the decoder called ``name``, called with ``ctx``.

    :raises LabelkitError: if it is unknown, or of another kind than the labeller.
    """
    decoder: Decoder = find_part(catalog, "decoder", name, info.suppliers)
    if decoder.kind != info.kind:
        fitting = [known for known, other in catalog.decoders.items() if other.kind == info.kind]
        raise LabelkitError(
            f"decoder '{name}' is for kind {decoder.kind}, the labeller is of kind {info.kind}",
            hint=f"known: {', '.join(fitting)}",
        )
    return with_context(decoder, ctx)


def find_head(catalog: Catalog, info: CheckpointInfo) -> Head:
    """Return the head that a checkpoint was trained with.

    :raises LabelkitError: if it is not installed.
    """
    if info.output_of:
        return reordered(info.outputs, info.output_of)
    head: Head = find_part(catalog, "head", info.head, info.suppliers)
    return head


def find_preprocessors(catalog: Catalog, info: CheckpointInfo, ctx: Context) -> list[Preprocessor]:
    """Return the preprocessors that a checkpoint was trained with, in order, called with ``ctx``.

    :raises LabelkitError: if one is not installed, or in another version.
    """
    found: list[Preprocessor] = []
    for name, version in info.preprocessors:
        preprocessor = find_part(catalog, "preprocessor", name, info.suppliers)
        if preprocessor.version != version:
            raise LabelkitError(
                f"trained with preprocessor '{name}' {version}, installed is {preprocessor.version}",
                hint="install the plugin's version of that time, or train again",
            )
        found.append(with_context(preprocessor, ctx))
    if info.parts != any(preprocessor.parts for preprocessor in found):
        names = ", ".join(f"'{one.name}'" for one in found)
        raise LabelkitError(
            f"trained {'with' if info.parts else 'without'} parts of texts, which the preprocessors {names} "
            f"{'no longer' if info.parts else 'now'} make",
            hint="install the plugin's version of that time, or train again",
        )
    return found
