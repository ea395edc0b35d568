"""Check predictions, targets and weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_floats

__all__ = [
    "as_class_ids",
    "as_probabilities",
    "as_scores",
    "as_weights",
    "check_range",
    "column_hint",
    "rows_where",
]


def check_range(values: Array, maximum: float | None = None, name: str = "target") -> None:
    """Raise ``ValueError`` unless all values are finite, at least 0 and at most `maximum`."""
    bad = ~((values >= 0) & (values < np.inf if maximum is None else values <= maximum))
    if bad.any():
        limits = "finite and at least 0" if maximum is None else f"between 0 and {maximum}"
        raise ValueError(f"{name} must be {limits}, got {values[bad][0]} in {rows_where(bad)}")


def column_hint(target: Array, shape: tuple[int, ...]) -> str:
    """Return a hint for an error message if a target only lacks the last axis of `shape`."""
    missing = shape == (*target.shape, 1)
    return ": a column of targets is y[:, None]" if missing else ""


def rows_where(bad: Array) -> str:
    """Return the rows that hold a True, as text for an error message.

    Examples
    --------
    >>> rows_where(np.array([False, True, True]))
    'rows 1, 2'
    """
    rows = np.flatnonzero(np.reshape(bad, (len(bad) if bad.ndim else 1, -1)).any(axis=1))
    listed = ", ".join(map(str, rows[:5]))
    if len(rows) > 5:
        return f"rows {listed} and {len(rows) - 5} more"
    return f"row{'s' if len(rows) > 1 else ''} {listed}"


def as_scores(prediction: npt.ArrayLike) -> Array:
    """Return scores as floats; raise ``ValueError`` unless they have an axis of classes."""
    scores = as_floats(prediction, name="prediction")
    if scores.ndim < 2 or scores.shape[-1] == 0:
        raise ValueError(f"prediction must have shape (batch, ..., classes), got {scores.shape}")
    return scores


def as_class_ids(target: Array, scores: Array, or_probabilities: bool = False) -> Array:
    """Return the class of each row as a flat array; raise ``ValueError`` for unknown classes."""
    if target.shape != scores.shape[:-1] or (target.dtype.kind == "f" and target.size):
        choice = f" or probabilities of shape {scores.shape}" if or_probabilities else ""
        raise ValueError(
            f"target must be integer classes of shape {scores.shape[:-1]}{choice}, "
            f"got {target.dtype} of shape {target.shape}"
        )
    y = np.asarray(target, np.int64).ravel()
    # One comparison checks both ends, because a negative number is huge as an unsigned one.
    # `argmax` takes a third of the time of `max`.
    ids = y.view(np.uint64)
    if ids.size and ids[ids.argmax()] >= scores.shape[-1]:
        bad = np.reshape((y < 0) | (y >= scores.shape[-1]), target.shape)
        raise ValueError(
            f"target must hold classes from 0 to {scores.shape[-1] - 1}, "
            f"got {target[bad][0]} in {rows_where(bad)}"
        )
    return y


def as_probabilities(target: Array, z: Array) -> Array:
    """Return rows of probabilities in float64, checked and in the shape of z."""
    q = as_floats(target, FLOAT64, "target")
    bad = ~((q >= 0).all(axis=-1) & (np.abs(q.sum(axis=-1) - 1) < 1e-3))
    if bad.any():
        row = q[bad][0]
        raise ValueError(
            "target must hold rows of probabilities that add up to 1, "
            f"got {row.min()} to {row.max()} with the sum {row.sum()} in {rows_where(bad)}"
        )
    return q.reshape(z.shape)


def as_weights(name: str, weights: npt.ArrayLike | None) -> Array | None:
    """Return a float64 copy of weights, checked to be finite and at least 0; None stays None."""
    if weights is None:
        return None
    array = np.array(as_floats(weights, FLOAT64, name))
    bad = ~((array >= 0) & (array < np.inf))
    if bad.any():
        raise ValueError(f"{name} must be finite and at least 0, got {array[bad][0]}")
    return array
