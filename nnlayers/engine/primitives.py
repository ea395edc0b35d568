"""Operations on one number that Python code cannot express as an instruction.

Here they run as NumPy's; :mod:`nnlayers.engine.compiling` has an instruction or two for each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["LAYOUTS", "BitLayout", "polynomial", "power_of_two", "quotient", "split", "sqrt"]


class BitLayout(NamedTuple):
    """Bits of a floating-point type: the exponent above those of the significand.

    Attributes
    ----------
    integer : type
        The integer type of the same size.
    digits : int
        The number of bits of the significand.
    root, one, unit : int
        The bits of sqrt(1/2), of 1, and of 2^digits, whose last bit counts 1.
    """

    integer: Any
    digits: int
    root: int
    one: int
    unit: int

    @property
    def offset(self) -> float:
        """The number whose last bits are the exponent of 1, with the exponent of `unit`."""
        return float(2**self.digits + (self.one >> self.digits))


LAYOUTS = {
    "float32": BitLayout(np.int32, 23, 0x3F3504F3, 0x3F800000, 0x4B000000),
    "float64": BitLayout(np.int64, 52, 0x3FE6A09E667F3BCD, 0x3FF0000000000000, 0x4330000000000000),
}


def sqrt(x: Any) -> Any:
    """Return the square root of x, in x's dtype."""
    return np.sqrt(x)


def quotient(x: Any, y: Any) -> Any:
    """Return x / y, for a y from 2^-126 to 2^126 or infinite; NaN or infinity for a y of 0."""
    return x / y


def polynomial(x: Any, coefficients: tuple[Any, ...]) -> Any:
    """Return the value of a polynomial; the coefficients begin with that of the highest power."""
    y = coefficients[0]
    for coefficient in coefficients[1:]:
        y = y * x + coefficient
    return y


def power_of_two(t: Any) -> Any:
    """Return 2^n from a number whose last bits are n plus the bias of exponents."""
    layout = LAYOUTS[t.dtype.name]
    return (t.view(layout.integer) << layout.digits).view(t.dtype)


def split(x: Any) -> tuple[Any, Any]:
    """Return m and n of x = m 2^n with m from sqrt(1/2) to sqrt(2), for a normal x above 0."""
    integer, digits, root, one, unit = LAYOUTS[x.dtype.name]
    bits = x.view(integer).astype(np.int64)
    m = integer(((bits - root) & ((1 << digits) - 1)) + root).view(x.dtype)
    # The exponent is put into the last bits of a float, because few processors have an instruction
    # that converts several integers.
    n = integer((bits + (one - root)) >> digits | unit).view(x.dtype)
    return m, n - x.dtype.type(LAYOUTS[x.dtype.name].offset)
