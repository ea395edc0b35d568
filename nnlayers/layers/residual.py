"""Residual (skip) connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats
from nnlayers.layers.arithmetic import Add
from nnlayers.layers.sequential import Sequential

if TYPE_CHECKING:
    from nnlayers.drawing import LayerDiagram

__all__ = ["Residual"]


class Residual(Sequential, guarded=False):
    r"""Residual connection: add layers in a row to their input.

    .. math::

        y = x + f(x), \qquad
        \frac{\partial\ell}{\partial x} = \frac{\partial\ell}{\partial y}
        + \Big(\frac{\partial f}{\partial x}\Big)^T \frac{\partial\ell}{\partial y}

    Indexing, slicing and ``summary`` are those of a :class:`~nnlayers.Sequential`; a slice is a
    Sequential, without the connection.

    Parameters
    ----------
    *layers : Layer
        f, in the order of the forward pass; its output has the shape of its input.

    Raises
    ------
    ValueError
        From ``forward``, if f changes the shape.

    References
    ----------
    K. He et al., "Deep residual learning for image recognition", CVPR 2016.

    Examples
    --------
    >>> from nnlayers import Affine, ReLU
    >>> layer = Residual(ReLU(), Affine(2, 2, weight_init="zeros"))
    >>> layer.forward([[1.0, -2.0]])
    array([[ 1., -2.]], dtype=float32)
    >>> layer.backward([[1.0, 1.0]])
    array([[1., 1.]])
    """

    def forward(self, x: npt.ArrayLike) -> Any:
        x = as_floats(x)
        return self._sum(x, super().forward(x))

    def predict(self, x: npt.ArrayLike) -> Any:
        x = as_floats(x)
        return self._sum(x, super().predict(x))

    def backward(self, dout: npt.ArrayLike, input_grad: bool = True) -> Any:
        if not input_grad:
            return super().backward(dout, input_grad=False)
        dx = super().backward(dout)
        return as_floats(dout, dx.dtype) + dx

    def diagram(self) -> LayerDiagram | None:
        if type(self).forward is not Residual.forward:
            return None
        diagram = self._chain()
        diagram.apply(Add(), *diagram.inputs, *diagram.outputs)
        return diagram

    def _sum(self, x: Array, f: Array) -> Array:
        if f.shape != x.shape:
            name = " ".join(repr(self).split())
            raise ValueError(f"{name} expected f(x) of x's shape {x.shape}, got {f.shape}")
        return np.add(x, f, dtype=f.dtype)
