"""Divide the few neurons with by far the largest values among copies of themselves, so that 8 bits suffice for all.

A feed-forward layer of many encoders has one neuron or two whose values and weights are ten to fifty times as large as
the others'. Steps of 8 bits that reach that far are too coarse for the rest. With ``k`` copies, each with a ``k``-th of
the weights behind it, the layer computes exactly the same, and what is left to represent is ``k`` times smaller
("outlier channel splitting", Zhao et al. 2019; here along the neurons between the two products of a layer).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

#: neurons for which a layer gets one copy more
CHANNELS_PER_COPY = 64
#: what an activation function is made of: each value by itself
_ELEMENTWISE = frozenset(
    [
        "Abs",
        "Add",
        "Cast",
        "Celu",
        "Clip",
        "Div",
        "Elu",
        "Erf",
        "Exp",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyRelu",
        "Max",
        "Min",
        "Mish",
        "Mul",
        "Pow",
        "Relu",
        "Selu",
        "Sigmoid",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Tanh",
    ]
)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeedForward:
    """Two products with an activation function between them.

    :param widening: the product that gives the neurons, its weights of shape (inputs, neurons).
    :param bias: the name of what is added to it, of shape (neurons,); None: nothing is.
    :param narrowing: the product behind the activation function, its weights of shape (neurons, outputs).
    """

    widening: NodeProto
    bias: str | None
    narrowing: NodeProto


def split_outlier_channels(model: ModelProto, batches: Sequence[Mapping[str, Any]], scratch: Path) -> int:
    """Give each feed-forward layer some more neurons, copies of those that are hardest to represent; in place.

    :param batches: inputs of the model; how large the neurons' values become is seen on them.
    :param scratch: a file that is written meanwhile, and another with its name and ``.data`` behind it.
    :returns: how many layers were found; layers of another make stay as they are.
    """
    layers = find_feed_forwards(model.graph)
    if not layers or not batches:
        return 0
    largest = _largest(model, [layer.narrowing.input[0] for layer in layers], batches, scratch)
    tensors = {one.name: one for one in model.graph.initializer}
    for layer, values in zip(layers, largest, strict=True):
        weights = _array(tensors[layer.narrowing.input[1]])
        shares = copy_counts(values * np.abs(weights).max(axis=1), len(values) // CHANNELS_PER_COPY)
        _divide(layer, model.graph, tensors, shares)
    return len(layers)


def copy_counts(difficulty: Floats, more: int) -> NDArray[np.int64]:
    """Return how often each neuron is there when ``more`` of them are added: always for the one that is hardest.

    >>> copy_counts(np.array([1.0, 9.0, 2.0], np.float32), 4).tolist()
    [1, 5, 1]
    """
    counts = np.ones(len(difficulty), np.int64)
    hardest = [(-float(value), place) for place, value in enumerate(difficulty)]
    heapq.heapify(hardest)
    for _ in range(more):
        place = hardest[0][1]
        counts[place] += 1
        heapq.heapreplace(hardest, (-float(difficulty[place]) / float(counts[place]), place))
    return counts


def find_feed_forwards(graph: GraphProto) -> list[FeedForward]:
    """Return the layers whose neurons nothing but one activation function and one product reads."""
    weights = {one.name: tuple(one.dims) for one in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(output.name for output in graph.output)
    found = []
    for node in graph.node:
        shape = weights.get(node.input[1], ()) if node.op_type == "MatMul" else ()
        if len(shape) == 2 and shape[0] > shape[1] and uses[node.input[1]] == 1:
            layer = _layer(node, shape[0], weights, makers, uses)
            if layer is not None:
                found.append(layer)
    return found


def _layer(
    narrowing: NodeProto,
    neurons: int,
    weights: Mapping[str, tuple[int, ...]],
    makers: Mapping[str, NodeProto],
    uses: Mapping[str, int],
) -> FeedForward | None:
    """Return the layer that ends with ``narrowing``, None where it is made otherwise."""
    read: Counter[str] = Counter([narrowing.input[0]])
    waiting, seen, sources = [narrowing.input[0]], set(), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        node = makers.get(name)
        if node is None:
            return None
        if node.op_type == "MatMul" or _bias(node, neurons, weights) is not None:
            sources.add(name)
            continue
        if node.op_type not in _ELEMENTWISE:
            return None
        inside = [each for each in node.input if each and not _single(each, weights, makers)]
        read.update(inside)
        waiting.extend(inside)
    if len(sources) != 1 or any(uses[name] != read[name] for name in seen):
        return None
    source = makers[sources.pop()]
    bias = _bias(source, neurons, weights)
    widening: NodeProto | None = source
    if bias is not None:
        [product] = [name for name in source.input if name != bias]
        widening = makers.get(product)
        if uses[product] != 1:
            return None
    if widening is None or widening.op_type != "MatMul":
        return None
    shape = weights.get(widening.input[1], ())
    return FeedForward(widening, bias, narrowing) if shape[1:] == (neurons,) and uses[widening.input[1]] == 1 else None


def _bias(node: NodeProto, neurons: int, weights: Mapping[str, tuple[int, ...]]) -> str | None:
    if node.op_type != "Add":
        return None
    return next((name for name in node.input if weights.get(name) == (neurons,)), None)


def _single(name: str, weights: Mapping[str, tuple[int, ...]], makers: Mapping[str, NodeProto]) -> bool:
    """Return whether it is one number, the same for all neurons."""
    if name in weights:
        return int(np.prod(weights[name])) == 1
    node = makers.get(name)
    if node is None or node.op_type != "Constant":
        return False
    return all(int(np.prod(one.t.dims)) == 1 for one in node.attribute if one.name == "value")


def _largest(
    model: ModelProto, names: Sequence[str], batches: Sequence[Mapping[str, Any]], scratch: Path
) -> list[Floats]:
    """Return the largest magnitude of each neuron of each layer, padding aside."""
    import onnx
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    data = scratch.with_name(f"{scratch.name}.data")
    try:
        onnx.save(watched, str(scratch), save_as_external_data=True, location=data.name)
        session = onnxruntime.InferenceSession(str(scratch), options, providers=["CPUExecutionProvider"])
        found: list[Any] = [0.0] * len(names)
        for batch in batches:
            real = np.asarray(batch["attention_mask"]).astype(bool)
            for place, values in enumerate(session.run(list(names), dict(batch))):
                found[place] = np.maximum(found[place], np.abs(values[real]).max(axis=0))
    finally:
        scratch.unlink(missing_ok=True)
        data.unlink(missing_ok=True)
    return found


def _divide(
    layer: FeedForward, graph: GraphProto, tensors: Mapping[str, TensorProto], counts: NDArray[np.int64]
) -> None:
    places = np.repeat(np.arange(len(counts)), counts)
    shares = np.repeat(1 / counts, counts).astype(np.float32)
    before, behind = tensors[layer.widening.input[1]], tensors[layer.narrowing.input[1]]
    _replace(before, _array(before)[:, places])
    _replace(behind, _array(behind)[places] * shares[:, None])
    if layer.bias is not None:
        bias = tensors[layer.bias]
        [adding] = [node for node in graph.node if layer.widening.output[0] in node.input]
        if sum(layer.bias in node.input for node in graph.node) > 1:  # exporters keep equal tensors once
            shared, bias = bias, graph.initializer.add()
            bias.CopyFrom(shared)
            bias.name = f"{shared.name}/{layer.narrowing.name}"
            adding.input[list(adding.input).index(shared.name)] = bias.name
        _replace(bias, _array(bias)[places])


def _array(tensor: TensorProto) -> Floats:
    from onnx import numpy_helper

    found: Floats = numpy_helper.to_array(tensor)
    return found


def _replace(tensor: TensorProto, values: Floats) -> None:
    from onnx import numpy_helper

    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
