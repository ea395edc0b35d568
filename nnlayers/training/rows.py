"""Rows of inputs and targets that a model is trained or evaluated on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats, as_reals, unmasked
from nnlayers._core.checks import check_number
from nnlayers.data import batches, split
from nnlayers.layer import Layer
from nnlayers.losses.weighting import row_weights

__all__ = ["Indices", "Rows"]

Indices: TypeAlias = npt.NDArray[np.intp] | slice

# The number of rows for one call of predict: enough to be fast, few enough for the outputs of all
# layers to fit in memory.
PREDICT_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Rows:
    """Inputs, targets and weights of one length, or a selection of their rows.

    Parameters
    ----------
    X, y : ndarray
        Inputs and targets.
    weight : ndarray, shape (len(X),), optional
        Weight of each row.
    index : array of int, optional
        Indices of the selected rows, so that a selection does not copy X. Without it, all rows are
        selected.
    dtype : numpy.dtype, optional
        The dtype to which the inputs of each batch are converted.
    """

    X: Array
    y: Array
    weight: Array | None = None
    index: npt.NDArray[np.intp] | None = None
    dtype: np.dtype[Any] | None = None

    @classmethod
    def for_model(
        cls,
        model: Layer,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        names: tuple[str, str] = ("X", "y"),
    ) -> Self:
        """Check a user's arrays; convert floats of X to the model's dtype.

        Of a file that is mapped into memory, each batch is converted when it is read.

        Targets keep their dtype, because a loss may tell apart numbers that the model's dtype
        cannot.

        Raises
        ------
        TypeError, ValueError
            If an array does not hold real numbers, there are no rows, or lengths differ.
        """
        parameters = model.parameters()
        dtype = parameters[0].dtype if parameters else None
        inputs, targets = _as_numbers(names[0], X, dtype), _as_numbers(names[1], y, None)
        is_converted = inputs.dtype.kind != "f" or dtype in (None, inputs.dtype)
        if len(inputs) != len(targets):
            raise ValueError(
                f"{names[0]} and {names[1]} must have the same number of rows, "
                f"got {len(inputs)} and {len(targets)}"
            )
        if len(inputs) == 0:
            raise ValueError(f"{names[0]} must have at least one row, got shape {inputs.shape}")
        weight = row_weights(sample_weight, np.empty((len(inputs), 1)))
        return cls(
            inputs,
            targets,
            None if weight is None else weight[:, 0],
            dtype=None if is_converted else dtype,
        )

    def split_validation(
        self, fraction: float, classes: Array | None, seed: int
    ) -> tuple[Rows, Rows]:
        """Return the rows to train on and those for validation, drawn at random.

        If `classes` are ids, one a row, and each has enough rows, they are split in proportion.

        Raises
        ------
        TypeError, ValueError
            If `fraction` is not a number between 0 and 1, or there is only one row.
        """
        fraction = check_number("validation", fraction, above=0, below=1)
        if len(self) < 2:
            raise ValueError(f"validation={fraction} needs at least 2 rows, X has {len(self)}")
        stratify = None
        if classes is not None and classes.ndim == 1 and classes.dtype.kind in "iu":
            sizes = np.unique(classes, return_counts=True)[1]
            if len(sizes) > 1 and sizes.min() * min(fraction, 1 - fraction) >= 1:
                stratify = classes
        parts = split(len(self), validation=fraction, test=0.0, seed=seed, stratify=stratify)
        return (
            replace(self, index=parts.train),
            replace(self, index=parts.validation),
        )

    def with_finite_total_weight(self) -> Rows:
        """Return the rows, with weights scaled down if their sum overflows."""
        with np.errstate(over="ignore"):
            if self.weight is None or self.weight.sum() < np.inf:
                return self
        return replace(self, weight=self.weight * 2.0**-64)

    def unselected(self) -> Rows:
        """Return all rows of the arrays."""
        return replace(self, index=None)

    def indices(self, batch: Indices) -> Indices:
        """Return the indices in X of a batch of the selected rows."""
        return batch if self.index is None else self.index[batch]

    def inputs(self, indices: Indices) -> Array:
        """Return the inputs at these indices of X."""
        # For 200 random rows of 50 float32, `take` needs 6 µs and indexing 16.
        x = self.X[indices] if isinstance(indices, slice) else self.X.take(indices, axis=0)
        return x if self.dtype is None else x.astype(self.dtype)

    def targets(self, indices: Indices) -> tuple[Array, Array | None]:
        """Return the targets at these indices of X, and the weights if there are any."""
        return self.y[indices], None if self.weight is None else self.weight[indices]

    def predict(self, model: Layer) -> Array:
        """Return the model's outputs for the selected rows."""
        chunks = map(self.indices, batches(len(self), PREDICT_ROWS))
        return np.concatenate([model.predict(self.inputs(chunk)) for chunk in chunks])

    def __len__(self) -> int:
        return len(self.X) if self.index is None else len(self.index)


def _as_numbers(name: str, values: npt.ArrayLike, dtype: np.dtype[Any] | None) -> Array:
    """Return an array with rows. Integers, which may be ids, stay; floats get `dtype` if given."""
    array = as_reals(values, name) if isinstance(values, np.memmap) else unmasked(values, name)
    if array.ndim == 0:
        raise ValueError(f"{name} must have rows, got the single value {values!r}")
    is_ready = array.dtype.kind in "iub" or isinstance(values, np.memmap)
    return array if is_ready else as_floats(array, dtype, name)
