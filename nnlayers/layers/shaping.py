"""Flatten, reshape and concatenate."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import numpy as np

from nnlayers._core.arrays import as_floats
from nnlayers._core.formula import Formula
from nnlayers._core.sizes import check_integers, check_single_axis
from nnlayers.layers.operation import Operation

__all__ = ["Concatenate", "Flatten", "Reshape"]

_SAME_NUMBERS = "the same numbers in the shape of the input"


class Reshape(Operation):
    r"""Reshape each row of the batch: ``(batch, ...)`` to ``(batch, *shape)``.

    Parameters
    ----------
    shape : int or tuple of int
        The new shape of a row. One length may be -1; it follows from the others.

    Raises
    ------
    TypeError, ValueError
        If `shape` is not such a shape, or does not have as many entries as a row of the input.

    Examples
    --------
    >>> import numpy as np
    >>> reshape = Reshape((8, -1))
    >>> reshape.forward(np.zeros((5, 64))).shape
    (5, 8, 8)
    >>> reshape.backward(np.zeros((5, 8, 8))).shape
    (5, 64)
    """

    formula = Formula("reshape(x)", "1", sent=("g",), product="", note=_SAME_NUMBERS)

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        lengths = shape if isinstance(shape, tuple | list) else (shape,)
        self.shape = tuple(check_integers("shape", lengths, minimum=-1))
        if self.shape.count(-1) > 1:
            raise ValueError(f"shape must have at most one -1, got {self.shape}")

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        if x.ndim == 0:
            raise ValueError(f"{self!r} expected x of shape (batch, ...), got {x.shape}")
        size = math.prod(x.shape[1:])
        known = math.prod([length for length in self.shape if length != -1])
        if -1 in self.shape and known and size % known == 0:
            shape = tuple([size // known if length == -1 else length for length in self.shape])
        else:
            shape = self.shape
        if math.prod(shape) != size or -1 in shape:
            raise ValueError(f"{self!r} expected x with as many entries a row, got shape {x.shape}")
        return x.reshape(len(x), *shape), x.shape

    def compute_backward(self, dout: Any, shape: tuple[int, ...]) -> Any:
        return dout.reshape(shape)


class Flatten(Operation):
    r"""Flatten each row of the batch: ``(batch, ...)`` to ``(batch, features)``.

    Raises
    ------
    ValueError
        If the input has no batch axis.

    Examples
    --------
    >>> import numpy as np
    >>> flatten = Flatten()
    >>> flatten.forward(np.zeros((5, 8, 8))).shape
    (5, 64)
    >>> flatten.backward(np.zeros((5, 64))).shape
    (5, 8, 8)
    """

    formula = Formula("flatten(x)", "1", sent=("g",), product="", note=_SAME_NUMBERS)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        if x.ndim == 0:
            raise ValueError(f"{self!r} expected x of shape (batch, ...), got {x.shape}")
        return x.reshape(len(x), math.prod(x.shape[1:])), x.shape

    def compute_backward(self, dout: Any, shape: tuple[int, ...]) -> Any:
        return dout.reshape(shape)


class Concatenate(Operation):
    r"""Concatenate inputs along one axis; the gradient is split where they were joined.

    .. math::

        y = (x_1, x_2, \dots), \qquad
        \Big(\frac{\partial\ell}{\partial x_1}, \frac{\partial\ell}{\partial x_2}, \dots\Big)
        = \frac{\partial\ell}{\partial y}

    Parameters
    ----------
    axis : int
        The axis along which they are joined; the others must have the same lengths.

    Examples
    --------
    >>> join = Concatenate()
    >>> join.forward([[1.0, 2.0]], [[3.0]])
    array([[1., 2., 3.]])
    >>> join.backward([[4.0, 5.0, 6.0]])
    (array([[4., 5.]]), array([[6.]]))
    """

    formula = Formula(
        "concatenate(*inputs)",
        "1",
        sent=("part(g)",),
        product="",
        note="each input gets its part",
    )

    def __init__(self, axis: int = -1) -> None:
        self.axis = check_single_axis(axis)

    def as_inputs(self, inputs: tuple[Any, ...]) -> list[Any]:
        if not inputs:
            raise TypeError(f"{self!r} expected at least one input, got none")
        return [as_floats(x, name=f"input {index}") for index, x in enumerate(inputs)]

    def compute_forward(self, *inputs: Any) -> tuple[Any, Any]:
        try:
            y = np.concatenate(inputs, axis=self.axis)
        except ValueError:
            shapes = ", ".join(str(np.shape(x)) for x in inputs)
            raise ValueError(
                f"{self!r} expected inputs whose other axes are the same, got shapes {shapes}"
            ) from None
        ends = list(accumulate([x.shape[self.axis] for x in inputs]))
        return y, (ends, [x.dtype for x in inputs])

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        ends, dtypes = saved
        parts = np.split(dout, ends[:-1], axis=self.axis)
        return tuple(
            [part.astype(dtype, copy=False) for part, dtype in zip(parts, dtypes, strict=True)]
        )
