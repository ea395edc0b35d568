"""Kernels: plain functions over arrays, of which compiled programs consist.

A kernel is a Python function whose annotations say what its arguments are in a program: arrays with
one row for each row of the batch, arrays of fixed shape, or numbers. It writes its results into
arrays that it is given. The same function runs compiled, by :mod:`nnlayers.engine.compiling`, and
uncompiled, on NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Annotated, Generic, ParamSpec, TypeAlias, TypeVar, get_args, get_type_hints

import numpy as np

from nnlayers._core.arrays import Array

__all__ = [
    "Blas",
    "ByteFlat",
    "Count",
    "DoubleFlat",
    "DoubleNumber",
    "DoubleRows",
    "DoubleVector",
    "Flat",
    "Helper",
    "IntFlat",
    "IntRows",
    "IntVector",
    "Kernel",
    "Matrix",
    "Number",
    "Operand",
    "Rows",
    "Vector",
    "WordRows",
    "WordVector",
    "double_kernel",
    "helper",
    "kernel",
]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Operand:
    """The role of a kernel's argument.

    Attributes
    ----------
    ndim : int
        The number of axes of an array, 0 for a number.
    dtype : str
        ``"real"``, which is float32 or float64 as the program's, or a dtype's name.
    is_batch : bool
        Whether the length of the first axis grows with the number of rows in the batch.
    """

    ndim: int
    dtype: str = "real"
    is_batch: bool = False

    @property
    def words(self) -> int:
        """The number of integers that describe the argument in a program."""
        # The address of an array, the distance to its part for the next step, and its lengths. The
        # length of the first axis of `Rows` is counted for one row of the batch.
        return 1 if self.ndim == 0 else 2 + self.ndim


# The last axis of a batch, and all others as one: (rows, width). A batch of shape (32, 5, 8) has
# 160 rows of 8 entries.
Rows: TypeAlias = Annotated[Array, Operand(2, is_batch=True)]
DoubleRows: TypeAlias = Annotated[Array, Operand(2, "float64", is_batch=True)]
IntRows: TypeAlias = Annotated[Array, Operand(2, "int64", is_batch=True)]
# The entries of a batch as one axis, (rows * width,).
Flat: TypeAlias = Annotated[Array, Operand(1, is_batch=True)]
DoubleFlat: TypeAlias = Annotated[Array, Operand(1, "float64", is_batch=True)]
ByteFlat: TypeAlias = Annotated[Array, Operand(1, "uint8", is_batch=True)]
IntFlat: TypeAlias = Annotated[Array, Operand(1, "int64", is_batch=True)]
# Arrays of fixed shape: weights, and numbers that are the same for all rows.
Vector: TypeAlias = Annotated[Array, Operand(1)]
DoubleVector: TypeAlias = Annotated[Array, Operand(1, "float64")]
IntVector: TypeAlias = Annotated[Array, Operand(1, "int64")]
Matrix: TypeAlias = Annotated[Array, Operand(2)]
# Entries of any type as words of 32 bits.
WordVector: TypeAlias = Annotated[Array, Operand(1, "int32")]
WordRows: TypeAlias = Annotated[Array, Operand(2, "int32", is_batch=True)]
# Numbers that do not change while the program runs.
Number: TypeAlias = Annotated[float, Operand(0)]
DoubleNumber: TypeAlias = Annotated[float, Operand(0, "float64")]
Count: TypeAlias = Annotated[int, Operand(0, "int64")]
# The address of a matrix product, see nnlayers.engine.products.
Blas: TypeAlias = Annotated[int, Operand(0, "int64")]


class Kernel(Generic[P, R]):
    """A function that a program can call; see :func:`kernel`."""

    def __init__(self, function: Callable[P, R], double: bool) -> None:
        self.function = function
        self.double = double
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    @property
    def name(self) -> str:
        """The name of the kernel with that of its file."""
        return f"{self.__module__.rpartition('.')[2]}_{self.__name__}"

    @cached_property
    def is_stored(self) -> bool:
        """Whether its machine code is stored on disk, as that of the engine's own kernels is."""
        cells = self.function.__closure__ or ()
        parts = [self.function, *(cell.cell_contents for cell in cells)]
        return all(getattr(part, "__module__", "").startswith("nnlayers.engine.") for part in parts)

    @cached_property
    def operands(self) -> tuple[Operand, ...]:
        """The roles of the arguments, in order; the last is repeated if it has a star."""
        hints = get_type_hints(self.function, include_extras=True)
        return tuple(get_args(hints[name])[1] for name in signature(self.function).parameters)

    @cached_property
    def is_variadic(self) -> bool:
        """Whether the last argument has a star."""
        kinds = [item.kind for item in signature(self.function).parameters.values()]
        return any(kind is kind.VAR_POSITIONAL for kind in kinds)

    def operands_for(self, count: int) -> tuple[Operand, ...]:
        """Return the roles of `count` arguments."""
        operands = self.operands
        if self.is_variadic:
            operands = operands[:-1] + operands[-1:] * (count - len(operands) + 1)
        if len(operands) != count:
            raise TypeError(f"{self.__name__} takes {len(operands)} operands, got {count}")
        return operands

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the kernel uncompiled."""
        with np.errstate(all="ignore"):
            return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<kernel {self.__name__}>"


def kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """Declare that a function is a kernel, which computes in the program's dtype.

    Its arguments are annotated with the operands of this module. It returns None, or an integer
    that is not 0 where the step must not be done, because a loss is NaN or a target is invalid. The
    program then stops before anything has changed that outlives the step, and the NumPy path does
    this step and raises its error.

    Floating-point constants in its code have the program's dtype, as they have in NumPy, where
    ``0.5 * x`` has the dtype of x. Numba would take them as float64.
    """
    return Kernel(function, double=False)


def double_kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """Declare that a function is a kernel, which computes in float64 whatever the program's dtype.

    Its constants are float64, and it converts what it reads: ``np.float64(x[i])``.
    """
    return Kernel(function, double=True)


class Helper(Generic[P, R]):
    """A function of numbers that kernels call; see :func:`helper`."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self.single: Callable[P, R] | None = None
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self.__module__ = function.__module__

    def for_single(self, function: Callable[P, R]) -> Callable[P, R]:
        """Declare the function that computes the same for float32."""
        self.single = function
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function uncompiled."""
        is_single = self.single is not None and type(args[0]) is np.float32
        function = self.single if is_single and self.single else self.function
        return function(*args, **kwargs)


def helper(function: Callable[P, R]) -> Helper[P, R]:
    """Declare that kernels and other helpers call a function, which is compiled into them.

    Floating-point constants in its code have the dtype of its first argument. Where float32 needs
    another algorithm, declare it with the decorator ``@NAME.for_single`` right below.
    """
    return Helper(function)
