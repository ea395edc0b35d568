"""Drawings as files and in notebooks."""

from __future__ import annotations

import os
from pathlib import Path

from nnlayers._core.files import write_file
from nnlayers.drawing.diagram import as_diagram, parent_indices
from nnlayers.drawing.dot import to_dot
from nnlayers.drawing.folding import find_fold
from nnlayers.drawing.picture import COLOURS, to_svg
from nnlayers.drawing.raster import to_bytes
from nnlayers.layer import Layer

__all__ = ["draw", "mime_bundle"]

_FORMATS = ("svg", "png", "pdf", "dot")
# More would hold up a notebook, and be illegible in it.
_MAX_NODES = 300


def draw(layer: Layer, path: str | os.PathLike[str], *, expand: bool = False) -> None:
    """Write the drawing of a graph or a container to a file.

    Parameters
    ----------
    layer : Layer
        The layer to draw.
    path : path
        The file to write. Its suffix is the format: ``.svg``, ``.png``, ``.pdf``, or ``.dot``,
        which is Graphviz's language.
    expand : bool
        Whether to open the graphs and containers within, at every depth; else each is one box.

    Raises
    ------
    ValueError
        If the suffix is another.
    ModuleNotFoundError
        If Matplotlib is missing, which draws ``.png`` and ``.pdf``.
    OSError
        If the file cannot be written.
    """
    suffix = Path(path).suffix[1:].lower()
    if suffix not in _FORMATS:
        raise ValueError(f"path must end in .svg, .png, .pdf or .dot, got {os.fspath(path)!r}")
    if suffix == "dot":
        content = to_dot(layer, expand=expand).encode()
    else:
        svg = to_svg(as_diagram(layer), expand=expand)
        content = svg.encode() if suffix == "svg" else to_bytes(svg, suffix, COLOURS)
    write_file(path, lambda file: file.write(content))


def mime_bundle(layer: Layer) -> dict[str, str]:
    """Return the drawing and the text for a notebook; the text alone for a large graph.

    Examples
    --------
    >>> import nnlayers as nn
    >>> bundle = mime_bundle(nn.Graph(nn.exp(nn.Input("x"))))
    >>> sorted(bundle), bundle["text/plain"]
    (['image/svg+xml', 'text/plain'], 'Graph(x -> exp, 2 nodes)')
    """
    bundle = {"text/plain": repr(layer)}
    diagram = as_diagram(layer)
    fold = find_fold(diagram.nodes, parent_indices(diagram))
    if len(diagram.nodes) - (len(fold.hidden) if fold else 0) <= _MAX_NODES:
        bundle["image/svg+xml"] = to_svg(diagram)
    return bundle
