"""Embedding: a learnt vector for each id."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from nnlayers import initializers
from nnlayers._core.arrays import Array, unmasked
from nnlayers._core.checks import as_generator, check_integer
from nnlayers._core.formula import Formula
from nnlayers._core.sizes import fits_memory
from nnlayers.layer import Layer, Parameter

__all__ = ["Embedding"]

STANDARD_NORMAL = initializers.Normal(std=1.0)


class Embedding(Layer, guarded=False):
    r"""Look up the row of a matrix for each id: :math:`y_{i\cdot} = W_{x_i \cdot}`.

    .. math:: \frac{\partial\ell}{\partial W_{k\cdot}}
        = \sum_{i:\, x_i = k} \frac{\partial\ell}{\partial y_{i\cdot}}

    Ids have no derivative: ``backward`` returns zeros for them.

    Parameters
    ----------
    num_embeddings : int
        The number of different ids, which run from 0.
    dim : int
        The length of each vector.
    weight_init : str or callable
        How W is drawn, see :mod:`nnlayers.initializers`.
    dtype : {float32, float64}
        Of W, the output and what ``backward`` returns.
    rng : int or numpy.random.Generator, optional
        Source of the random draws.

    Attributes
    ----------
    W : Parameter
        The vectors, of shape ``(num_embeddings, dim)``.

    Raises
    ------
    TypeError
        If the input holds anything but integers.
    ValueError
        If an id is below 0 or at least `num_embeddings`.

    Examples
    --------
    >>> layer = Embedding(3, 2, weight_init="ones")
    >>> layer.forward([[0, 2]]).shape
    (1, 2, 2)
    >>> layer.backward(np.ones((1, 2, 2)))
    array([[0., 0.]], dtype=float32)
    >>> layer.W.grad
    array([[1., 1.],
           [0., 0.],
           [1., 1.]], dtype=float32)
    """

    formula = Formula(
        "W[x]",
        "0",
        sent=("0",),
        product="",
        parameters={"W": "put(g)"},
        note="put adds each row to the row of W that its id looked up; ids get 0",
    )

    def __init__(
        self,
        num_embeddings: int,
        dim: int,
        *,
        weight_init: initializers.Initializer | str = STANDARD_NORMAL,
        dtype: npt.DTypeLike = np.float32,
        rng: int | np.random.Generator | None = None,
    ) -> None:
        self.num_embeddings = check_integer("num_embeddings", num_embeddings, minimum=1)
        self.dim = check_integer("dim", dim, minimum=1)
        self.weight_init = weight_init
        initializers.get(weight_init, "weight_init")
        draw = partial(
            initializers.draw,
            weight_init,
            (self.num_embeddings, self.dim),
            self.num_embeddings,
            self.dim,
        )
        rng = as_generator(rng)
        with fits_memory(num_embeddings=self.num_embeddings, dim=self.dim):
            self.W = Parameter.from_draws(draw, rng, dtype, name="W")

    def forward(self, x: npt.ArrayLike) -> Array:
        ids = self._ids(x)
        y = np.asarray(self.W.value[ids])
        self._cache = y.shape, y.dtype, ids
        return y

    def predict(self, x: npt.ArrayLike) -> Array:
        return np.asarray(self.W.value[self._ids(x)])

    def backward(self, dout: npt.ArrayLike) -> Array:
        dout, ids = self._backward_inputs(dout)
        np.add.at(self.W.grad, ids, dout)
        return np.zeros(ids.shape, self.W.dtype)

    def _ids(self, x: npt.ArrayLike) -> npt.NDArray[np.intp]:
        ids = unmasked(x)
        if ids.size == 0:
            return np.zeros(ids.shape, np.intp)  # NumPy makes float64 of an empty list.
        if ids.dtype.kind not in "iu":
            raise TypeError(f"{self!r} expected x to hold integer ids, got dtype {ids.dtype}")
        bad = (ids < 0) | (ids >= self.num_embeddings)
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(
                f"{self!r} expected ids from 0 to {self.num_embeddings - 1}, "
                f"got {ids[bad][0]} at {index}"
            )
        return ids.astype(np.intp)
