"""Pictures of predictions: confusions, numbers against predictions, calibration, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import optional_library
from nnlayers.training.figures import new_figure
from nnlayers.training.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["can_draw", "draw_calibration", "draw_confusion", "draw_coverage", "draw_numbers"]

# With more classes, the cells of a matrix have no room for numbers, and its axes none for names.
_MOST_NUMBERS = 20
_MOST_NAMES = 40
_MAX_LABEL = 20
_BINS = 10
_MOST_POINTS = 5_000


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    try:
        optional_library("matplotlib.figure", "plot")
    except ModuleNotFoundError:
        return False
    return True


def draw_confusion(predictions: Predictions, classes: tuple[Any, ...]) -> Figure:
    """Draw how many rows of each class were taken for each class.

    A row of the picture is a true class, a column a predicted one, and the colour the share of the
    true class.
    """
    count = len(classes)
    true, predicted = predictions.labels
    cells = np.bincount(true * count + predicted, minlength=count * count).reshape(count, count)
    shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure(min(3 + 0.45 * count, 12))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if count <= _MOST_NUMBERS:
        for row, column in np.ndindex(count, count):
            colour = "white" if shares[row, column] > 0.5 else "black"
            number = str(cells[row, column])
            axes.text(column, row, number, ha="center", va="center", color=colour)
    if count <= _MOST_NAMES:
        names = [_shorten(str(name)) for name in classes]
        axes.set_xticks(range(count), names, rotation=90, parse_math=False)
        axes.set_yticks(range(count), names, parse_math=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return figure


def draw_numbers(predictions: Predictions, name: str) -> Figure:
    """Draw the predictions of a target against its true values, for thousands of rows at most."""
    # Drawing a million points takes half a minute, and they hide each other.
    step = len(predictions.y_true) // _MOST_POINTS + 1
    true, predicted = (values.ravel()[::step] for values in predictions.values)
    figure, axes = _figure(5)
    axes.plot(true, predicted, ".", alpha=min(1.0, 30 / len(true) ** 0.5), markeredgewidth=0)
    finite = np.concatenate([true, predicted[np.isfinite(predicted)]])
    axes.axline((finite.min(), finite.min()), slope=1, color="black", linewidth=0.8)
    axes.set_xlabel(f"true {_shorten(name)}", parse_math=False)
    axes.set_ylabel(f"predicted {_shorten(name)}", parse_math=False)
    return figure


def draw_calibration(predictions: Predictions, classes: tuple[Any, ...]) -> Figure:
    """Draw how often rows are what they are predicted to be with some probability.

    Of two classes, it is the probability of the second; of more, that of the predicted class. The
    probabilities are grouped into ten intervals, and the bars show how many rows fall into each.
    """
    true, predicted = predictions.labels
    p = np.exp(predictions.log_probabilities)
    if len(classes) == 2:
        p, hits, what = p[:, 1], true == 1, f"class {_shorten(str(classes[1]))}"
    else:
        p, hits, what = p.max(axis=1), true == predicted, "the predicted class"
    figure, axes = _figure(5)
    known = np.isfinite(p)  # A model may give NaN.
    means, shares, counts = _bins(p[known], hits[known])
    rows = axes.twinx()
    rows.bar((np.arange(_BINS) + 0.5) / _BINS, counts, width=0.9 / _BINS, color="0.85")
    rows.set_ylabel("rows")
    axes.set_zorder(rows.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    axes.plot(means, shares, marker="o")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(f"predicted probability of {what}", parse_math=False)
    axes.set_ylabel("share of rows for which it is right")
    return figure


def draw_coverage(y: Array, intervals: Mapping[float, Array]) -> Figure:
    """Draw how many targets intervals hold, and how wide these are, over the coverage asked for.

    Each entry of `intervals` has the lower and upper ends of all rows for one coverage.
    """
    asked = sorted(intervals)
    ends = [intervals[coverage] for coverage in asked]
    held = [np.mean((low <= y) & (y <= high)) for low, high in (pair.T for pair in ends)]
    figure, axes = _figure(5)
    widths = axes.twinx()
    widths.bar(asked, [np.mean(pair[:, 1] - pair[:, 0]) for pair in ends], width=0.03, color="0.85")
    widths.set_ylabel("mean width of the intervals")
    axes.set_zorder(widths.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    axes.plot(asked, held, marker="o")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("coverage asked for")
    axes.set_ylabel("share of targets within")
    return figure


def _bins(p: Array, hits: Array) -> tuple[Array, Array, Array]:
    """Return the mean probability and the share of hits of each interval that has rows.

    The last array holds the number of rows of every interval.

    Examples
    --------
    >>> means, shares, counts = _bins(np.array([0.05, 0.15, 1.0]), np.array([False, True, True]))
    >>> means, shares, counts[[0, 1, -1]]
    (array([0.05, 0.15, 1.  ]), array([0., 1., 1.]), array([1, 1, 1]))
    """
    index = np.minimum((p * _BINS).astype(np.intp), _BINS - 1)
    counts = np.bincount(index, minlength=_BINS)
    used = counts > 0
    sums = (np.bincount(index, values, _BINS)[used] for values in (p, hits))
    means, shares = (total / counts[used] for total in sums)
    return means, shares, counts


def _figure(size: float) -> tuple[Figure, Axes]:
    figure = new_figure(figsize=(size, size), layout="constrained")
    return figure, figure.subplots()


def _shorten(text: str) -> str:
    """Return a label of bounded length, without characters that no font has."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: _MAX_LABEL + 1])
    return text if len(text) <= _MAX_LABEL else f"{text[: _MAX_LABEL - 3]}..."
