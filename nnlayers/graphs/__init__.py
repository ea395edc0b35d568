"""Computational graphs: nodes, the graphs that they build, and full derivatives."""

from nnlayers.graphs.containers import as_graph
from nnlayers.graphs.graph import Graph
from nnlayers.graphs.jacobian import jacobian
from nnlayers.graphs.node import Input, Node

__all__ = ["Graph", "Input", "Node", "as_graph", "jacobian"]
