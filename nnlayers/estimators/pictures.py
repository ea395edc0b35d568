"""Pictures of how far probabilities and intervals can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, as_floats
from nnlayers._core.checks import check_instance, check_number
from nnlayers.estimators.calibration import class_ids
from nnlayers.training import pictures
from nnlayers.training.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_coverage", "draw_reliability"]


def draw_reliability(
    y: npt.ArrayLike, probabilities: npt.ArrayLike, *, labels: npt.ArrayLike | None = None
) -> Figure:
    """Draw a reliability diagram: how often rows are what they are predicted to be.

    Of two classes, it shows the probability of the second; of more, that of the predicted class.
    Points below the diagonal are predicted with more confidence than is right. Bars show how many
    rows fall into each of the ten intervals. Needs matplotlib, but no display.

    Parameters
    ----------
    y : array_like, shape (n,)
        The class of each row.
    probabilities : array_like, shape (n, classes)
        The predicted probability of each class.
    labels : array_like, shape (classes,), optional
        The class of each column, such as ``model.classes_``; by default 0, 1, ...

    Returns
    -------
    matplotlib.figure.Figure
        The figure; save it with ``figure.savefig("reliability.png")``.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument does not fit the others.

    References
    ----------
    A. Niculescu-Mizil and R. Caruana, "Predicting good probabilities with supervised learning",
    ICML 2005.
    """
    p = as_floats(probabilities, FLOAT64, "probabilities")
    if p.ndim != 2 or p.shape[1] < 2:
        raise ValueError(f"probabilities must have shape (n, classes), got {p.shape}")
    ids = class_ids(y, p.shape, labels, "probabilities")
    names = tuple(range(p.shape[1])) if labels is None else tuple(np.asarray(labels).tolist())
    with np.errstate(divide="ignore"):
        rows = Predictions("classes", ids, p.argmax(axis=1), np.log(p), has_log_odds=True)
    return pictures.draw_calibration(rows, names)


def draw_coverage(y: npt.ArrayLike, intervals: Mapping[float, npt.ArrayLike]) -> Figure:
    """Draw the share of targets that intervals hold, and their width, by the coverage asked for.

    Points below the diagonal hold less than they should. Needs matplotlib, but no display.

    Parameters
    ----------
    y : array_like, shape (n,)
        The targets.
    intervals : dict of float to array_like, shape (n, 2)
        Lower and upper ends by coverage, such as ``{c: model.predict_interval(X, c) for c in
        (0.5, 0.8, 0.9)}``.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    TypeError, ValueError
        If a coverage is not between 0 and 1, or shapes differ.
    """
    targets = as_floats(y, FLOAT64, "y")
    check_instance("intervals", intervals, Mapping)
    ends = {}
    for coverage, pair in intervals.items():
        key = check_number("intervals", coverage, above=0, below=1)
        ends[key] = as_floats(pair, FLOAT64, "intervals")
        if targets.ndim != 1 or ends[key].shape != (len(targets), 2):
            raise ValueError(
                "intervals must hold arrays of shape (n, 2) for y of shape (n,), "
                f"got {ends[key].shape} for {targets.shape}"
            )
    return pictures.draw_coverage(targets, ends)
