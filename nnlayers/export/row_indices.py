"""Find the entries of a row that an index chooses alike in each row of a batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.layers import Index

__all__ = ["row_indices"]


def row_indices(layer: Index, row: tuple[int | None, ...]) -> Array | None:
    """Return the entries of a flat row that an index chooses, if it does so alike in each row.

    Examples
    --------
    >>> row_indices(Index((slice(None), -1)), (3,))
    array(2)
    >>> row_indices(Index(0), (3,)) is None
    True
    """
    parts = layer.key if isinstance(layer.key, tuple) else (layer.key,)
    lengths = [length for length in row if length is not None]
    if len(lengths) < len(row) or not parts or not _keeps_rows(parts, len(row)):
        return None
    entries = np.arange(math.prod(lengths)).reshape(1, *lengths)
    chosen = entries[layer.key]
    # An array beside an integer may have put the axis of the rows elsewhere.
    is_first = entries.repeat(2, axis=0)[layer.key].shape == (2, *chosen.shape[1:])
    return np.asarray(chosen[0]) if is_first and len(chosen) == 1 else None


def _keeps_rows(parts: tuple[Any, ...], axes: int) -> bool:
    """Return whether the first part of a key is all rows."""
    if parts[0] is Ellipsis:
        used = [part.ndim if _is_mask(part) else 1 for part in parts[1:] if part is not None]
        return sum(used) <= axes
    return isinstance(parts[0], slice) and parts[0] == slice(None)


def _is_mask(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype == bool
