"""Checks of gradients, for layers and losses of your own.

>>> import nnlayers as nn
>>> class Cube(nn.Layer):
...     def forward(self, x):
...         self.x = x
...         return x**3
...
...     def backward(self, dout):
...         return dout * 2 * self.x**2
>>> check_gradients(Cube(), np.array([1.0, 2.0]))  # doctest: +ELLIPSIS
Traceback (most recent call last):
nnlayers.testing.errors.GradientError: Cube: gradient of input 0 at (1,) is ..., central ...
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_floats, refuse_masked
from nnlayers._core.checks import check_number
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.testing.errors import GradientError

__all__ = ["check_gradients", "input_gradients"]

# Steps of the differences, relative to large entries. The first is near the best for a smooth
# function; the second reaches less far, to a kink or the end of the domain; the third drowns
# rounding errors.
STEPS = (1e-4, 1e-6, 1e-3)


def check_gradients(
    layer: Layer | Loss, *inputs: npt.ArrayLike, rtol: float = 1e-6, atol: float = 1e-8
) -> None:
    r"""Compare ``backward`` with central differences, for every input and every parameter.

    .. math::

        \frac{\partial\ell}{\partial x_i} \approx
        \frac{8\,(\ell(x + h e_i) - \ell(x - h e_i)) - (\ell(x + 2h e_i) - \ell(x - 2h e_i))}{12h},
        \qquad \ell = \sum_j v_j y_j

    with one random v. All is done in float64 on copies that start from the same state for every
    evaluation, so that random draws repeat; `layer` and `inputs` stay as they are.

    Parameters
    ----------
    layer : Layer or Loss
        What to check, in the mode (training or evaluation) that it is in.
    *inputs : array_like
        What its ``forward`` takes; for a loss, prediction, target and perhaps sample weights, of
        which the prediction alone is differentiated. What holds no floating-point numbers, such as
        ids, is passed on as it is. A kink, where there is no derivative, and an end of the domain
        must be farther than ``2e-6 * max(1, abs(x))`` from every entry x.
    rtol, atol : float
        By how much an entry may differ: ``atol + rtol * abs(difference quotient)``.

    Raises
    ------
    GradientError
        If an entry differs more, or what ``backward`` returns is missing or has another shape.
    TypeError
        If `layer` is neither a layer nor a loss.

    References
    ----------
    B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids",
    Mathematics of Computation 51, 1988.

    Examples
    --------
    >>> import nnlayers as nn
    >>> check_gradients(nn.Affine(3, 2, rng=0), np.ones((4, 3)))
    >>> check_gradients(nn.SoftmaxCrossEntropy(), [[0.3, -1.2], [0.0, 2.0]], [1, 0])
    """
    if not isinstance(layer, Layer | Loss):
        raise TypeError(f"layer must be a Layer or Loss object, got {layer!r}")
    check_number("rtol", rtol, minimum=0)
    check_number("atol", atol, minimum=0)
    point = _Point(copy.deepcopy(layer), [_as_float64(x) for x in inputs])
    if isinstance(point.subject, Layer):
        point.subject.astype(FLOAT64).zero_grad()
    else:
        point.arguments[:1] = [np.array(x, FLOAT64) for x in point.arguments[:1]]
    trial = copy.deepcopy(point)
    rng, is_loss = np.random.default_rng(0), isinstance(layer, Loss)
    shapes = [y.shape for y in trial.outputs()]
    douts = [np.ones(()) if is_loss else np.asarray(rng.normal(size=shape)) for shape in shapes]
    gradients = trial.gradients(douts)
    for what, variable in point.variables().items():
        name = f"{type(layer).__name__}: gradient of {what}"
        gradient = _checked(gradients[what], variable.shape, name)
        differing = list(_differences(point, what, gradient, douts, rtol, atol))
        if differing:
            index, given, quotient = max(differing, key=lambda entry: abs(entry[1] - entry[2]))
            raise GradientError(
                f"{name} at {index} is {given!r}, central differences say {quotient!r} "
                f"({len(differing)} of {gradient.size} entries differ)"
            )


def input_gradients(layer: Layer, douts: Sequence[Array], inputs: int) -> list[Any]:
    """Return what ``backward`` of d loss / d each output returns for each of a number of inputs.

    Examples
    --------
    >>> import nnlayers as nn
    >>> relu = nn.ReLU()
    >>> y = relu.forward([2.0])
    >>> input_gradients(relu, [np.ones(1)], inputs=1)
    [array([1.])]
    """
    returned = layer.backward(*douts)
    if inputs == 1 and not isinstance(returned, tuple):
        returned = (returned,)
    several = isinstance(returned, tuple | list)
    if not several or len(returned) != inputs:
        found = f"{len(returned)} of them" if several else f"one {type(returned).__name__}"
        raise GradientError(
            f"{type(layer).__name__}: backward must return a gradient for each of "
            f"{inputs} inputs, got {found}"
        )
    return list(returned)


@dataclass
class _Point:
    """A layer or loss, and the arguments at which it is looked at."""

    subject: Layer | Loss
    arguments: list[Any]

    def variables(self) -> dict[str, Array]:
        """Return what is differentiated, by the name that errors call it."""
        if isinstance(self.subject, Loss):
            return {"prediction": self.arguments[0]}
        inputs = {f"input {index}": x for index, x in enumerate(self.arguments) if _is_float(x)}
        parameters = self.subject.named_parameters()
        return inputs | {f"parameter {name!r}": p.value for name, p in parameters.items()}

    def outputs(self) -> list[Array]:
        y: Any = self.subject.forward(*self.arguments)
        return [np.asarray(part) for part in (y if isinstance(y, tuple) else (y,))]

    def gradients(self, douts: Sequence[Array]) -> dict[str, Any]:
        """Return what ``backward`` says of the variables, by name."""
        if isinstance(self.subject, Loss):
            return {"prediction": self.subject.backward()}
        returned = input_gradients(self.subject, douts, len(self.arguments))
        inputs = {f"input {index}": gradient for index, gradient in enumerate(returned)}
        parameters = self.subject.named_parameters()
        return inputs | {f"parameter {name!r}": p.grad for name, p in parameters.items()}

    def quotient(
        self, what: str, index: tuple[int, ...], step: float, douts: Sequence[Array]
    ) -> float:
        """Return the central difference quotient for one entry of a variable."""
        step *= max(1.0, abs(float(self.variables()[what][index])))

        def outputs(change: float) -> list[Array]:
            moved = copy.deepcopy(self)
            moved.variables()[what][index] += change
            return moved.outputs()

        around = [outputs(factor * step) for factor in (1, -1, 2, -2)]
        with np.errstate(all="ignore"):  # a step may leave the domain, and gives NaN there
            changes = [
                float(np.sum(dout * (8 * (a - b) - (c - d))))
                for dout, a, b, c, d in zip(douts, *around, strict=True)
            ]
        return sum(changes) / (12 * step)


def _differences(
    point: _Point, what: str, gradient: Array, douts: Sequence[Array], rtol: float, atol: float
) -> Iterator[tuple[tuple[int, ...], float, float]]:
    """Yield index, gradient and quotient of the entries with which no step's quotient agrees."""
    for index in np.ndindex(gradient.shape):
        given, quotients = float(gradient[index]), []
        for step in STEPS:
            quotient = point.quotient(what, index, step, douts)
            quotients.append(quotient)
            if abs(given - quotient) <= atol + rtol * abs(quotient):
                break
        else:
            yield index, given, quotients[0]


def _checked(gradient: Any, shape: tuple[int, ...], name: str) -> Array:
    try:
        array = as_floats(gradient, FLOAT64, name)
    except (TypeError, ValueError) as error:
        raise GradientError(str(error)) from None
    if array.shape != shape:
        raise GradientError(f"{name} must have shape {shape}, got {array.shape}")
    return array


def _is_float(x: Any) -> bool:
    return np.asarray(x).dtype.kind == "f"


def _as_float64(x: npt.ArrayLike) -> Any:
    """Return floating-point numbers as a float64 array of their own, anything else as it is."""
    refuse_masked(x, "an input")
    return np.array(x, FLOAT64) if _is_float(x) else x
