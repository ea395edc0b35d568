"""Build ONNX graphs: nodes, initializers, and names that are unique and printable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import optional_library
from nnlayers._core.tree import join
from nnlayers.layer import Parameter

__all__ = ["DOMAINS", "IR_VERSION", "OPSET", "OnnxBuilder"]

# Operators of opset 18, with which runtimes since early 2023 can run the file.
OPSET = 18
IR_VERSION = 8
ML_DOMAIN = "ai.onnx.ml"
DOMAINS = {"": OPSET, ML_DOMAIN: 3}


class OnnxBuilder:
    """The nodes and initializers of an ONNX graph, in the order in which they are added."""

    def __init__(self) -> None:
        self.scope = ""  # The name of the layer that is being written, which prefixes its nodes.
        self.onnx = optional_library("onnx", "onnx")
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._names: set[str] = set()
        self._constants: dict[Any, str] = {}

    def name(self, wish: str) -> str:
        """Return a name like the wished one that is unique, not empty, and printable."""
        base = "".join(c if c.isprintable() else "_" for c in wish) or "_"
        name, number = base, 1
        while name in self._names:
            number += 1
            name = f"{base}_{number}"
        self._names.add(name)
        return name

    def op(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return the output's name."""
        name = self.name(join(self.scope, operator.lower()))
        self.nodes.append(
            self.onnx.helper.make_node(
                operator, inputs, [name], name=name, domain=domain or None, **attributes
            )
        )
        return name

    def weight(self, parameter: Parameter, wish: str) -> str:
        """Return the name of a parameter's initializer, the same for each of its uses."""
        if parameter not in self._constants:
            self._constants[parameter] = self.array(parameter.value, wish)
        return self._constants[parameter]

    def array(self, array: Array, wish: str = "constant") -> str:
        """Add an initializer, and return its name."""
        name = self.name(wish)
        tensor = self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        # `ascontiguousarray` gives a number an axis.
        if array.ndim == 0:
            del tensor.dims[:]
        self.initializers.append(tensor)
        return name

    def number(self, value: float, dtype: np.dtype[Any]) -> str:
        """Return the name of a number's initializer; equal numbers share one."""
        key = (float(value), str(np.copysign(1, value)), dtype)
        if key not in self._constants:
            with np.errstate(over="ignore"):
                self._constants[key] = self.array(np.array(value).astype(dtype))
        return self._constants[key]

    def integers(self, values: Sequence[int]) -> str:
        """Return the name of the initializer of a shape or of axes."""
        key = ("integers", *values)
        if key not in self._constants:
            self._constants[key] = self.array(np.array(values, np.int64))
        return self._constants[key]

    def cast(self, x: str, dtype: np.dtype[Any]) -> str:
        """Return x in another dtype."""
        return self.op("Cast", x, to=self.onnx.helper.np_dtype_to_tensor_dtype(dtype))

    def rename(self, old: str, new: str) -> None:
        """Rename a value that a node computes."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == old:
                        names[index] = new
            if node.name == old:
                node.name = new
