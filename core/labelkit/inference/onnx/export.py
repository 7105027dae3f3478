"""Write a checkpoint as an ONNX model into the cache: once, and never without comparing it with torch."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import platform
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.encode.batches import model_inputs
from labelkit.errors import LabelkitError, ModelError, StorageError
from labelkit.files.atomic import new_file, new_folder
from labelkit.files.json_text import to_json
from labelkit.models.checkpoint_files import sha256_of, weights_of

if TYPE_CHECKING:
    from labelkit.encode.alignment import Encoding, Window
    from labelkit.inference.engine import Engine, RuntimeSession

#: raise it when what is written changes, so that old caches are not used
EXPORTER = 3
OPSET = 17
#: how far a log-probability may be from torch's
TOLERANCE = 1e-3
MODEL, META, CHECK = "model.onnx", "meta.json", "check.json"
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
    def unusable_runtimes(self) -> dict[str, str]:
        """Why not, for each runtime that must not compute this model."""
        found: dict[str, str] = _read(self.folder / META).get("unfit", {})
        return found

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


def onnx_installed() -> bool:
    """Return whether ONNX models can be written and run here."""
    return find_spec("onnxruntime") is not None and find_spec("onnx") is not None


def openvino_installed() -> bool:
    """Return whether OpenVINO can run them."""
    return find_spec("openvino") is not None


def require_runtime(runtime: str = "onnx") -> None:
    """Check that ONNX models can be written here, and run by ``runtime``.

    :raises LabelkitError: they cannot.
    """
    if not onnx_installed():
        raise LabelkitError("ONNX Runtime is not installed", hint="pip install 'labelkit[fast]'")
    if runtime == "openvino" and not openvino_installed():
        raise LabelkitError("OpenVINO is not installed", hint="pip install 'labelkit[fast]'")


def model_folder(checkpoint: Path, precision: str, cache: Path) -> Path:
    """Return where the ONNX model of a checkpoint lies, whether it is there or not.

    The name holds all that it depends on: the weights and their configuration, and the versions that wrote it.
    """
    packages = ("torch", "transformers", "onnxruntime", "openvino", "nncf")
    names = [f"{name}{version(name)}" for name in packages if find_spec(name) is not None]
    kind = f"{precision}-reduced" if precision == "int8" and lacks_vnni() else precision
    return cache / "onnx" / _digest(checkpoint) / "-".join([kind, str(EXPORTER), *names])


def find_model(checkpoint: Path, precision: str, cache: Path) -> OnnxModel | None:
    """Return the ONNX model of a checkpoint where the cache holds it whole."""
    model = OnnxModel(model_folder(checkpoint, precision, cache), precision)
    files = _read(model.folder / META).get("files", {})
    if MODEL not in files:
        return None
    for name, (size, digest) in files.items():
        file = model.folder / name
        if not file.is_file() or file.stat().st_size != size or sha256_of(file) != digest:
            return None
    return model


def export_model(
    engine: Engine,
    checkpoint: Path,
    precision: str,
    cache: Path,
    *,
    spared: int = 0,
    calibration: Sequence[Window] = (),
) -> OnnxModel:
    """Return the ONNX model of a checkpoint; it is written where the cache lacks it.

    :param engine: the checkpoint's, on the processor.
    :param spared: with int8, how much of :data:`SPARED` is not in int8 when the model is written.
    :param calibration: with int8, windows of text like that it will label, best of what it was trained on.
    :raises LabelkitError: the extra is missing, the architecture cannot be exported, or the model differs from torch.
    :raises StorageError: the disk refuses.
    """
    require_runtime()
    if (found := find_model(checkpoint, precision, cache)) is not None:
        return found
    source = export_model(engine, checkpoint, "fp32", cache) if precision == "int8" else None
    model = OnnxModel(model_folder(checkpoint, precision, cache), precision)
    model.remove()  # damaged
    try:
        with new_folder(model.folder) as beside:
            if source is None:
                _trace(engine, beside / MODEL)
                facts = _differences(engine, OnnxModel(beside, precision))
            else:
                from labelkit.inference.onnx.quantization import quantize

                quantize(source, beside / MODEL, engine.encoding, calibration, spared)
                facts = {"spared": spared, "unfit": source.unusable_runtimes}
            files = {file.name: (file.stat().st_size, sha256_of(file)) for file in sorted(beside.iterdir())}
            meta = {"precision": precision, "files": files, **facts}
            (beside / META).write_text(to_json(meta) + "\n", encoding="utf-8")
    except (OSError, StorageError):
        if (found := find_model(checkpoint, precision, cache)) is None:
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


def lacks_vnni() -> bool:
    """Return whether the processor adds products of bytes in 16 bits, which full 8-bit weights would overflow."""
    from labelkit.hardware import cpu_flags

    return platform.machine().lower() in {"x86_64", "amd64"} and not {"avx512_vnni", "avx_vnni"} & cpu_flags()


def _trace(engine: Engine, path: Path) -> None:
    """Write the model as torch's tracing exporter does: it needs no other package and takes a second."""
    import torch

    from labelkit.models.loading import attention

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
    # torch's own attention is exported with a guard against rows that attend to nothing: no window has one, it costs a
    # tenth of the time of long windows, and runtimes cannot fuse what it parts
    with quiet_exporters(), attention(model, "eager"), torch.no_grad():
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
                f"the architecture '{kind}' cannot be exported to ONNX: {one_line(error)}",
                hint="label with torch: --engine torch",
            ) from error


def _differences(engine: Engine, model: OnnxModel) -> dict[str, Any]:
    """Return the largest difference of a log-probability from torch for each runtime, and which must not be used.

    :raises ModelError: that of ONNX Runtime is larger than :data:`TOLERANCE`.
    """
    from labelkit.inference.onnx.engine import OnnxError, OnnxSession, OpenvinoSession

    found, unfit = {"onnx": _difference(engine, OnnxSession(model, 1))}, {}
    if why := _too_large(found["onnx"]):
        raise ModelError(f"the ONNX model {why}", hint="label with torch: --engine torch")
    if openvino_installed():
        try:
            found["openvino"] = _difference(engine, OpenvinoSession(model, 1, bf16=False))
            why = _too_large(found["openvino"])
        except (OnnxError, MemoryError) as error:
            why = f"cannot be computed: {one_line(error)}"
        if why:
            unfit["openvino"] = f"the ONNX model in OpenVINO {why}"
    return {"difference": found, "unfit": unfit}


def _too_large(difference: float) -> str | None:
    if difference <= TOLERANCE:  # what is not a number is not
        return None
    return f"differs from torch by {difference:.2g} in a log-probability, {TOLERANCE:g} is allowed"


def _difference(engine: Engine, session: RuntimeSession) -> float:
    """Return the largest difference of a log-probability between torch and ``session`` on some windows."""
    import torch

    longest = min(engine.encoding.max_length, LONGEST_TRIED)
    worst = 0.0
    for inputs in _samples(engine.encoding, ((1,), (24, 15), (60, 2, 33), (longest, 7))):
        with torch.inference_mode():
            logits = engine.model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits
        # padding has no label
        real = inputs["attention_mask"].astype(bool) if logits.ndim == 3 else np.ones(len(logits), bool)
        found = torch.from_numpy(session.logits(inputs, real))
        gaps = torch.log_softmax(found, -1) - torch.log_softmax(logits[torch.from_numpy(real)], -1)
        gap = float(gaps.abs().max())
        worst = gap if not gap <= worst else worst
    return worst


def _samples(encoding: Encoding, shapes: tuple[tuple[int, ...], ...]) -> list[dict[str, Any]]:
    """Return padded batches of windows of random sub-tokens, one for each of ``shapes``: the lengths of its windows."""
    random = np.random.default_rng(0)
    frame, tokenizer = encoding.special_tokens, encoding.tokenizer
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


@contextlib.contextmanager
def quiet_exporters() -> Iterator[None]:
    """Keep the exporters from talking for a while: what matters is measured afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def one_line(error: Exception) -> str:
    """Return what an error says, not too much of it."""
    return " ".join(str(error).split())[:300]
