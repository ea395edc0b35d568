"""Networks of the estimators: build them, feed them rows, and check their weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, ones
from nnlayers._core.checks import check_number, unknown_name
from nnlayers._core.showing import shown
from nnlayers.initializers import Uniform
from nnlayers.layer import Layer, Parameter
from nnlayers.layers import Affine, Dropout, Sequential, Sigmoid
from nnlayers.layers.mlp import ACTIVATIONS as NAMED_ACTIVATIONS
from nnlayers.layers.mlp import NORMS
from nnlayers.losses.checks import rows_where

__all__ = [
    "ACTIVATIONS",
    "Data",
    "Views",
    "affine_layers",
    "build",
    "check_output",
    "check_weights",
    "hidden_sizes",
    "is_finite",
    "network_for",
    "trainable_parameters",
]

LayerChoice: TypeAlias = str | Layer | Callable[..., Layer]

# "logistic" is scikit-learn's name for the sigmoid.
ACTIVATIONS: dict[str, type[Layer]] = {**NAMED_ACTIVATIONS, "logistic": Sigmoid}


def build(
    sizes: Sequence[int],
    activation: LayerChoice | Sequence[LayerChoice],
    normalization: LayerChoice | Sequence[LayerChoice | None] | None,
    dropout: float | Sequence[float],
    random_state: np.random.RandomState,
    dtype: np.dtype[Any],
) -> Sequential:
    """Build affine layers, all but the last followed by normalization, activation and dropout.

    Weights and biases are drawn from Glorot's uniform distribution, which is narrower for the
    logistic function. Order and bounds are scikit-learn's, so the same `random_state` gives the
    same network.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of features from the input to the output.
    activation, normalization, dropout
        One for all hidden layers, or a list with one for each.
    random_state : numpy.random.RandomState
        The generator of all draws.
    dtype : {float32, float64}
        The dtype of the parameters.

    Examples
    --------
    >>> build([4, 3, 1], "tanh", None, 0.2, np.random.RandomState(0), np.dtype("float64"))
    Sequential(
      0: Affine(4, 3, weight_init=Uniform(low=-0.9258200997725514, high=0.9258200997725514),
        bias_init=Uniform(low=-0.9258200997725514, high=0.9258200997725514))
      1: Tanh()
      2: Dropout(rate=0.2)
      3: Affine(3, 1, weight_init=Uniform(low=-1.224744871391589, high=1.224744871391589),
        bias_init=Uniform(low=-1.224744871391589, high=1.224744871391589))
    )
    """
    hidden = sizes[1:-1]
    functions = [
        _make_layer("activation", choice, ACTIVATIONS)
        for choice in _per_layer("activation", activation, len(hidden))
    ]
    norms = [
        None if choice is None else _make_layer("normalization", choice, NORMS, features)
        for choice, features in zip(
            _per_layer("normalization", normalization, len(hidden)), hidden, strict=True
        )
    ]
    rates = [
        check_number("dropout", rate, minimum=0, below=1)
        for rate in _per_layer("dropout", dropout, len(hidden))
    ]
    # As in scikit-learn, the activation narrows the draws even where no hidden layer has one.
    alone = not functions and (isinstance(activation, str | Layer) or callable(activation))
    single = [_make_layer("activation", activation, ACTIVATIONS)] if alone else functions
    affine = _draw_affine_layers(sizes, single, random_state)
    layers: list[Layer] = []
    for weights, norm, function, rate in zip(affine[:-1], norms, functions, rates, strict=True):
        layers += [layer for layer in (weights, norm, function) if layer is not None]
        if rate:
            layers.append(Dropout(rate, rng=random_state.randint(2**31)))
    return Sequential(*layers, affine[-1]).astype(dtype)


def hidden_sizes(sizes: Any) -> list[int]:
    """Return the sizes of the hidden layers as a list.

    Raises
    ------
    ValueError
        If a size is not a positive integer.

    Examples
    --------
    >>> hidden_sizes(100), hidden_sizes((20, 10))
    ([100], [20, 10])
    """
    listed = list(sizes) if isinstance(sizes, Iterable) else [sizes]
    are_integers = all(isinstance(n, int | np.integer) and n is not True for n in listed)
    if not are_integers or min(listed, default=1) <= 0:
        raise ValueError(f"hidden_layer_sizes must be > 0 and integers, got {shown(listed)}.")
    return listed


def affine_layers(network: Layer) -> list[Affine]:
    """Return the layers with weights and biases, in the order of the forward pass."""
    return [layer for layer in network.named_layers().values() if isinstance(layer, Affine)]


def trainable_parameters(network: Layer) -> list[Parameter]:
    """Return the parameters that are not frozen, first those that `alpha` penalises.

    Raises
    ------
    ValueError
        If all parameters are frozen.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.trainable]
    if not parameters:
        raise ValueError("network must have a parameter to train, got none")
    return sorted(parameters, key=lambda parameter: parameter.value.ndim < 2)


def is_finite(parameters: Iterable[Parameter]) -> bool:
    """Return whether all weights are finite."""
    return all(np.isfinite(parameter.value).all() for parameter in parameters)


def check_weights(network: Layer) -> None:
    """Raise ``ValueError`` if a weight is infinite or NaN.

    Examples
    --------
    >>> check_weights(Affine(2, 1, bias_init=Uniform(-1, 1)))
    """
    if not is_finite(network.parameters()):
        raise ValueError(
            "the network's weights must be finite, got NaN or infinity, as after a diverged fit: "
            "fit again with warm_start=False"
        )


def check_output(network: Layer, output: Array) -> None:
    """Raise ``ValueError`` if an output is infinite or NaN, and so predicts no class or value.

    Examples
    --------
    >>> check_output(Affine(2, 1), np.ones((3, 1)))
    """
    finite = np.isfinite(output)
    if not finite.all():
        check_weights(network)
        raise ValueError(
            f"X must give finite outputs, got infinity or NaN in {rows_where(~finite)}: "
            "its values may be too large for this network"
        )


@dataclass(frozen=True, slots=True)
class Data:
    """Rows of inputs, of labels or values, of the targets that the loss takes, and of weights."""

    X: Any
    y: Array
    target: Array
    weight: Array | None

    def take(self, rows: npt.NDArray[np.intp]) -> Data:
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Data(self.X[rows], self.y[rows], self.target[rows], weight)

    def batch(self, rows: npt.NDArray[np.intp] | slice) -> tuple[Any, Array, Array | None]:
        """Return inputs, targets and weights of some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        if isinstance(rows, slice) or not isinstance(self.X, np.ndarray):
            return self.X[rows], self.target[rows], weight
        # `take` is twice as fast as X[rows].
        return self.X.take(rows, axis=0), self.target.take(rows, axis=0), weight

    def __len__(self) -> int:
        return len(self.target)


class SparseInput:
    """Adapter of a network to sparse rows, which a first affine layer multiplies as they are.

    Parameters
    ----------
    network : Layer
        The network, whose parameters are shared. If its first layer is not affine, rows are
        converted to dense ones.
    """

    def __init__(self, network: Layer) -> None:
        first = network[0] if isinstance(network, Sequential) and len(network) else None
        self.first = first if isinstance(first, Affine) else None
        self.rest = network[1:] if isinstance(network, Sequential) and self.first else network

    def forward(self, x: Any) -> Any:
        """Return the output, and cache what the backward pass needs."""
        self.x = x
        return self.rest.forward(self._first_output(x))

    def predict(self, x: Any) -> Any:
        """Return the output without caching anything."""
        return self.rest.predict(self._first_output(x))

    def backward_parameters(self, dout: Array) -> None:
        """Add to the gradient of each parameter."""
        if self.first is None:
            self.rest.backward_parameters(dout)
            return
        dz = self.rest.backward(dout)
        self.first.W.grad += self.x.T @ dz
        if self.first.b is not None:
            self.first.b.add_product(ones(len(dz), dz.dtype), dz)

    def _first_output(self, x: Any) -> Array:
        if self.first is None:
            dense: Array = x.toarray()
            return dense
        z: Array = x @ self.first.W.value
        return z if self.first.b is None else z + self.first.b.value


def network_for(network: Layer, X: Any) -> Layer | SparseInput:
    """Return the network, or its adapter to sparse rows if X is sparse."""
    return network if isinstance(X, np.ndarray) else SparseInput(network)


class Views(list[Array]):
    """List of a network's arrays, in which an assignment copies values into the array.

    Examples
    --------
    >>> W = Parameter([[0.0, 0.0]])
    >>> views = Views([W.value])
    >>> views[0] = [[1.0, 2.0]]
    >>> W.value
    array([[1., 2.]])
    """

    def __setitem__(self, index: Any, new: Any) -> None:
        if not isinstance(index, slice):
            view, new = self[index], np.asarray(new)
            if new.shape != view.shape:
                raise ValueError(f"entry {index} must have shape {view.shape}, got {new.shape}")
            view[...] = new
            return
        indices, arrays = range(len(self))[index], list(new)
        if len(arrays) != len(indices):
            raise ValueError(f"expected {len(indices)} arrays, got {len(arrays)}")
        for position, array in zip(indices, arrays, strict=True):
            self[position] = array


def _draw_affine_layers(
    sizes: Sequence[int], functions: Sequence[Layer], random_state: np.random.RandomState
) -> list[Affine]:
    layers = []
    for index, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        function = functions[min(index, len(functions) - 1)] if functions else None
        bound = math.sqrt((2 if isinstance(function, Sigmoid) else 6) / (fan_in + fan_out))
        init = Uniform(-bound, bound)
        layer = Affine(fan_in, fan_out, weight_init=init, bias_init=init, dtype=np.float64, rng=0)
        generator: Any = random_state
        for parameter in layer.parameters():
            parameter.initialize(generator)
        layers.append(layer)
    return layers


def _per_layer(name: str, choice: Any, layers: int) -> list[Any]:
    """Return one choice for each hidden layer."""
    if isinstance(choice, str | Layer) or not isinstance(choice, Iterable):
        return [choice] * layers
    choices = list(choice)
    if len(choices) != layers:
        raise ValueError(
            f"{name} must be one for all hidden layers or a list of {layers}, got {shown(choice)}"
        )
    return choices


def _make_layer(name: str, choice: Any, known: dict[str, Any], *arguments: Any) -> Layer:
    """Return a new layer from a name, a layer to copy, or a function that makes one."""
    if isinstance(choice, str) and choice not in known:
        raise ValueError(unknown_name(name, choice, known))
    if isinstance(choice, Layer):
        return copy.deepcopy(choice)
    make = known[choice] if isinstance(choice, str) else choice
    expected = f"{name} must be a name, a layer or a function that makes one, got {shown(choice)}"
    try:
        layer = make(*arguments) if callable(make) else make
    except TypeError as error:
        raise TypeError(f"{expected}: {error}") from error
    if not isinstance(layer, Layer):
        raise TypeError(expected)
    return layer
