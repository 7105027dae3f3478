"""Load what a labeller needs: checkpoint folder, model and tokenizer, decoder and preprocessors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from labelkit.errors import LabelkitError, MissingPackageError, nearest, require_extra
from labelkit.hardware import has_native_bf16, may_have_gpu, torch_installed
from labelkit.inference.onnx.export import OnnxModel, runs_models
from labelkit.inference.onnx.kept import KeptModel, read_kept_model
from labelkit.models.checkpoint import CheckpointInfo, FirstTask
from labelkit.models.checkpoint_files import Checksum, sha256_of
from labelkit.models.heads import reordered
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.functions import with_context
from labelkit.plugins.suppliers import find_part
from labelkit.records import Context, Decoder, Head, Preprocessor

if TYPE_CHECKING:
    from labelkit.inference.engine import Engine


class EngineOptions(NamedTuple):
    """How a labeller is loaded; see :meth:`labelkit.label.labeller.Labeller.open`."""

    precision: str = "fp32"
    decoder: str | None = None
    engine: str = "auto"
    device: str = "auto"
    offline: bool = False
    trial: bool = False


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine of a checkpoint.

    :param kept: the ONNX model beside the checkpoint, where it computes.
    :param note: why torch computes in place of that model, in one line; empty where there is nothing to say.
    """

    engine: Engine
    kept: OnnxModel | None = None
    note: str = ""


def load_engine(
    folder: Path,
    info: CheckpointInfo,
    head: Head,
    precision: str,
    name: str,
    cache: Path,
    ctx: Context,
    device: str = "auto",
    checksum: Checksum = sha256_of,
    first: FirstTask | None = None,
) -> LoadedEngine:
    """Load model and tokenizer of a checkpoint onto the device, without torch where that labels as torch does.

    :param head: the head that it was trained with.
    :param precision: ``"fp32"``, ``"bf16"`` or ``"auto"``.
    :param name: one of :data:`labelkit.inference.onnx.engine.ENGINES`; ``"auto"`` loads the ONNX model beside the
        checkpoint where there is one, else torch.
    :param cache: folder of ONNX models.
    :param ctx: that of the checkpoint, for the functions of the head.
    :param device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
    :param checksum: computes the SHA-256 of a file.
    :param first: the first task, where ``info`` is that of a further one of several.
    :raises LabelkitError: if the engine is unknown, a package is missing, or the model cannot be loaded.
    """
    from labelkit.inference.onnx.engine import ENGINES

    if name not in ENGINES:
        raise LabelkitError(f"unknown engine '{name}'", hint=nearest(name, ENGINES))
    note = ""
    chosen, kept = choose_torchless([info], precision, name, device), read_kept_model(folder)
    if chosen and kept and (first is None or info.task in kept.tasks):
        problem = kept.mismatch(info, checksum)
        try:
            if problem is None:
                return _load_kept(kept, chosen, info, head, ctx, cache)
        except LabelkitError as error:
            if name != "auto":
                raise
            problem = f"cannot be used: {error.message}"
        note = f"the ONNX model beside the checkpoint {problem}"
    require_torch(folder, name, note)
    if first is not None:
        engine = _load_further(folder, info, head, precision, name, ctx, device, first)
    else:
        engine = _load_with_torch(folder, info, head, precision, name, cache, ctx, device)
    return LoadedEngine(engine, note=note and f"torch labels, as {note}")


def _load_further(
    folder: Path,
    info: CheckpointInfo,
    head: Head,
    precision: str,
    name: str,
    ctx: Context,
    device: str,
    first: FirstTask,
) -> Engine:
    """Load a further task of several on torch; an ONNX model of all tasks is only used beside the checkpoint."""
    if name not in ("auto", "torch"):
        raise LabelkitError(
            f"engine '{name}' is for the first task of a checkpoint, '{first.info.task}'",
            hint="labelkit export RUN --to onnx keeps a model of all tasks beside the checkpoint; or label with torch",
        )
    require_torch(folder, "torch", "")
    from labelkit.inference.torch_engine import load_torch_engine

    return load_torch_engine(folder, info, head, precision, ctx, device, first)


def _load_kept(
    kept: KeptModel, chosen: TorchlessChoice, info: CheckpointInfo, head: Head, ctx: Context, cache: Path
) -> LoadedEngine:
    from labelkit.inference.onnx.engine import load_onnx_engine, with_onnx_model

    engine = replace(kept.engine(info, head, ctx), precision="fp32" if kept.fp32_only else chosen.precision)
    tasks = [info.task] if kept.tasks else []
    if chosen.int8:
        wanted = f"{chosen.runtime}-int8"
        return LoadedEngine(load_onnx_engine(engine, kept.checkpoint, wanted, cache, tasks=tasks))
    model = kept.onnx.of_tasks(tasks) if tasks else kept.onnx
    return LoadedEngine(with_onnx_model(engine, model, chosen.runtime), model)


def _load_with_torch(
    folder: Path,
    info: CheckpointInfo,
    head: Head,
    precision: str,
    name: str,
    cache: Path,
    ctx: Context,
    device: str,
) -> Engine:
    from labelkit.inference.onnx.engine import load_onnx_engine
    from labelkit.inference.torch_engine import check_device, load_torch_engine

    if name in ("auto", "torch"):
        return load_torch_engine(folder, info, head, precision, ctx, device)
    check_device(device, "cpu")
    return load_onnx_engine(load_torch_engine(folder, info, head, precision, ctx, "cpu"), folder, name, cache)


@dataclass(frozen=True, slots=True)
class TorchlessChoice:
    """How an ONNX model computes what was asked for, without torch."""

    runtime: str
    precision: str
    int8: bool = False


def choose_torchless(infos: Sequence[CheckpointInfo], precision: str, name: str, device: str) -> TorchlessChoice | None:
    """Return how an ONNX model computes what was asked for; None where torch does.

    Decided by the hardware and the installed packages. Torch computes on a GPU and, where it is installed, in bf16.

    :param infos: of the tasks that are labelled.

    :param name: one of :data:`labelkit.inference.onnx.engine.ENGINES`.
    """
    runtime, _, kind = name.partition("-")
    if runtime == "torch" or device not in ("auto", "cpu"):
        return None
    numeric = any(info.schema.numeric for info in infos)
    wanted = "fp32" if numeric and precision == "auto" else precision
    bf16 = wanted == "bf16" or (wanted == "auto" and has_native_bf16())
    if runtime != "auto":
        if not runs_models(runtime):
            return None
        return TorchlessChoice(runtime, "bf16" if bf16 and runtime == "openvino" else "fp32", kind == "int8")
    if (device == "auto" and may_have_gpu()) or (bf16 and torch_installed()):
        return None
    if bf16 and runs_models("openvino"):
        return TorchlessChoice("openvino", "bf16")
    found = next((one for one in ("onnx", "openvino") if runs_models(one)), None)
    return None if found is None or wanted == "bf16" else TorchlessChoice(found, "fp32")


def require_torch(folder: Path, name: str, note: str) -> None:
    """Raise if torch and transformers are not installed.

    :param folder: the checkpoint to load.
    :param name: of the engine that was asked for.
    :param note: why its ONNX model is not used; empty where it has none.
    :raises MissingPackageError: they are not.
    """
    if torch_installed() and find_spec("transformers") is not None:
        return
    if name == "torch":
        require_extra("train", "the engine 'torch'")
    runtime = name.partition("-")[0]
    if runtime != "auto" and not runs_models(runtime):
        require_extra("fast" if runtime == "openvino" else "runtime", f"the engine '{name}'")
    if not any(map(runs_models, ("onnx", "openvino"))):
        raise MissingPackageError(
            "neither ONNX Runtime nor torch is installed, one of which labels",
            hint="pip install 'labelkit[runtime]', or 'labelkit[train]' with torch",
        )
    bf16 = "bf16 is computed by OpenVINO or torch only" if read_kept_model(folder) else ""
    raise MissingPackageError(
        f"torch is not installed, and {note or bf16 or f'no ONNX model lies in {folder} that could label without it'}",
        hint="pip install 'labelkit[train]'; or where that is installed: labelkit export RUN --to onnx",
    )


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


def find_first_task(catalog: Catalog, info: CheckpointInfo, task: str) -> FirstTask | None:
    """Return the first task of a checkpoint with its head; None where it is ``task`` itself.

    :raises LabelkitError: its head is not installed.
    """
    if task == info.task:
        return None
    return FirstTask(info, find_head(catalog, info))


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
