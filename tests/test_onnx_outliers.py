"""Weight splitting of outlier channels: the same outputs, smaller ranges, and only where it is safe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import helper, numpy_helper  # noqa: E402

from labelkit.inference.onnx.weight_splitting import copy_counts, find_feed_forwards, split_outlier_channels  # noqa: E402

WIDTH, NEURONS = 16, 128
#: an activation function as exporters write it: (operation, inputs, output); "x" comes in, "y" goes out
GELU = [
    ("Div", ["x", "root"], "a"),
    ("Erf", ["a"], "b"),
    ("Add", ["b", "one"], "c"),
    ("Mul", ["x", "c"], "d"),
    ("Mul", ["d", "half"], "y"),
]
RELU = [("Relu", ["x"], "y")]


def layer(steps: Any, *, bias: bool = True, more: Any = (), outputs: tuple[str, ...] = ("out",)) -> Any:
    """Return a model of one feed-forward layer, one neuron of which is far larger than the others."""
    random = np.random.default_rng(0)
    before, behind = random.normal(size=(WIDTH, NEURONS)), random.normal(size=(NEURONS, WIDTH))
    before[:, 7] *= 40
    behind[7] *= 20
    weights = {
        "before": before,
        "behind": behind,
        "bias": random.normal(size=NEURONS),
        "gate": random.normal(size=(WIDTH, NEURONS)),
        "each": random.normal(size=NEURONS),
        "root": np.sqrt(2),
        "one": 1,
        "half": 0.5,
    }
    nodes = [helper.make_node("MatMul", ["in", "before"], ["x0" if bias else "x"], "up")]
    if bias:
        nodes.append(helper.make_node("Add", ["bias", "x0"], ["x"], "bias"))
    nodes += [helper.make_node(kind, read, [made], made) for kind, read, made in (*steps, *more)]
    nodes.append(helper.make_node("MatMul", ["y", "behind"], ["out"], "down"))
    graph = helper.make_graph(
        nodes,
        "layer",
        [
            helper.make_tensor_value_info("in", onnx.TensorProto.FLOAT, ("windows", "length", WIDTH)),
            helper.make_tensor_value_info("attention_mask", onnx.TensorProto.INT64, ("windows", "length")),
        ],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def batch() -> dict[str, Any]:
    values = np.random.default_rng(1).normal(size=(3, 5, WIDTH)).astype(np.float32)
    return {"in": values, "attention_mask": np.array([[1] * 5, [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], np.int64)}


def computed(model: Any, inputs: dict[str, Any]) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["out"], {"in": inputs["in"]} if len(session.get_inputs()) == 1 else inputs)[0]


def weights_of(model: Any) -> dict[str, Any]:
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [GELU, RELU], ids=["gelu", "relu"])
def test_divided_neurons_compute_the_same(steps: Any, bias: bool, tmp_path: Path) -> None:
    model, inputs = layer(steps, bias=bias), batch()
    wanted = computed(model, inputs)
    assert split_outlier_channels(model, [inputs], tmp_path / "observed.onnx") == 1
    np.testing.assert_allclose(computed(model, inputs), wanted, rtol=1e-4, atol=1e-2)
    weights = weights_of(model)
    # the large one has all the copies, and its weights are that much smaller
    assert weights["behind"].shape == (NEURONS + 2, WIDTH)
    assert weights["before"].shape == (WIDTH, NEURONS + 2)
    assert weights.keys() == weights_of(layer(steps)).keys()
    np.testing.assert_array_equal(weights["before"][:, 7], weights["before"][:, 9])
    np.testing.assert_allclose(3 * weights["behind"][7], weights_of(layer(steps))["behind"][7], rtol=1e-5)
    assert list(tmp_path.iterdir()) == []


def test_padding_makes_no_neuron_large(tmp_path: Path) -> None:
    model, inputs = layer(RELU), batch()
    gate = weights_of(model)["before"]
    # what stands in the padding would make neuron 3 the largest by far
    inputs["in"][2, 4] = 1e4 * gate[:, 3]
    split_outlier_channels(model, [inputs], tmp_path / "observed.onnx")
    np.testing.assert_array_equal(weights_of(model)["before"][:, 7], gate[:, 7])
    np.testing.assert_array_equal(weights_of(model)["before"][:, 8], gate[:, 7])


GATED = [("MatMul", ["in", "gate"], "g"), ("Mul", ["s", "g"], "y")]


@pytest.mark.parametrize(
    "model",
    [
        layer([("Sigmoid", ["x"], "s")], more=GATED),  # a gate: two products give the neurons
        layer([("Mul", ["x", "each"], "y")]),  # each neuron has a number of its own
        layer([("Softmax", ["x"], "y")]),  # neurons look at each other
        layer(RELU, outputs=("out", "y")),  # somebody else reads them
        layer(RELU, more=[("MatMul", ["y", "behind"], "other")], outputs=("out", "other")),  # weights that are shared
    ],
    ids=["gated", "scaled", "mixed", "read", "shared"],
)
def test_other_layers_stay_as_they_are(model: Any, tmp_path: Path) -> None:
    before = model.SerializeToString()
    assert find_feed_forwards(model.graph) == []
    assert split_outlier_channels(model, [batch()], tmp_path / "observed.onnx") == 0
    assert model.SerializeToString() == before


def test_a_bias_that_layers_share_is_divided_for_one_of_them(tmp_path: Path) -> None:
    other = [("MatMul", ["in", "gate"], "z0"), ("Add", ["z0", "bias"], "z")]
    model, inputs = layer(RELU, more=other, outputs=("out", "z")), batch()
    wanted = computed(model, inputs)
    assert split_outlier_channels(model, [inputs], tmp_path / "observed.onnx") == 1
    np.testing.assert_allclose(computed(model, inputs), wanted, rtol=1e-4, atol=1e-2)
    assert {one.shape for name, one in weights_of(model).items() if name.startswith("bias")} == {
        (NEURONS,),
        (NEURONS + 2,),
    }


def test_copies_go_where_they_help_most() -> None:
    assert copy_counts(np.array([8.0, 1.0, 4.1], np.float32), 3).tolist() == [3, 1, 2]
    assert copy_counts(np.zeros(2, np.float32), 0).tolist() == [1, 1]
