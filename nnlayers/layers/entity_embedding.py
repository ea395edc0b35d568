"""Entity embedding: learnt vectors for the levels of categorical columns, beside numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from nnlayers import initializers
from nnlayers._core.arrays import Array, as_floats
from nnlayers._core.checks import as_generator, check_integer
from nnlayers._core.formula import Formula
from nnlayers._core.sizes import check_integers, fits_memory
from nnlayers.layer import Layer, Parameter

__all__ = ["EntityEmbedding"]

# The largest length of vectors by default.
_MAX_DIM = 32


class EntityEmbedding(Layer, guarded=False):
    r"""Replace the ids in some columns of a table by vectors, one for each id of the column.

    .. math:: y_i = [x_{ij} : j \text{ not an id};\ W^{(1)}_{x_{ij_1}};\ W^{(2)}_{x_{ij_2}}; \dots]

    The columns that are not ids keep their order and come first. Ids have no derivative:
    ``backward`` returns zeros for them. Id 0 stands for levels that are unknown or rare; its vector
    starts at zero, the mean of the others.

    Parameters
    ----------
    columns : sequence of int
        The indices of the columns that hold ids, as floats that are whole numbers.
    levels : sequence of int
        The number of ids of each of these columns, 0 included.
    dim : int, optional
        The length of each vector; by default the rounded-up square root of the column's number of
        ids, at most 32.
    weight_init : str or callable
        How the vectors are drawn, see :mod:`nnlayers.initializers`; the default gives a vector the
        squared length 1 on average, so that it counts as much as a standardised number.
    dtype : {float32, float64}
        Of the vectors; inputs are converted to it.
    rng : int or numpy.random.Generator, optional
        Source of the random draws.

    Attributes
    ----------
    W : list of Parameter
        The vectors of each column, of shape ``(levels, dim)``.

    Raises
    ------
    TypeError
        If the input holds anything but real numbers.
    ValueError
        If an argument is out of its range, an input has too few columns, or an id is not a whole
        number from 0 up to its column's number of ids.

    References
    ----------
    C. Guo and F. Berkhahn, "Entity embeddings of categorical variables", 2016.

    Examples
    --------
    >>> layer = EntityEmbedding([1], [3], dim=2, weight_init="ones")
    >>> layer.forward([[0.5, 2], [0.7, 0]])
    array([[0.5, 1. , 1. ],
           [0.7, 0. , 0. ]], dtype=float32)
    >>> layer.backward(np.ones((2, 3)))
    array([[1., 0.],
           [1., 0.]], dtype=float32)
    >>> layer.W[0].grad
    array([[1., 1.],
           [0., 0.],
           [1., 1.]], dtype=float32)
    """

    formula = Formula(
        "embed(x)",
        sent=("part(g)",),
        parameters={"W": "put(g)"},
        note="put adds each vector to the row of W that its id looked up; ids get 0",
    )

    def __init__(
        self,
        columns: Sequence[int],
        levels: Sequence[int],
        *,
        dim: int | None = None,
        weight_init: initializers.Initializer | str = "lecun_normal",
        dtype: npt.DTypeLike = np.float32,
        rng: int | np.random.Generator | None = None,
    ) -> None:
        self.columns = check_integers("columns", columns, minimum=0)
        self.levels = check_integers("levels", levels, minimum=1)
        self.dim = None if dim is None else check_integer("dim", dim, minimum=1)
        self.weight_init = weight_init
        initializers.get(weight_init, "weight_init")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns must differ, got {self.columns}")
        if len(self.columns) != len(self.levels):
            raise ValueError(
                f"levels must have one number for each of {len(self.columns)} columns, "
                f"got {len(self.levels)}"
            )
        rng = as_generator(rng)
        with fits_memory(levels=self.levels, dim=self.dim):
            self.W = [
                Parameter.from_draws(
                    partial(_draw_vectors, weight_init, count, self._length(count)),
                    rng,
                    dtype,
                    name="W",
                )
                for count in self.levels
            ]

    def forward(self, x: npt.ArrayLike) -> Array:
        x, ids = self._inputs(x)
        y = self._output(x, ids)
        self._cache = y.shape, y.dtype, (x.shape, ids)
        return y

    def predict(self, x: npt.ArrayLike) -> Array:
        return self._output(*self._inputs(x))

    def backward(self, dout: npt.ArrayLike) -> Array:
        dout, (shape, ids) = self._backward_inputs(dout)
        others = self._others(shape[-1])
        dx = np.zeros(shape, dout.dtype)
        dx[..., others] = dout[..., : len(others)]
        start = len(others)
        for parameter, indices in zip(self.W, ids, strict=True):
            end = start + parameter.shape[1]
            np.add.at(parameter.grad, indices, dout[..., start:end])
            start = end
        return dx

    def _length(self, levels: int) -> int:
        """Return the length of the vectors of a column."""
        return min(math.isqrt(levels - 1) + 1, _MAX_DIM) if self.dim is None else self.dim

    def _others(self, width: int) -> list[int]:
        """Return the indices of the columns that are not ids."""
        return [column for column in range(width) if column not in self.columns]

    def _inputs(self, x: npt.ArrayLike) -> tuple[Array, list[npt.NDArray[np.intp]]]:
        """Return x as floats, and the ids of each column."""
        x = as_floats(x, self.W[0].dtype if self.W else None)
        if x.ndim < 1 or x.shape[-1] <= max(self.columns, default=-1):
            raise ValueError(
                f"{self!r} expected x with at least {max(self.columns) + 1} columns, "
                f"got shape {x.shape}"
            )
        ids = []
        for column, levels in zip(self.columns, self.levels, strict=True):
            values = x[..., column]
            valid = (values >= 0) & (values < levels) & (values == np.floor(values))
            if not valid.all():
                raise ValueError(
                    f"{self!r} expected ids from 0 to {levels - 1} in column {column}, "
                    f"got {values[~valid][0]}"
                )
            ids.append(values.astype(np.intp))
        return x, ids

    def _output(self, x: Array, ids: list[npt.NDArray[np.intp]]) -> Array:
        vectors = [parameter.value[indices] for parameter, indices in zip(self.W, ids, strict=True)]
        return np.concatenate([x[..., self._others(x.shape[-1])], *vectors], axis=-1)


def _draw_vectors(
    weight_init: initializers.Initializer | str, levels: int, dim: int, rng: np.random.Generator
) -> Array:
    """Draw the vectors of a column, with zeros for id 0."""
    vectors = initializers.draw(weight_init, (levels, dim), dim, dim, rng)
    if vectors.flags.writeable:  # While a model is loaded, this is a placeholder.
        vectors[0] = 0
    return vectors
