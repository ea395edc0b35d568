"""Read ONNX files of multi-layer perceptrons."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any

import numpy as np

from nnlayers._core.archives import one_line
from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_path, optional_library
from nnlayers._core.state import check_finite
from nnlayers.export.onnx_arguments import Arguments, OperatorError
from nnlayers.export.onnx_operators import OPERATORS
from nnlayers.export.onnx_writer import ARCHITECTURE, onnx_content
from nnlayers.export.shapes import predict_empty
from nnlayers.export.tracing import trace
from nnlayers.graphs import Graph, Input, Node
from nnlayers.layer import Layer
from nnlayers.layers import Sequential
from nnlayers.saving import archive_format, model_file
from nnlayers.saving.contents import Contents

__all__ = ["from_onnx"]

_DOMAINS = ("", "ai.onnx")
_SHOWN = 80


def from_onnx(path: str | os.PathLike[str], *, allow_nonfinite: bool = False) -> Sequential:
    """Read a model from an ONNX file of a multi-layer perceptron.

    A file that :func:`nnlayers.export.onnx` wrote gives the layers that it was written from. In any
    other, operators in a row become layers in a row, and a file with branches becomes a Sequential
    that holds a :class:`~nnlayers.Graph`. A matrix product and the sum with a bias become one
    :class:`~nnlayers.Affine`, and the operators by which other programs write GELU, SiLU and Mish
    become one layer.

    Parameters
    ----------
    path : path
        The file, with one input and one output, and its weights in the file itself, of float32 or
        float64. The guide to exchanging models lists the operators that are read.
    allow_nonfinite : bool
        Whether weights may be NaN or infinite.

    Raises
    ------
    ModuleNotFoundError
        If the extra `onnx` is not installed.
    ValueError
        If the file is damaged, holds an operator or an argument of one that no layer has, or a
        weight is not finite; the message is one line and names the file and the operator.
    OSError
        If the file cannot be read.

    Examples
    --------
    ::

        model = nn.export.from_onnx("classifier.onnx")
        model.predict(x)
    """
    path = check_path("path", path)
    onnx = optional_library("onnx", "onnx")
    content = path.read_bytes()
    try:
        model = _Reader(onnx, content).model()
        if not allow_nonfinite:
            check_finite(model.state_dict())
        return model
    except OperatorError as error:
        raise ValueError(f"{path}: {one_line(str(error))}") from None
    except Exception as error:  # A forged file may cause any error.
        raise ValueError(f"{path}: not an ONNX file that can be read: {one_line(error)}") from error


class _Reader:
    """Follow the nodes of an ONNX graph."""

    def __init__(self, onnx: Any, content: bytes) -> None:
        proto = onnx.ModelProto()
        proto.ParseFromString(content)
        if any(item.external_data for item in proto.graph.initializer):
            raise OperatorError("its weights are in another file: save it as one file")
        self._onnx = onnx
        self._proto = proto
        self._graph = proto.graph
        versions = {item.domain: item.version for item in proto.opset_import}
        self._version = max([versions.get(domain, 0) for domain in _DOMAINS])
        self._uses = Counter(name for node in self._graph.node for name in node.input)
        self._values: dict[str, Any] = {}
        # A batch without rows at each node, which shows the number of axes; None if not known.
        self._batches: dict[Node, Array | None] = {}

    def model(self) -> Sequential:
        """Return the layers."""
        graph = self._graph
        for item in graph.initializer:
            self._values[item.name] = self._onnx.numpy_helper.to_array(item)
        inputs = [item.name for item in graph.input if item.name not in self._values]
        if len(inputs) != 1 or len(graph.output) != 1:
            counts = f"{len(inputs)} and {len(graph.output)}"
            raise OperatorError(f"it must have one input and one output, got {counts}")
        own = self._own_layers()
        if own is not None:
            return own if type(own) is Sequential else Sequential(own)
        x = Input("x")
        self._values[inputs[0]] = x
        self._batches[x] = _empty_batch(graph.input, inputs[0])
        for node in graph.node:
            self._read(node)
        y = self._values[graph.output[0].name]
        if not isinstance(y, Node):
            raise OperatorError("its output does not depend on its input by layers")
        layers = _row(y, x)
        return Sequential(Graph(y)) if layers is None else Sequential(*layers)

    def _own_layers(self) -> Layer | None:
        """Return the layers of a file that :func:`nnlayers.export.onnx` wrote.

        They are those that the file describes, if they write exactly the graph that it holds;
        otherwise None.
        """
        texts = [item.value for item in self._proto.metadata_props if item.key == ARCHITECTURE]
        try:
            description = json.loads(texts[0])
            state = {name: self._values[name] for name in description["state"]}
            content = archive_format.pack(Contents(description["table"], [], state))
            model = model_file.loads(content, allow_nonfinite=True)
            (x,) = [item for item in self._graph.input if item.name not in self._values]
            lengths = tuple(item.dim_value for item in x.type.tensor_type.shape.dim[1:])
            # A forged file must not make a batch large.
            program = trace(model, {x.name: lengths}, empty=True)
            twin = self._onnx.ModelProto.FromString(onnx_content(program))
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            return None
        return model if twin.graph == self._graph else None

    def _read(self, node: Any) -> None:
        """Add the value of a node."""
        if node.domain not in _DOMAINS or node.op_type not in OPERATORS:
            raise OperatorError(f"no layer stands for {_name(node)}")
        # An optional input that is left out has an empty name.
        inputs = [self._values[name] if name else None for name in node.input]
        batch = self._batches.get(inputs[0]) if inputs and isinstance(inputs[0], Node) else None
        rank = None if batch is None else batch.ndim
        uses = [self._uses[name] for name in node.input]
        attributes = {
            item.name: self._onnx.helper.get_attribute_value(item) for item in node.attribute
        }
        arguments = Arguments(inputs, attributes, rank, self._version, uses, self._onnx)
        try:
            result = OPERATORS[node.op_type](arguments)
        except OperatorError as error:
            raise OperatorError(f"{_name(node)}: {error}") from None
        self._values[node.output[0]] = result
        if isinstance(result, Node) and result.layer is not None and result not in self._batches:
            parents = [
                self._batches.get(parent) if parent in self._batches else parent.value
                for parent in result.parents
            ]
            self._batches[result] = predict_empty(result.layer, parents)


def _empty_batch(inputs: Any, name: str) -> Array | None:
    """Return a batch without rows of an input, None if the file does not say its shape."""
    (kind,) = [item.type.tensor_type for item in inputs if item.name == name]
    lengths = [item.dim_value for item in kind.shape.dim[1:]]
    if not kind.HasField("shape") or not kind.shape.dim or not all(lengths):
        return None
    return np.empty((0, *lengths), np.float32)


def _name(node: Any) -> str:
    domain = f"{node.domain}." if node.domain else ""
    return f"node {node.name[:_SHOWN]!r} of operator {(domain + node.op_type)[:_SHOWN]}"


def _row(y: Node, x: Node) -> list[Layer] | None:
    """Return the layers from x to y if they are in a row, otherwise None."""
    layers: list[Layer] = []
    while y is not x:
        if len(y.parents) != 1 or y.layer is None:
            return None
        layers.insert(0, y.layer)
        (y,) = y.parents
    return layers
