"""Softmax and log-softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlayers._core.formula import Formula
from nnlayers._core.sizes import check_single_axis
from nnlayers.layers.operation import Operation
from nnlayers.layers.reductions import axes_within

__all__ = ["LogSoftmax", "Softmax"]


class Softmax(Operation):
    r"""Softmax: probabilities from scores along one axis.

    .. math::

        y_i = \frac{e^{x_i}}{\sum_j e^{x_j}}, \qquad
        \frac{\partial\ell}{\partial x_i} = y_i
        \Big(\frac{\partial\ell}{\partial y_i} - \sum_j \frac{\partial\ell}{\partial y_j} y_j\Big)

    To train a classifier, leave it out and use :class:`nnlayers.SoftmaxCrossEntropy`, which takes
    the scores: it is exact where a probability rounds to 0 or 1.

    Parameters
    ----------
    axis : int
        The axis that sums to 1.

    References
    ----------
    J. S. Bridle, "Probabilistic interpretation of feedforward classification network outputs",
    Neurocomputing, Springer 1990.

    Examples
    --------
    >>> Softmax().forward([[1000.0, 1000.0], [0.0, -1000.0]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """

    formula = Formula(
        "exp(x) / sum(exp(x))",
        sent=("y * (g - sum(g * y))",),
        note="the entries of J are yᵢ (1(i = j) − yⱼ)",
    )

    def __init__(self, axis: int = -1) -> None:
        self.axis = check_single_axis(axis)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        (axis,) = axes_within(self, x)
        # The rounding of the difference would cost 64 units in the last place in float32.
        y = np.exp(_difference(x, x.max(axis=axis, keepdims=True, initial=-np.inf)))
        y /= y.sum(axis=axis, keepdims=True)
        return y.astype(x.dtype, copy=False), y

    def compute_backward(self, dout: Any, y: Any) -> Any:
        if not y.size:
            return dout
        # Adding a constant to dout changes nothing. This one leaves the largest probability out of
        # the sum; near 1 it would cancel all the others.
        top = y.argmax(axis=self.axis, keepdims=True)
        shifted = _difference(dout, np.take_along_axis(dout, top, axis=self.axis))
        dx = y * (shifted - (shifted * y).sum(axis=self.axis, keepdims=True))
        return dx.astype(dout.dtype, copy=False)


class LogSoftmax(Operation):
    r"""Log-softmax: logarithms of probabilities from scores along one axis.

    .. math::

        y_i = x_i - \log \sum_j e^{x_j}, \qquad
        \frac{\partial\ell}{\partial x_i} = \frac{\partial\ell}{\partial y_i}
        - e^{y_i} \sum_j \frac{\partial\ell}{\partial y_j}

    Parameters
    ----------
    axis : int
        The axis whose probabilities sum to 1.

    References
    ----------
    P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and softmax
    functions", IMA Journal of Numerical Analysis 41, 2021.

    Examples
    --------
    >>> log_softmax = LogSoftmax()
    >>> log_softmax.forward([[0.0, 0.0], [0.0, -1000.0]]).round(4)
    array([[-6.931e-01, -6.931e-01],
           [ 0.000e+00, -1.000e+03]])
    >>> log_softmax.backward([[1.0, 0.0], [1.0, 0.0]])
    array([[ 0.5, -0.5],
           [ 0. ,  0. ]])
    """

    formula = Formula(
        "x - log(sum(exp(x)))",
        sent=("g - exp(y) * sum(g)",),
        note="the entries of J are 1(i = j) − exp(yⱼ)",
    )

    def __init__(self, axis: int = -1) -> None:
        self.axis = check_single_axis(axis)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        (axis,) = axes_within(self, x)
        if not x.size:
            return x.copy(), x
        top = x.argmax(axis=axis, keepdims=True)
        shifted = _difference(x, np.take_along_axis(x, top, axis=axis))
        e = np.exp(shifted)
        # The largest score contributes 1 to the sum, which would swallow small contributions.
        np.put_along_axis(e, top, np.take_along_axis(shifted, top, axis=axis), axis=axis)
        y = shifted - np.log1p(e.sum(axis=axis, keepdims=True))
        with np.errstate(over="ignore"):
            return y.astype(x.dtype, copy=False), y

    def compute_backward(self, dout: Any, y: Any) -> Any:
        total = dout.sum(axis=self.axis, keepdims=True, dtype=np.float64)
        return (dout - np.exp(y) * total).astype(dout.dtype, copy=False)


def _difference(a: Any, b: Any) -> Any:
    """Return a - b in float64; infinity - infinity is NaN."""
    with np.errstate(invalid="ignore"):
        return np.subtract(a, b, dtype=np.float64)
