"""Batches of the user's data, where the kernels of a program read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.engine.errors import UnsupportedError
from nnlayers.engine.kernel import IntRows, Rows
from nnlayers.engine.kernels import copying
from nnlayers.engine.lowering import Targets
from nnlayers.engine.program import Buffer, KernelCall, KernelProgram

__all__ = ["ARRAYS", "Batch", "BatchKind"]

Ints = npt.NDArray[np.int64]

# Classes of arrays. Other subclasses may have entries that they hide, or other rules.
ARRAYS = np.ndarray, np.memmap


class BatchKind(NamedTuple):
    """Shapes, dtypes and order of the batches that a program trains on.

    Attributes
    ----------
    x_shape, y_shape : tuple of int
        The shapes of one row of the inputs and of the targets.
    x_dtype, y_dtype : numpy.dtype
        Their dtypes.
    is_weighted : bool
        Whether rows have sample weights.
    batch_size : int
        The largest number of rows.
    is_gathered : bool
        Whether the rows of a batch are any rows of the data, and not neighbours.
    keeps_outputs : bool
        Whether the model's outputs are kept, for metrics.
    """

    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    x_dtype: np.dtype[Any]
    y_dtype: np.dtype[Any]
    is_weighted: bool
    batch_size: int
    is_gathered: bool
    keeps_outputs: bool


class Batch:
    """The inputs, targets and weights of a step.

    They are a part of the data, or where rows are gathered, a copy of some of its rows.

    Attributes
    ----------
    x : Buffer
        The inputs.
    targets : Targets
        The targets and the weights.

    Parameters
    ----------
    kind : BatchKind
        The batches to train on.
    x_dtype : numpy.dtype
        The dtype in which the program reads inputs.
    result : Buffer
        Where the loss writes what it computes.

    Raises
    ------
    UnsupportedError
        If the program cannot convert the inputs to the dtype that it reads.
    """

    def __init__(self, kind: BatchKind, x_dtype: np.dtype[Any], result: Buffer) -> None:
        _check_input_dtype(kind.x_dtype, x_dtype)
        self.kind = kind
        # Inputs of another dtype are converted row by row, because all of them may be too many.
        self._is_gathered = kind.is_gathered or kind.x_dtype != x_dtype
        self.x = self._allocate(kind.x_shape, x_dtype)
        weight = self._allocate((1,) if kind.is_weighted else (0,), np.dtype(np.float64))
        self.targets = Targets(kind.y_shape, kind.y_dtype, weight, result, self._allocate)
        self._kinds_of_x = "iu" if x_dtype.kind == "i" else "fiub"
        self._order = Buffer(np.zeros(1, np.int64), (), stride=8 * kind.batch_size)
        self._sources: list[Buffer] = []
        self._arrays: tuple[Array, ...] = ()
        # The shapes and dtypes of the last single batch, and its rows in the program's memory.
        self._form: tuple[Any, ...] = ()
        self._rows: Any = ...
        self.count = np.ones(1, np.int64)

    @property
    def y(self) -> Buffer:
        """The targets as the loss reads them, once it is lowered."""
        assert self.targets.buffer is not None
        return self.targets.buffer

    @property
    def _buffers(self) -> tuple[Buffer, Buffer, Buffer]:
        return self.x, self.y, self.targets.weight

    def _allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Buffer:
        """Return memory for a batch, which is part of the data unless rows are gathered."""
        memory = np.zeros((self.kind.batch_size, *shape), dtype)
        return Buffer(memory, shape, stride=0 if self._is_gathered else memory.nbytes)

    def gathers(self) -> Iterator[KernelCall]:
        """Yield the instructions that copy the rows of a batch together."""
        for target in self._buffers if self._is_gathered else ():
            if target is self.x and self.kind.x_dtype != target.memory.dtype:
                source = Buffer(np.zeros(1, self.kind.x_dtype), (1,))
                kind = IntRows if target.memory.dtype.kind == "i" else Rows
                gather = copying.converting_gather(self.kind.x_dtype.name, kind)
                rows = target
            else:
                source = Buffer(np.zeros(1, np.int32), (1,))
                gather = copying.gather
                words = target.memory.reshape(self.kind.batch_size, -1).view(np.int32)
                rows = Buffer(words, words.shape[1:])
            self._sources.append(source)
            if rows.memory.size:
                yield KernelCall(gather, (source, self._order, rows))

    def load(self, program: KernelProgram, X: Array, y: Array, weight: Array | None) -> None:
        """Take the data that steps select their batches from."""
        x = np.ascontiguousarray(X)
        if x.dtype == bool:
            x = x.view(np.uint8)
        y = np.ascontiguousarray(y, self.y.memory.dtype)
        w = np.empty((len(X), 0)) if weight is None else np.ascontiguousarray(weight, np.float64)
        self._arrays = x, y, w
        if self._is_gathered:
            for source, array in zip(self._sources, self._arrays, strict=True):
                words = array.reshape(-1).view(source.memory.dtype)
                source.shape = words.shape
                program.bind(source, words)

    def release(self, program: KernelProgram) -> None:
        """Forget the data, so that its memory can be used otherwise."""
        self._arrays = ()
        for source in self._sources:
            program.bind(source, np.zeros(1, source.memory.dtype))
        if not self._is_gathered:
            for buffer in self._buffers:
                shape = self.kind.batch_size, *buffer.shape
                program.bind(buffer, np.zeros(shape, buffer.memory.dtype))

    def select(self, program: KernelProgram, order: Ints | slice) -> None:
        """Let the next steps go through some rows of the data."""
        if self._is_gathered and isinstance(order, slice):
            order = np.arange(order.start, order.stop)
        if isinstance(order, slice):
            for buffer, array in zip(self._buffers, self._arrays, strict=True):
                program.bind(buffer, array[order])
        else:
            program.bind(self._order, order)

    def takes(self, x: Any, y: Any, weight: Any) -> bool:
        """Return whether a single batch is one that :meth:`fill` takes."""
        if not (type(x) in ARRAYS and type(y) in ARRAYS):
            return False
        form = x.shape, x.dtype, y.shape, y.dtype
        if form != self._form:
            if not self._has_form(*form):
                return False
            self._form = form
            self.count[0] = rows = len(x)
            # An ellipsis takes half of the time of a slice.
            self._rows = ... if rows == self.kind.batch_size else slice(rows)
        if not self.kind.is_weighted:
            return weight is None
        return type(weight) is np.ndarray and _are_weights(weight, len(x))

    def _has_form(
        self,
        x_shape: tuple[int, ...],
        x_dtype: np.dtype[Any],
        y_shape: tuple[int, ...],
        y_dtype: np.dtype[Any],
    ) -> bool:
        """Return whether batches of the kind have these shapes and dtypes."""
        kind, rows = self.kind, x_shape[0] if x_shape else 0
        return (
            0 < rows <= kind.batch_size
            and x_shape == (rows, *kind.x_shape)
            and x_dtype.kind in self._kinds_of_x
            and y_shape == (rows, *kind.y_shape)
            and y_dtype == kind.y_dtype
        )

    def fill(self, x: Array, y: Array, weight: Array | None) -> None:
        """Copy the single batch that :meth:`takes` has just approved of."""
        rows = self._rows
        self.x.memory[rows] = x
        self.y.memory[rows] = y
        if weight is not None:
            self.targets.weight.memory[rows, 0] = weight


def _check_input_dtype(given: np.dtype[Any], needed: np.dtype[Any]) -> None:
    """Raise ``UnsupportedError`` if a program cannot convert inputs to the dtype that it needs."""
    kinds = "iu" if needed.kind == "i" else "fiu"
    is_known = given.isnative and given.kind in kinds and given.itemsize <= 8
    if not is_known or given == np.float16:
        raise UnsupportedError(f"inputs of dtype {given}")


def _are_weights(weight: Array, rows: int) -> bool:
    """Return whether an array holds a finite weight of at least 0 for each row."""
    is_numeric = weight.shape == (rows,) and weight.dtype.kind in "fiub"
    return is_numeric and bool(np.isfinite(weight).all() and (weight >= 0).all())
