"""What the class of a row counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from nnlayers._core.arrays import Array

__all__ = ["weights_by_class"]


def weights_by_class(class_weight: Any, classes: Array, y: Array, weight: Array | None) -> Array:
    """Return what each row's class counts, multiplied over the columns of labels.

    Parameters
    ----------
    class_weight : dict, list of dict, or "balanced"
        The weight of each class, 1 where none is given; a list has a dict for each column.
        ``"balanced"`` makes the classes of a column weigh the same, given the rows' weight.
    classes : ndarray, shape (n_classes,)
        All that a column may hold, sorted; y may lack some.
    y : ndarray or sparse matrix, shape (n_samples,) or (n_samples, n_outputs)
        Labels.
    weight : ndarray, shape (n_samples,), optional
        What each row counts.

    Returns
    -------
    ndarray, shape (n_samples,)

    Raises
    ------
    ValueError
        If a weight is below 0, infinite or NaN, or there are other columns.

    Examples
    --------
    >>> weights_by_class({"b": 3.0}, np.array(["a", "b"]), np.array(["b", "a"]), None)
    array([3., 1.])
    >>> weights_by_class("balanced", np.array([0, 1]), np.array([0, 0, 0, 1]), None).round(2)
    array([0.67, 0.67, 0.67, 2.  ])
    """
    y = y if isinstance(y, np.ndarray) else y.toarray()
    columns = y.reshape(len(y), -1).T
    each = [class_weight] * len(columns) if class_weight == "balanced" else class_weight
    each = each if isinstance(each, list) else [each]
    if len(each) != len(columns):
        raise ValueError(
            f"class_weight must be 'balanced' or a list of {len(columns)} dicts, one for each "
            f"column of y, got {class_weight!r}"
        )
    factors = np.ones(len(y))
    for column, of_column in zip(columns, each, strict=True):
        ids = np.searchsorted(classes, column)
        if of_column == "balanced":
            counts = np.bincount(ids, weights=weight, minlength=len(classes))
            present = counts > 0
            by_class = counts.sum() / (present.sum() * np.where(present, counts, 1))
        else:
            by_class = compute_class_weight(of_column, classes=classes, y=column)
        factors *= by_class[ids]
    bad = factors[~((factors >= 0) & (factors < np.inf))]
    if len(bad):
        raise ValueError(f"class_weight must be finite and at least 0, got {bad[0]}")
    return factors
