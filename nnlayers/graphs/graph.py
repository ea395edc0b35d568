"""Computational graphs: values flow forward along the nodes, gradients flow back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT32, FLOAT64, Array, as_floats
from nnlayers._core.checks import unknown_name
from nnlayers._core.symbol import S, Symbol
from nnlayers.graphs.feeding import Feed, with_floats
from nnlayers.graphs.node import Input, Node, check_name
from nnlayers.graphs.steps import Step, add, go_back, go_forward, list_order, list_steps
from nnlayers.graphs.structure import (
    check_inputs,
    check_unique,
    checked_outputs,
    copied_nodes,
    library_names,
    node_tables,
    nodes_of_tables,
    sorted_nodes,
)
from nnlayers.layer import Parameter
from nnlayers.layers.drawable import Drawable
from nnlayers.layers.sequential import check_prediction

__all__ = ["Graph"]


class _Run:
    """What a forward pass keeps; what the backward pass after it was given, and its gradients."""

    def __init__(self, values: list[Any], kept: list[Any]) -> None:
        self.values = values
        self.kept = kept
        self.douts: dict[int, Any] = {}
        self.grads: list[Any] = [None] * len(values)


class Graph(Drawable, guarded=False):
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
        The order of ``forward``'s arguments, by default that in which they were made.

    Attributes
    ----------
    nodes : list of Node
        All nodes, each after those that it is made of. A node that several graphs hold shows the
        numbers of the one whose ``forward`` or ``backward`` ran last.
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
        self.inputs = tuple(inputs or sorted(fed, key=lambda node: node.number))
        self._names = library_names(self.nodes)
        self.layers, self._order = list_order(self.nodes)
        self._steps: list[Step] | None = None
        self._trained: list[Parameter] | None = None
        self._places = places = {node: place for place, node in enumerate(self.nodes)}
        self._numbers = {place: number for number, (_, _, place) in enumerate(self._order)}
        self._feed = Feed(self.nodes, self.inputs)
        self._fed = [places[node] for node in self.inputs]
        self._outputs = [places[node] for node in self.outputs]
        self._has_failed = False  # at the last forward
        self._shares_nodes = False  # with other graphs, so that each run must claim them
        self._join()

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
        self._cache, self._has_failed = None, True
        if self._shares_nodes:
            self._claim()
        values = self._start(inputs, named_inputs)
        if self._steps is None:
            self._trained = self.parameters()
            self._steps = list_steps(self.layers, self._order, self._feed, self._own_dtype)
        try:
            kept = go_forward(self._steps, values)
        except (TypeError, ValueError) as error:
            raise self._misfit(values, error) from error
        self._cache, self._has_failed = _Run(values, kept), False
        return self._results(values)

    def predict(self, *inputs: npt.ArrayLike, **named_inputs: npt.ArrayLike) -> Any:
        """Return the outputs for inference; the nodes keep the numbers that they show."""
        values = self._start(inputs, named_inputs)
        try:
            for number, parents, place in self._order:
                taken = [values[parent] for parent in parents]
                if place in self._feed.reads_both:
                    taken = with_floats(taken, self._own_dtype())
                values[place] = self.layers[number].predict(*taken)[()]
        except (TypeError, ValueError) as error:
            raise self._misfit(values, error) from error
        results = self._results(values)
        for y in results if isinstance(results, tuple) else (results,):
            check_prediction(self, y)
        return results

    @overload
    def __call__(self, first: Symbol[S], /, *inputs: Any, **named_inputs: Any) -> S: ...
    @overload
    def __call__(self, first: npt.ArrayLike, second: Symbol[S], /, *inputs: Any) -> S: ...
    @overload
    def __call__(self, *inputs: Any, **named_inputs: Any) -> Any: ...
    def __call__(self, *inputs: Any, **named_inputs: Any) -> Any:
        """Return ``forward`` of the inputs; of nodes, which may go by name, a node."""
        return super().__call__(*inputs, **named_inputs)

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
        run = self._last_run("backward")
        if len(douts) != len(self._outputs):
            raise TypeError(f"{self!r} expected {len(self._outputs)} dout, got {len(douts)}")
        grads: list[Any] = [None] * len(self.nodes)
        for place, dout in zip(self._outputs, douts, strict=True):
            y = as_floats(run.values[place])
            add(grads, place, self._incoming(dout, y.shape, y.dtype).copy()[()])
        given = {place: grads[place] for place in self._outputs}
        go_back(self._steps or (), run.kept, grads)
        run.douts, run.grads = given, grads
        if self._shares_nodes:
            self._claim()
        for place, weight in self._feed.weights:
            if grads[place] is not None:
                weight.grad += grads[place]
        results = [self._gradient(run, place) for place in self._fed]
        return results[0] if len(results) == 1 else tuple(results)

    @property
    def gradients(self) -> dict[str, Array]:
        """What the last backward gave for each input, by name.

        Raises
        ------
        RuntimeError
            If there was none since the last forward.
        """
        run = self._last_run("gradients", back=True)
        names = check_unique([str(node.own_name) for node in self.inputs])
        return {n: self._gradient(run, p) for n, p in zip(names, self._fed, strict=True)}

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
        run = self._last_run("contributions", back=True)
        place = self._places.get(node)
        if place is None:
            raise ValueError(f"{node!r} is no node of {self!r}")
        if self._steps is None or place not in self._numbers:
            return ()
        number = self._numbers[place]
        with np.errstate(all="ignore"):
            sent = self._steps[number].again(run.grads[place], run.kept[number])
        return tuple([np.array(g) for g in (sent if len(node.parents) > 1 else [sent])])

    def incoming(self, asked: str = "incoming") -> dict[Node, Array]:
        """Return what the last backward was given for each output.

        Parameters
        ----------
        asked : str
            The method that needs it, for the message of an error.

        Raises
        ------
        RuntimeError
            If there was no backward since the last forward.
        """
        run = self._last_run(asked, back=True)
        return {self.nodes[place]: np.array(dout) for place, dout in run.douts.items()}

    def _last_run(self, asked: str, back: bool = False) -> _Run:
        """Return what the last forward kept; with `back`, after a backward too."""
        run: _Run | None = self._cache
        if run is None or (back and not run.douts):
            missing = "forward" if run is None else "backward"
            failed = ", as the last forward failed" if run is None and self._has_failed else ""
            raise RuntimeError(f"{type(self).__name__}.{asked} was called before {missing}{failed}")
        return run

    def __getitem__(self, name: str) -> Node:
        """Return the node of that name.

        Raises
        ------
        KeyError
            If there is none.
        """
        names = self.names
        if name not in names:
            raise KeyError(unknown_name("node", name, names))
        return self.nodes[names.index(name)]

    @property
    def names(self) -> list[str]:
        """The names of the nodes: their own, else those that the graph gave them when it was made.

        Raises
        ------
        ValueError
            If a node got a name of its own since then that another one has.
        """
        pairs = zip(self.nodes, self._names, strict=True)
        return check_unique([node.own_name or name for node, name in pairs])

    def value_at(self, place: int) -> Array | None:
        """Return the value of ``nodes[place]`` at the last forward, None before it."""
        return None if self._cache is None else np.array(self._cache.values[place])

    def grad_at(self, place: int) -> Array | None:
        """Return the gradient of ``nodes[place]`` at the last backward, None before it."""
        if self._cache is None or self._cache.grads[place] is None:
            return None
        return np.array(self._cache.grads[place])

    def config(self) -> dict[str, Any]:
        """Return what the graph is made of, in lists in which nodes stand by their places.

        Those of a subclass with a constructor of its own are the arguments of that.
        """
        if _has_constructor(type(self)):
            return super().config()
        return {
            "nodes": node_tables(self.nodes),
            "outputs": self._outputs[0] if self.single else self._outputs,
            "inputs": self._fed,
            "names": self._names,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return a new graph of what :meth:`config` gave, of the same layers and weights."""
        if _has_constructor(cls):
            return super().from_config(config)
        nodes = nodes_of_tables(config["nodes"])
        outputs = config["outputs"]
        made = nodes[outputs] if isinstance(outputs, int) else [nodes[place] for place in outputs]
        graph = cls(made, inputs=[nodes[place] for place in config["inputs"]])
        names = check_unique([check_name(name) for name in config["names"]])
        if len(names) != len(graph.nodes):
            raise ValueError(f"names must be {len(graph.nodes)}, got {len(names)}")
        graph._names = names
        return graph

    def _members(self) -> Iterator[tuple[str, Any]]:
        names = self.names
        for place, weight in self._feed.weights:
            yield names[place], weight
        first_uses = {number: place for number, _, place in reversed(self._order)}
        for number, layer in enumerate(self.layers):
            yield names[first_uses[number]], layer
        # A subclass may hold more.
        yield from ((name, item) for name, item in super()._members() if name not in _OWN)

    def _start(self, inputs: Sequence[Any], named_inputs: Mapping[str, Any]) -> list[Any]:
        """Return a list for the values of all nodes, with those that are given and fed."""
        if named_inputs or len(inputs) != len(self.inputs):
            inputs = self._in_order(inputs, named_inputs)
        return self._feed.values(inputs, self.inputs, self._own_dtype)

    def _own_dtype(self) -> np.dtype[Any] | None:
        """Return the dtype of the parameters, None if there are none."""
        dtypes = [parameter.value.dtype for parameter in self._trained or self.parameters()]
        return (FLOAT64 if FLOAT64 in dtypes else FLOAT32) if dtypes else None

    def _in_order(self, inputs: Sequence[Any], named_inputs: Mapping[str, Any]) -> Sequence[Any]:
        names = check_unique([str(node.own_name) for node in self.inputs])
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
        results = [np.array(as_floats(values[place])) for place in self._outputs]
        return results[0] if self.single else tuple(results)

    def _gradient(self, run: _Run, place: int) -> Array:
        gradient = run.grads[place]
        if gradient is None:
            return np.zeros_like(as_floats(run.values[place]))
        return np.array(gradient)

    def _misfit(self, values: list[Any], error: Exception) -> Exception:
        """Return the error of a node with its name, and those of its parents with their shapes."""
        number, parents, place = next(entry for entry in self._order if values[entry[2]] is None)
        names = self.names
        taken = ", ".join(f"{names[p]} {np.shape(values[p])}" for p in parents)
        try:
            self.layers[number].predict(*[values[parent] for parent in parents])
        except (TypeError, ValueError) as named:  # which says more than what it computes with
            error = named
        return type(error)(f"node {names[place]!r} of {taken}: {error}")

    def _join(self) -> None:
        """Let the nodes show the numbers of this graph, those that show another's once it runs."""
        for place, (node, name) in enumerate(zip(self.nodes, self._names, strict=True)):
            if node.graph is not None:
                self._shares_nodes = node.graph._shares_nodes = True
            node.join(self, place, name)

    def _claim(self) -> None:
        """Let the nodes show the numbers of this graph."""
        for place, node in enumerate(self.nodes):
            node.show(self, place)

    def __getstate__(self) -> dict[str, Any]:
        # The nodes first, each after its parents, so that no chain of them is followed to its end.
        state = {"nodes": self.nodes} | super().__getstate__()
        return state | {
            "_steps": None,
            "_trained": None,
            "_has_failed": False,
            "_shares_nodes": False,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._join()

    def __copy__(self) -> Self:
        """Return a copy that shares the layers, with nodes of its own."""
        copies = copied_nodes(self.nodes)
        state = self.__getstate__()
        for name, item in state.items():
            if isinstance(item, Node):
                state[name] = copies.get(item, item)
            elif name in ("nodes", "inputs", "outputs"):
                state[name] = type(item)([copies[node] for node in item])
        state["_places"] = {copies[node]: place for node, place in self._places.items()}
        copied = object.__new__(type(self))
        copied.__setstate__(state)
        return copied

    def __repr__(self) -> str:
        inputs = ", ".join(str(node.own_name) for node in self.inputs)
        names = self.names
        outputs = ", ".join(names[place] for place in self._outputs)
        return f"{type(self).__name__}({inputs} -> {outputs}, {len(self.nodes)} nodes)"


_OWN = frozenset(vars(Graph(Input("x"))))  # attributes, in all of which is what the nodes hold


def _has_constructor(cls: type[Graph]) -> bool:
    """Return whether a subclass is made of other arguments than a graph is."""
    return cls.__init__ is not Graph.__init__
