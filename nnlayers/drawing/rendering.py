"""Drawings as files and pictures, by Graphviz."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from nnlayers._core.checks import optional_library
from nnlayers._core.files import write_file
from nnlayers.drawing.dot import to_dot
from nnlayers.drawing.structure import as_graph
from nnlayers.layer import Layer

__all__ = ["draw", "mime_bundle", "render"]

_FORMATS = ("svg", "png", "pdf", "dot")
_MOST_NODES = 300  # in a notebook: that many take Graphviz a second or two, then ever longer
_NO_PROGRAM = (
    "Graphviz's program dot is not installed: 'apt install graphviz' (Debian), "
    "'brew install graphviz' (macOS) or 'conda install graphviz' (Windows)"
)


def draw(layer: Layer, path: str | os.PathLike[str], *, expand: bool = False) -> None:
    """Write the drawing of a graph or a container to a file.

    Parameters
    ----------
    layer : Layer
        What to draw.
    path : path
        Its suffix is the format: ``.svg``, ``.png``, ``.pdf``, or ``.dot``, which is Graphviz's own
        language and needs no library.
    expand : bool
        Whether graphs and containers within are opened, at every depth, or each is one box.

    Raises
    ------
    ValueError
        If the suffix is another one.
    ModuleNotFoundError, RuntimeError
        If the library, or Graphviz's program, is missing.
    OSError
        If the file cannot be written; then nothing is there.
    """
    suffix = Path(path).suffix[1:].lower()
    if suffix not in _FORMATS:
        raise ValueError(f"path must end in .svg, .png, .pdf or .dot, got {os.fspath(path)!r}")
    text = to_dot(layer, expand=expand)
    content = text.encode() if suffix == "dot" else render(text, suffix)
    write_file(path, lambda file: file.write(content))


def mime_bundle(layer: Layer) -> dict[str, str]:
    """Return what a notebook shows: the drawing where it can be made soon, and the text.

    Examples
    --------
    >>> import nnlayers as nn
    >>> mime_bundle(nn.Graph(nn.exp(nn.Input("x"))))["text/plain"]
    'Graph(x -> exp, 2 nodes)'
    """
    bundle = {"text/plain": repr(layer)}
    graph = as_graph(layer)
    if len(graph.nodes) <= _MOST_NODES:
        with suppress(ModuleNotFoundError, RuntimeError):
            bundle["image/svg+xml"] = render(to_dot(graph), "svg").decode()
    return bundle


def render(text: str, suffix: str) -> bytes:
    """Return the picture that Graphviz makes of a text in its language.

    Raises
    ------
    ModuleNotFoundError, RuntimeError
        If the library, or Graphviz's program, is missing or fails.
    """
    graphviz = optional_library("graphviz", "graph")
    try:
        picture: bytes = graphviz.Source(text).pipe(format=suffix, quiet=True)
    except graphviz.ExecutableNotFound as error:
        raise RuntimeError(_NO_PROGRAM) from error
    except (OSError, subprocess.CalledProcessError) as error:
        reason = " ".join(str(error).split())
        raise RuntimeError(f"Graphviz's program dot failed: {reason}") from error
    return picture
