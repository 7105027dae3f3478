"""Run ONNX models in ONNX Runtime or OpenVINO in place of torch, and choose the faster runtime of a machine."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelkit.errors import LabelkitError, ModelError, one_line
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

#: values of the option ``--engine``
ENGINES = ("auto", "torch", "onnx", "onnx-int8", "openvino", "openvino-int8")
#: batch size of ONNX Runtime in subwords per thread, padding included: bounded by a core's cache, not by memory
BUDGET = 512
#: batch size of each OpenVINO stream, and the largest number of streams
STREAM_BUDGET, STREAMS = 768, 8
#: output tokens are padded to a multiple of this: OpenVINO compiles a kernel for each number of them
OUTPUT_TOKENS_STEP = 64
#: kernels that each stream of OpenVINO keeps beside :data:`KERNELS`: with the 5,000 of its default each shape of a
#: batch holds 0.5 MB more (1.5 MB in int8), and labelling is not faster
KERNELS_OF_STREAM = 60
#: kernels that a server keeps, those of some 50 shapes of batches; the default of oneDNN is 1,024
KERNELS = 512
KERNELS_VARIABLE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


class OnnxError(LabelkitError):
    """ONNX Runtime or OpenVINO failed."""


class OnnxSession:
    """An ONNX model in ONNX Runtime, on the processor.

    :raises OnnxError: if ONNX Runtime cannot load the model.
    """

    runtime: ClassVar[str] = "onnx"
    streams: ClassVar[int] = 1
    prepares_shapes: ClassVar[bool] = False

    def __init__(self, model: OnnxModel, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # spinning threads would take processor time from the tokenizer
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_mem_pattern = False  # helps only if all batches have the same shape
        options.log_severity_level = 4  # errors are raised anyway
        try:
            self._session = onnxruntime.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise _failed(error, "ONNX Runtime") from error
        self.precision = model.precision
        self._output, self._columns = self._session.get_outputs()[model.output].name, columns_of(model)

    def logits(self, inputs: Mapping[str, NDArray[np.int64]], wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the logits of some subwords of padded windows, or of some windows, in order.

        :param inputs: from :func:`labelkit.encode.batches.model_inputs`.
        :param wanted: mask of shape (windows, length) or (windows,).
        :returns: float32 of shape (n, labels).
        :raises MemoryError: if the batch is out of memory.
        :raises OnnxError: if ONNX Runtime fails otherwise.
        """
        try:
            found: NDArray[np.float32] = self._session.run([self._output], dict(inputs))[0]
        except Exception as error:
            raise _failed(error, "ONNX Runtime") from error
        return found[wanted][:, self._columns]


class OpenvinoSession:
    """An ONNX model in OpenVINO, compiled for this processor.

    Each batch is computed on a core of its own: cores that share a batch wait for each other after every product.

    :param bf16: compute an fp32 model in bf16.
    :raises OnnxError: if OpenVINO cannot load the model.
    """

    runtime: ClassVar[str] = "openvino"
    # 4 to 5 ms and 1.5 MB for each in fp32 (bundled encoder, one thread): as long as 20 subwords take
    prepares_shapes: ClassVar[bool] = True

    def __init__(self, model: OnnxModel, threads: int, *, bf16: bool) -> None:
        import openvino

        self.streams = min(threads, STREAMS)
        hint = "bf16" if bf16 else "f32"
        properties = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": self.streams, "INFERENCE_PRECISION_HINT": hint}
        try:
            core = openvino.Core()
            graph = core.read_model(str(model.path))
            self._gathers = gather_output_tokens(graph)
            fold_key_transposes(graph)
            with ThreadPoolExecutor(1, "openvino") as thread:  # it ends, and with it the stack for signals
                compiled = thread.submit(_compile, core, graph, properties).result()
            self._requests: SimpleQueue[Any] = SimpleQueue()
            for _ in range(self.streams):
                self._requests.put(compiled.create_infer_request())
        except Exception as error:
            raise _failed(error, "OpenVINO") from error
        self.precision = "bf16" if bf16 else model.precision
        self._output, self._columns = model.output, columns_of(model)

    def logits(self, inputs: Mapping[str, NDArray[np.int64]], wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the logits of some subwords of padded windows, or of some windows, in order; thread-safe.

        :param inputs: from :func:`labelkit.encode.batches.model_inputs`.
        :param wanted: mask of shape (windows, length) or (windows,).
        :returns: float32 of shape (n, labels).
        :raises MemoryError: if the batch is out of memory.
        :raises OnnxError: if OpenVINO fails otherwise.
        """
        given, count = dict(inputs), int(np.count_nonzero(wanted))
        if self._gathers:
            given[OUTPUT_TOKENS] = np.zeros((-(-count // OUTPUT_TOKENS_STEP) * OUTPUT_TOKENS_STEP, 2), np.int64)
            given[OUTPUT_TOKENS][:count] = np.argwhere(wanted)
        request = self._requests.get()
        try:
            request.infer(given, share_inputs=True)
            output = request.get_output_tensor(self._output).data
            rows = output[0, :count] if self._gathers else output[wanted]
            found: NDArray[np.float32] = rows[:, self._columns].astype(np.float32)
        except Exception as error:
            raise _failed(error, "OpenVINO") from error
        finally:
            self._requests.put(request)
        return found


def bound_kernels(environ: MutableMapping[str, str]) -> None:
    """Let OpenVINO keep :data:`KERNELS` in this process, unless the environment has another number.

    For a server, whose batches have ever new shapes. oneDNN reads the variable with the first model that is loaded.
    """
    environ.setdefault(KERNELS_VARIABLE, str(KERNELS))


def _compile(core: Any, graph: Any, properties: Mapping[str, Any]) -> Any:
    """Return a model compiled by OpenVINO, in a thread that must not live longer.

    Its plugin gives the thread an alternate stack for signals, and unmaps it with the model. Where models go in another
    order than they came, the stack of one that is gone is put back, and the next signal ends the process.
    """
    private = {"SNIPPETS_MODE": "DISABLE", "CPU_RUNTIME_CACHE_CAPACITY": str(KERNELS_OF_STREAM)}
    try:
        # without SNIPPETS_MODE attention is one kernel that is compiled for each shape of a batch; hardly two batches
        # have the same, and compiling costs more than the kernel saves unless all windows are long
        return core.compile_model(graph, "CPU", {**properties, **private})
    except RuntimeError:  # not public properties: other versions may not know them
        return core.compile_model(graph, "CPU", properties)


def columns_of(model: OnnxModel) -> slice:
    """Return the columns that are read of the output of a model."""
    return slice(*model.columns) if model.columns is not None else slice(None)


#: out-of-memory messages of the runtimes
_NO_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "could not create a memory object")


def _failed(error: Exception, runtime: str) -> Exception:
    """Return the exception to raise for an error of a runtime."""
    text = one_line(error)
    if any(sign in text.lower() for sign in _NO_MEMORY):
        return MemoryError(text)
    return OnnxError(f"{runtime} failed: {text}", hint="label with torch: --engine torch")


def load_onnx_engine(
    engine: Engine,
    checkpoint: Path,
    wanted: str,
    cache: Path,
    further: Sequence[Engine] = (),
    tasks: Sequence[str] = (),
) -> Engine:
    """Return ``engine`` with the checkpoint's ONNX model, exported unless the cache holds it.

    :param wanted: one of :data:`ENGINES` except the first two. An int8 model must have been accepted before.
    :param further: of several tasks the engines of the groups other than that of the first.
    :param tasks: read the outputs of these tasks of the model of all tasks; empty: all outputs.
    :raises LabelkitError: if a package is missing, the model cannot be exported, or no int8 model was accepted.
    """
    runtime, _, precision = wanted.partition("-")
    require_runtime(runtime)
    if precision != "int8":
        model = export_model(engine, checkpoint, "fp32", cache, further=further)
    else:
        found = find_model(checkpoint, "int8", cache, joint=bool(engine.joined or tasks))
        if found is None or not (found.check or {}).get("accepted"):
            raise LabelkitError(
                "no accepted int8 model of this checkpoint", hint="labelkit export RUN --to onnx --int8"
            )
        model = found
    return with_onnx_model(engine, model.of_tasks(tasks) if tasks else model, runtime)


def with_onnx_model(engine: Engine, model: OnnxModel, runtime: str) -> Engine:
    """Return ``engine`` with an ONNX model in place of torch's.

    :param runtime: ``"onnx"``; or ``"openvino"``, in bf16 if ``engine`` computes in bf16. The fp32 layers of an int8
        model stay in fp32: bf16 would be a twentieth faster, and lower the score further.
    :raises ModelError: if the runtime differed from torch when the model was exported.
    """
    from labelkit.hardware import thread_count
    from labelkit.inference.out_of_memory import OutOfMemoryState

    if why := model.unusable_runtimes.get(runtime):
        raise ModelError(why, hint="label with torch: --engine torch")
    threads = thread_count()
    budget = max(2, threads) * BUDGET
    session: RuntimeSession
    if runtime == "openvino":
        session = OpenvinoSession(model, threads, bf16=engine.precision == "bf16" and model.precision == "fp32")
        budget = STREAM_BUDGET * max(1, threads // session.streams)
    else:
        session = OnnxSession(model, threads)
    return replace(engine, session=session, precision=session.precision, budget=budget, memory=OutOfMemoryState())


def faster_runtime(engine: Engine, cache: Path, *, kept: bool = False) -> str | None:
    """Return the runtime that labels large inputs faster than ``engine``; None if torch is the fastest.

    Decided by the hardware and the installed packages, never by timings: on a processor OpenVINO, else ONNX Runtime, is
    faster than torch with the same labels. A GPU is faster still, and so is torch on processors with bf16 matrix
    products (AMX). The precision does not change, and ONNX Runtime has no bf16 on processors. None if the home of the
    cache does not exist: labelling creates no home.

    :param kept: the engine computes with the ONNX model beside the checkpoint, which OpenVINO runs as well.
    """
    from labelkit.hardware import cpu_flags

    if kept:
        return "openvino" if openvino_installed() and engine.name.startswith("onnx-") else None
    usable = engine.session is None and engine.device == "cpu" and cache.parent.is_dir()
    if not usable or "amx_bf16" in cpu_flags() or not onnx_installed():
        return None
    if openvino_installed():
        return "openvino"
    return "onnx" if engine.precision == "fp32" else None
