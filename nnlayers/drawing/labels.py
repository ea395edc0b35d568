"""Labels of pictures: a short text, and for larger arrays a tiny heat map."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.drawing.arrays import format_number, format_numbers, format_shape, heat_levels, pooled

__all__ = ["Label", "array_label", "safe_text", "sum_label", "text_width"]

# Estimates of the width of a letter, since the reader's fonts are not known.
_LETTER, _DIGIT, _HEIGHT = 8.6, 7.4, 14.0
_MAX_TEXT, _ROWS, _COLUMNS, _GAP = 20, 7, 16, 6.0


class Label(NamedTuple):
    """A text with a heat map beside it.

    Attributes
    ----------
    text : str
        The text.
    levels : ndarray or None
        The levels of the heat map's cells.
    """

    text: str
    levels: Array | None = None

    @property
    def cell(self) -> float:
        """The side of a cell of the heat map."""
        return 0.0 if self.levels is None else min(7.0, _HEIGHT / len(self.levels))

    @property
    def width(self) -> float:
        """The width of the label."""
        width = _DIGIT * len(self.text)
        return width if self.levels is None else width + _GAP + self.cell * self.levels.shape[1]

    def svg(self, x: float, y: float, attributes: str) -> str:
        """Return the label as an SVG group, centred at x, with the baseline of its text at y."""
        text_width = _DIGIT * len(self.text)
        parts = [f'<text x="{(text_width - self.width) / 2:.1f}">{safe_text(self.text)}</text>']
        if self.levels is not None:
            left, top = text_width + _GAP - self.width / 2, -11.0
            parts += [
                f'<path class="{name}" d="{path}"/>'
                for name, path in _cells(self.levels, left, top, self.cell).items()
            ]
        place = f'transform="translate({x:.1f} {y:.1f})"'
        return f"<g {attributes} {place}>{''.join(parts)}</g>"


def _cells(levels: Array, left: float, top: float, side: float) -> Mapping[str, str]:
    """Return a path for each level of a heat map, by the class of its colour."""
    paths: defaultdict[str, str] = defaultdict(str)
    for (row, column), level in np.ndenumerate(levels):
        x, y = left + column * side, top + row * side
        paths[f"heat{level}"] += f"M{x:.4g} {y:.4g}h{side:.3g}v{side:.3g}h-{side:.3g}z"
    return paths


def array_label(array: Array | None) -> Label | None:
    """Return the label of an array: its numbers if they are few, else its shape and a heat map.

    Examples
    --------
    >>> array_label(np.array([1.0, 2.0])).text
    '[1, 2]'
    >>> label = array_label(np.ones((2, 3)))
    >>> label.text, label.levels.shape
    ('2 × 3', (2, 3))
    """
    if array is None or array.dtype == object:
        return None
    if array.ndim == 0:
        return Label(format_number(array))
    text = format_numbers(array)
    if array.ndim == 1 and text.startswith("[") and len(text) <= _MAX_TEXT:
        return Label(text)
    levels = heat_levels(pooled(array, _ROWS, _COLUMNS)) if array.size else None
    return Label(format_shape(array.shape), levels)


def sum_label(arrays: Sequence[Array]) -> Label | None:
    """Return the label of the gradients that share a wire."""
    labels = [array_label(array) for array in arrays]
    if not labels or labels[0] is None:
        return None
    text = " + ".join(label.text for label in labels if label)
    if labels[0].levels is None and len(text) <= _MAX_TEXT:
        return Label(text)
    with np.errstate(all="ignore"):
        return array_label(np.sum(arrays, axis=0))


def text_width(text: str, small: bool = False) -> float:
    """Return an estimate of the width of a text."""
    return (_DIGIT if small else _LETTER) * len(text)


def safe_text(text: str) -> str:
    r"""Return a text as part of XML, which has no control codes and no half surrogate pairs.

    Examples
    --------
    >>> safe_text("a<b\x00")
    'a&lt;b\\x00'
    """
    return escape("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))
