"""Drawings of graphs and containers, and the chain rule explained step by step."""

from nnlayers.drawing.diagram import Diagram, DiagramNode, LayerDiagram, as_diagram
from nnlayers.drawing.dot import draw, mime_bundle, render, to_dot
from nnlayers.drawing.page import to_html
from nnlayers.drawing.text import explain

__all__ = [
    "Diagram",
    "DiagramNode",
    "LayerDiagram",
    "as_diagram",
    "draw",
    "explain",
    "mime_bundle",
    "render",
    "to_dot",
    "to_html",
]
