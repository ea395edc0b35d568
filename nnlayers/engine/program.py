"""Programs: tables of kernels and their operands, which run many steps in one call."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.engine.kernel import Kernel, Operand
from nnlayers.engine.loading import ENTRY, load_kernel
from nnlayers.engine.runner import POSITION, STEP, run

__all__ = ["Buffer", "KernelCall", "KernelProgram", "is_uncompiled"]

Ints = npt.NDArray[np.int64]

# The position of the operand `counts` in the row of the runner.
COUNTS = 6


@dataclass(eq=False)
class Buffer:
    """Memory of a batch, and of its gradient if a backward pass needs one.

    Attributes
    ----------
    memory : ndarray
        C-contiguous memory, which begins with the entries of the first step.
    shape : tuple of int
        The shape of one row.
    stride : int
        The distance in bytes from the entries of one step to those of the next, 0 if every step
        uses the same memory.
    grad : Buffer or None
        The gradient of the loss with respect to these entries.
    base : Buffer or None
        The buffer whose memory this one shows in another shape.
    """

    memory: Array
    shape: tuple[int, ...]
    stride: int = 0
    grad: Buffer | None = None
    base: Buffer | None = None

    def reshaped(self, shape: tuple[int, ...]) -> Buffer:
        """Return the same entries, and their gradient, with another shape of a row."""
        grad = None if self.grad is None else self.grad.reshaped(shape)
        return Buffer(self.memory, shape, grad=grad, base=self.origin)

    @property
    def origin(self) -> Buffer:
        """The buffer that has the memory: this one, unless it shows another."""
        return self.base or self

    def view(self, operand: Operand, step: int, rows: int) -> Array:
        """Return the entries of a step as a kernel sees them."""
        lengths = list(_lengths(operand, self))
        if operand.is_batch:
            lengths[0] *= rows
        memory, stride = self.origin.memory, self.origin.stride
        return np.ndarray(lengths, memory.dtype, memory, step * stride)


class KernelCall(NamedTuple):
    """A kernel and its operands: buffers, arrays and numbers."""

    kernel: Kernel[Any, Any]
    operands: tuple[Any, ...]


class KernelProgram:
    """Instructions as a table of integers, for the compiled loop of :mod:`nnlayers.engine.runner`.

    Parameters
    ----------
    instructions : sequence of KernelCall
        The kernels of one step, in order.
    dtype : numpy.dtype
        float32 or float64.
    compiled : bool, optional
        Whether kernels run as machine code; by default unless ``NUMBA_DISABLE_JIT=1`` is set.
    """

    def __init__(
        self,
        instructions: Sequence[KernelCall],
        dtype: np.dtype[Any],
        *,
        compiled: bool | None = None,
    ) -> None:
        self.instructions = list(instructions)
        self.dtype = dtype
        self._state = np.zeros(3, np.int64)
        self._uses: dict[int, list[tuple[int, Operand, Buffer]]] = {}
        self._is_uncompiled = is_uncompiled() if compiled is None else not compiled
        words: list[int] = []
        for instruction in self.instructions:
            self._encode(instruction, words)
        self._code = np.array(words, np.int64)
        if self._is_uncompiled:
            return
        self._run = ENTRY(load_kernel(run, 5, np.dtype(np.float64)))
        program, state = self._code.ctypes.data, self._state.ctypes.data
        row = [program, 0, self._code.size, program, 0, 0, 0, state, 0, self._state.size, state]
        self._counts: Ints | None = None
        self._table = np.array([0, 0, *row], np.int64)
        self._table_address, self._state_address = self._table.ctypes.data, state

    def bind(self, buffer: Buffer, memory: Array) -> None:
        """Replace the memory of a buffer, such as that of the inputs, by another array."""
        assert memory.dtype == buffer.memory.dtype
        assert memory.flags.c_contiguous
        buffer.memory = memory
        for position, operand, view in self._uses.get(id(buffer), ()):
            words = _array_words(operand, view)
            self._code[position : position + len(words)] = words

    def run(self, counts: Ints) -> int:
        """Run a step for each number of rows; return the number of steps done.

        If a kernel stops the program, that step has changed nothing that outlives it.
        """
        return self._run_uncompiled(counts) if self._is_uncompiled else self._run_compiled(counts)

    def _run_compiled(self, counts: Ints) -> int:
        # The address takes half a microsecond to find, and single steps pass the same array.
        if counts is not self._counts:
            self._counts = counts
            self._table[COUNTS] = counts.ctypes.data
            self._table[COUNTS + 2] = counts.size
        state = self._state
        state[STEP] = 0
        self._run(self._table_address, self._state_address)
        return state.item(STEP)

    def _run_uncompiled(self, counts: Ints) -> int:
        for step, rows in enumerate(counts.tolist()):
            for position, (kernel, values) in enumerate(self.instructions):
                operands = kernel.operands_for(len(values))
                arguments = [
                    _argument(operand, value, step, rows, self.dtype)
                    for operand, value in zip(operands, values, strict=True)
                ]
                if kernel(*arguments):
                    self._state[POSITION] = position
                    return step
        return len(counts)

    def _encode(self, instruction: KernelCall, words: list[int]) -> None:
        kernel, values = instruction
        operands = kernel.operands_for(len(values))
        address = 0 if self._is_uncompiled else load_kernel(kernel, len(values), self.dtype)
        words += [address, 2 + sum(operand.words for operand in operands)]
        for operand, value in zip(operands, values, strict=True):
            self._check(kernel, operand, value)
            if operand.ndim == 0:
                words.append(value if operand.dtype == "int64" else _bits(value))
                continue
            if isinstance(value, Buffer):
                self._uses.setdefault(id(value.origin), []).append((len(words), operand, value))
            words += _array_words(operand, value)

    def _check(self, kernel: Kernel[Any, Any], operand: Operand, value: Any) -> None:
        """Check an operand, because a wrong one would make compiled code read anywhere."""
        if operand.ndim == 0:
            assert isinstance(value, int | float), (kernel, value)
            return
        array = value.memory if isinstance(value, Buffer) else value
        assert array.dtype == _dtype_of(operand, self.dtype), (kernel, operand, array.dtype)
        assert array.flags.c_contiguous, (kernel, operand)
        assert isinstance(value, Buffer) or not operand.is_batch, (kernel, operand)


def is_uncompiled() -> bool:
    """Return whether kernels run as plain Python, which ``NUMBA_DISABLE_JIT=1`` asks for."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def _argument(operand: Operand, value: Any, step: int, rows: int, dtype: np.dtype[Any]) -> Any:
    """Return the argument of an uncompiled kernel."""
    if isinstance(value, Buffer):
        return value.view(operand, step, rows)
    if operand.ndim:
        return value.reshape(_lengths(operand, value))
    return value if operand.dtype == "int64" else _dtype_of(operand, dtype).type(value)


def _array_words(operand: Operand, value: Any) -> list[int]:
    """Return the integers that describe an array: its address, its stride and its lengths."""
    is_buffer = isinstance(value, Buffer)
    array, stride = (value.origin.memory, value.origin.stride) if is_buffer else (value, 0)
    return [array.ctypes.data, stride, *_lengths(operand, value)]


def _dtype_of(operand: Operand, dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if operand.dtype == "real" else np.dtype(operand.dtype)


def _lengths(operand: Operand, value: Any) -> Sequence[int]:
    """Return the lengths of an operand's axes, for one row of the batch."""
    shape = value.shape
    if operand.ndim == 1:
        return (math.prod(shape),)
    return math.prod(shape[:-1]), shape[-1] if shape else 1


def _bits(value: float) -> int:
    return int(struct.unpack("q", struct.pack("d", value))[0])
