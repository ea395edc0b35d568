"""Base classes of the losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_floats
from nnlayers._core.checks import check_choice
from nnlayers._core.constructors import constructor_repr
from nnlayers._core.display import html_of_object
from nnlayers.losses.checks import column_hint, rows_where
from nnlayers.losses.weighting import Reduction, reduce_losses, row_weights, scale_slopes

__all__ = ["ElementwiseLoss", "Loss", "Reduction"]


class Loss(ABC):
    r"""Base class of losses: the distance of predictions from targets, and its gradient.

    ``loss(prediction, target)`` is :meth:`forward`.

    With ``reduction="sum"`` the losses :math:`\ell_i` are added, each times the weight :math:`w_i`
    of its row; ``"mean"`` divides by the sum of the weights,

    .. math:: \ell = \frac{\sum_i w_i \ell_i}{\sum_i w_i},

    so a row of weight 2 counts as two rows. Without weights it is the mean over all losses,
    including those of the same row. Without rows, or with a total weight of 0, the loss and its
    gradient are 0.

    A subclass implements :meth:`forward` and :meth:`backward`.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the losses are averaged or added.

    Attributes
    ----------
    targets : {"values", "classes", "binary"}
        The kind of targets: numbers, one class id a row, or zeros and ones.
    total_weight : float or None
        The divisor of the mean in the last forward pass, by which training joins the means of
        several batches. Where a subclass leaves it at None, batches count by their rows or sample
        weights.
    """

    targets: Literal["values", "classes", "binary"] = "values"
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
        """Return the loss, and cache what :meth:`backward` needs.

        Parameters
        ----------
        prediction : array_like of real numbers, shape (batch, ...)
            The output of the model.
        target : array_like
            The output that it should have.
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
            If :meth:`forward` was not called before.
        """

    def decide(self, prediction: npt.ArrayLike) -> Array:
        """Return the targets that the model's output predicts, such as the most probable class.

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

    def _require_cache(self) -> Any:
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__}.backward was called before forward")
        return self._cache

    def __getstate__(self) -> dict[str, Any]:
        return {name: item for name, item in vars(self).items() if name != "_cache"}

    def __repr__(self) -> str:
        return constructor_repr(self)

    def _repr_html_(self) -> str:
        return html_of_object(self)


class ElementwiseLoss(Loss):
    """Base class of losses that are a mean or sum over entries.

    A subclass implements the loss and the derivative of each entry. Both are computed in float64,
    because the square of a large difference may overflow in float32 where the mean and the gradient
    do not. The gradient has the prediction's dtype nevertheless.

    Examples
    --------
    >>> class Quartic(ElementwiseLoss):
    ...     def entry_losses(self, p, t):
    ...         return (p - t) ** 4, p - t
    ...
    ...     def entry_slopes(self, difference):
    ...         return 4 * difference**3
    >>> loss = Quartic()
    >>> loss.forward([[2.0], [1.0]], [[0.0], [1.0]])
    8.0
    >>> loss.backward()
    array([[16.],
           [ 0.]])
    """

    @abstractmethod
    def entry_losses(self, p: Array, t: Array) -> tuple[Array, Any]:
        """Return each entry's loss, and what :meth:`entry_slopes` needs."""

    @abstractmethod
    def entry_slopes(self, saved: Any) -> Array:
        """Return each entry's derivative with respect to the prediction."""

    def as_target(self, target: npt.ArrayLike, p: Array) -> Array:
        """Return `target` as float64 of p's shape, or as a subclass needs it."""
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
        losses, saved = self.entry_losses(p.astype(FLOAT64, copy=False), t)
        weights = row_weights(sample_weight, p)
        value, scale, self.total_weight = reduce_losses(self.reduction, losses, weights)
        if value != value and np.isnan(t).any():
            raise ValueError(f"target must not be NaN, got NaN in {rows_where(np.isnan(t))}")
        self._cache = saved, scale, p.dtype
        return value

    @np.errstate(all="ignore")
    def backward(self) -> Array:
        saved, scale, dtype = self._require_cache()
        return scale_slopes(scale, self.entry_slopes(saved)).astype(dtype, copy=False)
