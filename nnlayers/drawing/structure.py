"""Containers as graphs, the one shape that is drawn and explained."""

from __future__ import annotations

from nnlayers.graphs.graph import Graph
from nnlayers.graphs.node import Input, Node
from nnlayers.layer import Layer
from nnlayers.layers.residual import Residual
from nnlayers.layers.sequential import Sequential

__all__ = ["as_graph", "is_container"]


def is_container(layer: Layer) -> bool:
    """Return whether a layer does what its own layers do, in the library's way."""
    return type(layer).forward in (Graph.forward, Residual.forward, Sequential.forward)


def as_graph(layer: Layer) -> Graph:
    """Return a graph of what a layer holds, which shares its layers; a graph itself as it is.

    A :class:`~nnlayers.Sequential` keeps no values between its layers, so that its drawing has
    none; the graph keeps them once it has run. A layer that is no container, or that changes its
    container's ``forward``, is one node.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Sequential(nn.Square(), nn.Sum())
    >>> graph = as_graph(model)
    >>> graph.forward([1.0, 2.0])
    array(5.)
    >>> graph["square"].value
    array([1., 4.])
    """
    if isinstance(layer, Graph) and is_container(layer):
        return layer
    x: Node = Input("x")
    if not isinstance(layer, Sequential) or not is_container(layer):
        return Graph(x.apply(layer, [x]))
    y = x
    for inner in layer:
        y = y.apply(inner, [y])
    return Graph(x + y if isinstance(layer, Residual) else y)
