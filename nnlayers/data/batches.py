"""Divide the rows of an epoch into mini-batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nnlayers._core.checks import check_instance, check_integer
from nnlayers._core.sizes import fits_memory

__all__ = ["batches"]


def batches(
    rows: int, batch_size: int, rng: np.random.Generator | None = None
) -> Iterator[npt.NDArray[np.intp]] | Iterator[slice]:
    """Return the mini-batches of one epoch, as indices into its rows.

    Every row occurs exactly once; the last batch may be smaller. No rows give no batches.

    Parameters
    ----------
    rows : int
        The number of rows, at least 0.
    batch_size : int
        The number of rows in a batch, at least 1.
    rng : numpy.random.Generator, optional
        Draws one permutation of the rows. Without it, batches are slices in order, which select
        rows without a copy.

    Returns
    -------
    iterator of (size,) integer arrays, or of slices

    Raises
    ------
    TypeError, ValueError
        If `rows` or `batch_size` is not an integer or too small; at the call, not at the first
        batch.

    Examples
    --------
    >>> list(batches(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    >>> sorted(int(row) for batch in batches(5, 2, np.random.default_rng(0)) for row in batch)
    [0, 1, 2, 3, 4]
    """
    rows = check_integer("rows", rows, minimum=0)
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    slices = (slice(start, min(start + batch_size, rows)) for start in range(0, rows, batch_size))
    if rng is None:
        return slices
    check_instance("rng", rng, np.random.Generator)
    with fits_memory(rows=rows):
        order = rng.permutation(rows)
    return (order[piece] for piece in slices)
