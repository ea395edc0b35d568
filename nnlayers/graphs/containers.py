"""Conversion of containers to graphs."""

from __future__ import annotations

from typing import Any

from nnlayers.graphs.graph import Graph
from nnlayers.graphs.node import Input, Node
from nnlayers.layer import Layer

__all__ = ["as_graph"]


def as_graph(layer: Layer) -> Graph:
    """Convert a container to a graph that shares its layers; return a graph unchanged.

    A :class:`~nnlayers.Sequential` saves no values between its layers; the graph has them once it
    has run. A layer that is not a container is one node.

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
    from nnlayers.drawing import as_diagram

    diagram = as_diagram(layer)
    if isinstance(diagram, Graph):
        return diagram
    nodes: dict[Any, Node] = {}
    for node in diagram.nodes:
        if node.layer is None:
            nodes[node] = Input(str(node.own_name))
        else:
            nodes[node] = Node(node.layer, [nodes[parent] for parent in node.parents])
    outputs = [nodes[node] for node in diagram.outputs]
    return Graph(outputs[0] if len(outputs) == 1 else outputs)
