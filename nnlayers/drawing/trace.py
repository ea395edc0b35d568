"""The last forward and backward pass of a graph, node by node, with formulas and numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nnlayers.drawing.diagram import Diagram, DiagramNode, parent_indices
from nnlayers.drawing.formulas import Expression, format_numbers
from nnlayers.drawing.operations import DrawnFormula, LocalDerivative, describe, local_derivatives
from nnlayers.layer import Layer

__all__ = ["Contribution", "Trace", "Visit", "partial", "trace"]


class Contribution(NamedTuple):
    """The gradient that a node sent to one of its parents.

    Attributes
    ----------
    parent : int
        The index of the parent.
    label : str
        The label of the parent.
    derivative : Expression
        The local derivative.
    local : LocalDerivative
        Its numbers.
    formula : Expression
        The gradient.
    value : str
        Its numbers.
    earlier : str
        The labels of the nodes that had sent the parent a gradient before; empty if there are none.
    before, total : str
        The parent's sum of gradients before and after this one.
    is_last : bool
        Whether this gradient completes the sum.
    """

    parent: int
    label: str
    derivative: Expression
    local: LocalDerivative
    formula: Expression
    value: str
    earlier: str
    before: str
    total: str
    is_last: bool

    def sum_text(self) -> str:
        """Return a sentence on the parent's sum of gradients."""
        so_far = "" if self.is_last else " so far"
        total = f"{partial('ℓ', self.label).text} = {self.total}{so_far}"
        if not self.earlier:
            return total
        return f"added to {self.before} from {self.earlier}: total {total}"


class Visit(NamedTuple):
    """An operation of the graph: its inputs, value and gradient, and the gradients it sent.

    Attributes
    ----------
    node : int
        The index of the node.
    label : str
        Its label.
    description : DrawnFormula
        Its formulas.
    inputs : list of (str, str)
        The labels and numbers of its parents.
    value, grad : str
        The numbers of its value, and of the incoming gradient.
    contributions : list of Contribution
        The gradients that it sent to its parents, except to constants.
    """

    node: int
    label: str
    description: DrawnFormula
    inputs: list[tuple[str, str]]
    value: str
    grad: str
    contributions: list[Contribution]


class Trace(NamedTuple):
    """A forward and a backward pass.

    Attributes
    ----------
    nodes : sequence of DiagramNode
        The nodes.
    labels, values : list of str
        The names of the nodes and the numbers of their values.
    parents : list of list of int
        The indices of their parents.
    visits : list of Visit
        The operations in forward order.
    starts : dict of int to str
        The gradients that ``backward`` was called with, by the indices of the outputs.
    """

    nodes: Sequence[DiagramNode]
    labels: list[str]
    values: list[str]
    parents: list[list[int]]
    visits: list[Visit]
    starts: dict[int, str]

    def leaves(self) -> list[int]:
        """Return the indices of the inputs, weights and constants."""
        return [i for i, node in enumerate(self.nodes) if node.layer is None]


def trace(diagram: Diagram, caller: str = "trace") -> Trace:
    """Return the last forward and backward pass of a graph.

    Parameters
    ----------
    diagram : Diagram
        A diagram that has run forward and backward.
    caller : str
        The name of the public function, which error messages give.

    Raises
    ------
    RuntimeError
        If it has not run.

    Examples
    --------
    >>> import nnlayers as nn
    >>> x = nn.Input("x")
    >>> graph = nn.Graph((x * x).named("y"))
    >>> graph.forward(3.0), graph.backward(1.0)
    (array(9.), array(6.))
    >>> [(part.formula.text, part.value, part.total)
    ...  for part in trace(graph).visits[0].contributions]
    [('∂ℓ/∂y × x', '3', '3'), ('∂ℓ/∂y × x', '3', '6')]
    """
    tracer = _Tracer(diagram, caller)
    operations = [(i, node.layer) for i, node in enumerate(diagram.nodes) if node.layer is not None]
    visits = [tracer.visit(i, layer) for i, layer in reversed(operations)]
    return Trace(
        diagram.nodes,
        tracer.labels,
        [format_numbers(value) for value in tracer.values],
        tracer.parents,
        visits[::-1],
        {i: format_numbers(start) for i, start in tracer.starts.items()},
    )


def partial(over: str, under: str) -> Expression:
    """Return a derivative as an expression.

    Examples
    --------
    >>> partial("ℓ", "y").text
    '∂ℓ/∂y'
    """
    return Expression("d(u, v)", {"u": over, "v": under})


def _label(node: DiagramNode, name: str) -> str:
    """Return the name of a node, or the number of a constant that the user gave no name."""
    is_number = node.kind == "constant" and not node.own_name and np.ndim(node.value) == 0
    return format_numbers(node.value) if is_number else name


class _Tracer:
    """Visitor of a graph's nodes in reverse order, which adds up the gradients of each node."""

    def __init__(self, diagram: Diagram, caller: str) -> None:
        self.starts = diagram.output_grads(caller)
        self.diagram = diagram
        self.nodes = diagram.nodes
        self.parents = parent_indices(diagram)
        self.labels = [_label(*pair) for pair in zip(self.nodes, diagram.names, strict=True)]
        count = len(self.nodes)
        self.values: list[Any] = [diagram.value_at(i) for i in range(count)]
        self.grads: list[Any] = [diagram.grad_at(i) for i in range(count)]
        self.awaited = Counter(parent for parents in self.parents for parent in parents)
        self.sources = defaultdict(list, {i: ["backward"] for i in self.starts})
        self.totals: dict[int, Any] = dict(self.starts)

    def visit(self, index: int, layer: Layer) -> Visit:
        parents, grad = self.parents[index], self.grads[index]
        inputs = [self.values[parent] for parent in parents]
        names = [self.labels[parent] for parent in parents]
        description = describe(layer, names, self.labels[index], [x.shape for x in inputs])
        local = local_derivatives(self.diagram, index, description, inputs, grad)
        gradients = self.diagram.contributions_at(index)
        contributions = [
            self._contribution(index, i, description, local[i], gradients[i])
            for i, parent in enumerate(parents)
            if self.nodes[parent].kind != "constant"
        ]
        numbers = list(zip(names, map(format_numbers, inputs), strict=True))
        value = format_numbers(self.values[index])
        return Visit(
            index,
            self.labels[index],
            description,
            numbers,
            value,
            format_numbers(grad),
            contributions,
        )

    def _contribution(
        self, index: int, i: int, description: DrawnFormula, local: LocalDerivative, gradient: Any
    ) -> Contribution:
        parent = self.parents[index][i]
        sources, before = self.sources[parent], self.totals.get(parent)
        earlier = ", ".join(sources) if len(sources) <= 3 else f"{len(sources)} others"
        sources.append(self.labels[index])
        self.totals[parent] = gradient if before is None else before + gradient
        self.awaited[parent] -= 1
        return Contribution(
            parent,
            self.labels[parent],
            description.derivatives[i],
            local,
            description.sent[i],
            format_numbers(gradient),
            earlier,
            "" if before is None else format_numbers(before),
            format_numbers(self.totals[parent]),
            not self.awaited[parent],
        )
