"""Export a checkpoint to ONNX into the cache, once, and compare each exported model with torch."""

from __future__ import annotations

import contextlib
import io
import logging
import platform
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.encode.batches import model_inputs
from labelkit.errors import LabelkitError, ModelError, StorageError, one_line
from labelkit.files.atomic import new_file, new_folder
from labelkit.files.json_text import to_json
from labelkit.files.small import read_json
from labelkit.models.checkpoint_files import sha256_of, weights_of

if TYPE_CHECKING:
    from labelkit.encode.alignment import Encoding, Window
    from labelkit.inference.engine import Engine, RuntimeSession

#: version of the exported graph; raise it to invalidate cached models
EXPORTER = 3
OPSET = 17
#: largest accepted difference of a log-probability from torch
TOLERANCE = 1e-3
#: precision → the path under which other programs look for the model
PUBLISHED = {"fp32": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"}
MODEL, META, CHECK = "model.onnx", "meta.json", "check.json"
#: limit of one protobuf file; larger weights are written beside it
LARGEST_FILE = 2_000_000_000
#: longest window of the comparison with torch: longer ones are slow and show nothing new
LONGEST_TRIED = 1024


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An exported model in a folder of its own.

    :param precision: ``"fp32"`` or ``"int8"``.
    :param name: of the ONNX file.
    :param output: the number of the output that is read.
    :param columns: the first and the last but one of the columns that are read of it; None: all.
    """

    folder: Path
    precision: str
    name: str = MODEL
    output: int = 0
    columns: tuple[int, int] | None = None

    @property
    def path(self) -> Path:
        """The ONNX file."""
        return self.folder / self.name

    @property
    def size(self) -> int:
        """Bytes on disk, external weights included."""
        return sum(size for size, _ in _read(self.folder / META).get("files", {}).values())

    @property
    def files(self) -> list[str]:
        """The names of its files."""
        return list(_read(self.folder / META).get("files", {}))

    @property
    def facts(self) -> dict[str, Any]:
        """What its comparison with torch found, see :func:`write_model`."""
        meta = _read(self.folder / META)
        return {name: meta.get(name, {}) for name in ("difference", "unfit", "tasks")}

    @property
    def tasks(self) -> Mapping[str, tuple[int, int, int]]:
        """Task → its output, and the columns of it, see :func:`columns_of_tasks`; empty for a model of one task."""
        return {task: (place[0], place[1], place[2]) for task, place in self.facts["tasks"].items()}

    def of_tasks(self, tasks: Sequence[str]) -> OnnxModel:
        """Return the same model, of which only the outputs of these tasks are read, which stand side by side in it."""
        places = [self.tasks[task] for task in tasks]
        return replace(self, output=places[0][0], columns=(places[0][1], places[-1][2]))

    @property
    def unusable_runtimes(self) -> dict[str, str]:
        """The runtimes that must not run this model, with the reason."""
        found: dict[str, str] = self.facts["unfit"]
        return found

    @property
    def check(self) -> dict[str, Any] | None:
        """The comparison with torch on gold data; None before there was one."""
        return _read(self.folder / CHECK) or None

    def write_check(self, found: Mapping[str, Any]) -> None:
        """Write the comparison with torch beside the model."""
        with new_file(self.folder / CHECK) as beside:
            beside.write_text(to_json(found) + "\n", encoding="utf-8")

    def remove(self) -> None:
        """Delete the model."""
        shutil.rmtree(self.folder, ignore_errors=True)


def onnx_installed() -> bool:
    """Return whether the packages to export and run ONNX models are installed."""
    return find_spec("onnxruntime") is not None and find_spec("onnx") is not None


def openvino_installed() -> bool:
    """Return whether OpenVINO is installed."""
    return find_spec("openvino") is not None


def runs_models(runtime: str) -> bool:
    """Return whether ``runtime``, ``"onnx"`` or ``"openvino"``, is installed; ``onnx`` itself only exports models."""
    return openvino_installed() if runtime == "openvino" else find_spec("onnxruntime") is not None


def require_runtime(runtime: str = "onnx") -> None:
    """Check that ONNX models can be exported, and run by ``runtime``.

    :raises LabelkitError: if a package is not installed.
    """
    if not onnx_installed():
        missing = "the package onnx" if runs_models("onnx") else "ONNX Runtime"
        raise LabelkitError(f"{missing} is not installed", hint="pip install 'labelkit[fast]'")
    if runtime == "openvino" and not openvino_installed():
        raise LabelkitError("OpenVINO is not installed", hint="pip install 'labelkit[fast]'")


def model_folder(checkpoint: Path, precision: str, cache: Path, *, joint: bool = False) -> Path:
    """Return the folder of a checkpoint's ONNX model in the cache, whether it exists or not.

    Its name is a fingerprint of all that the model depends on: weights, configuration and the versions of packages.

    :param joint: the model of all tasks of a checkpoint of several, not that of the first.
    """
    packages = ("torch", "transformers", "onnxruntime", "openvino", "nncf")
    names = [f"{name}{version(name)}" for name in packages if find_spec(name) is not None]
    kind = f"{precision}-reduced" if precision == "int8" and lacks_vnni() else precision
    digest = sha256_of(*weights_of(checkpoint), checkpoint / "config.json")
    return cache / "onnx" / digest / "-".join([kind, *(["joint"] if joint else []), str(EXPORTER), *names])


def find_model(checkpoint: Path, precision: str, cache: Path, *, joint: bool = False) -> OnnxModel | None:
    """Return the cached ONNX model of a checkpoint; None if it is missing or damaged.

    :param joint: the model of all tasks of a checkpoint of several, not that of the first.
    """
    model = OnnxModel(model_folder(checkpoint, precision, cache, joint=joint), precision)
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
    fp32_level: int = 0,
    calibration: Sequence[Window] = (),
    further: Sequence[Engine] = (),
) -> OnnxModel:
    """Return the ONNX model of a checkpoint, exported unless the cache holds it.

    :param engine: the checkpoint's, on the processor; of several tasks that of the group of the first one.
    :param further: of several tasks the engines of the other groups.
    :param fp32_level: for int8, as in :func:`labelkit.inference.onnx.quantization.quantize`.
    :param calibration: for int8, calibration data, preferably windows of the training data.
    :raises LabelkitError: if a package is missing, the architecture cannot be exported, or the model differs from
        torch.
    :raises StorageError: if the cache cannot be written.
    """
    require_runtime()
    joint = bool(engine.joined)
    if (found := find_model(checkpoint, precision, cache, joint=joint)) is not None:
        return found
    source = export_model(engine, checkpoint, "fp32", cache, further=further) if precision == "int8" else None
    model = OnnxModel(model_folder(checkpoint, precision, cache, joint=joint), precision)
    model.remove()  # it may be damaged
    try:
        with new_folder(model.folder) as beside:
            if source is None:
                facts = write_model(engine, beside, further)
            else:
                from labelkit.inference.onnx.quantization import quantize

                quantize(source, beside / MODEL, engine.encoding, calibration, fp32_level)
                facts = {"spared": fp32_level, **{name: source.facts[name] for name in ("unfit", "tasks")}}
            files = {file.name: (file.stat().st_size, sha256_of(file)) for file in sorted(beside.iterdir())}
            meta = {"precision": precision, "files": files, **facts}
            (beside / META).write_text(to_json(meta) + "\n", encoding="utf-8")
    except (OSError, StorageError):
        if (found := find_model(checkpoint, precision, cache, joint=joint)) is None:
            raise
        return found  # another process exported it at the same time
    return model


def write_model(engine: Engine, folder: Path, further: Sequence[Engine] = ()) -> dict[str, Any]:
    """Write the model of an engine to a folder in fp32, and return what its comparison with torch found.

    :param engine: on torch, on the processor.
    :param further: the engines of further groups of tasks over the same encoder.
    :raises ModelError: the architecture cannot be exported, or the model differs from torch.
    """
    engines = (engine, *further)
    trace(engine, folder / MODEL, further)
    found: dict[str, Any] = {"difference": {}, "unfit": {}, "tasks": columns_of_tasks(engines)}
    for output, one in enumerate(engines):
        facts = compare_runtimes(one, OnnxModel(folder, "fp32", output=output))
        for runtime, difference in facts["difference"].items():
            found["difference"][runtime] = max(difference, found["difference"].get(runtime, 0.0))
        found["unfit"] |= facts["unfit"]
    return found


def columns_of_tasks(engines: Sequence[Engine]) -> dict[str, tuple[int, int, int]]:
    """Return where the outputs of each task are in the model of several: output, first column, last column but one.

    :param engines: one for each output; empty is returned for an engine of one task.
    """
    found = {}
    for output, engine in enumerate(engines):
        start = 0
        for task, head in zip(tasks_of(engine), engine.joined, strict=True):
            found[task] = (output, start, start + head.width)
            start += head.width
    return found


def tasks_of(engine: Engine) -> tuple[str, ...]:
    """Return the tasks of an engine of several on torch; none for an engine of one task."""
    model: Any = engine.torch_model
    return model.tasks if engine.joined else ()


def output_names(count: int) -> list[str]:
    """Return the names of the outputs of a model.

    >>> output_names(2)
    ['logits', 'logits_1']
    """
    return ["logits", *(f"logits_{number}" for number in range(1, count))]


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON object from a file; empty if the file is missing or invalid."""
    try:
        content = read_json(path)
    except (OSError, StorageError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def lacks_vnni() -> bool:
    """Return whether the processor accumulates int8 products in 16 bits, which full 8-bit weights would overflow."""
    from labelkit.hardware import cpu_flags

    return platform.machine().lower() in {"x86_64", "amd64"} and not {"avx512_vnni", "avx_vnni"} & cpu_flags()


def trace(engine: Engine, path: Path, further: Sequence[Engine] = ()) -> None:
    """Export the model with torch's tracing exporter, which takes a second and needs no other package.

    :param further: the engines of further groups of tasks: their outputs are computed from the same pass.
    :raises ModelError: if the architecture cannot be exported.
    """
    import torch

    from labelkit.models.loading import attention_implementation

    model = engine.torch_model
    inputs = random_batches(engine.encoding, ((24, 15),))[0]
    names = list(inputs)

    outputs = output_names(1 + len(further))
    axes = {name: {0: "windows", 1: "length"} for name in (*names, *outputs)}
    # torch's fused attention is exported with a guard against rows that attend to nothing. No window has such rows, the
    # guard costs a tenth of the time of long windows, and runtimes cannot fuse attention around it
    with quiet_exporters(), attention_implementation(model, "eager"), torch.no_grad():
        try:
            torch.onnx.export(
                positional_model(engine, further, names),
                tuple(torch.from_numpy(array) for array in inputs.values()),
                str(path),
                dynamo=False,
                input_names=names,
                output_names=outputs,
                dynamic_axes=axes,
                opset_version=OPSET,
            )
        except Exception as error:
            kind = getattr(model.config, "model_type", "unknown")
            raise ModelError(
                f"the architecture '{kind}' cannot be exported to ONNX: {one_line(error)}",
                hint="label with torch: --engine torch",
            ) from error


def positional_model(engine: Engine, further: Sequence[Engine], names: Sequence[str]) -> Any:
    """Return the model of an engine with positional inputs and the logits as its only outputs, ready for a trace.

    :param further: the engines of further groups of tasks: their outputs are computed from the same pass.
    :param names: of the inputs, in order.
    """
    import torch

    joined: list[Any] = [one.torch_model for one in (engine, *further)]

    class Logits(torch.nn.Module):
        """The model as it is exported."""

        def __init__(self) -> None:
            super().__init__()
            self.model = joined[0]

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            given = dict(zip(names, tensors, strict=True))
            if not engine.joined:
                return (self.model(**given).logits,)
            found = self.model.joint(**given)
            return tuple(one.side_by_side(found) for one in joined)

    return Logits().eval()


def compare_runtimes(engine: Engine, model: OnnxModel) -> dict[str, Any]:
    """Return the largest difference from torch for each runtime, and the runtimes that must not be used.

    :raises ModelError: if that of ONNX Runtime is larger than :data:`TOLERANCE`.
    """
    from labelkit.inference.onnx.engine import OnnxError, OnnxSession, OpenvinoSession

    found, unfit = {"onnx": _largest_difference(engine, OnnxSession(model, 1))}, {}
    if why := _too_large(found["onnx"]):
        raise ModelError(f"the ONNX model {why}", hint="label with torch: --engine torch")
    if openvino_installed():
        try:
            found["openvino"] = _largest_difference(engine, OpenvinoSession(model, 1, bf16=False))
            why = _too_large(found["openvino"])
        except (OnnxError, MemoryError) as error:
            why = f"cannot be computed: {one_line(error)}"
        if why:
            unfit["openvino"] = f"the ONNX model in OpenVINO {why}"
    return {"difference": found, "unfit": unfit}


def _too_large(difference: float) -> str | None:
    if difference <= TOLERANCE:  # False for NaN
        return None
    return f"differs from torch by {difference:.2g} in a log-probability, {TOLERANCE:g} is allowed"


def _largest_difference(engine: Engine, session: RuntimeSession) -> float:
    """Return the largest difference of a log-probability between torch and ``session``; NaN if one is NaN."""
    import torch

    longest = min(engine.encoding.max_length, LONGEST_TRIED)
    worst = 0.0
    for inputs in random_batches(engine.encoding, ((1,), (24, 15), (60, 2, 33), (longest, 7))):
        with torch.inference_mode():
            logits = engine.torch_model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits
        # padding has no label
        real = inputs["attention_mask"].astype(bool) if logits.ndim == 3 else np.ones(len(logits), bool)
        found = session.logits(inputs, real)
        expected = engine.head.scores(logits[torch.from_numpy(real)].numpy())
        gap = float(np.abs(engine.head.scores(found) - expected).max())
        worst = gap if not gap <= worst else worst
    return worst


def run_once(model: OnnxModel, encoding: Encoding) -> None:
    """Compute a batch in ONNX Runtime: a model that was copied is whole.

    :raises OnnxError: ONNX Runtime cannot load or run it.
    """
    from labelkit.inference.onnx.engine import OnnxSession

    inputs = random_batches(encoding, ((7, 3),))[0]
    OnnxSession(model, 1).logits(inputs, np.ones(2, np.bool_))


def random_batches(encoding: Encoding, shapes: tuple[tuple[int, ...], ...]) -> list[dict[str, Any]]:
    """Return padded batches of windows of random subwords.

    :param shapes: for each batch the lengths of its windows.
    """
    random = np.random.default_rng(0)
    frame, backend = encoding.special_tokens, encoding.content.backend
    special = filter(None, map(backend.token_to_id, encoding.content.special))
    known = np.setdiff1d(np.arange(backend.get_vocab_size()), [0, *special])
    batches = []
    for lengths in shapes:
        rows = []
        for length in lengths:
            inside = random.choice(known, max(1, min(length, encoding.max_length) - frame.size))
            rows.append(np.concatenate((frame.prefix, inside, frame.suffix)).astype(np.int32))
        batches.append(model_inputs(rows, frame, encoding.pad_id, left=encoding.pad_left))
    return batches


@contextlib.contextmanager
def quiet_exporters() -> Iterator[None]:
    """Silence the warnings and the output of exporters: each model is compared with torch instead."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
