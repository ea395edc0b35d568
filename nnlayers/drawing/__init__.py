"""Pictures of graphs and of the layers that hold layers, and their chain rule step by step."""

from nnlayers.drawing.dot import to_dot
from nnlayers.drawing.page import to_html
from nnlayers.drawing.rendering import draw, mime_bundle, render
from nnlayers.drawing.structure import as_graph
from nnlayers.drawing.text import explain

__all__ = ["as_graph", "draw", "explain", "mime_bundle", "render", "to_dot", "to_html"]
