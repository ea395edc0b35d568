"""Build ONNX graphs: nodes, initializers, and names that are unique and printable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnlayers._core.archives import one_line
from nnlayers._core.arrays import Array
from nnlayers._core.checks import optional_library
from nnlayers._core.tree import join
from nnlayers.layer import Parameter

__all__ = ["DOMAINS", "IR_VERSION", "ML_DOMAIN", "OPSET", "OnnxBuilder", "polynomial"]

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
        self._outputs: dict[str, str] = {}

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

    def integer(self, value: int) -> str:
        """Return the name of an integer's initializer."""
        key = ("integer", value)
        if key not in self._constants:
            self._constants[key] = self.array(np.array(value, np.int64))
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

    def output(self, name: str, wish: str, *, is_reserved: bool = False) -> str:
        """Make a value an output of the wished name, and return its name.

        A wish that is reserved is the result of `name`, and no other value has it.
        """
        wish = wish if is_reserved else self.name(wish)
        if name in self._outputs or not self._rename(name, wish):
            # An input, a constant, or a value that is an output already is copied.
            copied = self._outputs.get(name, name)
            make_node = self.onnx.helper.make_node
            self.nodes.append(make_node("Identity", [copied], [wish], name=wish))
        self._outputs.setdefault(name, wish)
        return wish

    def _rename(self, old: str, new: str) -> bool:
        """Rename a value, and return whether a node computes it."""
        if not any(old in node.output for node in self.nodes):
            return False
        for node in self.nodes:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == old:
                        names[index] = new
            if node.name == old:
                node.name = new
        return True

    def tensor_info(self, name: str, dtype: np.dtype[Any], shape: Sequence[Any]) -> Any:
        """Return the description of an input or output."""
        helper = self.onnx.helper
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape)

    def serialized(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        properties: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the bytes of the file, after the checker of the onnx package has passed it.

        Raises
        ------
        ValueError
            If the graph is not a valid one.
        """
        helper = self.onnx.helper
        used = {node.domain for node in self.nodes} | {""}
        model = helper.make_model(
            helper.make_graph(self.nodes, "nnlayers", inputs, outputs, self.initializers),
            opset_imports=[helper.make_opsetid(name, DOMAINS[name]) for name in sorted(used)],
            ir_version=IR_VERSION,
            producer_name="nnlayers",
        )
        helper.set_model_props(model, dict(properties or {}))
        try:
            self.onnx.checker.check_model(model, full_check=True)
        except Exception as error:
            raise ValueError(f"the model cannot be written as ONNX: {one_line(error)}") from error
        content: bytes = model.SerializeToString()
        return content


def polynomial(b: OnnxBuilder, dtype: np.dtype[Any], coefficients: Sequence[float], x: str) -> str:
    """Return a polynomial of x, whose coefficients begin with the constant."""
    *lower, y = [b.number(a, dtype) for a in coefficients]
    for coefficient in reversed(lower):
        y = b.op("Add", b.op("Mul", y, x), coefficient)
    return y
