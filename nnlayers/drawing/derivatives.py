"""The numbers of local derivatives: what a node multiplies the gradient with that comes to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.drawing.operations import Description
from nnlayers.drawing.values import MOST_NUMBERS, shortened
from nnlayers.graphs.graph import Graph
from nnlayers.graphs.jacobian import jacobian
from nnlayers.graphs.node import Node
from nnlayers.layer import Layer
from nnlayers.layers.affine import Affine
from nnlayers.layers.arithmetic import Binary, MatMul
from nnlayers.layers.noise import Dropout, Noise

__all__ = ["Local", "local_derivatives"]


class Local(NamedTuple):
    """A local derivative, and its product with the gradient that comes in.

    Attributes
    ----------
    factor : ndarray or None
        The derivative; None where it is a Jacobian too large to be shown.
    numbers : str
        What is shown of it.
    product : str
        Both as they are multiplied; empty where that is not a product of the two alone.
    is_summed : bool
        Whether the product was summed over axes in which the input was broadcast.
    """

    factor: Array | None
    numbers: str
    product: str = ""
    is_summed: bool = False


def local_derivatives(
    graph: Graph,
    node: Node,
    description: Description,
    values: Mapping[Node, Array],
    grad: Array,
) -> list[Local]:
    """Return the numbers of the derivatives that a description of a node has formulas for.

    Parameters
    ----------
    graph : Graph
        One that has run forward and backward.
    node : Node
        One of its operations.
    description : Description
        Made for the shapes of the inputs.
    values : mapping of Node to ndarray
        Those of the graph's nodes in that run.
    grad : ndarray
        The gradient that came to the node.

    Examples
    --------
    >>> import nnlayers as nn
    >>> from nnlayers.drawing.operations import describe
    >>> graph = nn.Graph(nn.Input("a") * nn.Input("b"))
    >>> a, b, g = np.array([2.0, 3.0]), np.array(4.0), np.array([1.0, 10.0])
    >>> graph.forward(a, b), graph.backward(g)[1]
    (array([ 8., 12.]), array(32.))
    >>> values = {node: node.value for node in graph.nodes}
    >>> described = describe(nn.Multiply(), ["a", "b"])
    >>> by_b = local_derivatives(graph, graph["multiply"], described, values, g)[1]
    >>> by_b.product, by_b.is_summed
    ('[1, 10] × [2, 3]', True)
    """
    inputs = [values[parent] for parent in node.parents]
    sent = graph.contributions(node)
    if description.product == "@":
        return _of_matrices(node.layer, inputs, grad)
    if description.derivatives[0].expression == "J":
        return _jacobians(node.layer, inputs, grad, sent)
    factors = _by_entry(node.layer, inputs, values[node], sent)
    if not description.product:
        return [Local(factor, shortened(factor)) for factor in factors]
    return [
        _multiplied(factor, [grad, factor], "×", x.shape != factor.shape)
        for factor, x in zip(factors, inputs, strict=True)
    ]


def _by_entry(operation: Any, inputs: Sequence[Array], y: Array, sent: Sequence[Array]) -> Any:
    """Return what a gradient of ones sends back, before any sum over broadcast axes."""
    if isinstance(operation, Noise):  # which would draw anew
        if isinstance(operation, Dropout) and operation.training:
            return [((y != 0) | (sent[0] != 0)) / (1 - operation.rate)]
        return [np.ones_like(y)]
    if isinstance(operation, Binary) and not isinstance(operation, MatMul):
        inputs = [np.broadcast_to(x, y.shape) for x in inputs]
    with np.errstate(all="ignore"):
        _, kept = operation.compute_forward(*inputs)
        factors = operation.compute_backward(np.ones_like(y)[()], kept)
    return [np.array(factor) for factor in (factors if len(inputs) > 1 else [factors])]


def _of_matrices(layer: Layer | None, inputs: Sequence[Array], grad: Array) -> list[Local]:
    """Return the other factors of a product of matrices; a vector is a row or a column."""
    if isinstance(layer, Affine):
        factor = layer.W.value.T
        return [_multiplied(factor, [grad, factor], "@", False)]
    a, b = inputs
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    of_a = b[np.newaxis] if b.ndim == 1 else b.swapaxes(-1, -2)
    of_b = a[:, np.newaxis] if a.ndim == 1 else a.swapaxes(-1, -2)
    column = grad[..., np.newaxis] if b.ndim == 1 else grad
    row = grad[..., np.newaxis, :] if a.ndim == 1 else grad
    return [
        _multiplied(of_a, [column, of_a], "@", a.shape[:-2] != batch),
        _multiplied(of_b, [of_b, row], "@", b.shape[:-2] != batch),
    ]


def _multiplied(factor: Array, terms: Sequence[Array], sign: str, is_summed: bool) -> Local:
    product = f" {sign} ".join(map(shortened, terms))
    return Local(factor, shortened(factor), product, is_summed)


def _jacobians(
    layer: Any, inputs: Sequence[Array], grad: Array, gradients: Sequence[Array]
) -> list[Local]:
    """Return the full derivatives where they are small, else their shapes."""
    names = [str(i) for i in range(len(inputs))] if len(inputs) > 1 else ["x"]
    if isinstance(layer, Graph):
        names = [str(fed.own_name) for fed in layer.inputs]
    found = []
    for name, x, sent in zip(names, inputs, gradients, strict=True):
        shape = grad.shape + x.shape
        J = None
        if 0 < math.prod(shape) <= MOST_NUMBERS:
            with suppress(TypeError, ValueError):  # of a layer of a user's, run once more
                J = jacobian(layer, tuple(inputs), wrt=name)
                # A layer that draws by chance has drawn anew.
                if J.shape != shape or not np.allclose(np.tensordot(grad, J, grad.ndim), sent):
                    J = None
        found.append(Local(J, f"{shape} {grad.dtype}" if J is None else shortened(J)))
    return found
