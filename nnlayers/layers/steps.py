"""The order of work of a graph: its nodes as steps from places to a place in a list of values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnlayers.layer import Layer, Parameter, twin
from nnlayers.layers.arithmetic import Binary
from nnlayers.layers.node import Input, Node
from nnlayers.layers.operation import is_pure
from nnlayers.numerics import as_floats, as_reals

__all__ = ["Step", "find_ids", "list_given", "list_order", "list_steps"]


class Step(NamedTuple):
    """An operation, and its nodes by their places in the graph's lists.

    That it has one or two inputs, as nearly all have, is told by `first` and `second`; else -1.
    `again` gives the gradients once more, without a trace.
    """

    compute: Callable[..., tuple[Any, Any]]
    gradients: Callable[[Any, Any], Any]
    first: int
    second: int
    parents: tuple[int, ...]
    node: int
    again: Callable[[Any, Any], Any]


class Use:
    """One use of a layer with passes of its own, as an operation that keeps the layer itself.

    A layer that is shared gets a twin for each use, as each keeps something else for its backward.
    """

    def __init__(self, layer: Layer, shared: bool) -> None:
        self.layer = layer
        self.shared = shared

    def compute(self, *inputs: Any) -> tuple[Any, tuple[Layer, tuple[Any, ...]]]:
        used = twin(self.layer) if self.shared else self.layer
        y = used.forward(*inputs)
        if self.shared:
            _move_state(used, self.layer)
        if isinstance(y, tuple):
            raise TypeError(f"a node has one value, but {self.layer!r} gives {len(y)}")
        return y[()], (used, inputs)

    def gradients(self, dout: Any, kept: tuple[Layer, tuple[Any, ...]]) -> Any:
        used, inputs = kept
        given = used.backward(dout)  # which a second time would add to its weights' gradients
        gradients = given if isinstance(given, tuple) else (given,)
        self.sent = tuple(
            [
                np.zeros_like(x) if gradient is None else gradient[()]
                for x, gradient in zip(inputs, gradients, strict=True)
            ]
        )
        return self.sent if len(inputs) != 1 else self.sent[0]

    def again(self, dout: Any, kept: Any) -> Any:
        return self.sent if len(self.sent) != 1 else self.sent[0]


def list_steps(
    layers: Sequence[Layer], order: Sequence[tuple[int, tuple[int, ...], int]]
) -> list[Step]:
    """Return the steps of an order of work: the places of layer, parents and node of each."""
    uses = Counter(number for number, _, _ in order)
    steps = []
    for number, parents, node in order:
        layer: Any = layers[number]
        use = None if is_pure(layer) else Use(layer, uses[number] > 1)
        operation = use or layer
        again = use.again if use else layer.gradients
        first = parents[0] if len(parents) in (1, 2) else -1
        second = parents[1] if len(parents) == 2 else -1
        steps.append(
            Step(operation.compute, operation.gradients, first, second, parents, node, again)
        )
    return steps


def list_order(nodes: Sequence[Node]) -> tuple[list[Layer], list[tuple[int, tuple[int, ...], int]]]:
    """Return the layers, each once, and the order of work."""
    places = {node: place for place, node in enumerate(nodes)}
    numbers: dict[int, int] = {}
    layers: list[Layer] = []
    order = []
    for node in nodes:
        if node.layer is not None:
            if id(node.layer) not in numbers:
                numbers[id(node.layer)] = len(layers)
                layers.append(node.layer)
            parents = tuple([places[parent] for parent in node.parents])
            order.append((numbers[id(node.layer)], parents, places[node]))
    return layers, order


def find_numbers(nodes: Sequence[Node]) -> set[Node]:
    """Return the constants that stay Python numbers.

    Beside an array such a number takes the array's dtype, as everywhere in NumPy.
    """
    numbers: set[Node] = {
        node
        for node in nodes
        if isinstance(node, Input) and isinstance(node.given, bool | int | float)
    }
    beside_arrays: set[Node] = set()
    alone: set[Node] = set()
    for node in nodes:
        fits = isinstance(node.layer, Binary) and not numbers.issuperset(node.parents)
        (beside_arrays if fits else alone).update(node.parents)
    return (numbers & beside_arrays) - alone


def find_ids(nodes: Sequence[Node]) -> set[Node]:
    """Return what layers with passes of their own take, which may be ids instead of floats."""
    return {
        parent
        for node in nodes
        if node.layer is not None and not is_pure(node.layer)
        for parent in node.parents
    }


def list_given(nodes: Sequence[Node]) -> tuple[list[tuple[int, Parameter]], list[tuple[int, Any]]]:
    """Return the weights and the constants with their places."""
    weights: list[tuple[int, Parameter]] = []
    constants: list[tuple[int, Any]] = []
    numbers, ids = find_numbers(nodes), find_ids(nodes)
    for place, node in enumerate(nodes):
        if not isinstance(node, Input) or node.given is None:
            continue
        if isinstance(node.given, Parameter):
            weights.append((place, node.given))
        elif node in numbers:
            constants.append((place, float(node.given)))
        else:
            as_array = as_reals if node in ids else as_floats
            constants.append((place, as_array(node.given)[()]))
    return weights, constants


def _move_state(source: Layer, target: Layer) -> None:
    """Give a layer the state, such as running statistics, that its twin has now."""
    pairs = zip(source.layers_by_name().values(), target.layers_by_name().values(), strict=True)
    for new, old in pairs:
        for name in new.state_names:
            setattr(old, name, getattr(new, name))
