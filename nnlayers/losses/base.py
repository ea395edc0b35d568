"""What a loss is, and what the losses share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_floats
from nnlayers._core.checks import check_choice
from nnlayers._core.constructors import written

__all__ = [
    "Elementwise",
    "Loss",
    "Reduction",
    "check_range",
    "column_hint",
    "reduced",
    "row_weights",
    "rows_where",
    "scaled",
    "weighted",
]

Reduction: TypeAlias = Literal["mean", "sum"]


class Loss(ABC):
    r"""How far a prediction is from its target: a number, and the start of the way back.

    ``loss(prediction, target)`` is :meth:`forward`.

    With ``reduction="sum"`` the losses :math:`\ell_i` are added, each times the weight :math:`w_i`
    of its row; ``"mean"`` divides by what the weights add up to,

    .. math:: \ell = \frac{\sum_i w_i \ell_i}{\sum_i w_i},

    so that a row of weight 2 counts as two rows, and without weights it is the plain mean over all
    losses, those of one row included. No rows, or no weight, give 0 and zero gradients.

    A loss of your own needs :meth:`forward` and :meth:`backward`.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the losses are averaged or added.

    Attributes
    ----------
    targets : {"values", "classes", "binary"}
        What the targets are: numbers, one class id a row, or zeros and ones.
    total_weight : float or None
        The divisor of the last forward's mean, by which the means of several batches are joined;
        None for a loss of your own that does not set it, whose batches count by their rows or
        sample weights.
    """

    targets: ClassVar[Literal["values", "classes", "binary"]] = "values"
    total_weight: float | None = None
    _cache: Any = None

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        check_choice("reduction", reduction, ["mean", "sum"])
        self.reduction = reduction

    @abstractmethod
    def forward(
        self,
        prediction: npt.ArrayLike,
        target: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return the loss, and keep what :meth:`backward` needs.

        Parameters
        ----------
        prediction : array_like of real numbers, shape (batch, ...)
            What the model gave.
        target : array_like
            What it should have given.
        sample_weight : array_like of numbers of at least 0, shape (batch,), optional
            How much each row counts.

        Raises
        ------
        TypeError
            If an argument holds anything but real numbers.
        ValueError
            If shapes differ, or rows of `target` or `sample_weight` are NaN or out of range; the
            message names the rows.
        """

    @abstractmethod
    def backward(self) -> Array:
        """Return d loss / d prediction, of prediction's shape and dtype.

        Raises
        ------
        RuntimeError
            If no :meth:`forward` went before.
        """

    def decide(self, prediction: npt.ArrayLike) -> Array:
        """Return what the model's output says of the target: the class where targets are classes.

        Examples
        --------
        >>> import nnlayers as nn
        >>> nn.SoftmaxCrossEntropy().decide([[0.1, 2.0], [3.0, -1.0]])
        array([1, 0])
        >>> nn.SigmoidCrossEntropy().decide([[0.3], [-0.3]])
        array([[1],
               [0]])
        """
        output = as_floats(prediction, name="prediction")
        if self.targets == "classes":
            return np.asarray(output.argmax(axis=-1))
        if self.targets == "binary":
            return np.asarray(output > 0, np.int64)
        return output.copy()

    def __call__(
        self,
        prediction: npt.ArrayLike,
        target: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return ``forward`` of the arguments."""
        return self.forward(prediction, target, sample_weight)

    def _cached(self) -> Any:
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__}.backward was called before forward")
        return self._cache

    def __getstate__(self) -> dict[str, Any]:
        return {name: item for name, item in vars(self).items() if name != "_cache"}

    def __repr__(self) -> str:
        return written(self)


class Elementwise(Loss):
    """Base of the losses that are a mean, or sum, over entries: a subclass states one entry's.

    It does so in float64: in float32 the square of a large difference would overflow on the way to
    a mean, or a gradient, that does not. The gradient has the prediction's dtype all the same.

    Examples
    --------
    >>> class Quartic(Elementwise):
    ...     def terms(self, p, t):
    ...         return (p - t) ** 4, p - t
    ...
    ...     def slope(self, difference):
    ...         return 4 * difference**3
    >>> loss = Quartic()
    >>> loss.forward([[2.0], [1.0]], [[0.0], [1.0]])
    8.0
    >>> loss.backward()
    array([[16.],
           [ 0.]])
    """

    @abstractmethod
    def terms(self, p: Array, t: Array) -> tuple[Array, Any]:
        """Return each entry's loss, and what :meth:`slope` needs."""

    @abstractmethod
    def slope(self, kept: Any) -> Array:
        """Return each entry's derivative with respect to the prediction."""

    def as_target(self, target: npt.ArrayLike, p: Array) -> Array:
        """Return `target` as :meth:`terms` takes it: float64 of p's shape, unless overridden."""
        t = as_floats(target, FLOAT64, "target")
        if t.shape != p.shape:
            raise ValueError(
                f"target must have the prediction's shape {p.shape}, got {t.shape}"
                + column_hint(t, p.shape)
            )
        return t

    @np.errstate(all="ignore")
    def forward(
        self,
        prediction: npt.ArrayLike,
        target: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        p = as_floats(prediction, name="prediction")
        t = self.as_target(target, p)
        losses, kept = self.terms(p.astype(FLOAT64, copy=False), t)
        weights = row_weights(sample_weight, p)
        value, scale, self.total_weight = reduced(self.reduction, losses, weights)
        if value != value and np.isnan(t).any():
            raise ValueError(f"target must not be NaN, got NaN in {rows_where(np.isnan(t))}")
        self._cache = kept, scale, p.dtype
        return value

    @np.errstate(all="ignore")
    def backward(self) -> Array:
        kept, scale, dtype = self._cached()
        return scaled(scale, self.slope(kept)).astype(dtype, copy=False)


def row_weights(sample_weight: npt.ArrayLike | None, prediction: Array) -> Array | None:
    """Return the weights as float64, shaped to multiply prediction's rows."""
    if sample_weight is None:
        return None
    weights = as_floats(sample_weight, FLOAT64, "sample_weight")
    if weights.shape != prediction.shape[:1]:
        raise ValueError(
            f"sample_weight must have one number a row, shape {prediction.shape[:1]}, "
            f"got {weights.shape}"
        )
    check_range(weights, name="sample_weight")
    return weights.reshape(weights.shape + (1,) * (prediction.ndim - 1))


def reduced(
    reduction: Reduction, losses: Array, weights: Array | None, mass: Array | None = None
) -> tuple[float, Array | float, float]:
    """Return the mean or sum of the losses, each loss's factor in it, and the mean's divisor.

    `weights` broadcasts to the losses; `mass` is what each counts for in the mean, 1 if not given.
    """
    if weights is None and mass is None:
        total = float(np.add.reduce(losses, axis=None))
        count = losses.size if reduction == "mean" and losses.size else 1
        return total / count, 1 / count, losses.size
    if weights is None:
        weights = np.ones((1,) * losses.ndim)
    scale: Array | float = weights
    divisor = 1.0
    if reduction == "mean":
        counted = weights if mass is None else weights * mass
        divisor = float(np.broadcast_to(counted, losses.shape).sum())
        if divisor == np.inf > weights.max():  # a mean is the same for weights in any unit
            value, scale, _ = reduced(reduction, losses, weights * 2.0**-64, mass)
            return value, scale, divisor
        scale = weights / divisor if divisor else np.zeros_like(weights)
    value = float(np.add.reduce(losses * scale, axis=None))
    if value != value:  # perhaps by an infinite loss in a row of no weight
        value = float(np.add.reduce(weighted(np.asarray(scale), losses), axis=None))
    return value, scale, divisor


def scaled(scale: Array | float, slopes: Array) -> Array:
    """Return slopes times the factors of :func:`reduced`; infinite ones of no weight give 0."""
    product = np.asarray(slopes * scale)
    if isinstance(scale, float) or not product.size:
        return product
    # `argmax` finds a NaN, in a fifth of the time of `isnan` and `any`.
    largest = product.item(product.argmax())
    return product if largest == largest else weighted(scale, slopes)


def weighted(weight: Array, x: Array) -> Array:
    """Return weight times x, and 0 where the weight is 0 though x is infinite.

    Examples
    --------
    >>> with np.errstate(invalid="ignore"):
    ...     weighted(np.array([0.0, 0.0, 2.0]), np.array([np.inf, np.nan, 3.0]))
    array([ 0., nan,  6.])
    """
    return np.where((weight == 0) & np.isinf(x), 0, weight * x)


def check_range(values: Array, maximum: float | None = None, name: str = "target") -> None:
    """Raise ``ValueError`` unless all values are finite, at least 0 and at most `maximum`."""
    bad = ~((values >= 0) & (values < np.inf if maximum is None else values <= maximum))
    if bad.any():
        limits = "finite and at least 0" if maximum is None else f"between 0 and {maximum}"
        raise ValueError(f"{name} must be {limits}, got {values[bad][0]} in {rows_where(bad)}")


def column_hint(target: Array, shape: tuple[int, ...]) -> str:
    """Return a hint at ``y[:, None]`` where just that is missing in a target for one of `shape`."""
    missing = shape == (*target.shape, 1)
    return ": a column of targets is y[:, None]" if missing else ""


def rows_where(bad: Array) -> str:
    """Return words that say which rows hold a True.

    Examples
    --------
    >>> rows_where(np.array([False, True, True]))
    'rows 1, 2'
    """
    rows = np.flatnonzero(np.reshape(bad, (len(bad) if bad.ndim else 1, -1)).any(axis=1))
    listed = ", ".join(map(str, rows[:5]))
    if len(rows) > 5:
        return f"rows {listed} and {len(rows) - 5} more"
    return f"row{'s' if len(rows) > 1 else ''} {listed}"
