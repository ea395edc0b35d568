"""Figure of Matplotlib that a notebook shows; imported where one is drawn."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["NotebookFigure"]


class NotebookFigure(Figure):
    """Figure that a notebook shows as the result of a cell.

    Matplotlib itself does so only after ``%matplotlib inline`` or the import of ``pyplot``, whose
    settings for the format and the resolution then hold for this figure too.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
