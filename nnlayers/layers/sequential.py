"""Sequential container: layers in a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats
from nnlayers._core.showing import shown
from nnlayers._core.tree import join
from nnlayers.layer import Layer
from nnlayers.layers.affine import Affine
from nnlayers.layers.drawable import Drawable
from nnlayers.layers.ensemble import EnsembleAffine, GroupedAffine
from nnlayers.layers.noise import Dropout, GaussianNoise
from nnlayers.layers.operation import Elementwise
from nnlayers.layers.shaping import Flatten, Reshape
from nnlayers.layers.summary import Summary, summarize

if TYPE_CHECKING:
    from nnlayers.drawing import LayerDiagram

__all__ = ["Sequential", "check_prediction"]

# The layers of a prediction go one after another through so many rows.
BLOCK_ROWS = 384
# Layers, of exactly these classes, of which a row of a prediction depends on that row of x alone.
_ROWWISE = {Affine, Dropout, Flatten, GaussianNoise, Reshape}
_CACHE = attrgetter("_cache")


class Sequential(Drawable, guarded=False):
    r"""Apply layers one after another; the gradient goes back through them in reverse.

    .. math:: y = f_n(\dots f_2(f_1(x)))

    ``model[0]`` is a layer, ``model[1:]`` a Sequential that shares its layers; ``len`` and
    iteration work as for a list.

    Parameters
    ----------
    *layers : Layer
        Layers in the order of the forward pass. All must be different objects, because each caches
        what its backward pass needs.

    Raises
    ------
    TypeError
        If an argument is not a layer.
    ValueError
        If one object occurs twice.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Sequential(nn.Affine(2, 3, rng=0), nn.ReLU(), nn.Affine(3, 1, rng=1))
    >>> model.forward([[1.0, 2.0]]).shape
    (1, 1)
    >>> model.backward([[1.0]]).shape
    (1, 2)
    >>> list(model.named_parameters())
    ['0.W', '0.b', '2.W', '2.b']
    >>> model
    Sequential(
      0: Affine(2, 3)
      1: ReLU()
      2: Affine(3, 1)
    )
    """

    _first_trained: int | None = None

    def __init__(self, *layers: Layer) -> None:
        for index, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layer {index} must be a Layer object, got {shown(layer)}")
        self.layers = layers
        inner = [_ids_within(layer) for layer in layers]
        self._inner = frozenset[int]().union(*inner)
        if len(self._inner) < sum(map(len, inner)):
            # The identities that an inner container stores may be outdated if it was changed.
            self._check_distinct()
            self._inner = frozenset(map(id, self.named_layers().values())) - {id(self)}

    def forward(self, x: npt.ArrayLike) -> Any:
        if not self.layers:
            y = as_floats(x).copy()
            self._cache = y.shape, y.dtype
            return y
        for layer in self.layers:
            x = layer.forward(x)
        self._cache = list(map(_CACHE, self.layers))
        return x

    def predict(self, x: npt.ArrayLike) -> Any:
        if not self.layers:
            return as_floats(x).copy()
        if type(x) is np.ndarray and x.ndim > 1 and len(x) > BLOCK_ROWS:
            return check_prediction(self, self._predict_many(x))
        return check_prediction(self, _predict_through(self.layers, x))

    def _predict_many(self, x: Array) -> Any:
        """Return the prediction for many rows, in blocks from where all layers can take them."""
        start = len(self.layers)
        while start > 0 and _is_rowwise(self.layers[start - 1]):
            start -= 1
        y, rest = _predict_through(self.layers[:start], x), self.layers[start:]
        has_rows = type(y) is np.ndarray and y.ndim > 1
        return _predict_blocks(rest, y) if rest and has_rows else _predict_through(rest, y)

    def backward(self, dout: npt.ArrayLike, input_grad: bool = True) -> Any:
        """Return d loss / d x, and add to the gradient of each parameter.

        Parameters
        ----------
        dout : array_like of real numbers
            d loss / d y.
        input_grad : bool
            False leaves out d loss / d x, a matrix product that training never needs, and
            returns None.
        """
        cache = self._require_cache()
        if not self.layers:
            return self._as_dout(dout, *cache).copy() if input_grad else None
        # Each forward pass of a layer replaces its cache.
        if not all(map(is_, map(_CACHE, self.layers), cache)):
            raise self._shared_error(cache)
        if input_grad:
            for layer in reversed(self.layers):
                dout = layer.backward(dout)
            return dout
        first = self._first_trained
        if first != 0:
            first = self._find_first_trained()
        for layer in self.layers[:first:-1]:
            dout = layer.backward(dout)
        if first < len(self.layers):
            self.layers[first].backward_parameters(dout)
        return None

    def _check_distinct(self) -> None:
        """Raise an error that names the first layer that two entries hold, if there is one."""
        paths: dict[int, str] = {}
        for index, layer in enumerate(self.layers):
            for name, inner in layer.named_layers().items():
                path = join(str(index), name) if name else str(index)
                if id(inner) in paths:
                    raise ValueError(
                        f"layers {paths[id(inner)]} and {path} are one object, {inner!r}: "
                        "use a separate layer for each"
                    )
                paths[id(inner)] = path

    def _shared_error(self, caches: list[Any]) -> RuntimeError:
        """Return the error that names the first layer whose cache was replaced."""
        index = [*map(is_, map(_CACHE, self.layers), caches)].index(False)
        description = " ".join(repr(self.layers[index]).split())
        return RuntimeError(
            f"{type(self).__name__}.backward: layer {index}, {description}, has run forward again "
            "since, alone or in another model; call forward before backward"
        )

    def _find_first_trained(self) -> int:
        """Return the index of the first layer with parameters, at which backward may end."""
        # A layer before the known index may have parameters by now, because some create theirs in
        # the first forward pass.
        for index, layer in enumerate(self.layers[: self._first_trained]):
            if layer.parameters():
                self._first_trained = index
                break
        return len(self.layers) if self._first_trained is None else self._first_trained

    def summary(self, input_shape: Sequence[int] | None = None) -> Summary:
        """Return a table of the layers and their numbers of parameters.

        It is a string that a notebook shows as a table.

        Parameters
        ----------
        input_shape : sequence of int, optional
            The shape of one row; with it, each layer's output shape is shown.

        Examples
        --------
        >>> import nnlayers as nn
        >>> print(nn.Sequential(nn.Affine(64, 10), nn.ReLU()).summary(input_shape=(64,)))
           layer           output  parameters
        0  Affine(64, 10)  (10,)          650
        1  ReLU()          (10,)            0
           total                          650
        """
        total = sum(parameter.size for parameter in self.parameters())
        return summarize(self.layers, total, input_shape)

    def diagram(self) -> LayerDiagram | None:
        return self._chain() if type(self).forward is Sequential.forward else None

    def _chain(self) -> LayerDiagram:
        """Return the diagram of the layers one after another."""
        from nnlayers.drawing import LayerDiagram

        diagram = LayerDiagram(self)
        for layer in self.layers:
            diagram.apply(layer, *diagram.outputs)
        return diagram

    def _members(self) -> Iterator[tuple[str, Any]]:
        yield from ((str(index), layer) for index, layer in enumerate(self.layers))
        yield from super()._members()  # A subclass may hold more.

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Layer:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getstate__(self) -> dict[str, Any]:
        return {name: item for name, item in super().__getstate__().items() if name != "_inner"}

    def __repr__(self) -> str:
        lines = [f"{index}: {layer!r}".replace("\n", "\n  ") for index, layer in enumerate(self)]
        inner = "".join(f"\n  {line}" for line in lines)
        return f"{type(self).__name__}({inner}" + ("\n)" if lines else ")")


def check_prediction(model: Layer, y: Any) -> Any:
    """Return a prediction, unless it is NaN because weights of the model are.

    NaN that comes from the input passes. `argmax` finds NaN in a quarter of the time of ``isnan``.

    Raises
    ------
    FloatingPointError
        If a parameter holds NaN or infinity; the message names it.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Sequential(nn.Affine(1, 1))
    >>> model[0].b.value[...] = np.nan
    >>> model.predict([[1.0]])
    Traceback (most recent call last):
    FloatingPointError: parameter '0.b' of the model must be finite to predict, got nan
    """
    if type(y) is np.ndarray and y.size and (largest := y.item(y.argmax())) != largest:
        for name, parameter in model.named_parameters().items():
            bad = ~np.isfinite(parameter.value)
            if bad.any():
                raise FloatingPointError(
                    f"parameter {name!r} of the model must be finite to predict, "
                    f"got {parameter.value[bad][0]}"
                )
    return y


def _ids_within(layer: Layer) -> frozenset[int]:
    """Return the identities of a layer and of all layers within."""
    # A container knows them, so that deep nesting is not searched again at each level.
    inner = vars(layer).get("_inner")
    if inner is not None:
        return frozenset({*inner, id(layer)})
    return frozenset(map(id, layer.named_layers().values()))


def _is_rowwise(layer: Layer) -> bool:
    """Return whether a row of a layer's prediction is known to depend on that row of x alone."""
    if type(layer) is EnsembleAffine or type(layer) is GroupedAffine:
        # A block of as many rows of the wrong shape would be taken for one row of all members.
        return len(layer.b.value) != BLOCK_ROWS
    return type(layer) in _ROWWISE or isinstance(layer, Elementwise)


def _predict_through(layers: Sequence[Layer], x: npt.ArrayLike) -> Any:
    """Return the prediction of layers one after another."""
    for layer in layers:
        x = layer.predict(x)
    return x


def _predict_blocks(layers: Sequence[Layer], x: Array) -> Any:
    """Return the same for many rows, from blocks whose values stay in the cache.

    For 10,000 rows through 64-128-64-10, and for 2,000 through eight members of two layers of 128,
    this takes two thirds of the time; with blocks of 256 or 512 rows the former takes 5 to 10 %
    more.
    """
    try:
        first = _predict_through(layers, x[:BLOCK_ROWS])
    except ValueError:
        return _predict_through(layers, x)  # Its error tells the shape of x.
    y = np.empty((len(x), *first.shape[1:]), first.dtype)
    y[:BLOCK_ROWS] = first
    for start in range(BLOCK_ROWS, len(x), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        y[rows] = _predict_through(layers, x[rows])
    return y
