"""The data of a page: its arrays, and the formulas with which it computes them again."""

from __future__ import annotations

import ast
import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from nnlayers._core.arrays import FLOAT32, Array
from nnlayers.drawing.arrays import heat_levels, pooled, summary
from nnlayers.drawing.formulas import Expression
from nnlayers.drawing.operations import input_letters
from nnlayers.drawing.trace import Part, Trace, Visit
from nnlayers.layer import Layer

__all__ = ["page_data"]

# The numbers that a page holds of one array, and of all; it has heat maps of the others.
_MAX_SIZE, _MAX_TOTAL, _SMALL, _SIDE, _LEVELS = 4096, 60_000, 64, 32, 100


class _Arrays:
    """The arrays of a page by their keys; equal ones of few entries are stored once."""

    def __init__(self) -> None:
        self.stored: list[dict[str, Any]] = []
        self.keys: dict[str, int] = {}
        self._known: dict[tuple[Any, ...], int] = {}
        self._total = 0

    def add(self, key: str, array: Array | None) -> None:
        """Store an array under a key."""
        if array is None:
            return
        # Comparing large arrays would take longer than another heat map of one.
        is_large = array.size > _MAX_SIZE
        content = array.shape, array.dtype.str, id(array) if is_large else array.tobytes()
        if content not in self._known:
            self._known[content] = len(self.stored)
            self.stored.append(self._encoded(array))
        self.keys[key] = self._known[content]

    def add_part(self, prefix: str, key: str, part: Part) -> None:
        """Store a gradient, and the sum before and after it."""
        self.add(f"{prefix}c{key}", part.value)
        self.add(f"{prefix}b{key}", part.before)
        self.add(f"{prefix}t{key}", part.total)

    def _encoded(self, array: Array) -> dict[str, Any]:
        """Return the numbers of an array, or a heat map."""
        table: dict[str, Any] = {"shape": array.shape, "type": array.dtype.name}
        self._total += array.size
        if array.size <= _SMALL or (array.size <= _MAX_SIZE and self._total <= _MAX_TOTAL):
            code = "<f4" if array.dtype == FLOAT32 else "<f8"
            return table | {"data": _base64(array.astype(code))}
        self._total -= array.size
        levels = heat_levels(pooled(array, _SIDE, _SIDE), _LEVELS)
        heat = {"shape": levels.shape, "data": _base64(levels.astype(np.int8))}
        return table | {"summary": summary(array), "heat": heat}


def _base64(array: Array) -> str:
    return base64.b64encode(array.tobytes()).decode()


def page_data(passes: Trace) -> dict[str, Any]:
    """Return the arrays and the formulas of a page.

    The keys of the arrays are ``v`` and a node's index for its value, ``g`` for its gradient, ``s``
    for the argument of backward, ``p`` and a number for a parameter of a layer. With the index of
    an operation, a dot and the position of an input, ``d`` is the local derivative, ``c`` the
    gradient that it sent, ``b`` and ``t`` the sum before and after that; ``wc``, ``wb`` and ``wt``
    are those of its parameters.
    """
    arrays = _Arrays()
    for index, (value, grad) in enumerate(zip(passes.values, passes.grads, strict=True)):
        arrays.add(f"v{index}", value)
        arrays.add(f"g{index}", grad)
    for index, start in passes.starts.items():
        arrays.add(f"s{index}", start)
    weights = {weight: f"p{number}" for number, weight in enumerate(passes.weights)}
    for weight, key in weights.items():
        arrays.add(key, passes.weights[weight])
    operations: dict[int, dict[str, Any]] = {}
    for visit in passes.visits:
        for sent in visit.contributions:
            arrays.add(f"d{visit.node}.{sent.slot}", sent.local.factor)
            arrays.add_part("", f"{visit.node}.{sent.slot}", sent.part)
        for number, part in enumerate(visit.weights):
            arrays.add_part("w", f"{visit.node}.{number}", part)
        operations[visit.node] = _operation(passes, visit, weights)
    nodes = [
        {
            "name": passes.labels[i],
            "kind": node.kind,
            "parents": passes.parents[i],
            "operation": operations.get(i),
        }
        for i, node in enumerate(passes.nodes)
    ]
    return {"nodes": nodes, "arrays": arrays.stored, "keys": arrays.keys}


def _operation(passes: Trace, visit: Visit, weights: Mapping[int, str]) -> dict[str, Any]:
    """Return what a page needs to compute an operation."""
    layer = passes.nodes[visit.node].layer
    assert layer is not None
    description = visit.description
    inputs = [passes.values[parent] for parent in passes.parents[visit.node]]
    shapes = {sent.slot: sent.local.shape for sent in visit.contributions}
    axis = getattr(layer, "axis", None)
    names = layer.named_parameters().items()
    return {
        "label": description.symbol,
        "letters": input_letters(len(inputs)),
        "value": _tree(description.value),
        "derivatives": [_tree(expression) for expression in description.derivatives],
        "sent": [_tree(expression) for expression in description.sent],
        "factors": [shapes.get(slot) for slot in range(len(inputs))],
        "isJacobian": description.is_jacobian,
        "axis": axis if axis is None or isinstance(axis, int) else list(axis),
        "moves": _moves(layer, inputs) if _only_moves(visit) else None,
        "weights": [
            {
                "key": weights[id(weight)],
                "name": name,
                "gradient": _tree(description.weight(name)),
            }
            for name, weight in names
        ],
    }


def _only_moves(visit: Visit) -> bool:
    """Return whether an operation only moves entries, by its formulas."""
    description = visit.description
    ones = all(derivative.expression == "1" for derivative in description.derivatives)
    return not description.product and ones


def _moves(layer: Layer, inputs: Sequence[Array]) -> list[int] | None:
    """Return for each entry of the output the number of the input's entry that it is."""
    total = sum(x.size for x in inputs)
    if not 0 < total <= _MAX_TOTAL:
        return None
    numbers = np.arange(float(total))
    starts = np.cumsum([0, *[x.size for x in inputs]])
    parts = [
        numbers[start : start + x.size].reshape(x.shape)
        for start, x in zip(starts, inputs, strict=False)
    ]
    with suppress(TypeError, ValueError, IndexError):
        y = np.asarray(layer.predict(*parts)).reshape(-1)
        if np.isin(y, numbers).all():
            return [int(number) for number in y]
    return None


def _tree(expression: Expression | None) -> Any:
    """Return an expression as nested lists; None if it holds what a page cannot compute."""
    if expression is None:
        return None
    tree = _Stable().visit(ast.parse(expression.expression, mode="eval").body)
    with suppress(ValueError):
        return _lists(tree)
    return None


class _Stable(ast.NodeTransformer):
    """Replacement of formulas that overflow by functions that do not."""

    def visit_Call(self, tree: ast.Call) -> ast.expr:
        match tree:
            case ast.Call(
                func=ast.Name(id="log"),
                args=[ast.BinOp(ast.Constant(value=1), ast.Add(), ast.Call(ast.Name("exp"), [u]))],
            ):
                return _call("softplus", u)
        self.generic_visit(tree)
        return tree

    def visit_BinOp(self, tree: ast.BinOp) -> ast.expr:
        match tree:
            case ast.BinOp(
                ast.Call(ast.Name("exp"), [u]),
                ast.Div(),
                ast.BinOp(ast.Constant(value=1), ast.Add(), ast.Call(ast.Name("exp"), [v])),
            ) if _are_equal(u, v):
                return _call("sigma", u)
            case ast.BinOp(
                ast.Call(ast.Name("exp"), [u]),
                ast.Div(),
                ast.Call(ast.Name("sum"), [ast.Call(ast.Name("exp"), [v])]),
            ) if _are_equal(u, v):
                return _call("softmax", u)
            case ast.BinOp(
                u,
                ast.Sub(),
                ast.Call(
                    ast.Name("log"), [ast.Call(ast.Name("sum"), [ast.Call(ast.Name("exp"), [v])])]
                ),
            ) if _are_equal(u, v):
                return _call("logsoftmax", u)
        self.generic_visit(tree)
        return tree


def _call(name: str, argument: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name), [argument], [])


def _are_equal(a: ast.expr, b: ast.expr) -> bool:
    return ast.dump(a) == ast.dump(b)


_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@"}
_COMPARISONS = {
    ast.Gt: ">",
    ast.Lt: "<",
    ast.GtE: ">=",
    ast.LtE: "<=",
    ast.Eq: "=",
    ast.NotEq: "!=",
}


def _lists(tree: ast.expr) -> Any:
    match tree:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=matrix, attr="T"):
            return ["T", _lists(matrix)]
        case ast.UnaryOp(op=ast.USub(), operand=a):
            return ["neg", _lists(a)]
        case ast.BinOp(left=a, op=sign, right=b) if type(sign) in _SIGNS:
            return [_SIGNS[type(sign)], _lists(a), _lists(b)]
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return ["call", name, *map(_lists, arguments)]
        case ast.IfExp(test=condition, body=a, orelse=b):
            return ["if", *map(_lists, (condition, a, b))]
        case ast.Compare(left=first, ops=signs, comparators=others):
            names = [_COMPARISONS[type(sign)] for sign in signs if type(sign) in _COMPARISONS]
            return ["compare", names, *map(_lists, [first, *others])]
    raise ValueError(f"a page cannot compute {ast.unparse(tree)!r}")
