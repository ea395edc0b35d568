"""Index and transpose: nodes of a computational graph."""

from __future__ import annotations

from contextlib import suppress
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_integer
from nnlayers._core.formula import Formula
from nnlayers._core.showing import shown
from nnlayers._core.sizes import check_axis
from nnlayers.layers.operation import Operation

__all__ = ["Index", "Transpose"]

# An index of more characters, such as one of many integers, is not written out in drawings.
_MAX_LENGTH = 30

Part: TypeAlias = int | slice | EllipsisType | Array | None


class Index(Operation):
    r"""Entries of an array chosen by an index: ``x[key]``, in graphs ``node[key]``.

    .. math::

        y_j = x_{\text{key}(j)}, \qquad
        \frac{\partial\ell}{\partial x_i}
        = \sum_{j:\, \text{key}(j) = i} \frac{\partial\ell}{\partial y_j}

    An entry that is chosen several times gets the sum of its gradients, one that is not chosen
    gets 0.

    Parameters
    ----------
    key : int, slice, Ellipsis, None, array_like of int or bool, or a tuple of these
        The index, as NumPy takes it. The first axis is the batch, so ``key=(slice(None), 0)``
        is the first column.

    Attributes
    ----------
    key : int, slice, Ellipsis, None, ndarray, or a tuple of these
        The index, with arrays in place of lists.

    Raises
    ------
    TypeError
        If `key` is not such an index.
    ValueError
        If it has more than one ellipsis, or does not fit the shape of the input.

    References
    ----------
    NumPy, "Indexing on ndarrays", https://numpy.org/doc/stable/user/basics.indexing.html

    Examples
    --------
    >>> index = Index((slice(None), 0))
    >>> index.forward([[1.0, 2.0], [3.0, 4.0]])
    array([1., 3.])
    >>> index.backward([5.0, 6.0])
    array([[5., 0.],
           [6., 0.]])
    >>> twice = Index([1, 1])
    >>> twice.forward([1.0, 2.0]), twice.backward([5.0, 6.0])
    (array([2., 2.]), array([ 0., 11.]))
    """

    def __init__(self, key: Any) -> None:
        parts = key if isinstance(key, tuple) else (key,)
        checked = tuple([_as_part(part) for part in parts])
        if sum(part is Ellipsis for part in checked) > 1:
            raise ValueError(f"key must have at most one ellipsis, got {shown(key)}")
        self.key: Part | tuple[Part, ...] = checked if isinstance(key, tuple) else checked[0]
        self._is_basic = not any(isinstance(part, np.ndarray) for part in checked)

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        try:
            return x[self.key][()], x.shape
        except IndexError as error:
            raise ValueError(f"{self!r} got x of shape {x.shape}: {error}") from None

    def compute_backward(self, dout: Any, shape: tuple[int, ...]) -> Any:
        dx = np.zeros(shape, dout.dtype)
        if self._is_basic:
            dx[self.key] = dout
        else:
            # Each entry's number in x: one index is added to several times faster than several.
            entries = np.arange(dx.size).reshape(shape)[self.key]
            np.add.at(dx.reshape(-1), entries.reshape(-1), dout.reshape(-1))
        return dx[()]

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        if type(self) is not Index:
            return super().formula_for(*shapes)
        key = self.key
        text = ", ".join(map(_part_text, key)) if isinstance(key, tuple) else _part_text(key)
        if isinstance(key, tuple) and len(key) < 2:
            text = f"{text}," if key else "()"
        is_short = len(text) <= _MAX_LENGTH
        return Formula(
            f"x[{text}]" if is_short else "index(x)",
            "1",
            symbol=f"[{text}]" if is_short else "",
            sent=("put(g)",),
            product="",
            note="entries that are not chosen get 0, one that is chosen twice the sum",
        )

    def __repr__(self) -> str:
        key = self.key
        text = repr(tuple(map(_as_lists, key)) if isinstance(key, tuple) else _as_lists(key))
        return f"{type(self).__name__}({text})"


class Transpose(Operation):
    r"""Array with its axes in another order; ``node.T`` is that of a matrix.

    .. math::

        Y = X^T, \qquad
        \frac{\partial\ell}{\partial X} = \left(\frac{\partial\ell}{\partial Y}\right)^T

    Parameters
    ----------
    axes : tuple of int, optional
        The axes of the input in their new order; by default, they are reversed.

    Raises
    ------
    TypeError, ValueError
        If `axes` is not a tuple of integers, or not an order of the axes of the input.

    Examples
    --------
    >>> transpose = Transpose()
    >>> transpose.forward([[1.0, 2.0, 3.0]])
    array([[1.],
           [2.],
           [3.]])
    >>> transpose.backward([[4.0], [5.0], [6.0]])
    array([[4., 5., 6.]])
    >>> Transpose((0, 2, 1)).forward(np.zeros((5, 4, 3))).shape
    (5, 3, 4)
    """

    def __init__(self, axes: tuple[int, ...] | None = None) -> None:
        checked = check_axis(axes, name="axes")
        if isinstance(checked, int):
            raise TypeError(f"axes must be a tuple of integers or None, got {shown(axes)}")
        self.axes = checked

    def compute_forward(self, x: Any) -> tuple[Any, Any]:
        if self.axes is None:
            return x.transpose(), None
        try:
            order = normalize_axis_tuple(self.axes, x.ndim)
            return x.transpose(order), np.argsort(order)
        except ValueError:
            raise ValueError(
                f"{self!r} expected x with {len(self.axes)} axes, each once in axes, "
                f"got shape {x.shape}"
            ) from None

    def compute_backward(self, dout: Any, order: Any) -> Any:
        return dout.transpose() if order is None else dout.transpose(order)

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        if type(self) is not Transpose:
            return super().formula_for(*shapes)
        return _REVERSED if self.axes is None else _REORDERED


_REVERSED = Formula("x.T", "1", symbol="xᵀ", sent=("g.T",), product="")
_REORDERED = Formula(
    "transpose(x)",
    "1",
    sent=("reorder(g)",),
    product="",
    note="reorder puts the axes in their old order",
)


def _as_part(part: Any) -> Part:
    """Return a part of an index, lists as an array; raise ``TypeError`` if it is none."""
    if isinstance(part, slice):
        try:
            return slice(*[None if b is None else check_integer("key", b) for b in _bounds(part)])
        except TypeError:
            raise TypeError(f"key must have slices of integers, got {shown(part)}") from None
    if part is None or isinstance(part, EllipsisType):
        return part
    with suppress(TypeError):
        return check_integer("key", part)
    if isinstance(part, list | tuple | np.ndarray):
        with suppress(ValueError):
            array = np.array(part)
            if array.ndim and (array.dtype.kind in "iub" or not array.size):
                # NumPy makes float64 of an empty list.
                return array if array.dtype.kind == "b" else array.astype(np.intp)
    raise TypeError(
        "key must be an integer, a slice, an ellipsis, None, an array of integers or booleans, "
        f"or a tuple of these, got {shown(part)}"
    )


def _bounds(part: slice) -> tuple[Any, Any, Any]:
    return part.start, part.stop, part.step


def _as_lists(part: Part) -> Any:
    return part.tolist() if isinstance(part, np.ndarray) else part


def _part_text(part: Part) -> str:
    if isinstance(part, slice):
        start, stop, step = ["" if bound is None else str(bound) for bound in _bounds(part)]
        return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"
    return "..." if part is Ellipsis else str(_as_lists(part))
