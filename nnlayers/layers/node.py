"""Nodes: what a computational graph is written in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from nnlayers.layer import Layer, Parameter, Symbol
from nnlayers.layers.arithmetic import Add, Divide, MatMul, Multiply, Subtract
from nnlayers.layers.elementary import Negative, Power
from nnlayers.numerics import as_reals

if TYPE_CHECKING:
    from nnlayers.layers.graph import Graph

__all__ = ["Input", "Node", "check_inputs", "checked_outputs", "name_nodes", "sorted_nodes"]


class Node(Symbol):
    """A value of a computational graph: what a layer makes of other nodes.

    Nodes come from calling a layer with nodes, from ``+ - * / @ **`` and unary minus, and from the
    functions of the same names as the layers, such as :func:`nnlayers.exp`. They hold numbers once
    a :class:`Graph` has run; until then they say only what is to be done.

    Attributes
    ----------
    layer : Layer or None
        The operation; an input has none.
    parents : tuple of Node
        What it is applied to.
    name : str or None
        Given by :meth:`named`, else by the graph.
    has_own_name : bool
        Whether it was given.
    graph : Graph or None
        Whose numbers the node shows.

    Examples
    --------
    >>> import nnlayers as nn
    >>> w, x = nn.Input("w"), nn.Input("x")
    >>> product = (w @ x).named("e")
    >>> y = 1 / (1 + nn.exp(-product))
    >>> graph = nn.Graph(y)
    >>> round(float(graph.forward([1.0, 2.0], [3.0, -1.0])), 4)
    0.7311
    >>> product.value
    array(1.)
    """

    # NumPy leaves operators between an array and a node to the node.
    __array_ufunc__ = None

    def __init__(self, layer: Layer | None, parents: Sequence[Node] = ()) -> None:
        self.layer = layer
        self.parents = tuple(parents)
        self.name: str | None = None
        self.has_own_name = False
        self.graph: Graph | None = None
        self._place = 0

    def named(self, name: str) -> Self:
        """Give the node a name, by which ``graph[name]`` finds it; return the node.

        Raises
        ------
        TypeError, ValueError
            If it is no string, or empty.
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, got {name!r}")
        if not name:
            raise ValueError("name must not be empty")
        self.name = name
        self.has_own_name = True
        return self

    @property
    def value(self) -> Any:
        """The value, as the last ``forward`` of its graph gave it; None before it."""
        return None if self.graph is None else self.graph.value_at(self._place)

    @property
    def grad(self) -> Any:
        """The gradient d loss / d value, as the last ``backward`` gave it; None before it."""
        return None if self.graph is None else self.graph.grad_at(self._place)

    def show(self, graph: Graph, place: int) -> None:
        """Show the numbers of ``graph.nodes[place]``, which is this node, from now on."""
        self.graph = graph
        self._place = place

    def apply(self, layer: Layer, inputs: Sequence[Any]) -> Node:
        """Return the node of a layer applied to nodes, numbers and arrays."""
        return Node(layer, [item if isinstance(item, Node) else _constant(item) for item in inputs])

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        what = "input" if self.layer is None else " ".join(repr(self.layer).split())
        return f"<node{name}: {what}>"

    def __add__(self, other: Any) -> Node:
        return _binary(Add, self, other)

    def __radd__(self, other: Any) -> Node:
        return _binary(Add, other, self)

    def __sub__(self, other: Any) -> Node:
        return _binary(Subtract, self, other)

    def __rsub__(self, other: Any) -> Node:
        return _binary(Subtract, other, self)

    def __mul__(self, other: Any) -> Node:
        return _binary(Multiply, self, other)

    def __rmul__(self, other: Any) -> Node:
        return _binary(Multiply, other, self)

    def __truediv__(self, other: Any) -> Node:
        return _binary(Divide, self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return _binary(Divide, other, self)

    def __matmul__(self, other: Any) -> Node:
        return _binary(MatMul, self, other)

    def __rmatmul__(self, other: Any) -> Node:
        return _binary(MatMul, other, self)

    def __pow__(self, exponent: Any) -> Node:
        if isinstance(exponent, Node):
            raise TypeError("the exponent must be a number, got a node; a**b is exp(b * log(a))")
        return self.apply(Power(exponent), [self])

    def __rpow__(self, base: Any) -> Node:
        raise TypeError(f"the base must be a node, got {base!r}; a**x is exp(x * log(a))")

    def __neg__(self) -> Node:
        return self.apply(Negative(), [self])


class Input(Node):
    """Where values enter a graph: fed at each run, or constant, or a weight.

    Parameters
    ----------
    name : str
        The argument of the graph's ``forward``.
    value : Parameter, number or array_like, optional
        A :class:`~nnlayers.Parameter` makes the node a weight, which optimizers train; anything
        else a constant. Without it the node is fed.

    Raises
    ------
    TypeError, ValueError
        If the name is no string or empty, or the value holds no real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlayers as nn
    >>> b = nn.Input("b", value=nn.Parameter(np.zeros(2), name="b"))
    >>> graph = nn.Graph(nn.relu(nn.Input("x") + b))
    >>> graph.forward(x=[[1.0, -1.0]])
    array([[1., 0.]])
    >>> list(graph.named_parameters())
    ['b']
    """

    def __init__(self, name: str, value: Any = None) -> None:
        super().__init__(None)
        self.named(name)
        self.given = _checked(value)

    @property
    def value(self) -> Any:
        """What was fed last, or the weight or constant."""
        if self.given is None:
            return super().value
        return self.given.value if isinstance(self.given, Parameter) else np.asarray(self.given)


def _constant(value: Any) -> Input:
    """Return the input of a number or array that stands in an expression; the graph names it."""
    if value is None or isinstance(value, Symbol):
        raise TypeError(f"expected a node, a number or an array, got {value!r}")
    node = Input("constant", value)
    node.has_own_name = False
    return node


def checked_outputs(outputs: Any) -> tuple[Node, ...]:
    """Return the outputs of a graph as a tuple; raise an error for anything but nodes."""
    if isinstance(outputs, Node):
        return (outputs,)
    if not isinstance(outputs, list | tuple):
        raise TypeError(f"outputs must be a node or a list of nodes, got {outputs!r}")
    if not outputs:
        raise ValueError("outputs must hold at least one node, got none")
    for output in outputs:
        if not isinstance(output, Node):
            raise TypeError(f"outputs must be nodes, got {output!r}")
    return tuple(outputs)


def check_inputs(inputs: Sequence[Any], fed: Sequence[Input]) -> None:
    """Raise an error unless the inputs named are those that are fed, each once."""
    if not isinstance(inputs, list | tuple):
        raise TypeError(f"inputs must be a list of Input nodes, got {inputs!r}")
    for node in inputs:
        if not isinstance(node, Input) or node.given is not None:
            raise TypeError(f"inputs must be Input nodes without a value, got {node!r}")
        if node not in fed:
            raise ValueError(f"nothing in the graph uses the input {node.name!r}")
    for node in fed:
        count = inputs.count(node)
        if count != 1:
            raise ValueError(f"inputs must hold {node.name!r} once, has it {count} times")


def sorted_nodes(outputs: Sequence[Node]) -> list[Node]:
    """Return all that the outputs are made of, each node after its parents, in order of first use.

    Raises
    ------
    ValueError
        If a node is made of itself.
    """
    order: list[Node] = []
    entered: set[int] = set()
    done: set[int] = set()
    waiting = list(reversed(outputs))  # a stack: chains may be longer than Python's own
    while waiting:
        node = waiting[-1]
        if id(node) in done:
            waiting.pop()
        elif id(node) not in entered:
            entered.add(id(node))
            for parent in reversed(node.parents):
                if id(parent) in entered and id(parent) not in done:
                    raise ValueError(f"the graph has a loop: {parent!r} is made of itself")
                waiting.append(parent)
        else:
            waiting.pop()
            done.add(id(node))
            order.append(node)
    return order


def name_nodes(nodes: Sequence[Node]) -> None:
    """Name those that have no name of their own after their layers: exp, exp_2 and so on.

    Raises
    ------
    ValueError
        If two have one name of their own.
    """
    own = Counter(node.name for node in nodes if node.has_own_name)
    for name, count in own.items():
        if count > 1:
            raise ValueError(f"the graph has {count} nodes named {name!r}")
    uses: Counter[str] = Counter()
    for node in nodes:
        if not node.has_own_name:
            kind = "constant" if node.layer is None else type(node.layer).__name__.lower()
            while True:
                uses[kind] += 1
                node.name = kind if uses[kind] == 1 else f"{kind}_{uses[kind]}"
                if node.name not in own:
                    break


def _binary(kind: type[Layer], a: Any, b: Any) -> Node:
    node: Node = a if isinstance(a, Node) else b
    return node.apply(kind(), [a, b])


def _checked(value: Any) -> Any:
    """Return what an input is given; an array as a copy, a Python number as it is.

    A number takes the dtype of what it is combined with, as everywhere in NumPy.
    """
    if value is None or isinstance(value, Parameter | bool | int | float):
        return value
    return as_reals(value, "value").copy()
