"""Predictions over the line or the plane of a model's inputs, for a film."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers.drawing.film import MOST_CLASSES, MOST_CURVES, FilmView, levels
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.training.predictions import Predictions, gives_log_odds
from nnlayers.training.rows import Rows

__all__ = ["MOST_POINTS", "has_view", "rows_in_view", "see_view", "view_of"]

# Rows that are points of a view, and the margin around them.
MOST_POINTS, _MARGIN = 400, 0.08


def view_of(
    points: Array, model: Layer, loss: Any, features: Sequence[str], classes: Sequence[str]
) -> FilmView | None:
    """Return the view of a model on rows of one or two features; None for too many classes.

    Parameters
    ----------
    points : ndarray, shape (rows, features)
        Rows of the training, around which the view is.
    model : Layer
        The model, to which the loss belongs.
    loss : Loss
        Its loss.
    features, classes : sequence of str
        The names of the features and the classes, where they are known.
    """
    ranges = tuple(_range_of(column) for column in points.T)
    names = tuple(f"x{i + 1}" for i in range(len(ranges)))
    names = tuple(features) if len(features) == len(names) else names
    kind, values = _seen(model, loss, FilmView("values", 1, ranges, names).grid())
    curves = len(values)
    if curves > (MOST_CLASSES if kind == "classes" and len(ranges) == 2 else MOST_CURVES):
        return None
    known = tuple(classes) if len(classes) == curves else tuple(map(str, range(curves)))
    if kind == "values":
        return FilmView(kind, curves if len(ranges) == 1 else 1, ranges, names)
    return FilmView(kind, curves, ranges, names, known)


def has_view(rows: Rows, loss: Any) -> bool:
    """Return whether rows have one or two features."""
    x = rows.X
    is_flat = isinstance(x, np.ndarray) and x.ndim == 2 and x.shape[1] in (1, 2)
    return is_flat and isinstance(loss, Loss)


def rows_in_view(rows: Rows, loss: Any) -> tuple[Array, Array]:
    """Return the rows with finite features, and their classes or values."""
    x, y = np.asarray(rows.X, FLOAT64), np.asarray(rows.y)
    if loss.targets == "classes" and y.ndim > 1:  # probabilities
        y = y.argmax(axis=-1)
    y = y.reshape(len(y), -1)[:, 0].astype(FLOAT64)
    is_finite = np.isfinite(x).all(axis=1)
    return x[is_finite], y[is_finite]


def see_view(view: FilmView, model: Layer, loss: Any, frame: dict[str, Array]) -> None:
    """Note what a model makes of the points of a view."""
    values = _seen(model, loss, view.grid())[1]
    if view.kind == "classes" and len(view.ranges) == 2:
        best = np.nan_to_num(values.max(axis=0))
        frame["view"][0] = 256 * values.argmax(axis=0) + np.rint(255 * best).astype(np.int16)
        return
    values = values[: view.curves]
    finite = values[np.isfinite(values)]
    low, high = (0.0, 1.0) if view.kind == "classes" else (finite.min(), finite.max())
    frame["view"][...] = levels(values, low, high)
    frame["view_range"][...] = low, high


def _range_of(column: Array) -> tuple[float, float]:
    low, high = float(column.min()), float(column.max())
    margin = _MARGIN * (high - low) or max(1.0, abs(low))
    return low - margin, high + margin


def _seen(model: Layer, loss: Any, grid: Array) -> tuple[str, Array]:
    """Return the kind of a model's predictions, and a row for each class or value.

    Rows of classes are probabilities, those of one class are 0 and 1 where the model has none.
    """
    parameters = model.parameters()
    x = grid.astype(parameters[0].dtype) if parameters else grid
    output = np.asarray(model.predict(x))
    decided = np.asarray(loss.decide(output)).reshape(len(grid), -1)
    if loss.targets == "values":
        return "values", decided.T.astype(FLOAT64)
    if gives_log_odds(loss) and output.ndim == 2:
        seen = Predictions.of(loss, np.empty(0), output)
        if not seen.is_multilabel:
            return "classes", np.exp(seen.log_probabilities).T
    if decided.shape[1] > 1:
        return "values", decided.T.astype(FLOAT64)
    count = output.shape[-1] if loss.targets == "classes" else 2
    return "classes", (np.arange(count)[:, None] == decided.T).astype(FLOAT64)
