"""Trace models: run them once on two small batches, and list the instructions that ran."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from nnlayers import layers
from nnlayers._core.arrays import FLOAT32, FLOAT64, Array
from nnlayers._core.checks import check_boolean
from nnlayers._core.showing import shown
from nnlayers._core.tree import join
from nnlayers.export.expansions import EXPANSIONS
from nnlayers.export.program import Cast, Instruction, Program, RunParts, Value
from nnlayers.export.shapes import (
    InputShape,
    Probe,
    contains,
    predict_empty,
    probe_lengths,
    probes_of,
)
from nnlayers.graphs import Graph
from nnlayers.graphs.steps import Start
from nnlayers.layer import Layer, Parameter
from nnlayers.layers import Add, Residual, Sequential

__all__ = [
    "LIBRARY_CLASSES",
    "HasLayers",
    "check_expansions",
    "expand",
    "library_class",
    "trace",
]

Dtype: TypeAlias = np.dtype[Any]

_CONTAINERS = (Sequential, Residual, Graph)
# Every layer that is written by a rule; containers are opened, and other layers expanded, instead.
LIBRARY_CLASSES: frozenset[type[Layer]] = frozenset(
    item
    for item in map(vars(layers).get, layers.__all__)
    if inspect.isclass(item)
    and issubclass(item, Layer)
    and not (inspect.isabstract(item) or item in _CONTAINERS or item in EXPANSIONS)
)
# Names that a class may define without a change of what its layers predict.
_HARMLESS = frozenset(
    ["backward", "config", "diagram", "formula", "formula_for", "from_config", "state_names"]
)
# How far a user's `to_layers` may be from the layer's own `predict`, relative to the largest entry.
_TOLERANCE = {FLOAT32: 1e-4, FLOAT64: 1e-9}


@runtime_checkable
class HasLayers(Protocol):
    """A layer outside the library that can be exported, as it states itself in library layers.

    Examples
    --------
    >>> import nnlayers as nn
    >>> class Scale(nn.Layer):
    ...     '''y = s x, entry by entry.'''
    ...
    ...     def __init__(self, features):
    ...         self.s = nn.Parameter(np.ones(features), name="s")
    ...
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x * self.s.value
    ...
    ...     def backward(self, dout):
    ...         self.s.grad += (dout * self.x).sum(axis=0)
    ...         return dout * self.s.value
    ...
    ...     def to_layers(self):
    ...         return nn.Graph(nn.Input("x") * nn.Input("s", self.s))
    >>> isinstance(Scale(2), HasLayers)
    True
    """

    def to_layers(self) -> Layer:
        """Return a layer or container of the library that predicts the same, with the same weights.

        It takes the same inputs in the same order. Each exporter writes it in place of this layer,
        after a comparison of the two on a small batch.
        """


def library_class(layer: Layer) -> type[Layer] | None:
    """Return the class of the library that says what a layer predicts, None for a user's function.

    It is the class of the layer, or one that it is derived from if everything between only changes
    how the layer is made.

    Examples
    --------
    >>> import nnlayers as nn
    >>> class Encoder(nn.Sequential):
    ...     def __init__(self):
    ...         super().__init__(nn.Affine(4, 2), nn.ReLU())
    >>> library_class(Encoder())
    <class 'nnlayers.layers.sequential.Sequential'>
    """
    changed: set[str] = set()
    for cls in type(layer).__mro__:
        if cls in LIBRARY_CLASSES or cls in _CONTAINERS:
            same = not any(hasattr(cls, name) for name in changed)
            return cls if same else None
        public = {name for name in vars(cls) if not name.startswith(("__", "_abc", "_takes"))}
        changed |= public - _HARMLESS
    return None


def expand(layer: Layer, path: str) -> Layer:
    """Return a layer in smaller layers of the library.

    Raises
    ------
    TypeError
        If the layer says that it is made of something that is not a layer.
    ValueError
        If the layer is not one of the library, and does not say what it is made of, or contains
        itself.
    """
    if isinstance(layer, HasLayers):
        inner, name = layer.to_layers(), _name(layer, path)
        if not isinstance(inner, Layer):
            raise TypeError(f"{name} must return a Layer from to_layers(), got {shown(inner)}")
        if contains(inner, layer):
            raise ValueError(f"{name} must return other layers from to_layers(), got itself")
        return inner
    if type(layer) not in EXPANSIONS:
        raise _layer_error(layer, path)
    return EXPANSIONS[type(layer)](layer)


def check_expansions(model: Layer) -> None:
    """Raise an error if a layer outside the library predicts something else than its `to_layers`.

    A model that does not say the shape of its rows is not checked.
    """
    layers = model.named_layers().values()
    if not any(isinstance(layer, HasLayers) and library_class(layer) is None for layer in layers):
        return
    try:
        probes = probes_of(model)
    except ValueError:
        return
    tracer = Tracer()
    tracer.apply(model, "", [tracer.add_input(probe) for probe in probes])


def trace(model: Layer, input_shape: InputShape = None, *, empty: bool = False) -> Program:
    """Return the program of a model.

    The model predicts two batches of random rows, of different lengths. Axes whose lengths differ
    depend on the number of rows.

    Parameters
    ----------
    model : Layer
        The model. Containers within are opened at every depth, and so are layers outside the
        library that state themselves in the library's layers, see :class:`HasLayers`.
    input_shape : tuple of int, or mapping of str to tuple of int, optional
        The shape of one row; for several inputs, a shape by name. It is needed only where the model
        does not say how wide its rows are.
    empty : bool
        Whether to predict batches without rows, which takes no memory whatever the layers do. A
        model that adds up or chooses rows cannot be traced so.

    Raises
    ------
    TypeError
        If the model is not a layer.
    ValueError
        If a layer is neither of the library nor states itself in its layers, weights are NaN, or
        the shape of a row does not fit or does not follow from the model.
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model must be a Layer or a run, got {shown(model)}")
    empty = check_boolean("empty", empty)
    tracer = Tracer(empty=empty)
    probes = probes_of(model, input_shape, (0, 0) if empty else probe_lengths(model))
    inputs = [tracer.add_input(probe) for probe in probes]
    outputs = tracer.apply(model, "", inputs)
    return tracer.program(model, inputs, outputs)


class Tracer:
    """Record instructions while layers predict two small batches."""

    def __init__(self, *, empty: bool = False) -> None:
        self._is_empty = empty
        self.instructions: list[Instruction] = []
        self._examples: dict[Value, tuple[Any, Any]] = {}
        self._constants: dict[Parameter, Value] = {}
        self._names: set[str] = set()

    def add_input(self, probe: Probe) -> Value:
        """Return the value of an input, of which two batches are given."""
        return self._value(probe.name, probe.batches)

    def program(
        self,
        model: Layer,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        run: RunParts | None = None,
    ) -> Program:
        """Return what was recorded."""
        used = {value: None for instruction in self.instructions for value in instruction.inputs}
        used |= dict.fromkeys(outputs)
        constants = tuple(value for value in used if value.content is not None)
        names = _output_names(model, len(outputs))
        instructions = tuple(self.instructions)
        return Program(model, tuple(inputs), tuple(outputs), names, constants, instructions, run)

    def apply(
        self, layer: Layer, path: str, inputs: Sequence[Value], names: Sequence[str] = ()
    ) -> list[Value]:
        """Return the outputs of a layer for values; `names` are names for them."""
        kind = library_class(layer)
        if kind is Graph and isinstance(layer, Graph):
            return self._apply_graph(layer, path, inputs)
        if kind in (Sequential, Residual) and isinstance(layer, Sequential):
            outputs = list(inputs)
            for index, inner in enumerate(layer.layers):
                outputs = self.apply(inner, join(path, str(index)), outputs)
            if kind is Residual:
                outputs = [self._add(layer, path, inputs[0], outputs[0])]
            return outputs
        if kind is not None:
            _check_weights(layer, path)
            return [self.record(kind, layer, path, inputs, *names)]
        outputs = self.apply(expand(layer, path), path, inputs, names)
        self._check_same(layer, path, inputs, outputs)
        return outputs

    def record(
        self, kind: type, layer: Any, path: str, inputs: Sequence[Value], name: str = ""
    ) -> Value:
        """Record one instruction, and return its result."""
        examples: list[Any] = []
        for arrays in self._batches(inputs):
            try:
                with np.errstate(all="ignore"):
                    y = predict_empty(layer, arrays) if self._is_empty else layer.predict(*arrays)
            except (ArithmeticError, TypeError, ValueError) as error:
                raise ValueError(f"{_name(layer, path)} cannot predict: {error}") from error
            if y is None:
                raise ValueError(f"{_name(layer, path)} cannot predict a batch without rows")
            examples.append(y)
        output = self._value(name or path or kind.__name__.lower(), examples)
        # A condition is true or false in its own dtype.
        condition, operands = (inputs[:1], inputs[1:]) if kind is layers.Where else ((), inputs)
        converted = [
            *[self._converted(value, kind, path, FLOAT64) for value in condition],
            *[self._converted(value, kind, path, output.dtype) for value in operands],
        ]
        self.instructions.append(Instruction(kind, layer, path, tuple(converted), output))
        return output

    def _converted(self, value: Value, kind: type, path: str, dtype: Dtype) -> Value:
        """Return an input in the dtype in which an instruction computes."""
        if value.dtype == dtype or kind is Cast or kind is layers.Embedding:
            return value
        if value.content is not None and not isinstance(value.content, Parameter):
            return self._constant(value.array.astype(dtype), value.name)
        return self.record(Cast, Cast(dtype), path, [value])

    def _add(self, layer: Layer, path: str, x: Value, f: Value) -> Value:
        """Return x + f(x), which a residual connection computes in the dtype of f(x)."""
        if x.shape != f.shape:
            raise ValueError(f"{_name(layer, path)} expected f(x) of x's shape, got {f.shape}")
        return self.record(Add, Add(), path, [self._converted(x, Add, path, f.dtype), f])

    def _apply_graph(self, graph: Graph, path: str, inputs: Sequence[Value]) -> list[Value]:
        values = self._start(graph, path, inputs)
        names = graph.names
        layer_names = {id(layer): name for name, layer in graph.named_layers().items()}
        index = {node: i for i, node in enumerate(graph.nodes)}
        for i, node in enumerate(graph.nodes):
            if node.layer is not None:
                parents = [values[index[parent]] for parent in node.parents]
                inner = join(path, layer_names.get(id(node.layer), names[i]))
                own_name = [node.own_name] if node.own_name and not path else []
                (values[i],) = self.apply(node.layer, inner, parents, own_name)
        return [values[index[node]] for node in graph.outputs]

    def _start(self, graph: Graph, path: str, inputs: Sequence[Value]) -> dict[int, Value]:
        """Return the values with which a graph starts, by the indices of the nodes."""
        dtypes = [parameter.dtype for parameter in graph.parameters()]
        own_dtype = (FLOAT64 if FLOAT64 in dtypes else FLOAT32) if dtypes else None
        start = Start(graph.nodes, graph.inputs)
        arguments = [self._examples[value][0] for value in inputs]
        contents = start.values(arguments, graph.inputs, lambda: own_dtype)
        given = dict(zip(graph.inputs, inputs, strict=True))
        values = {}
        for i, (node, name) in enumerate(zip(graph.nodes, graph.names, strict=True)):
            if node in given:
                values[i] = given[node]
            elif node.layer is None:
                content = getattr(node, "content", None)
                is_weight = isinstance(content, Parameter)
                item = content if is_weight else contents[i]
                values[i] = self._constant(item, join(path, name) if is_weight else name)
        return values

    def _constant(self, content: Any, name: str) -> Value:
        """Return the value of a constant; a weight that is used twice is one value."""
        if isinstance(content, Parameter) and content in self._constants:
            return self._constants[content]
        array = content.value if isinstance(content, Parameter) else np.asarray(content)
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ValueError(f"the constant {name!r} cannot be exported, because it is NaN")
        kept = content if isinstance(content, Parameter) else array
        value = Value(self._unique(name), array.shape, array.dtype, kept)
        # A Python number takes the dtype of the array beside it.
        example = content if isinstance(content, float) else array
        self._examples[value] = example, example
        if isinstance(content, Parameter):
            self._constants[content] = value
        return value

    def _value(self, name: str, examples: Sequence[Array]) -> Value:
        small, large = examples
        lengths = zip(small.shape, large.shape, strict=True)
        rows = 0 if self._is_empty else None
        shape = tuple([a if a == b and a != rows else None for a, b in lengths])
        value = Value(self._unique(name), shape, small.dtype)
        self._examples[value] = small, large
        return value

    def _batches(self, inputs: Sequence[Value]) -> Iterator[tuple[Array, ...]]:
        return zip(*[self._examples[value] for value in inputs], strict=True)

    def _unique(self, name: str) -> str:
        """Return the name, or the name with a number if there is another of that name."""
        unique, number = name, 1
        while unique in self._names:
            number += 1
            unique = f"{name}_{number}"
        self._names.add(unique)
        return unique

    def _check_same(
        self, layer: Layer, path: str, inputs: Sequence[Value], outputs: Sequence[Value]
    ) -> None:
        """Raise an error if a user's `to_layers` does not predict what the layer predicts."""
        for i, arrays in enumerate(self._batches(inputs)):
            with np.errstate(all="ignore"):
                expected = layer.predict(*arrays)
            tuples = expected if isinstance(expected, tuple) else (expected,)
            for y, value in zip(tuples, outputs, strict=True):
                got = self._examples[value][i]
                finite = np.abs(y[np.isfinite(y)])
                tolerance = _TOLERANCE[FLOAT64 if y.dtype == FLOAT64 else FLOAT32]
                atol = tolerance * finite.max(initial=0)
                if y.shape != got.shape or not np.allclose(y, got, tolerance, atol, equal_nan=True):
                    raise ValueError(
                        f"{_name(layer, path)} predicts something else than its to_layers()"
                    )


def _output_names(model: Layer, count: int) -> tuple[str, ...]:
    if isinstance(model, Graph):
        names = dict(zip(model.nodes, model.names, strict=True))
        return tuple(names[node] for node in model.outputs)
    return ("y",) if count == 1 else tuple(f"y{index}" for index in range(count))


def _check_weights(layer: Layer, path: str) -> None:
    arrays: Mapping[str, Array] = layer.state_dict() if layer.parameters() else {}
    for name, array in arrays.items():
        if np.isnan(array).any():
            raise ValueError(f"{_name(layer, path)} cannot be exported, because {name} is NaN")


def _name(layer: Any, path: str) -> str:
    """Return a layer as error messages name it."""
    description = " ".join(repr(layer).split())
    return f"layer {path}, {description}," if path else description


def _layer_error(layer: Layer, path: str) -> ValueError:
    """Return the error for a layer that is neither of the library nor says what it is made of."""
    return ValueError(
        f"{_name(layer, path)} cannot be exported, because it is not a layer of nnlayers: give "
        f"{type(layer).__name__} a method to_layers() that returns the same in layers of nnlayers"
    )
