"""Rewrite an OpenVINO graph so that it computes less and returns the same numbers.

- :func:`gather_output_tokens`: after the last attention every token is computed on its own, and only the first subword
  of each word has a label that is used. In text with many subwords per word that saves half of the last layer.
- :func:`fold_key_transposes`: OpenVINO transposes the keys of attention element by element, although its MatMul reads
  a transposed operand at no cost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: the added input of :func:`gather_output_tokens`: windows and positions of tokens, int64 of shape (n, 2)
OUTPUT_TOKENS = "output_tokens"
_ELEMENTWISE = frozenset((
    "Abs", "Add", "Clamp", "Convert", "Divide", "Elu", "Erf", "Exp", "FakeQuantize", "Gelu", "HSigmoid", "HSwish",
    "Maximum", "Minimum", "Mish", "Multiply", "Negative", "Power", "PRelu", "Relu", "Sigmoid", "SoftPlus", "Sqrt",
    "SquaredDifference", "Subtract", "Swish", "Tanh",
))  # fmt: skip
#: operations on the values of each token, if their weights or axes say so
_TOKENWISE = frozenset(("MatMul", "MVN", "ReduceMean"))
_MOVES = frozenset(("Reshape", "Squeeze", "Transpose", "Unsqueeze"))


def gather_output_tokens(model: Any) -> bool:
    """Compute only the tokens of the input :data:`OUTPUT_TOKENS` after the last attention; in place.

    The output then has the shape (1, n, labels). Each export is compared with torch, which verifies this rewrite too.

    :param model: an ``openvino.Model`` that returns logits for each token.
    :returns: whether the model was rewritten; a model of another structure is left unchanged.
    """
    import openvino.opset13 as opset

    operations = model.get_ordered_ops()
    constants: set[str] = set()  # weights, and what is computed from weights alone
    for each in operations:
        inputs = each.inputs()
        if each.get_type_name() == "Constant" or (inputs and all(_source_name(one) in constants for one in inputs)):
            constants.add(each.get_name())
    attention = _last_attention_output(operations, constants)
    reads = [] if attention is None else _tokenwise_inputs(attention, operations, constants)
    if not reads:
        return False
    tokens = opset.parameter([-1, 2], np.int64, name=OUTPUT_TOKENS)
    tokens.output(0).set_names({OUTPUT_TOKENS})
    front = opset.constant(np.array([0], np.int64))
    gathered: dict[tuple[str, int], Any] = {}
    for read in reads:
        source = read.get_source_output()
        key = (_source_name(read), source.get_index())
        if key not in gathered:  # the added first axis keeps the number of axes
            gathered[key] = opset.unsqueeze(opset.gather_nd(source, tokens, 0), front).output(0)
        read.replace_source_output(gathered[key])
    model.add_parameters([tokens])
    model.validate_nodes_and_infer_types()
    return True


def fold_key_transposes(model: Any) -> int:
    """Fold the transpose of attention keys into the MatMul that reads them, in an ``openvino.Model``; in place.

    The heads are still moved in front of the tokens, but whole rows at a time.

    :returns: the number of folded transposes.
    """
    import openvino.opset13 as opset

    count = 0
    for matmul in model.get_ordered_ops():
        keys = matmul.input(1).get_source_output().get_node() if matmul.get_type_name() == "MatMul" else None
        if keys is None or keys.get_type_name() != "Transpose" or matmul.get_attributes()["transpose_b"]:
            continue
        order = _constant_integers(keys.input(1))
        if len(order) < 3 or order[-2] != len(order) - 1:
            continue
        axes = opset.constant(np.array([*order[:-2], order[-1], order[-2]], np.int64))
        rows = opset.transpose(keys.input(0).get_source_output(), axes)
        new = opset.matmul(matmul.input(0).get_source_output(), rows, matmul.get_attributes()["transpose_a"], True)
        new.set_friendly_name(matmul.get_friendly_name())
        for reader in list(matmul.output(0).get_target_inputs()):
            reader.replace_source_output(new.output(0))
        count += 1
    return count


def _source_name(read: Any) -> str:
    """Return the name of the operation that an input reads."""
    name: str = read.get_source_output().get_node().get_name()
    return name


def _last_attention_output(operations: list[Any], constants: set[str]) -> Any | None:
    """Return the operation that outputs the last attention as (windows, length, width)."""
    found: Any | None = None
    for each in operations:
        if each.get_type_name() == "MatMul" and not any(_source_name(one) in constants for one in each.inputs()):
            found = each
    while found is not None:
        readers = [one.get_node() for one in found.output(0).get_target_inputs()]
        if len(readers) != 1 or readers[0].get_type_name() not in _MOVES:
            break
        found = readers[0]
    whole = found is not None and found.get_type_name() == "Reshape"
    return found if found is not None and whole and len(found.output(0).get_partial_shape()) == 3 else None


def _tokenwise_inputs(attention: Any, operations: list[Any], constants: set[str]) -> list[Any]:
    """Return what operations after ``attention`` read from before; empty if one of them mixes tokens."""
    after: set[str] = set()
    reads: list[Any] = []
    for each in operations:
        names = [_source_name(one) for one in each.inputs()]
        if each.get_type_name() == "Result" or not any(name in after or name == attention.get_name() for name in names):
            continue
        if not _is_tokenwise(each, names, constants):
            return []
        after.add(each.get_name())
        inputs = zip(each.inputs(), names, strict=True)
        reads += [one for one, name in inputs if name not in after and name not in constants]
    return reads


def _is_tokenwise(operation: Any, names: list[str], constants: set[str]) -> bool:
    """Return whether an operation computes each token on its own.

    :param names: of the operations that it reads.
    """
    kind, inputs = operation.get_type_name(), operation.inputs()
    if kind in _ELEMENTWISE:  # a constant must be the same for every token: only its last axis may be longer than 1
        shapes = [one.get_partial_shape() for one, name in zip(inputs, names, strict=True) if name in constants]
        return all(shape.is_static and all(size == 1 for size in list(shape.to_shape())[:-1]) for shape in shapes)
    if kind not in _TOKENWISE or names[1] not in constants or names[0] in constants:
        return False
    if kind == "MatMul":
        return not operation.get_attributes()["transpose_a"] and len(inputs[1].get_partial_shape()) == 2
    return _constant_integers(inputs[1]) in ([-1], [2])


def _constant_integers(read: Any) -> list[int]:
    """Return the integers of a constant, or of a range of constants; empty for anything else."""
    source = read.get_source_output().get_node()
    if source.get_type_name() == "Constant":
        return [int(number) for number in np.ravel(source.data)]
    limits = [_constant_integers(one) for one in source.inputs()] if source.get_type_name() == "Range" else []
    if len(limits) == 3 and all(len(each) == 1 for each in limits):
        return list(range(*(each[0] for each in limits)))
    return []
