"""Make figures that need no display, and that notebooks show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnlayers._core.checks import optional_library

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["new_figure"]


def new_figure(**options: Any) -> Figure:
    """Return an empty figure.

    Parameters
    ----------
    **options
        The arguments of :class:`matplotlib.figure.Figure`.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    optional_library("matplotlib.figure", "plot")
    from nnlayers.training.notebook_figure import NotebookFigure

    return NotebookFigure(**options)
