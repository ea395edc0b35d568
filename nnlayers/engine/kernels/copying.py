"""Kernels that copy entries."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, get_args

from nnlayers._core.arrays import Array
from nnlayers.engine.kernel import (
    Count,
    Flat,
    IntFlat,
    Kernel,
    Operand,
    Rows,
    WordRows,
    WordVector,
    kernel,
)

__all__ = ["converting_gather", "copy", "cut", "gather", "join", "repeat"]


@kernel
def gather(source: WordVector, order: IntFlat, target: WordRows) -> None:
    """Compute target_i = source_j with j = order_i, row by row, for rows of 32-bit words."""
    width = target.shape[1]
    for i in range(target.shape[0]):
        # An index from which the compiler cannot tell that it is not negative is not vectorized.
        row = source[order[i] * width : order[i] * width + width]
        for j in range(width):
            target[i, j] = row[j]


@cache
def converting_gather(source_dtype: str, target: Any) -> Kernel[..., None]:
    """Return the kernel that gathers rows of another dtype than the target's.

    Parameters
    ----------
    source_dtype : str
        The dtype of the rows.
    target : operand
        ``Rows`` or ``IntRows``.
    """

    def gather_converted(source: Any, order: Any, target: Any) -> None:
        width = target.shape[1]
        for i in range(target.shape[0]):
            row = source[order[i] * width : order[i] * width + width]
            for j in range(width):
                target[i, j] = row[j]

    vector = Annotated[Array, Operand(1, source_dtype)]
    gather_converted.__annotations__ = {"source": vector, "order": IntFlat, "target": target}
    gather_converted.__name__ = f"gather_{source_dtype}_{get_args(target)[1].dtype}"
    return kernel(gather_converted)


@kernel
def copy(source: Flat, target: Flat) -> None:
    """Compute target = source."""
    for i in range(source.size):
        target[i] = source[i]


@kernel
def join(source: Rows, start: Count, target: Rows) -> None:
    """Copy all columns of the source to those of the target from `start` on."""
    width = source.shape[1]
    for i in range(source.shape[0]):
        given, part = source[i], target[i, start : start + width]
        for j in range(width):
            part[j] = given[j]


@kernel
def cut(source: Rows, start: Count, target: Rows) -> None:
    """Copy columns of the source, from `start` on, to all of the target."""
    width = target.shape[1]
    for i in range(target.shape[0]):
        part, copied = source[i, start : start + width], target[i]
        for j in range(width):
            copied[j] = part[j]


@cache
def repeat(dtype: str) -> Kernel[..., None]:
    """Return the kernel that repeats each row of some dtype several times."""

    def repeat_rows(source: Any, times: Any, target: Any) -> None:
        for k in range(target.shape[0]):
            given, copied = source[k // times], target[k]
            for j in range(target.shape[1]):
                copied[j] = given[j]

    rows = Annotated[Array, Operand(2, dtype, is_batch=True)]
    repeat_rows.__annotations__ = {"source": rows, "times": Count, "target": rows}
    repeat_rows.__name__ = f"repeat_{dtype}"
    return kernel(repeat_rows)
