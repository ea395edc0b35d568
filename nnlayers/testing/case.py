"""The layer under test: its inputs, its results and the failure of a promise."""

from __future__ import annotations

import copy
import io
import pickle
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_reals
from nnlayers._core.showing import shown
from nnlayers.layer import Layer
from nnlayers.testing.gradients import LayerError, input_gradients

__all__ = ["MODES", "Case", "describe_difference", "layer_copies", "pickle_by_reference"]

MODES = {"training": True, "evaluation": False}


class Case:
    """A function that makes the layer, example inputs, and the tolerances of gradients."""

    def __init__(
        self,
        make_layer: Callable[[], Layer],
        inputs: Sequence[npt.ArrayLike],
        rtol: float,
        atol: float,
    ) -> None:
        self.make_layer = make_layer
        self.name = _layer_name(make_layer)
        self.inputs = _validate_inputs(inputs)
        self.rtol, self.atol = rtol, atol
        batch = self.inputs[0].shape[:1]
        # An input whose first axis differs from the first input's, such as the second factor of a
        # matrix product, has no batch axis.
        self.has_batch_axis = [x.ndim > 0 and x.shape[:1] == batch for x in self.inputs]

    def make(self, dtype: npt.DTypeLike = FLOAT64, training: bool = True) -> Layer:
        """Return a new layer of a dtype, in a mode."""
        with self.promise("a layer must convert to float32 and float64, and switch its mode"):
            layer = self.make_layer()
            layer.astype(dtype)
            layer.train() if training else layer.eval()
        return layer

    def arguments(self, dtype: npt.DTypeLike = FLOAT64, rows: int | None = None) -> list[Array]:
        """Return copies of the inputs, floats converted to a dtype, the first rows only."""
        return [
            np.array(x[:rows] if batched else x, dtype if x.dtype.kind == "f" else x.dtype)
            for x, batched in zip(self.inputs, self.has_batch_axis, strict=True)
        ]

    def roll(self, by: int) -> list[Array]:
        """Return a batch of the same rows in another order and number."""
        return [
            np.roll(x, by, axis=0)[: 1 + by % len(x)] if batched else x
            for x, batched in zip(self.arguments(), self.has_batch_axis, strict=True)
        ]

    def other_batch(self) -> list[Array]:
        """Return inputs of the same shapes, with their rows in another order."""
        return self.roll(-1)

    def dout(self, y: Any) -> Array:
        """Return random numbers of the shape and dtype of an output."""
        y = np.asarray(y)
        return np.asarray(np.random.default_rng(0).normal(size=y.shape), y.dtype)

    def run(
        self,
        layer: Layer,
        inputs: list[Any],
        *,
        between: Callable[[], object] | None = None,
        scale: float = 1.0,
    ) -> dict[str, Any]:
        """Return the output, the inputs' gradients and copies of the parameters', by name.

        `between` is called between forward and backward, whose `dout` is `scale` times
        :meth:`dout`.
        """
        layer.zero_grad()
        y = layer.forward(*inputs)
        if between is not None:
            between()
        results = {"output": y}
        douts = [scale * self.dout(y)]
        for index, gradient in enumerate(input_gradients(layer, douts, len(inputs))):
            if self.inputs[index].dtype.kind == "f":  # Ids have no derivative.
                results[f"gradient of input {index}"] = gradient
        for name, parameter in layer.named_parameters().items():
            results[f"gradient of parameter {name!r}"] = parameter.grad.copy()
        return results

    def fail(self, promise: str, finding: str) -> NoReturn:
        """Raise an error that says which promise is broken, and how."""
        raise LayerError(f"{self.name}: {promise}: {finding}")

    def require(self, condition: bool, promise: str, finding: str) -> None:
        """Fail unless a condition is true."""
        if not condition:
            self.fail(promise, finding)

    def require_equal(
        self, results: dict[str, Any], expected: dict[str, Any], promise: str
    ) -> None:
        """Fail unless arrays of the same names are equal up to rounding."""
        for name, array in expected.items():
            difference = describe_difference(results[name], array)
            if difference:
                self.fail(promise, f"{name} {difference}")

    @contextmanager
    def promise(self, promise: str) -> Iterator[None]:
        """Turn any exception within into the failure of a promise."""
        try:
            yield
        except LayerError:
            raise
        except Exception as error:
            message = textwrap.shorten(f"{type(error).__name__}: {error}", 200)
            raise LayerError(f"{self.name}: {promise}: raised {message}") from error


def _layer_name(make_layer: Any) -> str:
    """Return the class name of the layers that `make_layer` makes, or raise if it makes none."""
    expected = "make_layer must be a function that makes a new layer"
    if isinstance(make_layer, Layer):
        name = type(make_layer).__name__
        raise TypeError(f"{expected}, such as lambda: {name}(...), got the layer {make_layer!r}")
    if not callable(make_layer):
        raise TypeError(f"{expected}, got {shown(make_layer)}")
    layer = make_layer()
    if not isinstance(layer, Layer):
        raise TypeError(f"make_layer must return a Layer object, got {shown(layer)}")
    if layer is make_layer():
        raise ValueError(f"{expected} at each call, got the same {layer!r} twice")
    return type(layer).__name__


def _validate_inputs(inputs: Sequence[npt.ArrayLike]) -> list[Array]:
    if not inputs:
        raise TypeError("inputs must be at least one example array, got none")
    arrays = [as_reals(x, f"input {index}") for index, x in enumerate(inputs)]
    for index, x in enumerate(arrays):
        if x.size == 0:
            raise ValueError(f"input {index} must have entries, got shape {x.shape}")
    return arrays


def describe_difference(actual: Any, expected: Any) -> str:
    """Describe the first difference of two arrays beyond rounding; return an empty string for none.

    Examples
    --------
    >>> describe_difference([1.0, 2.0], [1.0, 3.0])
    'at (1,) is 2.0, not 3.0'
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape:
        return f"has shape {actual.shape}, not {expected.shape}"
    size = np.max(np.abs(expected), initial=1.0, where=np.isfinite(expected))
    differs = ~np.isclose(actual, expected, rtol=1e-6, atol=1e-9 * size, equal_nan=True)
    if not differs.any():
        return ""
    index = tuple(map(int, np.argwhere(differs)[0]))
    return f"at {index} is {actual[index].item()!r}, not {expected[index].item()!r}"


class _Pickler(pickle.Pickler):
    """Pickle classes by reference, so that classes defined within functions can be pickled."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.classes: list[type] = []

    def persistent_id(self, item: Any) -> str | None:
        if not isinstance(item, type):
            return None
        if item not in self.classes:
            self.classes.append(item)
        return str(self.classes.index(item))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, classes: list[type]) -> None:
        super().__init__(file)
        self.classes = classes

    def persistent_load(self, number: str) -> type:
        return self.classes[int(number)]


def pickle_by_reference(item: Any) -> tuple[bytes, list[type]]:
    """Pickle a layer or one of its attributes, and list the classes that it refers to."""
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.dump(item)
    return file.getvalue(), pickler.classes


def layer_copies(layer: Layer) -> dict[str, Layer]:
    """Copy a layer with ``copy.deepcopy`` and with ``pickle``.

    Examples
    --------
    >>> import nnlayers as nn
    >>> layer_copies(nn.Softplus(beta=2.0))
    {'copy.deepcopy': Softplus(beta=2.0), 'pickle': Softplus(beta=2.0)}
    """
    data, classes = pickle_by_reference(layer)
    return {
        "copy.deepcopy": copy.deepcopy(layer),
        "pickle": _Unpickler(io.BytesIO(data), classes).load(),
    }
