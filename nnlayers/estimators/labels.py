"""Find the labels of a column, and their ids, in less time than sorting them takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array

__all__ = ["ids_of", "note_labels"]


def note_labels(y: Array) -> Array:
    """Return labels with a note of those that occur, so that scikit-learn need not search them.

    The note is scikit-learn's own, in the dtype. Its checks look through all labels twice
    otherwise, which takes longer than a tenth of an epoch of a small network.

    Examples
    --------
    >>> note_labels(np.array([3, 1, 3])).dtype.metadata["unique"]
    array([1, 3])
    """
    offsets = _offsets(y, y)
    if offsets is None:
        return y
    labels = np.flatnonzero(np.bincount(offsets)) + int(y.min())
    return y.view(np.dtype(y.dtype, metadata={"unique": labels.astype(y.dtype)}))


def ids_of(y: Array, classes: Array) -> npt.NDArray[np.intp]:
    """Return the index of each label among the classes, which are sorted and hold all labels.

    Examples
    --------
    >>> ids_of(np.array([3, 1, 3]), np.array([1, 3])), ids_of(np.array(["b"]), np.array(["a", "b"]))
    (array([1, 0, 1]), array([1]))
    """
    offsets = _offsets(y, classes)
    if offsets is None:
        return np.searchsorted(classes, y)
    # For 100,000 labels a table takes a tenth of the time of a search.
    places = classes.astype(np.int64) - int(classes[0])
    table = np.zeros(places[-1] + 1, np.intp)
    table[places] = np.arange(len(classes))
    return table[offsets]


def _offsets(y: Array, labels: Array) -> npt.NDArray[np.int64] | None:
    """Return the distances of integers from the least label; None unless the labels lie closely."""
    are_integers = y.dtype.kind in "iu" and labels.dtype.kind in "iu"
    if y.ndim != 1 or not are_integers or not labels.size:
        return None
    least, greatest = int(labels.min()), int(labels.max())
    # All labels fit in 64 bits with a sign then, and so do their distances.
    lie_closely = greatest - least < len(y) and greatest < 2**63
    return y.astype(np.int64, copy=False) - least if lie_closely else None
