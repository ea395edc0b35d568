"""The order of work of a graph: its nodes as steps from places to a place in a list of values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nnlayers.graphs.feeding import Feed, with_floats
from nnlayers.graphs.node import Node
from nnlayers.layer import Layer, twin
from nnlayers.layers.operation import is_operation

__all__ = ["Step", "add", "go_back", "go_forward", "list_order", "list_steps"]


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

    def compute_forward(self, *inputs: Any) -> tuple[Any, tuple[Layer, tuple[Any, ...]]]:
        used = twin(self.layer) if self.shared else self.layer
        y = used.forward(*inputs)
        if self.shared:
            _move_state(used, self.layer)
        if isinstance(y, tuple):
            raise TypeError(f"a node has one value, but {self.layer!r} gives {len(y)}")
        return y[()], (used, inputs)

    def compute_backward(self, dout: Any, kept: tuple[Layer, tuple[Any, ...]]) -> Any:
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
    layers: Sequence[Layer],
    order: Sequence[tuple[int, tuple[int, ...], int]],
    feed: Feed,
    own_dtype: Callable[[], Any],
) -> list[Step]:
    """Return the steps of an order of work: the places of layer, parents and node of each."""

    def compute_floats(compute: Callable[..., Any], *inputs: Any) -> Any:
        return compute(*with_floats(inputs, own_dtype()))

    uses = Counter(number for number, _, _ in order)
    steps = []
    for number, parents, node in order:
        layer: Any = layers[number]
        use = None if is_operation(layer) else Use(layer, uses[number] > 1)
        operation = use or layer
        again = use.again if use else layer.compute_backward
        compute = operation.compute_forward
        if node in feed.reads_both:
            compute = partial(compute_floats, compute)
        first = parents[0] if len(parents) in (1, 2) else -1
        second = parents[1] if len(parents) == 2 else -1
        steps.append(Step(compute, operation.compute_backward, first, second, parents, node, again))
    return steps


def go_forward(steps: Sequence[Step], values: list[Any]) -> list[Any]:
    """Fill in the values that are None; return what each step kept for its gradients."""
    kept: list[Any] = []
    keep = kept.append
    with np.errstate(all="ignore"):
        for compute, _, first, second, parents, place, _ in steps:
            if second >= 0:
                y, saved = compute(values[first], values[second])
            elif first >= 0:
                y, saved = compute(values[first])
            else:
                y, saved = compute(*[values[parent] for parent in parents])
            values[place] = y
            keep(saved)
    return kept


def go_back(steps: Sequence[Step], kept: Sequence[Any], grads: list[Any]) -> None:
    """Add to the gradients, of which those of the outputs are there, what each step sends."""
    with np.errstate(all="ignore"):
        for step, saved in zip(reversed(steps), reversed(kept), strict=True):
            _, gradients, first, second, parents, place, _ = step
            dout = grads[place]
            if second >= 0:
                da, db = gradients(dout, saved)
                grads[first] = da if grads[first] is None else grads[first] + da
                grads[second] = db if grads[second] is None else grads[second] + db
            elif first >= 0:
                da = gradients(dout, saved)
                grads[first] = da if grads[first] is None else grads[first] + da
            else:
                for parent, gradient in zip(parents, gradients(dout, saved), strict=True):
                    add(grads, parent, gradient)


def add(grads: list[Any], place: int, gradient: Any) -> None:
    """Add a gradient to that of a place."""
    grads[place] = gradient if grads[place] is None else grads[place] + gradient


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


def _move_state(source: Layer, target: Layer) -> None:
    """Give a layer the state, such as running statistics, that its twin has now."""
    pairs = zip(source.layers_by_name().values(), target.layers_by_name().values(), strict=True)
    for new, old in pairs:
        for name in new.state_names:
            setattr(old, name, getattr(new, name))
