"""Computational graphs: values flow forward along the nodes, gradients flow back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT32, FLOAT64, Array, as_floats
from nnlayers._core.checks import unknown_name
from nnlayers._core.naming import check_unique, default_names
from nnlayers._core.symbol import S, Symbol
from nnlayers.graphs import steps, structure
from nnlayers.graphs.node import Input, Node
from nnlayers.layer import Parameter
from nnlayers.layers.drawable import Drawable
from nnlayers.layers.sequential import check_prediction

__all__ = ["Graph"]


class Graph(Drawable, guarded=False):
    r"""A layer of any structure: the computational graph of one or more outputs.

    ``forward`` goes through the nodes in the order in which they depend on each other, ``backward``
    in the reverse order. A node v that is used several times gets the sum of the gradients that its
    uses send back:

    .. math::

        \frac{\partial\ell}{\partial v} = \sum_{u \text{ computed from } v}
        \frac{\partial u}{\partial v}^T \frac{\partial\ell}{\partial u}

    Parameters
    ----------
    outputs : Node, or sequence of Node
        The outputs. For a sequence, ``forward`` returns a tuple and ``backward`` takes an argument
        for each.
    inputs : sequence of Input, optional
        The inputs in the order of ``forward``'s arguments, by default in the order of their
        creation.

    Attributes
    ----------
    nodes : list of Node
        All nodes, each after its parents. A node that several graphs hold shows the numbers of the
        one whose ``forward`` or ``backward`` ran last.
    inputs : tuple of Input
        The arguments of ``forward``.
    outputs : tuple of Node
        The outputs.

    Raises
    ------
    TypeError
        If an output is not a node, or an input not an ``Input`` without a value.
    ValueError
        If nothing uses an input, two nodes have the same name, or the nodes form a loop.

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
        self.outputs = structure.checked_outputs(outputs)
        self.nodes = structure.sorted_nodes(self.outputs)
        used = [node for node in self.nodes if isinstance(node, Input) and node.content is None]
        if inputs is not None:
            structure.check_inputs(inputs, used)
        self.inputs = tuple(inputs or sorted(used, key=lambda node: node.serial_number))
        self._default_names = default_names(self.nodes)
        self.layers, self._order = steps.list_order(self.nodes)
        self._steps: list[steps.Step] | None = None
        self._parameters: list[Parameter] | None = None
        self._index = index = {node: i for i, node in enumerate(self.nodes)}
        self._step_index = {node: i for i, (_, _, node) in enumerate(self._order)}
        self._start = steps.Start(self.nodes, self.inputs)
        self._input_indices = [index[node] for node in self.inputs]
        self._output_indices = [index[node] for node in self.outputs]
        self._has_failed = False
        # Nodes show the numbers of one graph: where several hold them, each run claims them.
        self._shares_nodes = False
        self._join()

    def forward(self, *inputs: npt.ArrayLike, **named_inputs: npt.ArrayLike) -> Any:
        """Return the outputs, and set the value of each node.

        Parameters
        ----------
        *inputs, **named_inputs : array_like
            The inputs, in their order or by their names.

        Raises
        ------
        TypeError
            If there are too many inputs, or two values for one.
        ValueError
            If a name is missing or unknown, or shapes do not fit; the message names the node.
        """
        self._cache, self._has_failed = None, True
        if self._shares_nodes:
            self._claim()
        values = self._start_values(inputs, named_inputs)
        if self._steps is None:
            self._parameters, mixed = self.parameters(), self._start.mixed
            self._steps = steps.list_steps(self.layers, self._order, mixed, self._own_dtype)
        try:
            saved = steps.run_forward(self._steps, values)
        except (TypeError, ValueError) as error:
            raise steps.node_error(self.layers, self._order, self.names, values, error) from error
        self._cache, self._has_failed = steps.GraphRun(values, saved), False
        return self._results(values)

    def predict(self, *inputs: npt.ArrayLike, **named_inputs: npt.ArrayLike) -> Any:
        """Return the outputs for inference; the nodes keep the numbers that they show."""
        values = self._start_values(inputs, named_inputs)
        try:
            steps.run_predict(self.layers, self._order, values, self._start.mixed, self._own_dtype)
        except (TypeError, ValueError) as error:
            raise steps.node_error(self.layers, self._order, self.names, values, error) from error
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
        """Return ``forward`` of arrays; of nodes, in order or by name, a new node."""
        return super().__call__(*inputs, **named_inputs)

    def backward(self, *douts: npt.ArrayLike) -> Any:
        """Return d loss / d input for each input, and set the gradient of each node.

        Parameters
        ----------
        *douts : array_like
            d loss / d output, one for each output.

        Returns
        -------
        ndarray, or a tuple of them
            Gradients of the shapes of the inputs; a tuple unless there is one input.

        Raises
        ------
        RuntimeError
            If there was no ``forward`` before.
        TypeError
            If there are not as many `douts` as outputs.
        ValueError
            If one has another shape than its output.
        """
        run: steps.GraphRun = self._cache or self._last_run("backward")
        if len(douts) != len(self._output_indices):
            raise TypeError(f"{self!r} expected {len(self._output_indices)} dout, got {len(douts)}")
        grads: list[Any] = [None] * len(run.values)
        output_grads: dict[int, Any] = {}
        for output, dout in zip(self._output_indices, douts, strict=True):
            y = run.values[output]
            if type(y) is np.float64 and type(dout) is float:
                # The conversion to arrays would take longer than an operation on numbers.
                grad: Any = np.float64(dout)
            else:
                y = as_floats(y)
                grad = self._as_dout(dout, y.shape, y.dtype).copy()[()]
            steps.add_gradient(grads, output, grad)
            output_grads[output] = grads[output]
        steps.run_backward(self._steps or (), run.saved, grads)
        run.output_grads, run.grads = output_grads, grads
        if self._shares_nodes:
            self._claim()
        for index, weight in self._start.weights:
            if grads[index] is not None:
                weight.grad += grads[index]
        results = [run.gradient(index) for index in self._input_indices]
        return results[0] if len(results) == 1 else tuple(results)

    @property
    def gradients(self) -> dict[str, Array]:
        """The gradient of each input in the last backward pass, by name.

        Raises
        ------
        RuntimeError
            If there was no backward since the last forward.
        """
        run = self._last_run("gradients", after_backward=True)
        names = check_unique([str(node.own_name) for node in self.inputs])
        pairs = zip(names, self._input_indices, strict=True)
        return {name: run.gradient(index) for name, index in pairs}

    def contributions(self, node: Node) -> tuple[Array, ...]:
        """Return the gradients that a node sent to each of its parents in the last backward pass.

        The gradient of a parent with several uses is the sum of the gradients that they send.

        Raises
        ------
        RuntimeError
            If there was no backward since the last forward.
        ValueError
            If the node belongs to another graph.
        """
        self._last_run("contributions", after_backward=True)
        if node not in self._index:
            raise ValueError(f"{node!r} is not a node of {self!r}")
        return self.contributions_at(self._index[node])

    def contributions_at(self, index: int, dout: Array | None = None) -> tuple[Array, ...]:
        """Return the :meth:`contributions` of ``nodes[index]``, or those for another `dout`."""
        run = self._last_run("contributions_at", after_backward=True)
        if self._steps is None or index not in self._step_index:
            return ()
        step_index = self._step_index[index]
        step, saved = self._steps[step_index], run.saved[step_index]
        grad = run.grads[index] if dout is None else dout[()]
        with np.errstate(all="ignore"):
            gradients = step.gradients(grad, saved, is_last=dout is None)
        return tuple([np.array(gradient) for gradient in gradients])

    def weight_gradients_at(self, index: int) -> dict[str, Array]:
        """Return what ``nodes[index]`` added to its layer's gradients in the last backward pass."""
        run = self._last_run("weight_gradients_at", after_backward=True)
        if self._steps is None or index not in self._step_index:
            return {}
        step_index = self._step_index[index]
        operation = self._steps[step_index].operation
        return steps.weight_gradients(operation, run.grads[index], run.saved[step_index])

    def output_grads(self, caller: str = "output_grads") -> dict[int, Array]:
        """Return the arguments of the last backward, by the indices of the outputs."""
        run = self._last_run(caller, after_backward=True)
        return {index: np.array(dout) for index, dout in run.output_grads.items()}

    def diagram(self) -> Graph | None:
        """Return the graph itself, which lists its nodes; None for one with another ``forward``."""
        return self if type(self).forward is Graph.forward else None

    def _last_run(self, caller: str, after_backward: bool = False) -> Any:
        """Return the last run; raise an error if there was no forward, or no backward after it."""
        run: steps.GraphRun | None = self._cache
        if run is None or (after_backward and run.grads is None):
            missing = "forward" if run is None else "backward"
            failed = ", as the last forward failed" if run is None and self._has_failed else ""
            name = f"{type(self).__name__}.{caller}"
            raise RuntimeError(f"{name} was called before {missing}{failed}")
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
        """The names of the nodes: those that the user gave, else the graph's default names.

        Raises
        ------
        ValueError
            If the user has since given a node the name of another.
        """
        pairs = zip(self.nodes, self._default_names, strict=True)
        return check_unique([node.own_name or name for node, name in pairs])

    def value_at(self, index: int) -> Array | None:
        """Return the value of ``nodes[index]`` in the last forward pass, None before it."""
        return None if self._cache is None else np.array(self._cache.values[index])

    def grad_at(self, index: int) -> Array | None:
        """Return the gradient of ``nodes[index]`` in the last backward pass, None before it."""
        grads = None if self._cache is None else self._cache.grads
        return None if grads is None or grads[index] is None else np.array(grads[index])

    def config(self) -> dict[str, Any]:
        """Return the nodes, outputs and inputs in lists that refer to nodes by their indices.

        For a subclass with another constructor, return the arguments of that.
        """
        if type(self).__init__ is not Graph.__init__:
            return super().config()
        return {
            "nodes": structure.node_tables(self.nodes),
            "outputs": self._output_indices[0] if self.single else self._output_indices,
            "inputs": self._input_indices,
            "names": self._default_names,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return a new graph from what :meth:`config` returned, with those layers and weights."""
        if cls.__init__ is not Graph.__init__:
            return super().from_config(config)
        outputs, inputs, names = structure.parts_from_config(config)
        graph = cls(outputs, inputs=inputs)
        if len(names) != len(graph.nodes):
            raise ValueError(f"names must be {len(graph.nodes)}, got {len(names)}")
        graph._default_names = names
        return graph

    def _members(self) -> Iterator[tuple[str, Any]]:
        names = self.names
        for index, weight in self._start.weights:
            yield names[index], weight
        first_uses = {layer_index: node for layer_index, _, node in reversed(self._order)}
        for layer_index, layer in enumerate(self.layers):
            yield names[first_uses[layer_index]], layer
        # A subclass may hold layers and parameters besides those of its nodes.
        yield from ((name, item) for name, item in super()._members() if name not in _ATTRIBUTES)

    def _start_values(self, inputs: Sequence[Any], named_inputs: Mapping[str, Any]) -> list[Any]:
        """Return a list of the values of all nodes, in which only those known so far are set."""
        if named_inputs or len(inputs) != len(self.inputs):
            inputs = self._in_order(inputs, named_inputs)
        return self._start.values(inputs, self.inputs, self._own_dtype)

    def _own_dtype(self) -> np.dtype[Any] | None:
        """Return the dtype of the parameters, None if there are none."""
        parameters = self.parameters() if self._parameters is None else self._parameters
        dtypes = [parameter.value.dtype for parameter in parameters]
        return (FLOAT64 if FLOAT64 in dtypes else FLOAT32) if dtypes else None

    def _results(self, values: list[Any]) -> Any:
        # Copies, so that the nodes keep their values when a user writes to an output.
        results = [np.array(as_floats(values[output])) for output in self._output_indices]
        return results[0] if self.single else tuple(results)

    def _in_order(self, inputs: Sequence[Any], named_inputs: Mapping[str, Any]) -> Sequence[Any]:
        return structure.inputs_in_order(self, self.inputs, inputs, named_inputs)

    def _join(self) -> None:
        """Let the nodes show this graph's numbers, but those of another graph until it runs."""
        for index, (node, name) in enumerate(zip(self.nodes, self._default_names, strict=True)):
            if node.graph is not None:
                self._shares_nodes = node.graph._shares_nodes = True
            node.join(self, index, name)

    def _claim(self) -> None:
        """Let the nodes show this graph's numbers."""
        for index, node in enumerate(self.nodes):
            node.show(self, index)

    def __getstate__(self) -> dict[str, Any]:
        # With the nodes first, each after its parents, a copy does not recurse along long chains.
        state = {"nodes": self.nodes} | super().__getstate__()
        state |= {"_steps": None, "_parameters": None}
        return state | {"_has_failed": False, "_shares_nodes": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._join()

    def __copy__(self) -> Self:
        """Return a copy with new nodes and the same layers."""
        copied = object.__new__(type(self))
        copied.__setstate__(structure.copied_state(self.__getstate__()))
        return copied

    def __repr__(self) -> str:
        inputs = ", ".join(str(node.own_name) for node in self.inputs)
        names = self.names
        outputs = ", ".join(names[output] for output in self._output_indices)
        return f"{type(self).__name__}({inputs} -> {outputs}, {len(self.nodes)} nodes)"


# The nodes hold every layer and parameter that these attributes hold.
_ATTRIBUTES = frozenset(vars(Graph(Input("x"))))
