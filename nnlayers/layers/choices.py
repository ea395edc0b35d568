"""Choices between inputs, entry by entry: nodes of a computational graph."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from nnlayers._core.arrays import as_floats
from nnlayers._core.checks import check_choice
from nnlayers._core.formula import Formula
from nnlayers.layers.arithmetic import Binary, as_operands, unbroadcast, unbroadcast_pair
from nnlayers.layers.operation import Operation

__all__ = ["Compare", "Maximum", "Minimum", "Where"]

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Maximum(Binary):
    r"""Larger of two inputs, entry by entry.

    .. math::

        y = \max(a, b), \qquad
        \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial y} \odot \begin{cases}
        1 & a > b \\ 1/2 & a = b \\ 0 & a < b \end{cases}

    and the reverse for b: where they are equal, each gets half, as in PyTorch.

    Examples
    --------
    >>> maximum = Maximum()
    >>> maximum.forward([1.0, 2.0, 3.0], 2.0)
    array([2., 2., 3.])
    >>> maximum.backward([1.0, 1.0, 1.0])
    (array([0. , 0.5, 1. ]), array(1.5))
    """

    formula = Formula(
        "max(a, b)",
        "1 - one(a < b) - one(a == b) / 2",  # With NaN no comparison holds.
        "1 - one(b < a) - one(a == b) / 2",
        symbol="max",
        note="where both are equal, each gets half",
    )

    def compute_forward(self, a: Any, b: Any) -> tuple[Any, Any]:
        return np.maximum(a, b), (a, b)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        return unbroadcast_pair(saved, *_larger_shares(dout, *saved))


class Minimum(Binary):
    r"""Smaller of two inputs, entry by entry.

    .. math::

        y = \min(a, b), \qquad
        \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial y} \odot \begin{cases}
        1 & a < b \\ 1/2 & a = b \\ 0 & a > b \end{cases}

    and the reverse for b: where they are equal, each gets half, as in PyTorch.

    Examples
    --------
    >>> minimum = Minimum()
    >>> minimum.forward([1.0, 2.0, 3.0], 2.0)
    array([1., 2., 2.])
    >>> minimum.backward([1.0, 1.0, 1.0])
    (array([1. , 0.5, 0. ]), array(1.5))
    """

    formula = Formula(
        "min(a, b)",
        "1 - one(a > b) - one(a == b) / 2",
        "1 - one(b > a) - one(a == b) / 2",
        symbol="min",
        note="where both are equal, each gets half",
    )

    def compute_forward(self, a: Any, b: Any) -> tuple[Any, Any]:
        return np.minimum(a, b), (a, b)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        # Each input gets the share that the other would get of the larger one.
        to_b, to_a = _larger_shares(dout, *saved)
        return unbroadcast_pair(saved, to_a, to_b)


class Compare(Binary):
    r"""Comparison of two inputs, entry by entry: 1 where it holds, else 0.

    .. math::

        y = 1(a > b), \qquad
        \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial b} = 0

    Its result is a condition for :class:`Where`, or a mask to multiply with. In graphs, write
    ``node > 0``. No comparison with NaN holds.

    Parameters
    ----------
    sign : {">", ">=", "<", "<="}
        The comparison.

    Examples
    --------
    >>> layer = Compare(">=")
    >>> layer.forward([1.0, 2.0, 3.0], 2.0)
    array([0., 1., 1.])
    >>> layer.backward([1.0, 1.0, 1.0])
    (array([0., 0., 0.]), array(0.))
    """

    def __init__(self, sign: str) -> None:
        check_choice("sign", sign, _COMPARISONS)
        self.sign = sign

    def compute_forward(self, a: Any, b: Any) -> tuple[Any, Any]:
        return _COMPARISONS[self.sign](a, b).astype(np.result_type(a, b)), (a, b)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        zeros = np.zeros_like(dout)[()]
        return unbroadcast_pair(saved, zeros, zeros)

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        if type(self) is not Compare:
            return super().formula_for(*shapes)
        return Formula(
            f"one(a {self.sign} b)",
            "0",
            symbol=self.sign.replace(">=", "≥").replace("<=", "≤"),
            note="the result does not depend on the inputs smoothly, so they get 0",
        )


class Where(Operation):
    r"""Choice between two inputs by a condition, entry by entry.

    .. math::

        y = \begin{cases} a & \text{condition} \ne 0 \\ b & \text{condition} = 0
        \end{cases}

    .. math::

        \frac{\partial\ell}{\partial a} = \frac{\partial\ell}{\partial y} \odot
        1(\text{condition} \ne 0), \quad
        \frac{\partial\ell}{\partial b} = \frac{\partial\ell}{\partial y} \odot
        1(\text{condition} = 0)

    The three inputs broadcast as in NumPy. The condition holds booleans or numbers, such as the
    result of :class:`Compare`, and its gradient is 0. NaN or infinity in what is not chosen stays
    out of the output and the gradients.

    Examples
    --------
    >>> where = Where()
    >>> where.forward([True, False, True], [1.0, 2.0, 3.0], 0.0)
    array([1., 0., 3.])
    >>> _, da, db = where.backward([5.0, 6.0, 7.0])
    >>> da, db
    (array([5., 0., 7.]), array(6.))
    """

    formula = Formula(
        "x1 if x0 != 0 else x2",
        "0",
        "one(x0 != 0)",
        "one(x0 == 0)",
        symbol="where",
        note="nothing depends on the condition smoothly, so it gets 0",
    )

    quiet = True

    def as_inputs(self, inputs: tuple[Any, ...]) -> list[Any]:
        if len(inputs) != 3:
            raise TypeError(f"{self!r} expected 3 inputs, got {len(inputs)}")
        return [as_floats(inputs[0], name="condition"), *as_operands(*inputs[1:])]

    def compute_forward(self, condition: Any, a: Any, b: Any) -> tuple[Any, Any]:
        is_true = condition != 0
        try:
            y = np.where(is_true, a, b)[()]
        except ValueError:
            shapes = ", ".join(str(np.shape(x)) for x in (condition, a, b))
            raise ValueError(
                f"{self!r} expected condition, a and b of shapes that broadcast, got {shapes}"
            ) from None
        return y, (condition, is_true, a, b)

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        condition, is_true, a, b = saved
        zero = dout.dtype.type(0)
        da = unbroadcast(np.where(is_true, dout, zero)[()], a)
        db = unbroadcast(np.where(is_true, zero, dout)[()], b)
        return np.zeros_like(condition)[()], da, db


def _larger_shares(dout: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Return the parts of `dout` that two inputs get where each is the larger one."""
    shared = np.where(a == b, dout / 2, dout)
    zero = dout.dtype.type(0)
    # With NaN no comparison holds, and both get all, as in PyTorch.
    return np.where(a < b, zero, shared), np.where(a > b, zero, shared)
