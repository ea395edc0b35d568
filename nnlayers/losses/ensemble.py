"""Loss of an ensemble: the mean of its members' losses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats
from nnlayers._core.checks import check_instance
from nnlayers.losses.base import Loss

__all__ = ["EnsembleLoss"]


class EnsembleLoss(Loss):
    r"""Mean of the members' losses, commonly used to train ensembles that share weights.

    .. math:: \ell = \frac1k \sum_{m=1}^k \ell_\text{member}(p_m, t)

    Each member learns to predict the target by itself. The loss of the mean prediction instead
    would let members make up for each other's errors, which generalises worse.

    Parameters
    ----------
    loss : Loss
        The loss of one member.

    Raises
    ------
    ValueError
        If a prediction does not have shape ``(batch, members, ...)``.

    References
    ----------
    Y. Gorishniy, A. Kotelnikov and A. Babenko, "TabM: advancing tabular deep learning with
    parameter-efficient ensembling", ICLR 2025.

    Examples
    --------
    >>> import nnlayers as nn
    >>> loss = EnsembleLoss(nn.MeanSquaredError())
    >>> loss.forward([[[1.0], [3.0]]], [[2.0]])  # one row, two members, one output
    1.0
    >>> loss.backward()
    array([[[-1.],
            [ 1.]]])
    >>> loss.decide([[[1.0], [3.0]]])
    array([[2.]])
    """

    def __init__(self, loss: Loss) -> None:
        check_instance("loss", loss, Loss)
        super().__init__(reduction=loss.reduction)
        self.loss = loss
        self.targets = loss.targets

    def forward(
        self,
        prediction: npt.ArrayLike,
        target: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        p = as_floats(prediction, name="prediction")
        if p.ndim < 2 or not p.shape[1]:
            raise ValueError(f"prediction must have shape (batch, members, ...), got {p.shape}")
        members = p.shape[1]
        t = np.repeat(np.asarray(target), members, axis=0)
        w = None if sample_weight is None else np.repeat(np.asarray(sample_weight), members, axis=0)
        value = self.loss.forward(p.reshape(-1, *p.shape[2:]), t, w)
        total = self.loss.total_weight
        self.total_weight = None if total is None else total / members
        self._cache = p.shape
        return value / members if self.reduction == "sum" else value

    def backward(self) -> Array:
        shape = self._require_cache()
        slopes = self.loss.backward()
        if self.reduction == "sum":
            slopes /= shape[1]
        return slopes.reshape(shape)

    def decide(self, prediction: npt.ArrayLike) -> Array:
        """Return the targets that the mean of the members' outputs predicts."""
        return self.loss.decide(as_floats(prediction, name="prediction").mean(axis=1))
