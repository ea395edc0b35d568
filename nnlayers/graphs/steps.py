"""The forward and backward pass of a graph, as steps on lists of values and gradients."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64, Array, as_floats, as_reals
from nnlayers._core.tree import copy_branches
from nnlayers.graphs.node import Input, Node, has_float_dtype
from nnlayers.layer import Layer, Parameter
from nnlayers.layers.arithmetic import Binary
from nnlayers.layers.choices import Where
from nnlayers.layers.operation import is_operation

__all__ = [
    "GraphRun",
    "Start",
    "Step",
    "add_gradient",
    "list_order",
    "list_steps",
    "node_error",
    "run_backward",
    "run_forward",
    "run_predict",
    "weight_gradients",
]


class GraphRun:
    """The lists of the last forward pass, and of the backward pass after it.

    Attributes
    ----------
    values, grads : list
        The values and gradients by the indices of the nodes; None where there is none.
    saved : list
        For each step, what its backward pass needs.
    output_grads : dict of int to array
        The arguments of ``backward``, by the indices of the outputs; empty before it.
    """

    __slots__ = ("grads", "output_grads", "saved", "values")

    def __init__(self, values: list[Any], saved: list[Any]) -> None:
        self.values = values
        self.saved = saved
        self.output_grads: dict[int, Any] = {}
        self.grads: list[Any] | None = None

    def gradient(self, index: int) -> Array:
        """Return the gradient of a node, zeros if no output depends on it."""
        gradient = None if self.grads is None else self.grads[index]
        if gradient is None:
            return np.zeros_like(as_floats(self.values[index]))
        return np.array(gradient)


class Start:
    """The values with which a run of a graph starts: those of its inputs, weights and constants.

    Values without a float dtype (Python numbers, lists of them, integers) take the dtype of the
    graph's parameters, else of the float arrays beside them, else float64. Inputs of layers that
    are not pure operations stay integers, as they may be ids.

    Attributes
    ----------
    weights : list of (int, Parameter)
        The weights and their indices.
    mixed : set of int
        The operations that share an input with such a layer, and so may get integers.
    """

    def __init__(self, nodes: Sequence[Node], inputs: Sequence[Input]) -> None:
        index = {node: i for i, node in enumerate(nodes)}
        operations = [node for node in nodes if node.layer is not None and is_operation(node.layer)]
        layers = [node for node in nodes if node.layer is not None and not is_operation(node.layer)]
        by_layers = {parent for node in layers for parent in node.parents}
        shared_parents = {parent for node in operations for parent in node.parents} & by_layers
        leaves = [node for node in nodes if isinstance(node, Input) and node.content is not None]
        constants = [node for node in leaves if not isinstance(node.content, Parameter)]
        floats = [node for node in constants if node.has_float_dtype]
        numbers = _numbers_beside_arrays(nodes)

        self.weights = [(index[n], n.content) for n in leaves if isinstance(n.content, Parameter)]
        self.mixed = {
            index[node] for node in operations if not shared_parents.isdisjoint(node.parents)
        }
        self._inputs = [(index[node], node in by_layers) for node in inputs]
        # The values of all nodes, of which those known before a run are filled in.
        self._known: list[Any] = [None] * len(nodes)
        for node in numbers:
            # Beside an array a Python number takes the array's dtype, as everywhere in NumPy.
            self._known[index[node]] = float(node.content)
        for node in floats:
            self._known[index[node]] = as_floats(node.content)[()]
        self._dtypes = {self._known[index[node]].dtype for node in floats}
        self._untyped: list[tuple[int, Any, bool]] = [
            (index[node], as_reals(node.content), node in by_layers)
            for node in constants
            if not node.has_float_dtype and node not in numbers
        ]

    def values(
        self, arguments: Sequence[Any], inputs: Sequence[Input], own_dtype: Callable[[], Any]
    ) -> list[Any]:
        """Return a value for each node, None for those that are still to be computed.

        Parameters
        ----------
        arguments : sequence of array_like
            The arguments of the graph.
        inputs : sequence of Input
            The nodes that get them.
        own_dtype : callable
            A function that returns the dtype of the graph's parameters, None without any.
        """
        values = self._known.copy()
        for i, weight in self.weights:
            values[i] = weight.value[()]
        untyped = self._untyped.copy()
        has_float32, has_float64 = FLOAT32 in self._dtypes, FLOAT64 in self._dtypes
        for (i, may_be_ids), x, node in zip(self._inputs, arguments, inputs, strict=True):
            if type(x) is float:
                untyped.append((i, x, False))
                continue
            if type(x) is not np.ndarray or (x.dtype is not FLOAT64 and x.dtype is not FLOAT32):
                array = as_reals(x, str(node.own_name))
                if not has_float_dtype(x, array):
                    untyped.append((i, array, may_be_ids))
                    continue
                x = as_floats(array)
            has_float32 |= x.dtype is FLOAT32
            has_float64 |= x.dtype is FLOAT64
            values[i] = x[()]
        if untyped:
            dtype = own_dtype() or (FLOAT32 if has_float32 and not has_float64 else FLOAT64)
            for i, array, may_be_ids in untyped:
                if type(array) is float:
                    values[i] = dtype.type(array)
                elif may_be_ids and array.dtype.kind != "f":
                    values[i] = array[()]
                else:
                    values[i] = array.astype(dtype)[()]
        return values


class Step(NamedTuple):
    """An operation, and the indices of its node and their parents in the graph's lists.

    Nearly all operations have one or two inputs: `first` and `second` are their indices, else -1.
    """

    compute_forward: Callable[..., tuple[Any, Any]]
    compute_backward: Callable[[Any, Any], Any]
    first: int
    second: int
    parents: tuple[int, ...]
    node: int
    operation: Any

    def gradients(self, dout: Any, saved: Any, is_last: bool) -> tuple[Any, ...]:
        """Return the gradients of the inputs, without adding to those of parameters.

        Parameters
        ----------
        dout : array
            The incoming gradient.
        saved : object
            The step's part of a run.
        is_last : bool
            Whether `dout` is that of the last backward pass.
        """
        if isinstance(self.operation, LayerStep):
            return self.operation.repeat_backward(dout, saved, is_last)
        gradients = self.compute_backward(dout, saved)
        return gradients if len(self.parents) > 1 else (gradients,)


class LayerStep:
    """One use of a layer that is not a pure operation, in the form of one.

    A layer that a graph uses several times gets a twin for each use, because each use
    saves other values for its backward pass.
    """

    def __init__(self, layer: Layer, shared: bool) -> None:
        self.layer = layer
        self.shared = shared

    def compute_forward(self, *inputs: Any) -> tuple[Any, tuple[Layer, tuple[Any, ...]]]:
        """Run the layer forward; it and the inputs are saved."""
        layer = copy_branches(self.layer, Layer) if self.shared else self.layer
        y = layer.forward(*inputs)
        if self.shared:
            _move_state(layer, self.layer)
        if isinstance(y, tuple):
            raise TypeError(f"a node has one value, but {self.layer!r} gives {len(y)}")
        return y[()], (layer, inputs)

    def compute_backward(self, dout: Any, saved: tuple[Layer, tuple[Any, ...]]) -> Any:
        """Run the layer backward, and remember its gradients."""
        self.last = self._gradients(dout, *saved)
        return self.last if len(self.last) != 1 else self.last[0]

    def repeat_backward(
        self, dout: Any, saved: tuple[Layer, tuple[Any, ...]], is_last: bool
    ) -> tuple[Any, ...]:
        """Return the gradients again, or those of another `dout`."""
        # A second backward pass of the layer itself would add to the gradients of its parameters.
        if is_last:
            return self.last
        layer, inputs = copy.deepcopy(saved[0]), saved[1]
        layer.forward(*inputs)
        return self._gradients(dout, layer, inputs)

    def weight_gradients(self, dout: Any, saved: tuple[Layer, tuple[Any, ...]]) -> dict[str, Array]:
        """Return what this use of the layer adds to the gradients of its parameters, by name.

        It is empty for a layer with random results, which a second forward pass does not repeat.
        """
        layer, inputs = copy.deepcopy(saved[0]), saved[1]
        layer.zero_grad()
        layer.forward(*inputs)
        gradients = zip(self._gradients(dout, layer, inputs), self.last, strict=True)
        if not all(np.array_equal(new, old, equal_nan=True) for new, old in gradients):
            return {}
        return {name: weight.grad for name, weight in layer.named_parameters().items()}

    def _gradients(self, dout: Any, layer: Layer, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        returned = layer.backward(dout)
        gradients = returned if isinstance(returned, tuple) else (returned,)
        return tuple(
            [
                np.zeros_like(x) if gradient is None else gradient[()]
                for x, gradient in zip(inputs, gradients, strict=True)
            ]
        )


def weight_gradients(operation: Any, dout: Any, saved: Any) -> dict[str, Array]:
    """Return what an operation adds to the gradients of its parameters, by name."""
    with np.errstate(all="ignore"):
        is_layer = isinstance(operation, LayerStep)
        return operation.weight_gradients(dout, saved) if is_layer else {}


def list_order(nodes: Sequence[Node]) -> tuple[list[Layer], list[tuple[int, tuple[int, ...], int]]]:
    """Return the layers, each once, and for each operation the indices of layer, parents, node."""
    index = {node: i for i, node in enumerate(nodes)}
    layer_index: dict[int, int] = {}
    layers: list[Layer] = []
    order = []
    for node in nodes:
        if node.layer is not None:
            if id(node.layer) not in layer_index:
                layer_index[id(node.layer)] = len(layers)
                layers.append(node.layer)
            parents = tuple([index[parent] for parent in node.parents])
            order.append((layer_index[id(node.layer)], parents, index[node]))
    return layers, order


def list_steps(
    layers: Sequence[Layer],
    order: Sequence[tuple[int, tuple[int, ...], int]],
    mixed: set[int],
    own_dtype: Callable[[], Any],
) -> list[Step]:
    """Return the steps of the layers and order of :func:`list_order`."""

    def forward_of_floats(compute_forward: Callable[..., Any], *inputs: Any) -> Any:
        return compute_forward(*_with_floats(inputs, own_dtype()))

    uses = Counter(layer_index for layer_index, _, _ in order)
    steps = []
    for layer_index, parents, node in order:
        layer: Any = layers[layer_index]
        operation = layer if is_operation(layer) else LayerStep(layer, uses[layer_index] > 1)
        forward, backward = operation.compute_forward, operation.compute_backward
        if node in mixed:
            forward = partial(forward_of_floats, forward)
        first = parents[0] if len(parents) in (1, 2) else -1
        second = parents[1] if len(parents) == 2 else -1
        steps.append(Step(forward, backward, first, second, parents, node, operation))
    return steps


def run_forward(steps: Sequence[Step], values: list[Any]) -> list[Any]:
    """Compute the values that are None; return what each step saves for its backward pass."""
    all_saved: list[Any] = []
    save = all_saved.append
    with np.errstate(all="ignore"):
        for compute_forward, _, first, second, parents, node, _ in steps:
            if second >= 0:
                y, saved = compute_forward(values[first], values[second])
            elif first >= 0:
                y, saved = compute_forward(values[first])
            else:
                y, saved = compute_forward(*[values[parent] for parent in parents])
            values[node] = y
            save(saved)
    return all_saved


def run_predict(
    layers: Sequence[Layer],
    order: Sequence[tuple[int, tuple[int, ...], int]],
    values: list[Any],
    mixed: set[int],
    own_dtype: Callable[[], Any],
) -> None:
    """Compute the values that are None for inference."""
    for layer_index, parents, node in order:
        inputs = [values[parent] for parent in parents]
        if node in mixed:
            inputs = _with_floats(inputs, own_dtype())
        values[node] = layers[layer_index].predict(*inputs)[()]


def node_error(
    layers: Sequence[Layer],
    order: Sequence[tuple[int, tuple[int, ...], int]],
    names: Sequence[str],
    values: Sequence[Any],
    error: Exception,
) -> Exception:
    """Return an error with the name of the node that failed and the shapes of its parents."""
    layer_index, parents, node = next(step for step in order if values[step[2]] is None)
    shapes = ", ".join(f"{names[parent]} {np.shape(values[parent])}" for parent in parents)
    try:
        layers[layer_index].predict(*[values[parent] for parent in parents])
    except (TypeError, ValueError) as clearer:
        # The operation checks its inputs here, and its message says more.
        error = clearer
    return type(error)(f"node {names[node]!r} of {shapes}: {error}")


def run_backward(steps: Sequence[Step], all_saved: Sequence[Any], grads: list[Any]) -> None:
    """Add the gradients that each step sends to `grads`, which has those of the outputs."""
    with np.errstate(all="ignore"):
        for step, saved in zip(reversed(steps), reversed(all_saved), strict=True):
            _, compute_backward, first, second, parents, node, _ = step
            dout = grads[node]
            if second >= 0:
                da, db = compute_backward(dout, saved)
                grads[first] = da if grads[first] is None else grads[first] + da
                grads[second] = db if grads[second] is None else grads[second] + db
            elif first >= 0:
                da = compute_backward(dout, saved)
                grads[first] = da if grads[first] is None else grads[first] + da
            else:
                for parent, gradient in zip(parents, compute_backward(dout, saved), strict=True):
                    add_gradient(grads, parent, gradient)


def add_gradient(grads: list[Any], index: int, gradient: Any) -> None:
    """Add a gradient to that of a node."""
    grads[index] = gradient if grads[index] is None else grads[index] + gradient


def _with_floats(inputs: Sequence[Any], dtype: np.dtype[Any] | None) -> list[Any]:
    """Return the inputs of an operation, integers as floats of a dtype, by default float64."""
    return [
        x if type(x) is float or x.dtype.kind == "f" else as_floats(x, dtype)[()] for x in inputs
    ]


def _numbers_beside_arrays(nodes: Sequence[Node]) -> set[Input]:
    """Return the constants that are Python numbers and of which each use is beside an array."""
    numbers: set[Any] = {
        node
        for node in nodes
        if isinstance(node, Input) and isinstance(node.content, bool | int | float)
    }
    beside_arrays: set[Node] = set()
    alone: set[Node] = set()
    for node in nodes:
        # The operands of an operation are its last two inputs: before them `Where` has a condition.
        operands = node.parents[-2:] if isinstance(node.layer, Binary | Where) else ()
        if numbers.issuperset(operands):
            operands = ()
        beside_arrays.update(operands)
        alone.update(node.parents[: len(node.parents) - len(operands)])
    return (numbers & beside_arrays) - alone


def _move_state(source: Layer, target: Layer) -> None:
    """Give a layer the state, such as running statistics, that its twin has now."""
    pairs = zip(source.named_layers().values(), target.named_layers().values(), strict=True)
    for new, old in pairs:
        for name in new.state_names:
            setattr(old, name, getattr(new, name))
