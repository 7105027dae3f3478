"""Weight splitting of outlier channels, so that int8 represents the other channels accurately.

The feed-forward layer of many encoders has one or two channels whose values and weights are ten to fifty times as large
as the others'. An int8 range that includes them is too coarse for the rest. With ``k`` copies of such a channel, each
with a ``k``-th of its outgoing weights, the layer computes the same function, and the range shrinks by ``k``
("outlier channel splitting", Zhao et al. 2019; here between the two products of a layer).
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

#: a layer gets one more channel for so many that it has
CHANNELS_PER_COPY = 64
#: what activation functions are exported as
_ELEMENTWISE = frozenset((
    "Abs", "Add", "Cast", "Celu", "Clip", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Identity",
    "LeakyRelu", "Max", "Min", "Mish", "Mul", "Pow", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Sub",
    "Tanh",
))  # fmt: skip

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeedForward:
    """Two products with an activation function between them.

    :param up: the product that computes the channels, its weights of shape (inputs, channels).
    :param bias: name of the bias that is added to it, of shape (channels,); None without one.
    :param down: the product after the activation function, its weights of shape (channels, outputs).
    """

    up: NodeProto
    bias: str | None
    down: NodeProto

    def split(self, graph: GraphProto, tensors: Mapping[str, TensorProto], copies: NDArray[np.int64]) -> None:
        """Split the weights of each channel among its copies; in place.

        :param copies: number of copies of each channel, of shape (channels,).
        """
        channels = np.repeat(np.arange(len(copies)), copies)
        shares = np.repeat(1 / copies, copies).astype(np.float32)
        up, down = tensors[self.up.input[1]], tensors[self.down.input[1]]
        _set_array(up, _array(up)[:, channels])
        _set_array(down, _array(down)[channels] * shares[:, None])
        if self.bias is None:
            return
        bias = tensors[self.bias]
        [adding] = [node for node in graph.node if self.up.output[0] in node.input]
        if sum(self.bias in node.input for node in graph.node) > 1:  # exporters write equal tensors once
            shared, bias = bias, graph.initializer.add()
            bias.CopyFrom(shared)
            bias.name = f"{shared.name}/{self.down.name}"
            adding.input[list(adding.input).index(shared.name)] = bias.name
        _set_array(bias, _array(bias)[channels])


class GraphIndex:
    """Lookups in a graph: shapes of weights, the node that makes a tensor, and how often a tensor is read."""

    def __init__(self, graph: GraphProto) -> None:
        self.shapes = {one.name: tuple(one.dims) for one in graph.initializer}
        self.producers = {output: node for node in graph.node for output in node.output}
        self.reads = Counter(name for node in graph.node for name in node.input)
        self.reads.update(output.name for output in graph.output)

    def bias_of(self, node: NodeProto, channels: int) -> str | None:
        """Return the name of the bias that ``node`` adds; None if it adds none."""
        if node.op_type != "Add":
            return None
        return next((name for name in node.input if self.shapes.get(name) == (channels,)), None)

    def is_scalar(self, name: str) -> bool:
        """Return whether a tensor is a constant of one number."""
        if name in self.shapes:
            return int(np.prod(self.shapes[name])) == 1
        node = self.producers.get(name)
        if node is None or node.op_type != "Constant":
            return False
        return all(int(np.prod(one.t.dims)) == 1 for one in node.attribute if one.name == "value")

    def activation_input(self, output: str, channels: int) -> NodeProto | None:
        """Return the node whose output an elementwise activation function turns into ``output``.

        None if there is no such node, or if another node reads a tensor in between.
        """
        reads: Counter[str] = Counter([output])
        pending, seen, sources = [output], set(), set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            node = self.producers.get(name)
            if node is None:
                return None
            if node.op_type == "MatMul" or self.bias_of(node, channels) is not None:
                sources.add(name)
                continue
            if node.op_type not in _ELEMENTWISE:
                return None
            tensors = [each for each in node.input if each and not self.is_scalar(each)]
            reads.update(tensors)
            pending.extend(tensors)
        private = all(self.reads[name] == reads[name] for name in seen)
        return self.producers[sources.pop()] if len(sources) == 1 and private else None

    def feed_forward(self, down: NodeProto) -> FeedForward | None:
        """Return the layer that ends with the product ``down``; None if its structure is another."""
        channels = self.shapes[down.input[1]][0]
        up = self.activation_input(down.input[0], channels)
        bias = None if up is None else self.bias_of(up, channels)
        if up is not None and bias is not None:
            [product] = [name for name in up.input if name != bias]
            up = self.producers.get(product) if self.reads[product] == 1 else None
        if up is None or up.op_type != "MatMul":
            return None
        fits = self.shapes.get(up.input[1], ())[1:] == (channels,) and self.reads[up.input[1]] == 1
        return FeedForward(up, bias, down) if fits else None


def split_outlier_channels(model: ModelProto, batches: Sequence[Mapping[str, Any]], scratch: Path) -> int:
    """Add copies of the channels that are hardest to represent in int8 to each feed-forward layer; in place.

    :param batches: calibration data, as inputs of the model.
    :param scratch: a temporary file, written with another one of its name and ``.data``.
    :returns: the number of layers; layers of another structure are left unchanged.
    """
    layers = find_feed_forwards(model.graph)
    if not layers or not batches:
        return 0
    largest = channel_maxima(model, [layer.down.input[0] for layer in layers], batches, scratch)
    tensors = {one.name: one for one in model.graph.initializer}
    for layer, values in zip(layers, largest, strict=True):
        weights = _array(tensors[layer.down.input[1]])
        copies = copy_counts(values * np.abs(weights).max(axis=1), len(values) // CHANNELS_PER_COPY)
        layer.split(model.graph, tensors, copies)
    return len(layers)


def copy_counts(difficulty: Floats, more: int) -> NDArray[np.int64]:
    """Return the number of copies of each channel: each of ``more`` copies goes to the channel that is hardest then.

    >>> copy_counts(np.array([1.0, 9.0, 2.0], np.float32), 4).tolist()
    [1, 5, 1]
    """
    counts = np.ones(len(difficulty), np.int64)
    hardest = [(-float(value), channel) for channel, value in enumerate(difficulty)]
    heapq.heapify(hardest)
    for _ in range(more):
        channel = hardest[0][1]
        counts[channel] += 1
        heapq.heapreplace(hardest, (-float(difficulty[channel]) / float(counts[channel]), channel))
    return counts


def find_feed_forwards(graph: GraphProto) -> list[FeedForward]:
    """Return the feed-forward layers whose channels are read by one activation function and one product only."""
    index = GraphIndex(graph)
    found = []
    for node in graph.node:
        shape = index.shapes.get(node.input[1], ()) if node.op_type == "MatMul" else ()
        if len(shape) == 2 and shape[0] > shape[1] and index.reads[node.input[1]] == 1:
            layer = index.feed_forward(node)
            if layer is not None:
                found.append(layer)
    return found


def channel_maxima(
    model: ModelProto, names: Sequence[str], batches: Sequence[Mapping[str, Any]], scratch: Path
) -> list[Floats]:
    """Return the largest magnitude of each channel of some tensors over all tokens but padding.

    :param names: of tensors of shape (windows, length, channels).
    :returns: for each tensor, float32 of shape (channels,).
    """
    import onnx
    import onnxruntime

    observed = onnx.ModelProto()
    observed.CopyFrom(model)
    observed.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    data = scratch.with_name(f"{scratch.name}.data")
    try:
        onnx.save(observed, str(scratch), save_as_external_data=True, location=data.name)
        session = onnxruntime.InferenceSession(str(scratch), options, providers=["CPUExecutionProvider"])
        found: list[Any] = [0.0] * len(names)
        for batch in batches:
            real = np.asarray(batch["attention_mask"]).astype(bool)
            for number, values in enumerate(session.run(list(names), dict(batch))):
                found[number] = np.maximum(found[number], np.abs(values[real]).max(axis=0))
    finally:
        scratch.unlink(missing_ok=True)
        data.unlink(missing_ok=True)
    return found


def _array(tensor: TensorProto) -> Floats:
    from onnx import numpy_helper

    found: Floats = numpy_helper.to_array(tensor)
    return found


def _set_array(tensor: TensorProto, values: Floats) -> None:
    from onnx import numpy_helper

    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
