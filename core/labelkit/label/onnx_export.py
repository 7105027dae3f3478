"""Write a checkpoint as an ONNX model into the cache: once, and never without comparing it with torch."""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.documents import to_json
from labelkit.encode.batches import model_inputs
from labelkit.encode.checkpoint_files import sha256_of, weights_of
from labelkit.errors import LabelkitError, ModelError, StorageError
from labelkit.storage import new_file, new_folder

if TYPE_CHECKING:
    from onnx import NodeProto

    from labelkit.encode.align import Encoding
    from labelkit.label.engine import Engine

#: raise it when what is written changes, so that old caches are not used
EXPORTER = 1
OPSET = 17
#: how far a log-probability may be from torch's
TOLERANCE = 1e-3
MODEL, META, CHECK = "model.onnx", "meta.json", "check.json"
#: what int8 leaves in fp32, step by step, where the score asks for it: outliers behind activations cost the most
SPARED = ("the head", "the products behind activations", "the first layer")
#: one file of protobuf holds no more; the weights then stand beside it
LARGEST_FILE = 2_000_000_000
#: windows longer than this are not tried after an export: they cost much and show nothing new
LONGEST_TRIED = 1024


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An ONNX model in a folder of its own.

    :param precision: ``"fp32"`` or ``"int8"``.
    """

    folder: Path
    precision: str

    @property
    def path(self) -> Path:
        """The file that ONNX Runtime opens."""
        return self.folder / MODEL

    @property
    def size(self) -> int:
        """Its bytes on the disk, weights in files of their own included."""
        return sum(size for size, _ in _read(self.folder / META).get("files", {}).values())

    @property
    def check(self) -> dict[str, Any] | None:
        """What scoring it on validation data gave; None where nobody did."""
        return _read(self.folder / CHECK) or None

    def checked(self, found: Mapping[str, Any]) -> None:
        """Keep what scoring it gave."""
        with new_file(self.folder / CHECK) as beside:
            beside.write_text(to_json(found) + "\n", encoding="utf-8")

    def remove(self) -> None:
        """Delete it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def installed() -> bool:
    """Return whether ONNX models can be written and run here."""
    return find_spec("onnxruntime") is not None and find_spec("onnx") is not None


def require() -> None:
    """Check that ONNX models can be written and run here.

    :raises LabelkitError: they cannot.
    """
    if not installed():
        raise LabelkitError("ONNX Runtime is not installed", hint="pip install 'labelkit[fast]'")


def folder_of(checkpoint: Path, precision: str, cache: Path) -> Path:
    """Return where the ONNX model of a checkpoint lies, whether it is there or not.

    The name holds all that it depends on: the weights and their configuration, and the versions that wrote it.
    """
    names = [f"{name}{version(name)}" for name in ("torch", "transformers", "onnxruntime")]
    kind = f"{precision}-reduced" if precision == "int8" and _without_vnni() else precision
    return cache / "onnx" / _digest(checkpoint) / "-".join([kind, str(EXPORTER), *names])


def find(checkpoint: Path, precision: str, cache: Path) -> OnnxModel | None:
    """Return the ONNX model of a checkpoint where the cache holds it whole."""
    model = OnnxModel(folder_of(checkpoint, precision, cache), precision)
    files = _read(model.folder / META).get("files", {})
    if MODEL not in files:
        return None
    for name, (size, digest) in files.items():
        file = model.folder / name
        if not file.is_file() or file.stat().st_size != size or sha256_of(file) != digest:
            return None
    return model


def export(engine: Engine, checkpoint: Path, precision: str, cache: Path, *, spared: int = 0) -> OnnxModel:
    """Return the ONNX model of a checkpoint; it is written where the cache lacks it.

    :param engine: the checkpoint's, on the processor.
    :param spared: with int8, how much of :data:`SPARED` stays in fp32 when the model is written.
    :raises LabelkitError: the extra is missing, the architecture cannot be exported, or the model differs from torch.
    :raises StorageError: the disk refuses.
    """
    require()
    if (found := find(checkpoint, precision, cache)) is not None:
        return found
    source = export(engine, checkpoint, "fp32", cache) if precision == "int8" else None
    model = OnnxModel(folder_of(checkpoint, precision, cache), precision)
    model.remove()  # damaged
    try:
        with new_folder(model.folder) as beside:
            if source is None:
                _trace(engine, beside / MODEL)
                facts = {"difference": _difference(engine, OnnxModel(beside, precision))}
            else:
                _quantise(source, beside / MODEL, spared)
                facts = {"spared": spared}
            files = {file.name: (file.stat().st_size, sha256_of(file)) for file in sorted(beside.iterdir())}
            meta = {"precision": precision, "files": files, **facts}
            (beside / META).write_text(to_json(meta) + "\n", encoding="utf-8")
    except (OSError, StorageError):
        if (found := find(checkpoint, precision, cache)) is None:
            raise
        return found  # another process wrote the same one meanwhile
    return model


def _digest(checkpoint: Path) -> str:
    return sha256_of(*weights_of(checkpoint), checkpoint / "config.json")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _without_vnni() -> bool:
    """Return whether the processor adds products of bytes in 16 bits, which full 8-bit weights would overflow."""
    from labelkit.hardware import cpu_flags

    return platform.machine().lower() in {"x86_64", "amd64"} and not {"avx512_vnni", "avx_vnni"} & cpu_flags()


def _trace(engine: Engine, path: Path) -> None:
    """Write the model as torch's tracing exporter does: it needs no other package and takes a second."""
    import torch

    model = engine.model
    inputs = _samples(engine.encoding, ((24, 15),))[0]
    names = list(inputs)

    class Logits(torch.nn.Module):
        """The model with its inputs by position and the logits alone."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(**dict(zip(names, tensors, strict=True))).logits
            return logits

    axes = {name: {0: "windows", 1: "length"} for name in (*names, "logits")}
    with _quiet(), torch.no_grad():
        try:
            torch.onnx.export(
                Logits().eval(),
                tuple(torch.from_numpy(array) for array in inputs.values()),
                str(path),
                dynamo=False,
                input_names=names,
                output_names=["logits"],
                dynamic_axes=axes,
                opset_version=OPSET,
            )
        except Exception as error:
            kind = getattr(model.config, "model_type", "unknown")
            raise ModelError(
                f"the architecture '{kind}' cannot be exported to ONNX: {_one_line(error)}",
                hint="label with torch: --engine torch",
            ) from error


def _difference(engine: Engine, model: OnnxModel) -> float:
    """Return the largest difference of a log-probability between torch and ONNX Runtime on some windows.

    :raises ModelError: it is larger than :data:`TOLERANCE`.
    """
    import torch

    from labelkit.label.onnx_engine import Session

    longest = min(engine.encoding.max_length, LONGEST_TRIED)
    session = Session(model, 1)
    worst = 0.0
    for inputs in _samples(engine.encoding, ((1,), (24, 15), (60, 2, 33), (longest, 7))):
        found = torch.from_numpy(session.logits(inputs))
        with torch.inference_mode():
            wanted = engine.model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits
        gaps = (torch.log_softmax(found, -1) - torch.log_softmax(wanted, -1)).abs()
        if gaps.ndim == 3:  # padding has no label
            gaps = gaps[torch.from_numpy(inputs["attention_mask"]).bool()]
        gap = float(gaps.max())
        worst = gap if not gap <= worst else worst
    if not worst <= TOLERANCE:
        raise ModelError(
            f"the ONNX model differs from torch by {worst:.2g} in a log-probability, {TOLERANCE:g} is allowed",
            hint="label with torch: --engine torch",
        )
    return worst


def _samples(encoding: Encoding, shapes: tuple[tuple[int, ...], ...]) -> list[dict[str, Any]]:
    """Return padded batches of windows of random sub-tokens, one for each of ``shapes``: the lengths of its windows."""
    random = np.random.default_rng(0)
    frame, tokenizer = encoding.frame, encoding.tokenizer
    known = np.setdiff1d(np.arange(len(tokenizer)), tokenizer.all_special_ids)
    batches = []
    for lengths in shapes:
        rows = []
        for length in lengths:
            inside = random.choice(known, max(1, min(length, encoding.max_length) - frame.size))
            rows.append(np.concatenate((frame.prefix, inside, frame.suffix)).astype(np.int32))
        left = tokenizer.padding_side == "left"
        batches.append(model_inputs(rows, frame, tokenizer.pad_token_id or 0, left=left))
    return batches


def _quantise(source: OnnxModel, path: Path, spared: int) -> None:
    """Write the encoder's products with weights in 8-bit integers; all else stays, the small head included."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        try:
            quantize_dynamic(
                str(source.path),
                str(path),
                op_types_to_quantize=["MatMul", "Gemm"],
                nodes_to_exclude=_spared(source.path, spared),
                per_channel=True,
                reduce_range=_without_vnni(),
                weight_type=QuantType.QInt8,
                use_external_data_format=source.size > LARGEST_FILE,
                # 1 is FLOAT: what shape inference leaves open
                extra_options={"MatMulConstBOnly": True, "DefaultTensorType": 1},
            )
        except Exception as error:
            raise ModelError(
                f"the model cannot be written in int8: {_one_line(error)}", hint="without --int8 it is written in fp32"
            ) from error


def _spared(path: Path, spared: int) -> list[str]:
    """Return the names of the products that stay in fp32: the head, and what :data:`SPARED` says."""
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    weights = {one.name: tuple(one.dims) for one in graph.initializer}
    products = [node for node in graph.node if node.op_type in {"MatMul", "Gemm"}]
    narrowing = [node.name for node in products if _narrows(node, weights)]
    names = {node.name for node in products[-1:]}
    if spared >= 1:
        names.update(narrowing)
    if spared >= 2 and narrowing:
        order = [node.name for node in products]
        names.update(order[: order.index(narrowing[0])])
    return sorted(names)


def _narrows(node: NodeProto, weights: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether a product makes its input less wide, as the one behind a feed-forward layer's activation does."""
    shape = weights.get(node.input[1], ())
    if len(shape) != 2:
        return False
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    wide, narrow = reversed(shape) if transposed else shape
    return wide > narrow


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters from talking for a while: what matters is measured afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
