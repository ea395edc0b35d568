"""Summary of a model: its layers with their shapes and sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from nnlayers._core.display import Grid
from nnlayers.layer import Layer

__all__ = ["Summary", "summarize"]


class Summary(str):
    """Text of a table, which an interactive session shows in lines, and a notebook as a table.

    Examples
    --------
    >>> Summary.of(Grid(["layer", "parameters"], [["ReLU()", "0"]], "lr"))
    layer   parameters
    ReLU()           0
    """

    _html = ""

    @classmethod
    def of(cls, grid: Grid) -> Self:
        """Return the summary that a table holds; its last row is the total."""
        summary = cls(grid.text())
        summary._html = grid.html(strong=[len(grid.rows) - 1])
        return summary

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self._html


def summarize(layers: Iterable[Layer], total: int, input_shape: Sequence[int] | None) -> Summary:
    """Return the table of layers that go one after another.

    Parameters
    ----------
    layers : iterable of Layer
        The layers.
    total : int
        The number of weights, in which those that layers share count once.
    input_shape : sequence of int, optional
        The shape of one row; with it, each layer's output shape is shown.
    """
    x: Any = None if input_shape is None else np.empty((0, *input_shape), np.float32)
    rows = []
    for index, layer in enumerate(layers):
        x = None if input_shape is None else layer.predict(x)
        size = sum(parameter.size for parameter in layer.parameters())
        description = " ".join(repr(layer).split())
        rows.append([str(index), description, str(np.shape(x)[1:]), f"{size:,}"])
    rows.append(["", "total", "", f"{total:,}"])
    header, align = ["", "layer", "output", "parameters"], "lllr"
    if input_shape is None:
        header, align = ["", "layer", "parameters"], "llr"
        rows = [[number, description, size] for number, description, _, size in rows]
    return Summary.of(Grid(header, rows, align))
