"""Multi-class hinge loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_reals
from nnlayers._core.checks import check_number
from nnlayers.losses.base import ElementwiseLoss, Reduction
from nnlayers.losses.checks import as_class_ids, as_scores

__all__ = ["Hinge"]


class Hinge(ElementwiseLoss):
    r"""Multi-class hinge loss, which asks the class's score to exceed the others by a margin m.

    .. math::

        \ell_i = \frac{1}{K} \sum_{k \ne y_i} h_{ik}, \quad
        h_{ik} = \max(0, z_{ik} - z_{i y_i} + m), \\
        \frac{\partial\ell_i}{\partial z_{ik}} = \frac{1(h_{ik} > 0)}{K}, \quad
        \frac{\partial\ell_i}{\partial z_{i y_i}}
        = -\sum_{k \ne y_i} \frac{\partial\ell_i}{\partial z_{ik}}

    with K classes, averaged over the rows.

    Parameters
    ----------
    margin : float
        The margin m, at least 0.
    reduction : {"mean", "sum"}
        Whether the rows' losses are averaged or added.

    Notes
    -----
    `prediction` has shape ``(batch, ..., classes)``, `target` holds integers of shape
    ``(batch, ...)``.

    References
    ----------
    J. Weston and C. Watkins, "Support vector machines for multi-class pattern recognition",
    ESANN 1999. PyTorch's ``MultiMarginLoss`` with ``p=1`` has the same definition.

    Examples
    --------
    >>> loss = Hinge()
    >>> loss.forward([[2.0, 1.5], [4.0, 1.0]], [0, 0])
    0.125
    >>> loss.backward()
    array([[-0.25,  0.25],
           [-0.  ,  0.  ]])
    """

    targets = "classes"

    def __init__(self, margin: float = 1.0, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = check_number("margin", margin, minimum=0)

    def as_target(self, target: npt.ArrayLike, p: Array) -> Array:
        return as_class_ids(as_reals(target, "target"), as_scores(p)).reshape(*p.shape[:-1], 1)

    def entry_losses(self, z: Array, y: Array) -> tuple[Array, Any]:
        class_score = np.take_along_axis(z, y, axis=-1)
        lead = z - class_score
        # The slope jumps where h is 0, so the part that the subtraction rounds away matters. It is
        # computed by Knuth's two-sum, which is exact for finite numbers.
        back = lead - z
        lost = (z - (lead - back)) - (class_score + back)
        h = np.maximum(lead + self.margin + np.where(np.isfinite(lost), lost, 0), 0)
        sign = np.sign(class_score)
        # This is NaN for NaN, and 0 even for an infinite score.
        np.put_along_axis(h, y, sign - sign, axis=-1)
        return h.sum(axis=-1, keepdims=True) / z.shape[-1], (h, y)

    def entry_slopes(self, saved: tuple[Array, Array]) -> Array:
        h, y = saved
        slope: Array = np.sign(h) / h.shape[-1]
        np.put_along_axis(slope, y, -slope.sum(axis=-1, keepdims=True), axis=-1)
        return slope
