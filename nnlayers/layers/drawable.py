"""Base class of containers, which can be drawn and explained."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from nnlayers.layer import Layer

if TYPE_CHECKING:
    from nnlayers.drawing import Diagram

__all__ = ["Drawable"]


# Drawing is imported where it is used, because most programs draw nothing.
class Drawable(Layer, guarded=False):
    r"""Base class of layers made of layers, which can be drawn and explained.

    A drawing shows the computational graph from left to right. Inputs are blue, weights yellow,
    constants grey, operations white and containers violet. After ``forward`` the value of a wire
    stands above it in green, after ``backward`` the gradient that flows back through it below it in
    red; of an array that is no short vector its shape and a small heat map, blue for positive
    entries and orange for negative ones. A node with several outgoing wires shows the sum
    :math:`\Sigma` of their gradients. A long run of equal blocks, such as the steps of a recurrent
    network, is drawn as its first, its last and one box for the others.

    A :class:`~nnlayers.Sequential` saves no values between its layers, so that its drawing has
    none; the graph that :func:`nnlayers.graphs.as_graph` makes of it keeps them.
    """

    @abstractmethod
    def diagram(self) -> Diagram | None:
        """Return the layers as the nodes of a drawing.

        Returns
        -------
        Diagram or None
            None for a subclass with another ``forward``, which is drawn as a single box.
        """

    def to_dot(self, *, expand: bool = False) -> str:
        """Return the drawing as text in Graphviz's language, for which Graphviz is not needed.

        Parameters
        ----------
        expand : bool
            Whether to open the graphs and containers within, at every depth; else each is one box.

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
            The file to write. Its suffix is the format: ``.svg``; ``.png`` or ``.pdf``, which need
            the extra `graph`; or ``.dot``, the text of :meth:`to_dot`.
        expand : bool
            Whether to open the graphs and containers within, at every depth, and to draw each of a
            run of equal blocks.

        Raises
        ------
        ValueError
            If the suffix is another.
        ModuleNotFoundError
            If Matplotlib is not installed, which draws ``.png`` and ``.pdf``.
        OSError
            If the file cannot be written; an earlier file stays as it was.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import nnlayers as nn
        >>> graph = nn.Graph(nn.exp(nn.Input("x")))
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     graph.draw(Path(directory, "exp.svg"))
        ...     Path(directory, "exp.svg").read_text(encoding="utf-8")[:4]
        '<svg'
        """
        from nnlayers import drawing

        drawing.draw(self, path, expand=expand)

    def explain(self) -> str:
        """Explain the last backward pass as numbered text: the chain rule, step by step.

        Matrices up to 8 by 8 stand as matrices, larger arrays as maps of their signs.

        Raises
        ------
        RuntimeError
            If there was none, or the layer saves no values between its layers, as only graphs do.

        Examples
        --------
        >>> import nnlayers as nn
        >>> graph = nn.graphs.as_graph(nn.Sequential(nn.Square(), nn.Exp()))
        >>> graph.forward(0.0), graph.backward(1.0)
        (array(1.), array(0.))
        >>> graph.explain().splitlines()[0]
        'Forward'
        """
        from nnlayers import drawing

        return drawing.explain(drawing.as_diagram(self))

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write a page that steps through the last forward and backward pass.

        Numbers that enter the graph can be changed on the page, which then computes both passes
        again, if the formulas of all layers are known to it and no array is too large for it.

        Parameters
        ----------
        path : path
            The file to write. It needs a browser, and no network.

        Raises
        ------
        RuntimeError
            If there was none, or the layer saves no values between its layers, as only graphs do.
        OSError
            If the file cannot be written; an earlier file stays as it was.
        """
        from nnlayers import drawing

        drawing.to_html(drawing.as_diagram(self), path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the drawing for a notebook, and the text for where it cannot be shown."""
        from nnlayers import drawing

        return drawing.mime_bundle(self)
