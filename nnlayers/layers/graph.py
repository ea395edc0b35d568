"""Computational graphs: values flow forward along the nodes, gradients flow back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nnlayers.layers.drawable import Drawable
from nnlayers.layers.node import (
    Input,
    Node,
    check_inputs,
    checked_outputs,
    name_nodes,
    sorted_nodes,
)
from nnlayers.layers.steps import Step, find_ids, list_given, list_order, list_steps
from nnlayers.numerics import Array, as_floats, as_reals
from nnlayers.validation import unknown_name

__all__ = ["Graph"]


class _Run:
    """What a forward pass keeps, and the gradients of the backward pass after it."""

    def __init__(self, values: list[Any], kept: list[Any]) -> None:
        self.values = values
        self.kept = kept
        self.grads: list[Any] = [None] * len(values)


class Graph(Drawable):
    r"""A layer in any shape: the nodes that one or more outputs are made of.

    ``forward`` goes through the nodes in the order in which they depend on each other, ``backward``
    in the reverse order. A node v that is used several times gets the sum of what comes back:

    .. math::

        \frac{\partial\ell}{\partial v} = \sum_{u \text{ made of } v}
        \frac{\partial u}{\partial v}^T \frac{\partial\ell}{\partial u}

    Parameters
    ----------
    outputs : Node, or sequence of Node
        What the graph gives. For a sequence, ``forward`` returns a tuple and ``backward`` takes an
        argument for each.
    inputs : sequence of Input, optional
        The order of ``forward``'s arguments, by default that of first use.

    Attributes
    ----------
    nodes : list of Node
        All nodes, each after those that it is made of, and each with a name of its own. A node
        shows the numbers of the graph that has run last of those that hold it.
    inputs : tuple of Input
        Those that are fed.
    outputs : tuple of Node
        The results.

    Raises
    ------
    TypeError
        If an output is no node, or an input no ``Input`` that is fed.
    ValueError
        If nothing uses an input, two nodes have one name, or the nodes form a loop.

    References
    ----------
    S. Linnainmaa, "Taylor expansion of the accumulated rounding error", BIT 16, 1976.

    Examples
    --------
    >>> import nnlayers as nn
    >>> w, x = nn.Input("w"), nn.Input("x")
    >>> graph = Graph(1 / (1 + nn.exp(-(w @ x))))
    >>> graph.forward(w=[1.0, 2.0], x=[2.0, -1.0])
    array(0.5)
    >>> graph.backward(1.0)
    (array([ 0.5 , -0.25]), array([0.25, 0.5 ]))
    >>> graph["exp"].value, graph["exp"].grad
    (array(1.), array(-0.25))
    """

    def __init__(
        self, outputs: Node | Sequence[Node], *, inputs: Sequence[Input] | None = None
    ) -> None:
        self.single = isinstance(outputs, Node)
        self.outputs = checked_outputs(outputs)
        self.nodes = sorted_nodes(self.outputs)
        fed = [node for node in self.nodes if isinstance(node, Input) and node.given is None]
        if inputs is not None:
            check_inputs(inputs, fed)
        self.inputs = tuple(fed if inputs is None else inputs)
        name_nodes(self.nodes)
        self.layers, self._order = list_order(self.nodes)
        self._steps: list[Step] | None = None
        self._places = places = {node: place for place, node in enumerate(self.nodes)}
        self._numbers = {place: number for number, (_, _, place) in enumerate(self._order)}
        ids = find_ids(self.nodes)
        self._fed = [(places[node], as_reals if node in ids else as_floats) for node in self.inputs]
        self._outputs = [places[node] for node in self.outputs]
        self._weights, self._constants = list_given(self.nodes)
        self._shares_nodes = False  # with other graphs, so that each run must claim them
        self._claim()

    def forward(self, *inputs: npt.ArrayLike, **named_inputs: npt.ArrayLike) -> Any:
        """Return the outputs; then each node has its value.

        Parameters
        ----------
        *inputs, **named_inputs : array_like
            The inputs, in their order or by their names.

        Raises
        ------
        TypeError
            If there are too many, or one is given twice.
        ValueError
            If a name is missing or unknown, or shapes do not fit; the message names the node.
        """
        self._cache = None
        if self._shares_nodes:
            self._claim()
        values = self._start(inputs, named_inputs)
        if self._steps is None:
            self._steps = list_steps(self.layers, self._order)
        kept: list[Any] = []
        keep = kept.append
        try:
            with np.errstate(all="ignore"):
                for compute, _, first, second, parents, place, _ in self._steps:
                    if second >= 0:
                        y, way_back = compute(values[first], values[second])
                    elif first >= 0:
                        y, way_back = compute(values[first])
                    else:
                        y, way_back = compute(*[values[parent] for parent in parents])
                    values[place] = y
                    keep(way_back)
        except (TypeError, ValueError) as error:
            raise self._misfit(place, values, error) from error
        self._cache = _Run(values, kept)
        return self._results(values)

    def predict(self, *inputs: npt.ArrayLike, **named_inputs: npt.ArrayLike) -> Any:
        """Return the outputs for inference; the nodes keep the numbers that they show."""
        values = self._start(inputs, named_inputs)
        try:
            for number, parents, place in self._order:
                taken = [values[parent] for parent in parents]
                values[place] = self.layers[number].predict(*taken)[()]
        except (TypeError, ValueError) as error:
            raise self._misfit(place, values, error) from error
        return self._results(values)

    def backward(self, *douts: npt.ArrayLike) -> Any:
        """Return d loss / d input for each input; then each node has its gradient.

        Parameters
        ----------
        *douts : array_like
            d loss / d output, one for each output.

        Returns
        -------
        ndarray, or a tuple of them
            Of the shapes of the inputs; a tuple unless there is one input.

        Raises
        ------
        RuntimeError
            If no ``forward`` went before.
        TypeError
            If there are not as many as outputs.
        ValueError
            If one has another shape than its output.
        """
        run: _Run = self._cached()
        if len(douts) != len(self._outputs):
            raise TypeError(f"{self!r} expected {len(self._outputs)} dout, got {len(douts)}")
        grads: list[Any] = [None] * len(self.nodes)
        for place, dout in zip(self._outputs, douts, strict=True):
            y = as_floats(run.values[place])
            _add(grads, place, self._incoming(dout, y.shape, y.dtype).copy()[()])
        with np.errstate(all="ignore"):
            for step, way_back in zip(reversed(self._steps or ()), reversed(run.kept), strict=True):
                _, gradients, first, second, parents, place, _ = step
                dout = grads[place]
                if second >= 0:
                    da, db = gradients(dout, way_back)
                    grads[first] = da if grads[first] is None else grads[first] + da
                    grads[second] = db if grads[second] is None else grads[second] + db
                elif first >= 0:
                    da = gradients(dout, way_back)
                    grads[first] = da if grads[first] is None else grads[first] + da
                else:
                    for parent, gradient in zip(parents, gradients(dout, way_back), strict=True):
                        _add(grads, parent, gradient)
        run.grads = grads
        for place, weight in self._weights:
            if grads[place] is not None:
                weight.grad += grads[place]
        results = [self._gradient(run, place) for place, _ in self._fed]
        return results[0] if len(results) == 1 else tuple(results)

    @property
    def gradients(self) -> dict[str, Array]:
        """What the last backward gave for each input, by name.

        Raises
        ------
        RuntimeError
            If there was none since the last forward.
        """
        run: _Run = self._cached()
        if run.grads[self._outputs[0]] is None:
            raise RuntimeError(f"{self!r} has no gradients before backward")
        return {str(self.nodes[p].name): self._gradient(run, p) for p, _ in self._fed}

    def contributions(self, node: Node) -> tuple[Array, ...]:
        """Return what the last backward sent from a node to each of its parents.

        Where a parent has several nodes made of it, its gradient is the sum of what they send.

        Raises
        ------
        RuntimeError
            If there was no backward since the last forward.
        ValueError
            If the node is another graph's.
        """
        run: _Run = self._cached()
        place = self._places.get(node)
        if place is None:
            raise ValueError(f"{node!r} is no node of {self!r}")
        if run.grads[place] is None:
            raise RuntimeError(f"{self!r} has no gradients before backward")
        if self._steps is None or place not in self._numbers:
            return ()
        number = self._numbers[place]
        with np.errstate(all="ignore"):
            sent = self._steps[number].again(run.grads[place], run.kept[number])
        return tuple([np.array(g) for g in (sent if len(node.parents) > 1 else [sent])])

    def __getitem__(self, name: str) -> Node:
        """Return the node of that name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(unknown_name("node", name, [str(node.name) for node in self.nodes]))

    def value_at(self, place: int) -> Array | None:
        """Return the value of ``nodes[place]`` at the last forward, None before it."""
        return None if self._cache is None else np.array(self._cache.values[place])

    def grad_at(self, place: int) -> Array | None:
        """Return the gradient of ``nodes[place]`` at the last backward, None before it."""
        if self._cache is None or self._cache.grads[place] is None:
            return None
        return np.array(self._cache.grads[place])

    def config(self) -> dict[str, Any]:
        """Return what the graph is made of, in lists in which nodes stand by their places."""
        places = {node: place for place, node in enumerate(self.nodes)}
        nodes = [
            {
                "name": node.name if node.has_own_name else None,
                "layer": node.layer,
                "parents": [places[parent] for parent in node.parents],
                "value": node.given if isinstance(node, Input) else None,
            }
            for node in self.nodes
        ]
        outputs = self._outputs[0] if self.single else self._outputs
        return {"nodes": nodes, "outputs": outputs, "inputs": [place for place, _ in self._fed]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return a new graph of what :meth:`config` gave, of the same layers and weights."""
        nodes: list[Any] = []
        for table in config["nodes"]:
            if table["layer"] is None:
                node: Node = Input(table["name"] or "constant", table["value"])
                node.has_own_name = table["name"] is not None
            else:
                node = Node(table["layer"], [nodes[place] for place in table["parents"]])
                if table["name"] is not None:
                    node.named(table["name"])
            nodes.append(node)
        outputs = config["outputs"]
        made = nodes[outputs] if isinstance(outputs, int) else [nodes[place] for place in outputs]
        return cls(made, inputs=[nodes[place] for place in config["inputs"]])

    def _members(self) -> Iterator[tuple[str, Any]]:
        for place, weight in self._weights:
            yield str(self.nodes[place].name), weight
        first_uses = {number: place for number, _, place in reversed(self._order)}
        for number, layer in enumerate(self.layers):
            yield str(self.nodes[first_uses[number]].name), layer

    def _start(self, inputs: Sequence[Any], named_inputs: Mapping[str, Any]) -> list[Any]:
        """Return a list for the values of all nodes, with those that are given and fed."""
        values: list[Any] = [None] * len(self.nodes)
        for place, value in self._constants:
            values[place] = value
        for place, weight in self._weights:
            values[place] = weight.value[()]
        if named_inputs or len(inputs) != len(self._fed):
            inputs = self._in_order(inputs, named_inputs)
        for (place, as_array), x in zip(self._fed, inputs, strict=True):
            values[place] = as_array(x, name=str(self.nodes[place].name))[()]
        return values

    def _in_order(self, inputs: Sequence[Any], named_inputs: Mapping[str, Any]) -> Sequence[Any]:
        names = [str(node.name) for node in self.inputs]
        if len(inputs) > len(names):
            raise TypeError(f"{self!r} expected {len(names)} inputs, got {len(inputs)}")
        given = dict(zip(names, inputs, strict=False))
        for name, x in named_inputs.items():
            if name not in names:
                raise ValueError(f"{self!r}: {unknown_name('input', name, names)}")
            if name in given:
                raise TypeError(f"{self!r}: the input {name!r} is given twice")
            given[name] = x
        missing = ", ".join(repr(name) for name in names if name not in given)
        if missing:
            raise ValueError(f"{self!r}: missing input {missing}")
        return [given[name] for name in names]

    def _results(self, values: list[Any]) -> Any:
        # A copy, for the nodes' own values stay, whatever is written to the outputs.
        results = [as_floats(values[place]).copy() for place in self._outputs]
        return results[0] if self.single else tuple(results)

    def _gradient(self, run: _Run, place: int) -> Array:
        gradient = run.grads[place]
        if gradient is None:
            return np.zeros_like(as_floats(run.values[place]))
        return np.array(gradient)

    def _misfit(self, place: int, values: list[Any], error: Exception) -> Exception:
        """Return the error of a node with its name, and those of its parents with their shapes."""
        number, parents = next((n, parents) for n, parents, node in self._order if node == place)
        taken = ", ".join(f"{self.nodes[p].name} {np.shape(values[p])}" for p in parents)
        try:
            self.layers[number].predict(*[values[parent] for parent in parents])
        except (TypeError, ValueError) as named:  # which says more than what it computes with
            error = named
        return type(error)(f"node {self.nodes[place].name!r} of {taken}: {error}")

    def _claim(self) -> None:
        """Let the nodes show the numbers of this graph."""
        for place, node in enumerate(self.nodes):
            if node.graph is not None and node.graph is not self:
                self._shares_nodes = node.graph._shares_nodes = True
            node.show(self, place)

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config(), "training": self.training}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(vars(self.from_config(state["config"])))
        self.training = state["training"]
        self._claim()

    def __repr__(self) -> str:
        inputs = ", ".join(str(node.name) for node in self.inputs)
        outputs = ", ".join(str(node.name) for node in self.outputs)
        return f"Graph({inputs} -> {outputs}, {len(self.nodes)} nodes)"


def _add(grads: list[Any], place: int, gradient: Any) -> None:
    grads[place] = gradient if grads[place] is None else grads[place] + gradient
