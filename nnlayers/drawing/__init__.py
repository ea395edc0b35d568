"""Drawings of graphs and containers, and the chain rule explained step by step."""

from nnlayers.drawing.diagram import Diagram, DiagramNode, LayerDiagram, as_diagram
from nnlayers.drawing.dot import to_dot
from nnlayers.drawing.draw import draw, mime_bundle
from nnlayers.drawing.page import to_html
from nnlayers.drawing.picture import to_svg
from nnlayers.drawing.text import explain

__all__ = [
    "Diagram",
    "DiagramNode",
    "LayerDiagram",
    "as_diagram",
    "draw",
    "explain",
    "mime_bundle",
    "to_dot",
    "to_html",
    "to_svg",
]
