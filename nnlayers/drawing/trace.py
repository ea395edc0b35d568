"""What a graph did in its last forward and backward, node by node, with formulas and numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, NamedTuple

from nnlayers.drawing.derivatives import Local, local_derivatives
from nnlayers.drawing.formulas import Formula
from nnlayers.drawing.operations import Description, describe
from nnlayers.drawing.values import shortened
from nnlayers.graphs.graph import Graph
from nnlayers.graphs.node import Input, Node
from nnlayers.layer import Layer, Parameter

__all__ = ["Sent", "Trace", "Visit", "kind", "partial", "trace"]


class Sent(NamedTuple):
    """What went back from a node to one of its parents.

    Attributes
    ----------
    parent : Node
        Which.
    label : str
        What the graph calls it.
    derivative : Formula
        The local derivative.
    local : Local
        Its numbers.
    formula : Formula
        What is sent.
    value : str
        Its numbers.
    earlier : str
        In words, what had sent the parent something before; "" if nothing had.
    before, total : str
        The sum of that, and the sum with what is sent now.
    is_last : bool
        Whether nothing more comes, so that the total is the parent's gradient.
    """

    parent: Node
    label: str
    derivative: Formula
    local: Local
    formula: Formula
    value: str
    earlier: str
    before: str
    total: str
    is_last: bool

    def gathered(self) -> str:
        """Return in words how it adds up with what came before."""
        so_far = "" if self.is_last else " so far"
        total = f"{partial('ℓ', self.label).text} = {self.total}{so_far}"
        if not self.earlier:
            return total
        return f"added to {self.before} from {self.earlier}: total {total}"


class Visit(NamedTuple):
    """An operation of the graph: what it took and gave, and what it sent back.

    Attributes
    ----------
    node : Node
        Which.
    label : str
        What the graph calls it.
    description : Description
        Its formulas.
    inputs : list of (str, str)
        The names and numbers of its parents.
    value, grad : str
        The numbers of its value, and of the gradient that came in.
    sent : list of Sent
        What went back to each parent that is no constant.
    """

    node: Node
    label: str
    description: Description
    inputs: list[tuple[str, str]]
    value: str
    grad: str
    sent: list[Sent]


class Trace(NamedTuple):
    """A forward and a backward pass.

    Attributes
    ----------
    given : dict of Node to str
        The inputs, weights and constants with their numbers.
    visits : list of Visit
        The operations in forward order.
    starts : dict of Node to str
        What ``backward`` was given for each output.
    labels : dict of Node to str
        What the graph calls each node.
    """

    given: dict[Node, str]
    visits: list[Visit]
    starts: dict[Node, str]
    labels: dict[Node, str]


def trace(graph: Graph, asked: str = "trace") -> Trace:
    """Return what a graph did when it last ran forward and backward.

    Parameters
    ----------
    graph : Graph
        One that has.
    asked : str
        The function that needs it, for the message of an error.

    Raises
    ------
    RuntimeError
        If it has not.

    Examples
    --------
    >>> import nnlayers as nn
    >>> x = nn.Input("x")
    >>> graph = nn.Graph((x * x).named("y"))
    >>> graph.forward(3.0), graph.backward(1.0)
    (array(9.), array(6.))
    >>> [(sent.formula.text, sent.value, sent.total) for sent in trace(graph).visits[0].sent]
    [('∂ℓ/∂y × x', '3', '3'), ('∂ℓ/∂y × x', '3', '6')]
    """
    tracer = _Tracer(graph, asked)
    visits = [
        tracer.visit(node, node.layer) for node in reversed(graph.nodes) if node.layer is not None
    ]
    return Trace(
        {node: shortened(value) for node, value in tracer.values.items() if node.layer is None},
        visits[::-1],
        {node: shortened(start) for node, start in tracer.starts.items()},
        tracer.labels,
    )


def kind(node: Node) -> str:
    """Return whether a node is an operation, a constant, a weight or an input that is fed."""
    if not isinstance(node, Input):
        return "operation"
    if node.given is None:
        return "input"
    return "weight" if isinstance(node.given, Parameter) else "constant"


def _label(node: Node, name: str) -> str:
    """Return a node's name, or the number of a constant that has no name of its own."""
    is_number = isinstance(node, Input) and not node.own_name and node.value.ndim == 0
    return shortened(node.value) if is_number else name


def partial(over: str, under: str) -> Formula:
    """Return the formula of a derivative.

    Examples
    --------
    >>> partial("ℓ", "y").text
    '∂ℓ/∂y'
    """
    return Formula("d(u, v)", {"u": over, "v": under})


class _Tracer:
    """Goes back through a graph and adds up what comes to each node."""

    def __init__(self, graph: Graph, asked: str) -> None:
        self.starts = graph.incoming(asked)
        self.graph = graph
        names = zip(graph.nodes, graph.names, strict=True)
        self.labels = {node: _label(node, name) for node, name in names}
        nodes = list(enumerate(graph.nodes))
        self.values: dict[Node, Any] = {node: graph.value_at(place) for place, node in nodes}
        self.grads: dict[Node, Any] = {node: graph.grad_at(place) for place, node in nodes}
        self.contributions = {node: graph.contributions(node) for node in graph.nodes}
        self.awaited = Counter(parent for node in graph.nodes for parent in node.parents)
        self.sources = defaultdict(list, {node: ["backward"] for node in self.starts})
        self.totals: dict[Node, Any] = dict(self.starts)

    def visit(self, node: Node, layer: Layer) -> Visit:
        inputs = [self.values[parent] for parent in node.parents]
        names = [self.labels[parent] for parent in node.parents]
        described = describe(layer, names, self.labels[node], [x.shape for x in inputs])
        local = local_derivatives(self.graph, node, described, self.values, self.grads[node])
        sent = [
            self._sent(node, i, described, local[i])
            for i, parent in enumerate(node.parents)
            if kind(parent) != "constant"
        ]
        taken = list(zip(names, map(shortened, inputs), strict=True))
        value, grad = shortened(self.values[node]), shortened(self.grads[node])
        return Visit(node, self.labels[node], described, taken, value, grad, sent)

    def _sent(self, node: Node, i: int, described: Description, local: Local) -> Sent:
        parent, gradient = node.parents[i], self.contributions[node][i]
        sources, before = self.sources[parent], self.totals.get(parent)
        earlier = ", ".join(sources) if len(sources) <= 3 else f"{len(sources)} others"
        sources.append(self.labels[node])
        self.totals[parent] = gradient if before is None else before + gradient
        self.awaited[parent] -= 1
        return Sent(
            parent,
            self.labels[parent],
            described.derivatives[i],
            local,
            described.sent[i],
            shortened(gradient),
            earlier,
            "" if before is None else shortened(before),
            shortened(self.totals[parent]),
            not self.awaited[parent],
        )
