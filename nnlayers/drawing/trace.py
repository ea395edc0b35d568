"""The last forward and backward pass of a graph, node by node, with formulas and numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.drawing.arrays import format_numbers
from nnlayers.drawing.diagram import Diagram, DiagramNode, parent_indices
from nnlayers.drawing.formulas import Expression
from nnlayers.drawing.operations import DrawnFormula, LocalDerivative, describe, local_derivatives
from nnlayers.layer import Layer

__all__ = ["Contribution", "Part", "Trace", "Visit", "partial", "trace", "weights_of"]


class Part(NamedTuple):
    """A gradient that is added to the sum of a node's or a parameter's gradients.

    Attributes
    ----------
    label : str
        The label of the node, or the name of the parameter.
    formula : Expression or None
        The gradient; None if it is not known.
    value : ndarray
        Its numbers.
    earlier : str
        The labels of the nodes that had sent a gradient before; empty if there are none.
    before : ndarray or None
        The sum before this one.
    total : ndarray
        The sum after this one.
    is_last : bool
        Whether this gradient completes the sum.
    """

    label: str
    formula: Expression | None
    value: Array
    earlier: str
    before: Array | None
    total: Array
    is_last: bool


class Contribution(NamedTuple):
    """The gradient that a node sent to one of its parents.

    Attributes
    ----------
    parent : int
        The index of the parent.
    slot : int
        The position of the parent among the inputs of the node.
    derivative : Expression
        The local derivative.
    local : LocalDerivative
        Its numbers.
    part : Part
        The gradient.
    """

    parent: int
    slot: int
    derivative: Expression
    local: LocalDerivative
    part: Part


class Visit(NamedTuple):
    """An operation of the graph: its value and gradient, and the gradients that it sent.

    Attributes
    ----------
    node : int
        The index of the node.
    label : str
        Its label.
    description : DrawnFormula
        Its formulas.
    value, grad : ndarray
        Its value, and the incoming gradient.
    contributions : list of Contribution
        The gradients that it sent to its parents, except to constants.
    weights : list of Part
        The gradients that it added to those of its layer's parameters.
    """

    node: int
    label: str
    description: DrawnFormula
    value: Array
    grad: Array
    contributions: list[Contribution]
    weights: list[Part]


class Trace(NamedTuple):
    """A forward and a backward pass.

    Attributes
    ----------
    nodes : sequence of DiagramNode
        The nodes.
    labels : list of str
        The names of the nodes, or the numbers of constants.
    values, grads : list of ndarray
        Their values and gradients.
    parents : list of list of int
        The indices of their parents.
    visits : list of Visit
        The operations in forward order.
    starts : dict of int to ndarray
        The gradients that ``backward`` was called with, by the indices of the outputs.
    weights : dict of int to ndarray
        The layers' parameters, by their identities.
    """

    nodes: Sequence[DiagramNode]
    labels: list[str]
    values: list[Array]
    grads: list[Array]
    parents: list[list[int]]
    visits: list[Visit]
    starts: dict[int, Array]
    weights: dict[int, Array]

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
    >>> [(sent.part.formula.text, float(sent.part.value), float(sent.part.total))
    ...  for sent in trace(graph).visits[0].contributions]
    [('∂ℓ/∂y × x', 3.0, 3.0), ('∂ℓ/∂y × x', 3.0, 6.0)]
    """
    tracer = _Tracer(diagram, caller)
    operations = [(i, node.layer) for i, node in enumerate(diagram.nodes) if node.layer is not None]
    visits = [tracer.visit(i, layer) for i, layer in reversed(operations)]
    return Trace(
        diagram.nodes,
        tracer.labels,
        tracer.values,
        tracer.grads,
        tracer.parents,
        visits[::-1],
        dict(tracer.starts),
        {id(p): p.value for _, layer in operations for p in layer.parameters()},
    )


def weights_of(node: DiagramNode) -> dict[str, Array]:
    """Return the parameters of a node's layer by name."""
    layer = node.layer
    return {name: p.value for name, p in layer.named_parameters().items()} if layer else {}


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


class _Sums:
    """Sums of gradients by the node or parameter that they belong to."""

    def __init__(self, uses: Iterable[Any]) -> None:
        self.awaited = Counter(uses)
        self.sources: defaultdict[Any, list[str]] = defaultdict(list)
        self.totals: dict[Any, Array] = {}

    def add(
        self, key: Any, source: str, label: str, formula: Expression | None, value: Array
    ) -> Part:
        """Add a gradient from a source."""
        sources, before = self.sources[key], self.totals.get(key)
        earlier = ", ".join(sources) if len(sources) <= 3 else f"{len(sources)} others"
        sources.append(source)
        with np.errstate(all="ignore"):
            total = self.totals[key] = value if before is None else before + value
        self.awaited[key] -= 1
        return Part(label, formula, value, earlier, before, total, not self.awaited[key])


class _Tracer:
    """Visitor of a graph's nodes in reverse order, which adds up their gradients."""

    def __init__(self, diagram: Diagram, caller: str) -> None:
        self.starts = diagram.output_grads(caller)
        self.diagram = diagram
        self.nodes = diagram.nodes
        self.parents = parent_indices(diagram)
        self.labels = [_label(*pair) for pair in zip(self.nodes, diagram.names, strict=True)]
        count = len(self.nodes)
        self.values: list[Any] = [diagram.value_at(i) for i in range(count)]
        self.grads: list[Any] = [diagram.grad_at(i) for i in range(count)]
        self.sums = _Sums(parent for parents in self.parents for parent in parents)
        for i, start in self.starts.items():
            self.sums.sources[i], self.sums.totals[i] = ["backward"], start
        layers = [node.layer for node in self.nodes if node.layer is not None]
        self.weight_sums = _Sums(id(p) for layer in layers for p in layer.parameters())

    def visit(self, index: int, layer: Layer) -> Visit:
        parents, grad = self.parents[index], self.grads[index]
        inputs = [self.values[parent] for parent in parents]
        names = [self.labels[parent] for parent in parents]
        label = self.labels[index]
        description = describe(layer, names, label, [x.shape for x in inputs])
        local = local_derivatives(self.diagram, index, description, inputs, grad)
        gradients = self.diagram.contributions_at(index)
        contributions = []
        for i, parent in enumerate(parents):
            if self.nodes[parent].kind != "constant":
                formula = description.sent[i]
                part = self.sums.add(parent, label, self.labels[parent], formula, gradients[i])
                derivative = description.derivatives[i]
                contributions.append(Contribution(parent, i, derivative, local[i], part))
        weights = self._weights(index, layer, description)
        return Visit(index, label, description, self.values[index], grad, contributions, weights)

    def _weights(self, index: int, layer: Layer, description: DrawnFormula) -> list[Part]:
        gradients = self.diagram.weight_gradients_at(index)
        return [
            self.weight_sums.add(
                id(weight),
                self.labels[index],
                name,
                description.weight(name),
                gradients[name],
            )
            for name, weight in layer.named_parameters().items()
            if name in gradients
        ]
