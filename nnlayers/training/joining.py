"""Join the losses of an epoch's batches."""

from __future__ import annotations

from nnlayers._core.arrays import Array
from nnlayers.losses import Loss

__all__ = ["adds_up", "joined_loss", "total_weight"]


def adds_up(loss: Loss) -> bool:
    """Return whether the losses of batches add up to that of all rows."""
    return getattr(loss, "reduction", "mean") == "sum"


def total_weight(loss: Loss, y: Array, weight: Array | None) -> float:
    """Return what the batch of the last forward counts for in the mean of an epoch."""
    if loss.total_weight is not None:
        return loss.total_weight
    return len(y) if weight is None else float(weight.sum())


def joined_loss(loss: Loss, values: Array, totals: Array) -> float:
    """Return the loss of all rows from that of each batch, and what each counts for.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlayers as nn
    >>> joined_loss(nn.MeanSquaredError(), np.array([1.0, 4.0]), np.array([2.0, 1.0]))
    2.0
    """
    if adds_up(loss):
        return float(values.sum())
    return float(values @ (totals / totals.sum())) if totals.any() else 0.0
