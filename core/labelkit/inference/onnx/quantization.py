"""Write an ONNX model in 8-bit integers with NNCF: weights and activations, their ranges learned from text."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.encode.batches import batch_by_tokens, model_inputs
from labelkit.errors import ModelError
from labelkit.inference.onnx.export import LARGEST_FILE, MODEL, OnnxModel, lacks_vnni, one_line, quiet_exporters
from labelkit.inference.onnx.weight_splitting import split_outlier_channels

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from labelkit.encode.alignment import Encoding, Window

#: what int8 leaves as it is, step by step, where the score asks for it
SPARED = ("the head and attention", "the first layer", "the products behind activations")
#: what gains nothing by int8: the tables of sub-tokens and positions are looked up, not multiplied
_KEPT = ["Gather"]
#: how much of the spread of activations is moved into the weights. On validation of WNUT-17 the mean divergence of the
#: labels' probabilities from fp32 is 86 millionths at 0.75, 85 at 0.8, 79 at 0.85, 96 at 0.9. F1 decides nothing: it
#: goes up and down by 0.005 with a dozen words
SMOOTHING = 0.85
#: sub-tokens of text from which int8 learns how large activations become
CALIBRATION = 16_384


def _batches(encoding: Encoding, windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Return batches of windows from all over ``windows``, :data:`CALIBRATION` sub-tokens of them, nearly unpadded."""
    step = max(1, sum(len(window.ids) for window in windows) // CALIBRATION)
    chosen = windows[::step]
    tokenizer = encoding.tokenizer
    left = tokenizer.padding_side == "left"
    return [
        model_inputs(
            [chosen[place].ids for place in batch], encoding.special_tokens, tokenizer.pad_token_id or 0, left=left
        )
        for batch in batch_by_tokens([len(window.ids) for window in chosen], CALIBRATION // 64)
    ]


def quantize(source: OnnxModel, path: Path, encoding: Encoding, windows: Sequence[Window], spared: int) -> None:
    """Write a model whose products are in 8-bit integers, weights and activations alike; all else stays.

    :param windows: of text as the model will see it: the ranges of the activations are learned from them.
    :param spared: how much of :data:`SPARED` stays, too.
    :raises ModelError: it cannot be written so.
    """
    import onnx

    batches = _batches(encoding, windows)
    with quiet_exporters(), without_telemetry():
        try:
            import nncf
            from nncf.quantization.advanced_parameters import (
                AdvancedQuantizationParameters,
                AdvancedSmoothQuantParameters,
                OverflowFix,
            )

            model = onnx.load(str(source.path))
            split_outlier_channels(model, batches, path.with_name("watched.onnx"))
            more = AdvancedQuantizationParameters(
                overflow_fix=OverflowFix.ENABLE if lacks_vnni() else OverflowFix.DISABLE,
                smooth_quant_alphas=AdvancedSmoothQuantParameters(matmul=SMOOTHING),
            )
            found = nncf.quantize(
                model,
                nncf.Dataset(batches),
                model_type=nncf.ModelType.TRANSFORMER,
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(batches),
                ignored_scope=nncf.IgnoredScope(names=_spared(model, spared), types=_KEPT, validate=False),
                advanced_parameters=more,
            )
            onnx.save(
                found,
                str(path),
                save_as_external_data=source.size > LARGEST_FILE,
                location=f"{MODEL}.data",
            )
        except Exception as error:
            raise ModelError(
                f"the model cannot be written in int8: {one_line(error)}", hint="without --int8 it is written in fp32"
            ) from error


def _spared(model: ModelProto, spared: int) -> list[str]:
    """Return the names of the products that are not in int8, as :data:`SPARED` says.

    Attention always: moving its bytes about costs what int8 saves, windows being short.
    """
    weights = {one.name: tuple(one.dims) for one in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in {"MatMul", "Gemm"}]
    weighted = [node for node in products if node.input[1] in weights]
    narrowing = [node.name for node in weighted if _narrows(node, weights)]
    names = {node.name for node in products if node.input[1] not in weights}
    names.update(node.name for node in weighted[-1:])
    if spared >= 1 and narrowing:
        order = [node.name for node in products]
        names.update(order[: order.index(narrowing[0]) + 1])
    if spared >= 2:
        names.update(narrowing)
    return sorted(names)


def _narrows(node: NodeProto, weights: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether a product makes its input less wide, as the one behind a feed-forward layer's activation does."""
    shape = weights[node.input[1]]
    if len(shape) != 2:
        return False
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    wide, narrow = reversed(shape) if transposed else shape
    return wide > narrow


@contextlib.contextmanager
def without_telemetry() -> Iterator[None]:
    """Let NNCF be imported without what would tell its makers of each use."""
    before = os.environ.get("NNCF_CI")
    os.environ["NNCF_CI"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["NNCF_CI"]
        else:
            os.environ["NNCF_CI"] = before
