"""Arithmetic of two inputs: nodes of a computational graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nnlayers._core.arrays import FLOAT64, as_floats
from nnlayers._core.formula import Formula
from nnlayers._core.showing import shown
from nnlayers.layers.operation import Operation

__all__ = [
    "Add",
    "Binary",
    "Divide",
    "MatMul",
    "Multiply",
    "Subtract",
    "as_operands",
    "unbroadcast",
    "unbroadcast_pair",
]


class Binary(Operation):
    """Base of the operations on two inputs.

    A Python number takes the dtype of the other input, as in NumPy.
    """

    quiet = True
    expected_shapes: ClassVar[str] = "shapes that broadcast"

    def as_inputs(self, inputs: tuple[Any, ...]) -> Sequence[Any]:
        if len(inputs) != 2:
            raise TypeError(f"{self!r} expected 2 inputs, got {len(inputs)}")
        return as_operands(*inputs)

    def _run_quietly(self, inputs: Sequence[Any]) -> tuple[Any, Any]:
        try:
            return super()._run_quietly(inputs)
        except ValueError:
            a, b = map(np.shape, inputs)
            raise ValueError(
                f"{self!r} expected a and b of {self.expected_shapes}, got {a} and {b}"
            ) from None


class Add(Binary):
    r"""Sum of two inputs.

    .. math::

        y = a + b, \qquad \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial b}
        = \frac{\partial\ell}{\partial y}

    An input that was broadcast gets the sum of the gradients over the broadcast axes.

    Examples
    --------
    >>> add = Add()
    >>> add.forward([[1.0, 2.0], [3.0, 4.0]], [10.0, 20.0])
    array([[11., 22.],
           [13., 24.]])
    >>> add.backward([[1.0, 1.0], [1.0, 1.0]])[1]
    array([2., 2.])
    """

    formula = Formula("a + b", "1", "1", symbol="+")

    def compute_forward(self, a: Any, b: Any) -> tuple[Any, Any]:
        return a + b, (a, b)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        return unbroadcast_pair(saved, dout, dout)


class Subtract(Binary):
    r"""Difference of two inputs.

    .. math::

        y = a - b, \qquad \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial y}, \quad
        \frac{\partial\ell}{\partial b} = -\frac{\partial\ell}{\partial y}

    Examples
    --------
    >>> subtract = Subtract()
    >>> subtract.forward([1.0, 2.0], 5.0)
    array([-4., -3.])
    >>> subtract.backward([1.0, 1.0])
    (array([1., 1.]), array(-2.))
    """

    formula = Formula("a - b", "1", "-1", symbol="−")

    def compute_forward(self, a: Any, b: Any) -> tuple[Any, Any]:
        return a - b, (a, b)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        return unbroadcast_pair(saved, dout, -dout)


class Multiply(Binary):
    r"""Product of two inputs, entry by entry.

    .. math::

        y = a \odot b, \qquad
        \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial y} \odot b, \quad
        \frac{\partial\ell}{\partial b} = \frac{\partial\ell}{\partial y} \odot a

    Examples
    --------
    >>> multiply = Multiply()
    >>> multiply.forward([1.0, 2.0], [3.0, 4.0])
    array([3., 8.])
    >>> multiply.backward([1.0, 1.0])
    (array([3., 4.]), array([1., 2.]))
    """

    formula = Formula("a * b", "b", "a", symbol="×")

    def compute_forward(self, a: Any, b: Any) -> tuple[Any, Any]:
        return a * b, (a, b)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        a, b = saved
        return unbroadcast_pair(saved, dout * b, dout * a)


class Divide(Binary):
    r"""Quotient of two inputs, entry by entry.

    .. math::

        y = \frac{a}{b}, \qquad
        \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial y} \frac{1}{b}, \quad
        \frac{\partial\ell}{\partial b} = -\frac{\partial\ell}{\partial y} \frac{a}{b^2}

    Examples
    --------
    >>> divide = Divide()
    >>> divide.forward([1.0, 6.0], [2.0, 3.0])
    array([0.5, 2. ])
    >>> divide.backward([1.0, 1.0])[1].round(4)
    array([-0.25  , -0.6667])
    """

    formula = Formula("a / b", "1 / b", "-(a / b**2)", symbol="/")

    def compute_forward(self, a: Any, b: Any) -> tuple[Any, Any]:
        return a / b, (a, b)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        a, b = saved
        # b^2 could overflow where a / b / b does not.
        return unbroadcast_pair(saved, dout / b, -dout * (a / b / b))


class MatMul(Binary):
    r"""Matrix product.

    .. math::

        Y = A B, \qquad
        \frac{\partial\ell}{\partial A} = \frac{\partial\ell}{\partial Y} B^T, \quad
        \frac{\partial\ell}{\partial B} = A^T \frac{\partial\ell}{\partial Y}

    Shapes are those of ``@``: two vectors give their dot product, a vector stands for a row on the
    left and for a column on the right, and axes before the last two are a batch that broadcasts.

    Examples
    --------
    >>> matmul = MatMul()
    >>> matmul.forward([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
    array([21., 43.])
    >>> matmul.backward([1.0, 1.0])
    (array([[ 1., 10.],
           [ 1., 10.]]), array([4., 6.]))
    """

    formula = Formula("a @ b", "b.T", "a.T", symbol="@", sent=("g @ b.T", "a.T @ g"), product="@")

    expected_shapes = "shapes (..., n, k) and (..., k, m)"

    def compute_forward(self, a: Any, b: Any) -> tuple[Any, Any]:
        return a @ b, (a, b)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        a, b = saved
        if a.ndim == 1 and b.ndim == 1:
            return unbroadcast_pair(saved, dout * b, dout * a)
        rows = a[np.newaxis] if a.ndim == 1 else a
        columns = b[:, np.newaxis] if b.ndim == 1 else b
        if a.ndim == 1:
            dout = np.expand_dims(dout, -2)
        if b.ndim == 1:
            dout = np.expand_dims(dout, -1)
        da = unbroadcast(dout @ columns.swapaxes(-1, -2), rows)
        db = unbroadcast(rows.swapaxes(-1, -2) @ dout, columns)
        return da.reshape(a.shape), db.reshape(b.shape)

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        formula = super().formula_for(*shapes)
        are_vectors = [len(shape) for shape in shapes] == [1, 1]
        return _DOT_PRODUCT if formula and are_vectors else formula


_DOT_PRODUCT = Formula("a @ b", "b", "a", symbol="@")


def as_operands(a: Any, b: Any) -> list[Any]:
    """Return two inputs as float arrays; a number beside an array stays one."""
    if isinstance(a, bool | int | float) and isinstance(b, bool | int | float):
        return [np.float64(_number(a, "a")), np.float64(_number(b, "b"))]
    return [
        _number(x, name) if isinstance(x, bool | int | float) else as_floats(x, name=name)
        for x, name in ((a, "a"), (b, "b"))
    ]


def _number(x: Any, name: str) -> Any:
    try:
        return x if isinstance(x, float) else float(x)
    except OverflowError:
        raise ValueError(
            f"{name} must be at most {np.finfo(FLOAT64).max}, got {shown(x)}"
        ) from None


def unbroadcast_pair(saved: tuple[Any, Any], da: Any, db: Any) -> tuple[Any, Any]:
    """Return two gradients in the shapes and dtypes of inputs that may have been broadcast."""
    a, b = saved
    kind, kind_a, kind_b = type(da), type(a), type(b)
    # This shortcut is for graphs of single numbers: nothing was broadcast or converted there.
    if kind is not np.ndarray and (
        (kind_a is kind or kind_a is float) and (kind_b is kind or kind_b is float)
    ):
        return da, db
    return unbroadcast(da, a), unbroadcast(db, b)


def unbroadcast(gradient: Any, x: Any) -> Any:
    """Return the sum of a gradient over the axes in which an input was broadcast."""
    shape = np.shape(x)
    if gradient.shape != shape:
        lacking = gradient.ndim - len(shape)
        axes = [axis for axis, length in enumerate(shape, lacking) if length == 1]
        gradient = gradient.sum(axis=(*range(lacking), *axes), keepdims=True).reshape(shape)[()]
    dtype = getattr(x, "dtype", gradient.dtype)
    return gradient if gradient.dtype is dtype else gradient.astype(dtype)
