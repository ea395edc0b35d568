"""ReLU and its piecewise relatives: LeakyReLU, PReLU, ELU and SELU."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats, float_dtype, ones
from nnlayers._core.checks import check_integer, check_number
from nnlayers._core.formula import Formula
from nnlayers._core.rebuilding import full
from nnlayers._core.sizes import fits_memory
from nnlayers.layer import Layer, Parameter
from nnlayers.layers.operation import Elementwise

__all__ = ["ELU", "SELU", "LeakyReLU", "PReLU", "ReLU"]


class ReLU(Elementwise, guarded=False):
    r"""Rectified linear unit.

    .. math:: y = \max(x, 0), \qquad \frac{dy}{dx} = 1(x > 0)

    The derivative at 0 is 0, as in PyTorch.

    References
    ----------
    V. Nair and G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines",
    ICML 2010.

    Examples
    --------
    >>> relu = ReLU()
    >>> relu.forward([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    >>> relu.backward([5.0, 5.0, 5.0])
    array([0., 0., 5.])
    """

    formula = Formula("max(x, 0)", "one(x > 0)")

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        y = np.maximum(x, _zeros(x))
        # The slope is 1 for NaN, as in PyTorch. A product with booleans would take a tenth longer.
        return y, (y != 0).astype(x.dtype)

    def predict(self, *inputs: npt.ArrayLike) -> Array:
        (x,) = self.as_inputs(inputs)
        return np.asarray(np.maximum(x, _zeros(x)))

    def derivative(self, slope: Any) -> Any:
        return slope


class LeakyReLU(Elementwise):
    r"""Leaky rectifier, with a small slope s below 0.

    .. math:: y = \begin{cases} x & x > 0 \\ s x & x \le 0 \end{cases}, \qquad
        \frac{dy}{dx} = \begin{cases} 1 & x > 0 \\ s & x \le 0 \end{cases}

    Parameters
    ----------
    negative_slope : float
        The slope s.

    References
    ----------
    A. L. Maas, A. Y. Hannun and A. Y. Ng, "Rectifier nonlinearities improve neural network
    acoustic models", ICML 2013.

    Examples
    --------
    >>> leaky_relu = LeakyReLU(0.1)
    >>> leaky_relu.forward([-1.0, 0.0, 2.0])
    array([-0.1,  0. ,  2. ])
    >>> leaky_relu.backward([1.0, 1.0, 1.0])
    array([0.1, 0.1, 1. ])
    """

    formula = Formula("x if x > 0 else negative_slope * x", "1 if x > 0 else negative_slope")

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = check_number("negative_slope", negative_slope)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        s = self.negative_slope
        with np.errstate(over="ignore"):
            below = s * x if s else _zeros(x)  # 0 times infinity would be NaN.
        return (np.maximum if s <= 1 else np.minimum)(x, below), x

    def derivative(self, x: Any) -> Any:
        return _slopes(x, self.negative_slope)


class PReLU(Layer, guarded=False):
    r"""Parametric rectifier, with a trained slope a below 0.

    .. math::

        y = \max(x, 0) + a \min(x, 0), \qquad
        \frac{dy}{dx} = \begin{cases} 1 & x > 0 \\ a & x \le 0 \end{cases}, \qquad
        \frac{\partial\ell}{\partial a} = \sum \frac{\partial\ell}{\partial y} \min(x, 0)

    Parameters
    ----------
    features : int
        Number of slopes: 1 for all entries of an input of any shape, else one for each column of an
        input of shape ``(..., features)``.
    dtype : {float32, float64}
        Of the parameter; inputs are converted to it.

    Attributes
    ----------
    a : Parameter
        The slopes, of shape ``(features,)``; initially 0.25.

    Raises
    ------
    ValueError
        If an input does not have that shape.

    References
    ----------
    K. He et al., "Delving deep into rectifiers: surpassing human-level performance on ImageNet
    classification", ICCV 2015.

    Examples
    --------
    >>> prelu = PReLU(2)
    >>> prelu.forward([[-1.0, 2.0], [-3.0, -4.0]])
    array([[-0.25,  2.  ],
           [-0.75, -1.  ]], dtype=float32)
    >>> prelu.backward([[1.0, 1.0], [1.0, 1.0]])
    array([[0.25, 1.  ],
           [0.25, 0.25]], dtype=float32)
    >>> prelu.a.grad
    array([-4., -4.], dtype=float32)
    """

    formula = Formula(
        "x if x > 0 else a * x",
        "1 if x > 0 else a",
        parameters={"a": "sum(g * min(x, 0))"},
        note="the sum goes over the entries that share a slope",
    )

    def __init__(self, features: int = 1, *, dtype: npt.DTypeLike = np.float32) -> None:
        self.features = check_integer("features", features, minimum=1)
        with fits_memory(features=self.features):
            self.a = Parameter(full(self.features, 0.25, float_dtype(dtype)), name="a")

    def forward(self, x: npt.ArrayLike) -> Array:
        x = as_floats(x, self.a.dtype)
        if self.features > 1 and x.shape[-1:] != (self.features,):
            raise ValueError(f"{self!r} expected x of shape (..., {self.features}), got {x.shape}")
        zeros = _zeros(x)
        with np.errstate(over="ignore", invalid="ignore"):  # 0 times infinity would be NaN.
            y = np.maximum(x, zeros) + self.a.value * np.minimum(x, zeros)
        self._cache = x.shape, x.dtype, x
        return np.asarray(y).reshape(x.shape)

    def backward(self, dout: npt.ArrayLike) -> Array:
        dout, x = self._backward_inputs(dout)
        with np.errstate(over="ignore", invalid="ignore"):
            products = (dout * np.minimum(x, _zeros(x))).reshape(-1, self.features)
        self.a.add_product(ones(len(products), x.dtype), products)
        return np.asarray(dout * _slopes(x, self.a.value)).reshape(x.shape)


class ELU(Elementwise):
    r"""Exponential linear unit.

    .. math::

        y = \begin{cases} x & x > 0 \\ \alpha (e^x - 1) & x \le 0 \end{cases}, \qquad
        \frac{dy}{dx} = \begin{cases} 1 & x > 0 \\ \alpha e^x & x \le 0 \end{cases}

    Parameters
    ----------
    alpha : float
        Minus the limit towards -infinity.

    References
    ----------
    D.-A. Clevert, T. Unterthiner and S. Hochreiter, "Fast and accurate deep network learning by
    exponential linear units (ELUs)", ICLR 2016.

    Examples
    --------
    >>> elu = ELU()
    >>> elu.forward([-1000.0, 0.0, 2.0])
    array([-1.,  0.,  2.])
    >>> elu.backward([1.0, 1.0, 1.0])
    array([0., 1., 1.])
    """

    formula = Formula("x if x > 0 else alpha * (exp(x) - 1)", "1 if x > 0 else alpha * exp(x)")

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = check_number("alpha", alpha)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        zeros = _zeros(x)
        return np.maximum(x, zeros) + self.alpha * np.expm1(np.minimum(x, zeros)), x

    def derivative(self, x: Any) -> Any:
        above = np.greater(x, 0).astype(x.dtype)
        # Above 0 the exponential is 1, and alpha is multiplied by 0.
        return above + self.alpha * (np.exp(np.minimum(x, _zeros(x))) - above)


class SELU(ELU):
    r"""Scaled exponential linear unit, for which mean 0 and variance 1 are a fixed point.

    .. math::

        y = \lambda \begin{cases} x & x > 0 \\ \alpha (e^x - 1) & x \le 0 \end{cases}, \qquad
        \frac{dy}{dx} = \lambda \begin{cases} 1 & x > 0 \\ \alpha e^x & x \le 0 \end{cases}

    with :math:`\lambda = 1.0507009873554805` and :math:`\alpha = 1.6732632423543772`. The fixed
    point needs initial weights of variance 1 / fan_in, which is ``weight_init="lecun_normal"``.

    References
    ----------
    G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> selu = SELU()
    >>> selu.forward([-1000.0, 0.0, 2.0]).round(4)
    array([-1.7581,  0.    ,  2.1014])
    >>> selu.backward([1.0, 1.0, 1.0]).round(4)
    array([0.    , 1.7581, 1.0507])
    """

    formula = Formula(
        "scale * (x if x > 0 else alpha * (exp(x) - 1))",
        "scale * (1 if x > 0 else alpha * exp(x))",
    )

    scale = 1.0507009873554804934193349852946

    def __init__(self) -> None:
        super().__init__(alpha=1.6732632423543772848170429916717)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        y, saved = super().compute_forward(x)
        with np.errstate(over="ignore"):
            return self.scale * y, saved

    def derivative(self, x: Any) -> Any:
        return self.scale * super().derivative(x)


def _zeros(x: Any) -> Any:
    # np.maximum of two arrays takes half the time of that of an array and a number. Above this
    # size the zeros are fresh memory, and cost `predict` of 10,000 rows a fifth of its time.
    return np.zeros(x.shape, x.dtype) if x.size < 100_000 else x.dtype.type(0)


def _slopes(x: Any, a: Any) -> Any:
    above = np.greater(x, 0).astype(x.dtype)
    return above + a * (1 - above)
