"""The inputs and attributes of an ONNX node that is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64, Array
from nnlayers.graphs import Node
from nnlayers.layer import Layer

__all__ = ["Arguments", "OperatorError", "Rule", "apply", "apply_to_two"]


class OperatorError(ValueError):
    """A part of an ONNX file for which there is no layer."""


class Arguments(NamedTuple):
    """The inputs and attributes of an ONNX node.

    Attributes
    ----------
    inputs : list
        Nodes, constants, steps towards a GELU, and None for an optional input that is left out.
    attributes : mapping of str to object
        The attributes by name.
    rank : int or None
        The number of axes of the first input, if it is known.
    version : int
        The version of the operators.
    uses : list of int
        The number of nodes that take each input.
    onnx : module
        The onnx package.
    """

    inputs: Sequence[Any]
    attributes: Mapping[str, Any]
    rank: int | None
    version: int
    uses: Sequence[int]
    onnx: Any

    @property
    def x(self) -> Node:
        """The first input, which must be computed."""
        return self.node(0)

    def node(self, index: int) -> Node:
        """Return an input that is computed from the file's input."""
        item = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(item, Node):
            raise OperatorError(f"input {index} must be computed from the file's input")
        return item

    def constant(self, index: int, default: Any = None) -> Any:
        """Return an input that must be a constant, or the default if it is left out."""
        item = self.inputs[index] if index < len(self.inputs) else None
        if item is None:
            return default
        if not isinstance(item, np.ndarray):
            raise OperatorError(f"input {index} must be a constant")
        return item

    def weights(self, index: int) -> Array:
        """Return an input that must be a constant of float32 or float64."""
        array = self.constant(index)
        if array is None or array.dtype not in (FLOAT32, FLOAT64):
            found = "none" if array is None else array.dtype
            raise OperatorError(f"its weights must be float32 or float64, got {found}")
        return np.asarray(array)

    def number(self, name: str, default: float) -> float:
        """Return an attribute, which ONNX holds as float32, as the decimal that it stands for."""
        value = self.attributes.get(name)
        return default if value is None else float(str(np.float32(value)))


# The value of a node: a node of a graph of layers, or a constant.
Rule: TypeAlias = Callable[[Arguments], Any]


def apply(make: Callable[[], Layer], a: Arguments) -> Any:
    """Return the node of a layer of one input."""
    return make()(a.x)


def apply_to_two(make: Callable[[], Layer], a: Arguments) -> Any:
    """Return the node of a layer of two inputs, of which one may be a constant."""
    index = 1 if isinstance(a.inputs[0], np.ndarray) else 0
    if len(a.inputs) != 2:
        raise OperatorError(f"it must have two inputs, got {len(a.inputs)}")
    other = a.inputs[1 - index]
    if not isinstance(other, np.ndarray):
        a.node(1 - index)
    return a.node(index).apply(make(), a.inputs)
