"""Rows of inputs and targets that a model is trained or evaluated on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats, as_reals, unmasked
from nnlayers._core.checks import check_number
from nnlayers._core.showing import shown
from nnlayers.data import batches, split
from nnlayers.losses.weighting import row_weights
from nnlayers.training.metrics import has_sum_reduction

__all__ = [
    "Arrays",
    "ByName",
    "Indices",
    "Rows",
    "as_numbers",
    "check_lengths",
    "named_arrays",
    "row_weight",
    "spread",
]

Indices: TypeAlias = npt.NDArray[np.intp] | slice
# Lists and tuples of arrays are among the types that NumPy converts to one array.
ByName: TypeAlias = npt.ArrayLike | Mapping[str, npt.ArrayLike]

# The number of rows for one call of predict: enough to be fast, few enough for the outputs of all
# layers to fit in memory.
PREDICT_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Arrays:
    """Arrays by name, such as those of several inputs, of which rows are selected together.

    An entry may be None, as for an output without weights.

    Examples
    --------
    >>> arrays = Arrays({"a": np.arange(3), "b": np.eye(3)})
    >>> len(arrays), arrays[1:].by_name["a"]
    (3, array([1, 2]))
    """

    by_name: Mapping[str, Any]

    def __getitem__(self, rows: Indices) -> Arrays:
        return Arrays(
            {n: None if array is None else array[rows] for n, array in self.by_name.items()}
        )

    def take(self, rows: npt.NDArray[np.intp], axis: int) -> Arrays:
        """Return the rows of each array, as ``ndarray.take`` does with ``axis=0``."""
        return Arrays({name: array.take(rows, axis) for name, array in self.by_name.items()})

    def astype(self, dtype: np.dtype[Any]) -> Arrays:
        """Return the arrays with floats of a dtype; integers, which may be ids, stay."""
        return Arrays(
            {
                name: array.astype(dtype) if array.dtype.kind == "f" else array
                for name, array in self.by_name.items()
            }
        )

    def __iter__(self) -> Iterator[Any]:
        yield from self.by_name.values()

    def __len__(self) -> int:
        return len(next(iter(self.by_name.values())))


@dataclass(frozen=True, slots=True)
class Rows:
    """Inputs, targets and weights of one length, or a selection of their rows.

    Parameters
    ----------
    X, y : ndarray or Arrays
        Inputs and targets.
    weight : ndarray or Arrays, optional
        Weight of each row.
    index : array of int, optional
        Indices of the selected rows, so that a selection does not copy X. Without it, all rows are
        selected.
    dtype : numpy.dtype, optional
        The dtype to which the floats among the inputs of each batch are converted.
    """

    X: Any
    y: Any
    weight: Any = None
    index: npt.NDArray[np.intp] | None = None
    dtype: np.dtype[Any] | None = None

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

    def unselected(self) -> Rows:
        """Return all rows of the arrays."""
        return replace(self, index=None)

    def indices(self, batch: Indices) -> Indices:
        """Return the indices in X of a batch of the selected rows."""
        return batch if self.index is None else self.index[batch]

    def inputs(self, indices: Indices) -> Any:
        """Return the inputs at these indices of X."""
        # For 200 random rows of 50 float32, `take` needs 6 µs and indexing 16.
        x = self.X[indices] if isinstance(indices, slice) else self.X.take(indices, axis=0)
        return x if self.dtype is None else x.astype(self.dtype)

    def targets(self, indices: Indices) -> tuple[Any, Any]:
        """Return the targets at these indices of X, and the weights, None without any."""
        return self.y[indices], None if self.weight is None else self.weight[indices]

    def part(self, batch: Indices) -> Rows:
        """Return copies of a batch of the selected rows."""
        indices = self.indices(batch)
        return Rows(self.inputs(indices), *self.targets(indices))

    def predict(self, network: Any) -> Any:
        """Return a network's outputs for the selected rows."""
        chunks = map(self.indices, batches(len(self), PREDICT_ROWS))
        outputs = [network.predict(self.inputs(chunk)) for chunk in chunks]
        if not isinstance(outputs[0], Arrays):
            return np.concatenate(outputs)
        names = outputs[0].by_name
        return Arrays({name: np.concatenate([y.by_name[name] for y in outputs]) for name in names})

    def __len__(self) -> int:
        return len(self.X) if self.index is None else len(self.index)


def spread(rows: int, count: int) -> npt.NDArray[np.intp]:
    """Return the numbers of some rows at equal distances, the first and the last among them.

    Examples
    --------
    >>> spread(100, 4), spread(3, 3)
    (array([ 0, 33, 66, 99]), array([0, 1, 2]))
    """
    return np.linspace(0, rows - 1, count).astype(np.intp)


def named_arrays(name: str, batch: Any) -> dict[str, Array]:
    """Return an array under its name, or several such as ``x['a']``."""
    if not isinstance(batch, Arrays):
        return {name: batch}
    return {f"{name}[{key!r}]": array for key, array in batch.by_name.items()}


def as_numbers(name: str, values: npt.ArrayLike, dtype: np.dtype[Any] | None = None) -> Array:
    """Return an array with rows. Integers, which may be ids, stay; floats get `dtype` if given.

    Of a file that is mapped into memory, :meth:`Rows.inputs` converts each batch.

    Raises
    ------
    TypeError, ValueError
        If `values` are no real numbers, or a single one.
    """
    if isinstance(values, Mapping):
        names = ", ".join(map(repr, values))
        raise TypeError(f"{name} must be an array, got a dictionary of {names}")
    is_mapped = isinstance(values, np.memmap)
    array = as_reals(values, name) if is_mapped else unmasked(values, name)
    if array.ndim == 0:
        raise ValueError(f"{name} must have rows, got the single value {shown(values)}")
    if is_mapped:
        return array
    if array.dtype.kind in "iub":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return as_floats(array, dtype, name)


def check_lengths(arrays: Mapping[str, Array]) -> None:
    """Raise ``ValueError`` unless all arrays have the same number of rows."""
    (first, array), *others = arrays.items()
    for name, other in others:
        if len(other) != len(array):
            raise ValueError(
                f"{first} and {name} must have the same number of rows, "
                f"got {len(array)} and {len(other)}"
            )


def row_weight(sample_weight: npt.ArrayLike | None, rows: int, loss: Any) -> Array | None:
    """Return a user's sample weights, scaled down if the sum of them in a mean overflows."""
    weights = row_weights(sample_weight, np.empty((rows, 1)))
    if weights is None:
        return None
    weight = weights[:, 0]
    # A mean of losses is finite even where the sum of the weights overflows; a sum is not.
    with np.errstate(over="ignore"):
        if has_sum_reduction(loss) or weight.sum() < np.inf:
            return weight
    return weight * 2.0**-64
