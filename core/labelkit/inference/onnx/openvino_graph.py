"""Make a network cheaper for OpenVINO without changing what it says.

Behind the last attention nothing looks at its neighbours any more, and a label is read off the first sub-token of each
word alone: in text with many pieces a word, half of the last layer would be computed for nothing. And OpenVINO turns
the keys of attention number by number, where its product could read them as they lie.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: the input that says which sub-tokens answer: their windows and places, int64 of shape (n, 2)
OUTPUT_TOKENS = "answers"
#: what a network does with each number by itself
_ELEMENTWISE = frozenset(
    [
        "Abs",
        "Add",
        "Clamp",
        "Convert",
        "Divide",
        "Elu",
        "Erf",
        "Exp",
        "FakeQuantize",
        "Gelu",
        "HSigmoid",
        "HSwish",
        "Maximum",
        "Minimum",
        "Mish",
        "Multiply",
        "Negative",
        "Power",
        "PRelu",
        "Relu",
        "Sigmoid",
        "SoftPlus",
        "Sqrt",
        "SquaredDifference",
        "Subtract",
        "Swish",
        "Tanh",
    ]
)
#: what it does with the numbers of each sub-token, where weights or axes say so
_BY_TOKEN = frozenset(("MatMul", "MVN", "ReduceMean"))
_MOVES = frozenset(("Reshape", "Squeeze", "Transpose", "Unsqueeze"))


def gather_output_tokens(model: Any) -> bool:
    """Make the model compute only what :data:`OUTPUT_TOKENS` asks for behind the last attention; in place.

    Its output then has the shape (1, n, labels). What makes sure that it is right is the comparison with torch that
    follows each export.

    :param model: an ``openvino.Model`` that gives each sub-token its logits.
    :returns: whether it does now; a network of another make stays as it is.
    """
    operations = model.get_ordered_ops()
    fixed = _fixed(operations)
    last = _last_attention(operations, fixed)
    if last is None:
        return False
    inside, borders = _behind(last, operations, fixed)
    if inside is None or not inside:
        return False
    _gather(model, borders)
    return True


def fold_key_transposes(model: Any) -> int:
    """Let products turn the keys of attention as they read them, where they were turned before; in place.

    Heads are still moved in front of sub-tokens, but whole rows at a time.

    :param model: an ``openvino.Model``.
    :returns: how many products read them so now.
    """
    import openvino.opset13 as operations

    count = 0
    for product in model.get_ordered_ops():
        turned = product.input(1).get_source_output().get_node() if product.get_type_name() == "MatMul" else None
        if turned is None or turned.get_type_name() != "Transpose" or product.get_attributes()["transpose_b"]:
            continue
        order = _numbers(turned.input(1))
        if len(order) < 3 or order[-2] != len(order) - 1:
            continue
        axes = operations.constant(np.array([*order[:-2], order[-1], order[-2]], np.int64))
        rows = operations.transpose(turned.input(0).get_source_output(), axes)
        across = product.get_attributes()["transpose_a"]
        new = operations.matmul(product.input(0).get_source_output(), rows, across, True)
        new.set_friendly_name(product.get_friendly_name())
        for reader in list(product.output(0).get_target_inputs()):
            reader.replace_source_output(new.output(0))
        count += 1
    return count


def _name(source: Any) -> str:
    name: str = source.get_node().get_name()
    return name


def _fixed(operations: list[Any]) -> set[str]:
    """Return the names of what does not depend on the input: weights, and what is made of them."""
    found: set[str] = set()
    for one in operations:
        kind, inputs = one.get_type_name(), one.inputs()
        if kind == "Constant" or (inputs and all(_name(each.get_source_output()) in found for each in inputs)):
            found.add(one.get_name())
    return found


def _last_attention(operations: list[Any], fixed: set[str]) -> Any | None:
    """Return the operation that gives what the last attention found, as (windows, length, width)."""
    products = [
        one
        for one in operations
        if one.get_type_name() == "MatMul"
        and not any(_name(each.get_source_output()) in fixed for each in one.inputs())
    ]
    if not products:
        return None
    one = products[-1]
    while True:
        readers = [each.get_node() for each in one.output(0).get_target_inputs()]
        if len(readers) != 1 or readers[0].get_type_name() not in _MOVES:
            break
        one = readers[0]
    return one if one.get_type_name() == "Reshape" and len(one.output(0).get_partial_shape()) == 3 else None


def _behind(last: Any, operations: list[Any], fixed: set[str]) -> tuple[set[str] | None, list[Any]]:
    """Return the operations behind ``last``, None where one of them looks at several sub-tokens, and what they read."""
    inside: set[str] = set()
    borders: list[Any] = []
    for one in operations:
        inputs = one.inputs()
        names = [_name(each.get_source_output()) for each in inputs]
        if not any(name in inside or name == last.get_name() for name in names) or one.get_type_name() == "Result":
            continue
        if not _by_token(one, names, fixed):
            return None, []
        inside.add(one.get_name())
        borders += [each for each, name in zip(inputs, names, strict=True) if name not in inside and name not in fixed]
    return inside, borders


def _by_token(one: Any, names: list[str], fixed: set[str]) -> bool:
    kind = one.get_type_name()
    if kind in _ELEMENTWISE:
        return all(_for_all_tokens(each) for each, name in zip(one.inputs(), names, strict=True) if name in fixed)
    if kind not in _BY_TOKEN or names[1] not in fixed or any(name in fixed for name in names[:1]):
        return False
    if kind == "MatMul":
        return not one.get_attributes()["transpose_a"] and len(one.input(1).get_partial_shape()) == 2
    return _numbers(one.input(1)) in ([-1], [2])


def _numbers(given: Any) -> list[int]:
    """Return whole numbers that do not depend on the input: a constant, or a range of such."""
    source = given.get_source_output().get_node()
    if source.get_type_name() == "Constant":
        return [int(number) for number in np.ravel(source.data)]
    limits = [_numbers(each) for each in source.inputs()] if source.get_type_name() == "Range" else []
    if len(limits) == 3 and all(len(each) == 1 for each in limits):
        return list(range(*(each[0] for each in limits)))
    return []


def _for_all_tokens(constant: Any) -> bool:
    """Return whether a constant is the same for every sub-token: only its last axis is longer than 1."""
    shape = constant.get_partial_shape()
    return bool(shape.is_static) and all(size == 1 for size in list(shape.to_shape())[:-1])


def _gather(model: Any, borders: list[Any]) -> None:
    """Put in front of each input that is read the choice of the sub-tokens that answer."""
    import openvino.opset13 as operations

    wanted = operations.parameter([-1, 2], np.int64, name=OUTPUT_TOKENS)
    wanted.output(0).set_names({OUTPUT_TOKENS})
    front = operations.constant(np.array([0], np.int64))
    chosen: dict[tuple[str, int], Any] = {}
    for each in borders:
        source = each.get_source_output()
        key = (_name(source), source.get_index())
        if key not in chosen:
            # with an axis in front the shapes have as many axes as before
            chosen[key] = operations.unsqueeze(operations.gather_nd(source, wanted, 0), front).output(0)
        each.replace_source_output(chosen[key])
    model.add_parameters([wanted])
    model.validate_nodes_and_infer_types()
