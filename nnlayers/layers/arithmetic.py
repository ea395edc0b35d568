"""Arithmetic of two inputs: nodes of a computational graph."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from nnlayers.layers.operation import Arithmetic
from nnlayers.numerics import Array, as_floats

__all__ = ["Add", "Binary", "Divide", "MatMul", "Maximum", "Multiply", "Subtract"]


class Binary(Arithmetic):
    """Base of the operations on two inputs.

    A Python number takes the dtype of the other input, as in NumPy.
    """

    def taken(self, inputs: tuple[Any, ...]) -> list[Any]:
        if len(inputs) != 2:
            raise TypeError(f"{self!r} expected 2 inputs, got {len(inputs)}")
        names = ("a", "b")
        if all(isinstance(x, bool | int | float) for x in inputs):
            return [np.float64(x) for x in inputs]
        return [
            x if isinstance(x, bool | int | float) else as_floats(x, name=name)
            for x, name in zip(inputs, names, strict=True)
        ]

    def compute(self, a: Any, b: Any) -> tuple[Any, Any]:
        try:
            return self.value(a, b), (a, b)
        except ValueError:
            raise ValueError(
                f"{self!r} expected a and b of {self.fitting}, got {np.shape(a)} and {np.shape(b)}"
            ) from None

    fitting = "shapes that broadcast"

    @abstractmethod
    def value(self, a: Any, b: Any) -> Any:
        """Return the output."""


class Add(Binary):
    r"""Sum of two inputs.

    .. math::

        y = a + b, \qquad \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial b}
        = \frac{\partial\ell}{\partial y}

    An input that was broadcast gets the sum of the gradients over the axes that it lacked.

    Examples
    --------
    >>> add = Add()
    >>> add.forward([[1.0, 2.0], [3.0, 4.0]], [10.0, 20.0])
    array([[11., 22.],
           [13., 24.]])
    >>> add.backward([[1.0, 1.0], [1.0, 1.0]])[1]
    array([2., 2.])
    """

    def value(self, a: Any, b: Any) -> Any:
        return a + b

    def gradients(self, dout: Any, kept: Any) -> Any:
        a, b = kept
        return _fitted(dout, a), _fitted(dout, b)


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

    def value(self, a: Any, b: Any) -> Any:
        return a - b

    def gradients(self, dout: Any, kept: Any) -> Any:
        a, b = kept
        return _fitted(dout, a), _fitted(-dout, b)


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

    def value(self, a: Any, b: Any) -> Any:
        return a * b

    def gradients(self, dout: Any, kept: Any) -> Any:
        a, b = kept
        return _fitted(dout * b, a), _fitted(dout * a, b)


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

    def value(self, a: Any, b: Any) -> Any:
        return a / b

    def gradients(self, dout: Any, kept: Any) -> Any:
        a, b = kept
        # a / b / b, as b^2 overflows where the quotient does not.
        return _fitted(dout / b, a), _fitted(-dout * (a / b / b), b)


class Maximum(Binary):
    r"""The larger of two inputs, entry by entry.

    .. math::

        y = \max(a, b), \qquad
        \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial y} \odot \begin{cases}
        1 & a > b \\ 1/2 & a = b \\ 0 & a < b \end{cases}

    and for b the other way round: where they are equal, each gets half, as in PyTorch.

    Examples
    --------
    >>> maximum = Maximum()
    >>> maximum.forward([1.0, 2.0, 3.0], 2.0)
    array([2., 2., 3.])
    >>> maximum.backward([1.0, 1.0, 1.0])
    (array([0. , 0.5, 1. ]), array(1.5))
    """

    def value(self, a: Any, b: Any) -> Any:
        return np.maximum(a, b)

    def gradients(self, dout: Any, kept: Any) -> Any:
        a, b = kept
        shared = np.where(a == b, dout / 2, dout)
        zero = dout.dtype.type(0)
        # With NaN no comparison holds, and both get all, as in PyTorch.
        return (
            _fitted(np.where(a < b, zero, shared), a),
            _fitted(np.where(a > b, zero, shared), b),
        )


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

    fitting = "shapes (..., n, k) and (..., k, m)"

    def value(self, a: Any, b: Any) -> Any:
        return a @ b

    def gradients(self, dout: Any, kept: Any) -> Any:
        a, b = kept
        if a.ndim == 1 and b.ndim == 1:
            return _fitted(dout * b, a), _fitted(dout * a, b)
        rows = a[np.newaxis] if a.ndim == 1 else a
        columns = b[:, np.newaxis] if b.ndim == 1 else b
        if a.ndim == 1:
            dout = np.expand_dims(dout, -2)
        if b.ndim == 1:
            dout = np.expand_dims(dout, -1)
        da = _fitted(dout @ columns.swapaxes(-1, -2), rows)
        db = _fitted(rows.swapaxes(-1, -2) @ dout, columns)
        return _fitted(da.reshape(a.shape), a), _fitted(db.reshape(b.shape), b)


def _fitted(gradient: Any, x: Any) -> Any:
    """Return the gradient in the shape and dtype of an input that may have been broadcast."""
    kind = type(x)
    if kind is type(gradient):
        if kind is not np.ndarray or (gradient.shape == x.shape and gradient.dtype is x.dtype):
            return gradient
    elif kind in (int, float) and isinstance(gradient, np.generic):
        return gradient
    return _summed(gradient, x)


def _summed(gradient: Any, x: Any) -> Any:
    shape = np.shape(x)
    gradient = np.asarray(gradient)
    lacking = gradient.ndim - len(shape)
    axes = [axis for axis, length in enumerate(shape, lacking) if length == 1]
    total: Array = gradient.sum(axis=(*range(lacking), *axes), keepdims=True).reshape(shape)
    return total.astype(x.dtype, copy=False)[()] if hasattr(x, "dtype") else total[()]
