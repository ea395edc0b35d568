"""Nodes of computational graphs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from nnlayers._core.arrays import as_reals
from nnlayers._core.showing import shown
from nnlayers._core.symbol import Symbol
from nnlayers.graphs import functions
from nnlayers.layer import Layer, Parameter
from nnlayers.layers.arithmetic import Add, Divide, MatMul, Multiply, Subtract
from nnlayers.layers.choices import Compare
from nnlayers.layers.elementary import Abs, Negative, Power
from nnlayers.layers.indexing import Index, Transpose

if TYPE_CHECKING:
    from nnlayers.graphs.graph import Graph

__all__ = ["Input", "Node", "check_name", "has_float_dtype"]

# The name of a node is part of the names of all parameters within its layer.
_MAX_NAME_LENGTH = 100


class Node(Symbol["Node"]):
    """A value of a computational graph: the result of a layer applied to other nodes.

    Nodes come from calling a layer with nodes, from ``+ - * / @ **``, unary minus and comparisons,
    from ``node[:, 0]`` and ``node.T``, and from the functions named after layers, such as
    :func:`nnlayers.exp`. They have numbers once a :class:`Graph` has run; until then they only
    describe the computation.

    Attributes
    ----------
    layer : Layer or None
        The operation; None for an input.
    parents : tuple of Node
        The inputs of the operation.
    own_name : str or None
        The name that :meth:`named` gave to the node.
    graph : Graph or None
        The graph whose numbers the node shows: of those that hold it, the one that ran last.

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

    def __init__(self, layer: Layer | None, parents: Sequence[Node] = ()) -> None:
        self.layer = layer
        self.parents = tuple(parents)
        self.own_name: str | None = None
        self.graph: Graph | None = None
        self._first_name: str | None = None
        self._index = 0

    def named(self, name: str) -> Self:
        """Name the node, so that ``graph[name]`` finds it; return the node.

        Raises
        ------
        TypeError, ValueError
            If the name is not a string, is empty, or is longer than 100 characters.
        """
        self.own_name = check_name(name)
        return self

    @property
    def name(self) -> str | None:
        """The name that the user gave, else the one from the first graph that holds the node."""
        return self.own_name or self._first_name

    @property
    def kind(self) -> str:
        """One of ``"operation"``, ``"input"``, ``"weight"`` and ``"constant"``."""
        return "operation"

    @property
    def value(self) -> Any:
        """The value in the last ``forward`` of its graph; None before it."""
        return None if self.graph is None else self.graph.value_at(self._index)

    @property
    def grad(self) -> Any:
        """The gradient d loss / d value in the last ``backward``; None before it."""
        return None if self.graph is None else self.graph.grad_at(self._index)

    def join(self, graph: Graph, index: int, name: str) -> None:
        """Become ``graph.nodes[index]``, which that graph calls by a name.

        The node keeps the name and the numbers of an earlier graph.
        """
        if self._first_name is None:
            self._first_name = name
        if self.graph is None:
            self.show(graph, index)

    def show(self, graph: Graph, index: int) -> None:
        """Show the numbers of ``graph.nodes[index]``, which is this node, from now on."""
        self.graph = graph
        self._index = index

    def apply(self, layer: Layer, inputs: Sequence[Any]) -> Node:
        """Return the node of a layer applied to nodes, numbers and arrays."""
        return Node(layer, [item if isinstance(item, Node) else _constant(item) for item in inputs])

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Return the node of an operator with an array on its left, as NumPy calls this then."""
        # `array += node` passes `out`; the name `array` then refers to the node.
        if method == "__call__" and ufunc in _OPERATORS and not options.keys() - {"out"}:
            return _OPERATORS[ufunc](*inputs)
        raise _node_argument_error(ufunc.__name__)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        raise _node_argument_error(function.__name__)

    # With NoReturn as its result, type checkers would accept a node in place of any array.
    def __array__(self, dtype: Any = None, copy: Any = None) -> None:
        raise TypeError(
            f"{self!r} is not an array: call the layer, as in layer(node), not its forward; "
            "its numbers are node.value once its graph has run"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, without the graph; a copy of the graph joins it again."""
        return vars(self) | {"graph": None, "_index": 0}

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        content = "input" if self.layer is None else " ".join(repr(self.layer).split())
        return f"<node{name}: {content}>"

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
        raise TypeError(f"the base must be a node, got {shown(base)}; a**x is exp(x * log(a))")

    def __neg__(self) -> Node:
        return self.apply(Negative(), [self])

    def __gt__(self, other: Any) -> Node:
        return _binary(partial(Compare, ">"), self, other)

    def __ge__(self, other: Any) -> Node:
        return _binary(partial(Compare, ">="), self, other)

    def __lt__(self, other: Any) -> Node:
        return _binary(partial(Compare, "<"), self, other)

    def __le__(self, other: Any) -> Node:
        return _binary(partial(Compare, "<="), self, other)

    # In `if x > 0` and `0 < x < 1`, Python asks for a truth value, which each node would have.
    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} is neither true nor false: nn.where chooses by a condition")

    def __abs__(self) -> Node:
        return self.apply(Abs(), [self])

    def __getitem__(self, key: Any) -> Node:
        return self.apply(Index(key), [self])

    @property
    def T(self) -> Node:
        """The transpose: the node with its axes reversed."""
        return self.apply(Transpose(), [self])

    # With an index alone, Python would iterate over a node without end.
    __iter__ = None


# Graphs take their inputs in the order of their creation.
_SERIAL_NUMBERS = count()


class Input(Node):
    """A value that enters a graph: an argument of each run, a constant, or a weight.

    Parameters
    ----------
    name : str
        The argument of the graph's ``forward``.
    value : Parameter, number or array_like, optional
        A :class:`~nnlayers.Parameter` makes the node a weight, which optimizers train, anything
        else a constant. Without it the value is an argument of the graph's ``forward``.

    Raises
    ------
    TypeError, ValueError
        If the name is not a string or is empty, or the value does not hold real numbers.

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
        self.content = _as_content(value)
        self.has_float_dtype = has_float_dtype(value, self.content)
        self.serial_number = next(_SERIAL_NUMBERS)

    @property
    def kind(self) -> str:
        """``"weight"`` or ``"constant"``; ``"input"`` without a value."""
        if self.content is None:
            return "input"
        return "weight" if isinstance(self.content, Parameter) else "constant"

    @property
    def constant(self) -> Any:
        """The argument `value` for a file, as a list if it does not set a dtype."""
        if isinstance(self.content, np.ndarray) and self.content.ndim and not self.has_float_dtype:
            return self.content.tolist() if self.content.dtype.kind == "f" else self.content
        return self.content

    @property
    def value(self) -> Any:
        """The last argument of ``forward``, or the weight or constant."""
        if self.content is None:
            return super().value
        is_weight = isinstance(self.content, Parameter)
        return self.content.value if is_weight else np.asarray(self.content)


def _constant(value: Any) -> Input:
    """Return the unnamed input for a number or array in an expression."""
    if value is None or isinstance(value, Symbol):
        raise TypeError(f"expected a node, a number or an array, got {shown(value)}")
    node = Input("constant", value)
    node.own_name = None
    return node


def _binary(operation: Callable[[], Layer], a: Any, b: Any) -> Node:
    node: Node = a if isinstance(a, Node) else b
    return node.apply(operation(), [a, b])


def check_name(name: object) -> str:
    """Return the name of a node.

    Raises
    ------
    TypeError, ValueError
        If it is not a string, is empty, or is longer than 100 characters.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {shown(name)}")
    if not name:
        raise ValueError("name must not be empty")
    if len(name) > _MAX_NAME_LENGTH:
        raise ValueError(f"name must have at most {_MAX_NAME_LENGTH} characters, got {len(name)}")
    return name


_OPERATORS: dict[Any, Callable[[Any, Any], Any]] = {
    np.add: partial(_binary, Add),
    np.subtract: partial(_binary, Subtract),
    np.multiply: partial(_binary, Multiply),
    np.divide: partial(_binary, Divide),
    np.matmul: partial(_binary, MatMul),
    np.greater: partial(_binary, partial(Compare, ">")),
    np.greater_equal: partial(_binary, partial(Compare, ">=")),
    np.less: partial(_binary, partial(Compare, "<")),
    np.less_equal: partial(_binary, partial(Compare, "<=")),
    np.power: lambda a, b: Node.__rpow__(b, a) if isinstance(b, Node) else a**b,
    np.equal: operator.is_,
    np.not_equal: operator.is_not,
}


def _node_argument_error(name: str) -> TypeError:
    """Return the error for a NumPy function that was called with a node."""
    name = {"absolute": "abs"}.get(name, name)
    if name in functions.__all__:
        return TypeError(f"np.{name} does not take nodes of graphs: use nn.{name}")
    known = ", ".join(f"nn.{name}" for name in functions.__all__)
    return TypeError(f"np.{name} does not take nodes of graphs; these functions do: {known}")


def has_float_dtype(value: Any, array: Any) -> bool:
    """Return whether a value sets the dtype of a computation, as an array of floats does.

    Python numbers, lists of them and integers take the dtype of the arrays beside them.

    Parameters
    ----------
    value : array_like
        The value.
    array : ndarray
        The same value as an array.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        return False
    # np.float64 is a subclass of float. A list of float32 arrays has a dtype, unlike one of floats.
    return isinstance(value, np.generic) or not (
        isinstance(value, bool | int | float | list | tuple) and array.itemsize == 8
    )


def _as_content(value: Any) -> Any:
    """Return the argument `value` of an input; an array as a copy."""
    # A Python number stays one, so that it takes the dtype of an array beside it, as in NumPy.
    if value is None or isinstance(value, Parameter | bool | int | float):
        return value
    return as_reals(value, "value").copy()
