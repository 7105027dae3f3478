"""Networks made cheaper for OpenVINO give the same numbers, and stay where they would not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

openvino = pytest.importorskip("openvino")

import openvino.opset13 as ops  # noqa: E402

from labelkit.inference.onnx.openvino_graph import OUTPUT_TOKENS, fold_key_transposes, gather_output_tokens  # noqa: E402

WIDTH, LENGTH = 8, 5
random = np.random.default_rng(0)


def number(*shape: int) -> Any:
    return ops.constant(random.normal(size=shape).astype(np.float32))


def axis(value: int) -> Any:
    return ops.constant(np.array([value], np.int64))


def place(value: int) -> Any:
    return ops.constant(np.array(value, np.int64))


def network(end: Callable[[Any], Any]) -> Any:
    """Return a network whose tokens look at each other, then at nobody until ``end``."""
    given = ops.parameter([-1, -1, WIDTH], np.float32, name="in")
    seen = ops.softmax(ops.matmul(given, given, False, True), 2)
    found = ops.reshape(ops.matmul(seen, given, False, False), ops.constant(np.array([0, -1, WIDTH])), True)
    return openvino.Model([end(ops.add(found, given))], [given], "network")


def computed(model: Any, inputs: dict[str, Any]) -> Any:
    return openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(inputs)[0]


PLAIN: list[Callable[[Any], Any]] = [
    lambda x: ops.matmul(x, number(WIDTH, 3), False, False),
    lambda x: ops.mvn(x, axis(-1), True, 1e-6, "INSIDE_SQRT"),
    lambda x: ops.mvn(x, ops.range(place(2), place(3), place(1), "i64"), True, 1e-6, "INSIDE_SQRT"),
    lambda x: ops.multiply(ops.erf(ops.add(x, number(WIDTH))), number(1, 1, WIDTH)),
]
MIXED: list[Callable[[Any], Any]] = [
    lambda x: ops.subtract(x, ops.reduce_mean(x, axis(1), True)),
    lambda x: ops.mvn(x, axis(1), True, 1e-6, "INSIDE_SQRT"),
    lambda x: ops.add(x, number(1, LENGTH, 1)),
    lambda x: ops.matmul(number(LENGTH, LENGTH), x, False, False),
    lambda x: ops.reshape(x, ops.constant(np.array([0, -1])), True),
    lambda x: ops.softmax(x, 1),
]


@pytest.mark.parametrize("end", PLAIN, ids=["product", "norm", "norm by place", "elementwise"])
def test_what_is_not_asked_for_is_not_computed(end: Callable[[Any], Any]) -> None:
    inputs = random.normal(size=(3, LENGTH, WIDTH)).astype(np.float32)
    wanted = random.random((3, LENGTH)) < 0.5
    model = network(end)
    whole = computed(model.clone(), {"in": inputs})
    assert gather_output_tokens(model)
    found = computed(model, {"in": inputs, OUTPUT_TOKENS: np.argwhere(wanted)})
    assert found.shape == (1, wanted.sum(), whole.shape[-1])
    np.testing.assert_allclose(found[0], whole[wanted], atol=1e-5)
    assert computed(model, {"in": inputs, OUTPUT_TOKENS: np.zeros((0, 2), np.int64)}).shape[1] == 0


@pytest.mark.parametrize("end", MIXED, ids=["mean", "norm", "position", "mix", "text", "softmax"])
def test_where_tokens_are_looked_at_together_all_stays(end: Callable[[Any], Any]) -> None:
    model = network(end)
    assert not gather_output_tokens(model)
    assert [one.get_any_name() for one in model.inputs if one.names] in ([], ["in"])
    assert len(model.inputs) == 1


def test_a_network_without_attention_stays() -> None:
    given = ops.parameter([-1, -1, WIDTH], np.float32, name="in")
    model = openvino.Model([ops.matmul(given, number(WIDTH, 3), False, False)], [given], "network")
    assert not gather_output_tokens(model)


def attention(order: list[int], *, transposed: bool = False) -> Any:
    """Return a network in which queries meet keys that were turned as ``order`` says."""
    queries = ops.parameter([-1, 2, -1, 4], np.float32, name="queries")
    keys = ops.parameter([-1, -1, 2, 4], np.float32, name="keys")
    turned = ops.transpose(keys, ops.constant(np.array(order, np.int64)))
    return openvino.Model([ops.matmul(queries, turned, False, transposed)], [queries, keys], "attention")


def orders(model: Any) -> list[list[int]]:
    return [
        [int(axis) for axis in one.input(1).get_source_output().get_node().data]
        for one in model.get_ordered_ops()
        if one.get_type_name() == "Transpose"
    ]


def test_the_product_turns_the_keys() -> None:
    inputs = {
        "queries": random.normal(size=(3, 2, 6, 4)).astype(np.float32),
        "keys": random.normal(size=(3, 5, 2, 4)).astype(np.float32),
    }
    model = attention([0, 2, 3, 1])
    before = computed(model.clone(), inputs)
    assert fold_key_transposes(model) == 1
    assert orders(model) == [[0, 2, 1, 3]]
    np.testing.assert_allclose(computed(model, inputs), before, atol=1e-6)
    assert before.shape == (3, 2, 6, 5)


@pytest.mark.parametrize("order", [[0, 2, 1, 3], [0, 2, 3, 1]], ids=["as they lie", "turned twice"])
def test_keys_that_the_product_turns_already_stay(order: list[int]) -> None:
    model = attention(order, transposed=True)
    assert fold_key_transposes(model) == 0
    assert orders(model) == [order]
