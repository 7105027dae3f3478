"""An ONNX model in torch's place, run by ONNX Runtime or OpenVINO, and when it is taken without being asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelkit.errors import LabelkitError, ModelError
from labelkit.inference.onnx.export import (
    OnnxModel,
    export_model,
    find_model,
    onnx_installed,
    openvino_installed,
    require_runtime,
)
from labelkit.inference.onnx.openvino_graph import OUTPUT_TOKENS, fold_key_transposes, gather_output_tokens

if TYPE_CHECKING:
    from labelkit.inference.engine import Engine, RuntimeSession

#: what may be asked for
ENGINES = ("auto", "torch", "onnx", "onnx-int8", "openvino", "openvino-int8")
#: sub-tokens in a batch for each thread, padding included: what a core's cache holds, not what the memory does
BUDGET = 512
#: the same for each stream of OpenVINO, and how many of them there are at most
STREAM_BUDGET, STREAMS = 768, 8
#: sub-tokens that answer are asked for in multiples of this
OUTPUT_TOKENS_STEP = 64


class OnnxError(LabelkitError):
    """ONNX Runtime or OpenVINO failed while it computed."""


class OnnxSession:
    """An ONNX model in ONNX Runtime, on the processor.

    :param threads: that compute.
    :raises OnnxError: ONNX Runtime does not open it.
    """

    runtime: ClassVar[str] = "onnx"
    streams: ClassVar[int] = 1

    def __init__(self, model: OnnxModel, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # threads that spin while they wait take the tokenizer's time
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_mem_pattern = False  # of use where every batch has the same shape
        options.log_severity_level = 4  # its errors are raised as well
        try:
            self._session = onnxruntime.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise _failed(error, "ONNX Runtime") from error
        self.precision = model.precision

    def logits(self, inputs: Mapping[str, NDArray[np.int64]], wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the logits of some sub-tokens of padded windows, or of some windows, in order.

        :param inputs: as :func:`labelkit.encode.batches.model_inputs` gives them.
        :param wanted: which ones, of shape (windows, length) or (windows,).
        :raises MemoryError: the memory does not hold the batch.
        :raises OnnxError: something else went wrong.
        """
        try:
            found: NDArray[np.float32] = self._session.run(["logits"], dict(inputs))[0]
        except Exception as error:
            raise _failed(error, "ONNX Runtime") from error
        return found[wanted]


class OpenvinoSession:
    """An ONNX model in OpenVINO, compiled for this processor.

    Each batch has a core of its own: cores that share one wait for each other after every product.

    :param threads: that compute.
    :param bf16: compute a model of fp32 in bf16.
    :raises OnnxError: OpenVINO does not open it.
    """

    runtime: ClassVar[str] = "openvino"

    def __init__(self, model: OnnxModel, threads: int, *, bf16: bool) -> None:
        import openvino

        self.streams = min(threads, STREAMS)
        properties = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": self.streams,
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        }
        try:
            core = openvino.Core()
            network = core.read_model(str(model.path))
            self._answers = gather_output_tokens(network)
            fold_key_transposes(network)
            compiled = _compiled(core, network, properties)
            self._requests: SimpleQueue[Any] = SimpleQueue()
            for _ in range(self.streams):
                self._requests.put(compiled.create_infer_request())
        except Exception as error:
            raise _failed(error, "OpenVINO") from error
        self.precision = "bf16" if bf16 else model.precision

    def logits(self, inputs: Mapping[str, NDArray[np.int64]], wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the logits of some sub-tokens of padded windows, or of some windows; several threads may ask at once.

        :param inputs: as :func:`labelkit.encode.batches.model_inputs` gives them.
        :param wanted: which ones, of shape (windows, length) or (windows,).
        :raises MemoryError: the memory does not hold the batch.
        :raises OnnxError: something else went wrong.
        """
        given, count = dict(inputs), int(np.count_nonzero(wanted))
        if self._answers:
            # a kernel is made for each number of answers: few numbers, few kernels
            given[OUTPUT_TOKENS] = np.zeros((-(-count // OUTPUT_TOKENS_STEP) * OUTPUT_TOKENS_STEP, 2), np.int64)
            given[OUTPUT_TOKENS][:count] = np.argwhere(wanted)
        request = self._requests.get()
        try:
            request.infer(given, share_inputs=True)
            output = request.get_output_tensor(0).data
            found: NDArray[np.float32] = (output[0, :count] if self._answers else output[wanted]).astype(np.float32)
        except Exception as error:
            raise _failed(error, "OpenVINO") from error
        finally:
            self._requests.put(request)
        return found


def _compiled(core: Any, network: Any, properties: Mapping[str, Any]) -> Any:
    """Compile a network, its attention in single steps where OpenVINO can be told so.

    The one kernel that it makes of attention otherwise is made anew for each shape of a batch, and hardly two batches
    have the same; that costs more than it saves unless all windows are long.
    """
    try:
        return core.compile_model(network, "CPU", {**properties, "SNIPPETS_MODE": "DISABLE"})
    except RuntimeError:  # no public property: another version may not know it
        return core.compile_model(network, "CPU", properties)


#: how the runtimes say that there is no memory left
_NO_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "could not create a memory object")


def _failed(error: Exception, runtime: str) -> Exception:
    text = " ".join(str(error).split())[:300]
    if any(sign in text.lower() for sign in _NO_MEMORY):
        return MemoryError(text)
    return OnnxError(f"{runtime} failed: {text}", hint="label with torch: --engine torch")


def load_onnx_engine(engine: Engine, checkpoint: Path, wanted: str, cache: Path) -> Engine:
    """Return an engine that computes with an ONNX model what ``engine`` computes with torch.

    :param wanted: one of :data:`ENGINES` but the first two. The model is written where the cache lacks it; in int8 it
        must have been accepted.
    :raises LabelkitError: the extra is missing, the model cannot be exported, or no int8 model was accepted.
    """
    runtime, _, precision = wanted.partition("-")
    require_runtime(runtime)
    if precision != "int8":
        return with_onnx_model(engine, export_model(engine, checkpoint, "fp32", cache), runtime)
    model = find_model(checkpoint, "int8", cache)
    if model is None or not (model.check or {}).get("accepted"):
        raise LabelkitError(
            "there is no int8 model of this checkpoint that was compared with torch", hint="labelkit onnx RUN --int8"
        )
    return with_onnx_model(engine, model, runtime)


def with_onnx_model(engine: Engine, model: OnnxModel, runtime: str) -> Engine:
    """Return ``engine`` with an ONNX model in place of torch's.

    :param runtime: ``"onnx"`` or ``"openvino"``, which computes in bf16 where ``engine`` does. What an int8 model has
        in fp32 stays so: bf16 would be a twentieth quicker, and lower the score further.
    :raises ModelError: this runtime gave something else than torch when the model was written.
    """
    import torch

    from labelkit.inference.engine import OutOfMemoryState

    if why := model.unusable_runtimes.get(runtime):
        raise ModelError(why, hint="label with torch: --engine torch")
    threads = torch.get_num_threads()
    budget = max(2, threads) * BUDGET
    session: RuntimeSession
    if runtime == "openvino":
        session = OpenvinoSession(model, threads, bf16=engine.precision == "bf16" and model.precision == "fp32")
        budget = STREAM_BUDGET * max(1, threads // session.streams)
    else:
        session = OnnxSession(model, threads)
    return replace(engine, session=session, precision=session.precision, budget=budget, memory=OutOfMemoryState())


def faster_runtime(engine: Engine, cache: Path) -> str | None:
    """Return through what many records should go in place of ``engine``, None where nothing is quicker.

    Facts about the machine decide, never timings: on a processor OpenVINO, else ONNX Runtime, gives torch's labels in
    less time. A GPU is quicker still, and so is torch where the processor multiplies whole matrices in bf16 (AMX).
    The precision stays, and ONNX Runtime has no bf16 on processors. The cache lies in a home that exists: labelling
    makes none.
    """
    from labelkit.hardware import cpu_flags

    here = engine.session is None and engine.model.device.type == "cpu" and cache.parent.is_dir()
    if not here or "amx_bf16" in cpu_flags() or not onnx_installed():
        return None
    if openvino_installed():
        return "openvino"
    return "onnx" if engine.precision == "fp32" else None
