"""What can be drawn and explained: layers that are made of layers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nnlayers.layer import Layer

if TYPE_CHECKING:
    from nnlayers.graphs.graph import Graph

__all__ = ["Drawable"]


class Drawable(Layer, guarded=False):
    r"""Base of the layers that are made of layers: they can be drawn and explained.

    A drawing is that of a lecture's circuit, from left to right. Inputs are blue ellipses, weights
    yellow hexagons, constants grey boxes, operations white and containers violet. After ``forward``
    the value of a wire stands above it in green, after ``backward`` the gradient that goes back
    through it below it in red; of arrays with more than six entries the shape and dtype. A node
    that several wires leave shows the sum :math:`\Sigma` of their gradients.

    A :class:`~nnlayers.Sequential` keeps no values between its layers, so that its drawing has
    none; those of :func:`nnlayers.drawing.as_graph` of it do.
    """

    def to_dot(self, *, expand: bool = False) -> str:
        """Return the drawing as text in the language of Graphviz, which need not be there.

        Parameters
        ----------
        expand : bool
            Whether graphs and containers within are opened, at every depth, or each is one box.

        Examples
        --------
        >>> import nnlayers as nn
        >>> text = nn.Sequential(nn.Affine(2, 3), nn.ReLU()).to_dot()
        >>> [line for line in text.splitlines() if "->" in line]
        ['n0 -> n1', 'n1 -> n2', 'n2 -> output0']
        """
        from nnlayers import drawing

        return drawing.to_dot(self, expand=expand)

    def draw(self, path: str | os.PathLike[str], *, expand: bool = False) -> None:
        """Write the drawing to a file.

        Parameters
        ----------
        path : path
            Its suffix is the format: ``.svg``, ``.png`` or ``.pdf``, which need the extra `graph`
            and Graphviz's program ``dot``; or ``.dot``, the text of :meth:`to_dot`.
        expand : bool
            Whether graphs and containers within are opened, at every depth, or each is one box.

        Raises
        ------
        ValueError
            If the suffix is another one.
        ModuleNotFoundError, RuntimeError
            If the library, or the program, is not installed; the message says how to install it.
        OSError
            If the file cannot be written; then what was there before is still there.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import nnlayers as nn
        >>> graph = nn.Graph(nn.exp(nn.Input("x")))
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     graph.draw(Path(directory, "exp.dot"))
        ...     Path(directory, "exp.dot").read_text().splitlines()[0]
        'digraph {'
        """
        from nnlayers import drawing

        drawing.draw(self, path, expand=expand)

    def explain(self) -> str:
        """Return the last backward pass as numbered text: the chain rule, step by step.

        Raises
        ------
        RuntimeError
            If there was none, or the layer is no graph and so keeps no values between its layers.

        Examples
        --------
        >>> import nnlayers as nn
        >>> from nnlayers.drawing import as_graph
        >>> graph = as_graph(nn.Sequential(nn.Square(), nn.Exp()))
        >>> graph.forward(0.0), graph.backward(1.0)
        (array(1.), array(0.))
        >>> graph.explain().splitlines()[0]
        'Forward'
        """
        from nnlayers import drawing

        return drawing.explain(self._with_values())

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write a page that steps through the last forward and backward pass.

        Parameters
        ----------
        path : path
            One file, which needs nothing else, the network included.

        Raises
        ------
        RuntimeError
            If there was none, or the layer is no graph and so keeps no values between its layers.
        OSError
            If the file cannot be written; then what was there before is still there.
        """
        from nnlayers import drawing

        drawing.to_html(self._with_values(), path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the drawing for a notebook, beside the text that is shown where there is none."""
        from nnlayers import drawing

        return drawing.mime_bundle(self)

    def _with_values(self) -> Graph:
        """Return the layer as a graph, if it is one: nothing else keeps what is to be explained."""
        from nnlayers import drawing

        graph = drawing.as_graph(self)
        if graph is not self:
            raise RuntimeError(
                f"{type(self).__name__} keeps no values between its layers: "
                "run the graph that nnlayers.drawing.as_graph(...) makes of it, and explain that"
            )
        return graph
