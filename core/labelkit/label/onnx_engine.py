"""ONNX Runtime in torch's place, and when it is taken without being asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labelkit.errors import LabelkitError
from labelkit.label.onnx_export import OnnxModel, export, find, installed, require

if TYPE_CHECKING:
    from labelkit.label.engine import Engine

#: what may be asked for
ENGINES = ("auto", "torch", "onnx", "onnx-int8")
#: sub-tokens in a batch for each thread, padding included: what a core's cache holds, not what the memory does
BUDGET = 512


class OnnxError(LabelkitError):
    """ONNX Runtime failed while it computed."""


class Session:
    """An ONNX model in ONNX Runtime, on the processor.

    :param threads: that compute.
    :raises OnnxError: ONNX Runtime does not open it.
    """

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
            raise _failed(error) from error
        self.precision = model.precision

    def logits(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Return the logits of padded windows.

        :param inputs: as :func:`labelkit.encode.batches.model_inputs` gives them.
        :raises MemoryError: the memory does not hold the batch.
        :raises OnnxError: something else went wrong.
        """
        try:
            found: NDArray[np.float32] = self._session.run(["logits"], dict(inputs))[0]
        except Exception as error:
            if any(sign in str(error).lower() for sign in ("bad_alloc", "bad allocation", "failed to allocate")):
                raise MemoryError(str(error)) from error
            raise _failed(error) from error
        return found


def _failed(error: Exception) -> OnnxError:
    text = " ".join(str(error).split())[:300]
    return OnnxError(f"ONNX Runtime failed: {text}", hint="label with torch: --engine torch")


def with_onnx(engine: Engine, checkpoint: Path, wanted: str, cache: Path) -> Engine:
    """Return an engine that computes with ONNX Runtime what ``engine`` computes with torch.

    :param wanted: ``"onnx"``, written where the cache lacks it, or ``"onnx-int8"``, which must have been accepted.
    :raises LabelkitError: the extra is missing, the model cannot be exported, or no int8 model was accepted.
    """
    require()
    if wanted == "onnx":
        return running(engine, export(engine, checkpoint, "fp32", cache))
    model = find(checkpoint, "int8", cache)
    if model is None or not (model.check or {}).get("accepted"):
        raise LabelkitError(
            "there is no int8 model of this checkpoint that was compared with torch", hint="labelkit onnx RUN --int8"
        )
    return running(engine, model)


def running(engine: Engine, model: OnnxModel) -> Engine:
    """Return ``engine`` with an ONNX model in place of torch's."""
    import torch

    from labelkit.label.engine import Memory

    threads = torch.get_num_threads()
    budget = max(2, threads) * BUDGET
    return replace(engine, session=Session(model, threads), precision=model.precision, budget=budget, memory=Memory())


def quicker(engine: Engine, cache: Path) -> bool:
    """Return whether many records should go through ONNX Runtime: facts about the machine decide, never timings.

    Its fp32 gives torch's labels in less than half of the time. A GPU is quicker still, and so is bf16 where the
    processor multiplies whole matrices in it (AMX). The cache lies in a home that exists: labelling makes none.
    """
    from labelkit.hardware import cpu_flags

    here = engine.session is None and engine.model.device.type == "cpu"
    return here and "amx_bf16" not in cpu_flags() and installed() and cache.parent.is_dir()
