"""Static quantization of an ONNX model with NNCF: int8 weights and activations, their ranges from calibration data."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.encode.batches import batch_by_tokens, model_inputs
from labelkit.errors import ModelError, one_line
from labelkit.inference.onnx.export import LARGEST_FILE, MODEL, OnnxModel, lacks_vnni, quiet_exporters
from labelkit.inference.onnx.weight_splitting import split_outlier_channels

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from labelkit.encode.alignment import Encoding, Window

#: layers that stay in fp32, one level after the other, until the score is high enough
FP32_LEVELS = ("the head and attention", "the first layer", "the products behind activations")
#: share of the spread of activations that SmoothQuant moves into the weights. On validation of WNUT-17 the mean
#: divergence of the labels' probabilities from fp32 is 86 millionths at 0.75, 85 at 0.8, 79 at 0.85, 96 at 0.9. F1 says
#: nothing: it goes up and down by 0.005 with a dozen words
SMOOTHING = 0.85
#: subwords of calibration data
CALIBRATION = 16_384


def calibration_batches(encoding: Encoding, windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Return batches with little padding of :data:`CALIBRATION` subwords, from windows spread over all ``windows``."""
    step = max(1, sum(len(window.ids) for window in windows) // CALIBRATION)
    chosen = windows[::step]
    special, pad_id, left = encoding.special_tokens, encoding.pad_id, encoding.pad_left
    return [
        model_inputs(
            [chosen[i].ids for i in batch], special, pad_id, left=left, seconds=[chosen[i].second for i in batch]
        )
        for batch in batch_by_tokens([len(window.ids) for window in chosen], CALIBRATION // 64)
    ]


def quantize(source: OnnxModel, path: Path, encoding: Encoding, windows: Sequence[Window], fp32_level: int) -> None:
    """Write a model whose products are computed in int8, weights and activations; other operations stay in fp32.

    :param windows: calibration data: text like that which the model will label.
    :param fp32_level: index into :data:`FP32_LEVELS`: these layers and those before stay in fp32 too.
    :raises ModelError: if the model cannot be quantized.
    """
    import onnx

    batches = calibration_batches(encoding, windows)
    with quiet_exporters(), without_telemetry():
        try:
            import nncf
            from nncf.quantization.advanced_parameters import (
                AdvancedQuantizationParameters,
                AdvancedSmoothQuantParameters,
                OverflowFix,
            )

            model = onnx.load(str(source.path))
            split_outlier_channels(model, batches, path.with_name("observed.onnx"))
            advanced = AdvancedQuantizationParameters(
                overflow_fix=OverflowFix.ENABLE if lacks_vnni() else OverflowFix.DISABLE,
                smooth_quant_alphas=AdvancedSmoothQuantParameters(matmul=SMOOTHING),
            )
            # embeddings ("Gather") are looked up, not multiplied: int8 gains nothing there
            ignored = nncf.IgnoredScope(names=fp32_products(model, fp32_level), types=["Gather"], validate=False)
            found = nncf.quantize(
                model,
                nncf.Dataset(batches),
                model_type=nncf.ModelType.TRANSFORMER,
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(batches),
                ignored_scope=ignored,
                advanced_parameters=advanced,
            )
            large = source.size > LARGEST_FILE
            onnx.save(found, str(path), save_as_external_data=large, location=f"{MODEL}.data")
        except Exception as error:
            raise ModelError(
                f"the model cannot be quantized to int8: {one_line(error)}", hint="export it in fp32: leave --int8 out"
            ) from error


def fp32_products(model: ModelProto, level: int) -> list[str]:
    """Return the names of the products that stay in fp32, as :data:`FP32_LEVELS` says.

    Attention always does: in short windows the conversion of its operands costs what int8 saves.
    """
    weights = {one.name: tuple(one.dims) for one in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in {"MatMul", "Gemm"}]
    weighted = [node for node in products if node.input[1] in weights]
    narrowing = [node.name for node in weighted if _is_narrowing(node, weights)]
    names = {node.name for node in products if node.input[1] not in weights}
    names.update(node.name for node in _last_products(model, weighted))
    if level >= 1 and narrowing:
        order = [node.name for node in products]
        names.update(order[: order.index(narrowing[0]) + 1])
    if level >= 2:
        names.update(narrowing)
    return sorted(names)


def _last_products(model: ModelProto, weighted: Sequence[NodeProto]) -> list[NodeProto]:
    """Return the products with weights that no other such product reads: those of the heads."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    products = {node.output[0] for node in weighted}
    leads_on: dict[str, bool] = {}  # output of a node → whether a product with weights comes after it
    for node in reversed(model.graph.node):  # in topological order
        after = [reader.output[0] for name in node.output for reader in readers.get(name, ())]
        leads_on[node.output[0]] = any(one in products or leads_on[one] for one in after)
    return [node for node in weighted if not leads_on[node.output[0]]]


def _is_narrowing(node: NodeProto, weights: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether the output of a product is narrower than its input, as after a feed-forward layer's activation."""
    shape = weights[node.input[1]]
    if len(shape) != 2:
        return False
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    wide, narrow = reversed(shape) if transposed else shape
    return wide > narrow


@contextlib.contextmanager
def without_telemetry() -> Iterator[None]:
    """Disable NNCF's telemetry while it is imported."""
    before = os.environ.get("NNCF_CI")
    os.environ["NNCF_CI"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["NNCF_CI"]
        else:
            os.environ["NNCF_CI"] = before
