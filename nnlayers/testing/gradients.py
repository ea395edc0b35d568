"""Compare gradients of layers and losses with central differences.

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
nnlayers.testing.gradients.GradientError: Cube: gradient of input 0 at (1,) is ..., central ...
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import FLOAT64, Array, as_floats, refuse_masked
from nnlayers._core.checks import check_number
from nnlayers._core.showing import shown
from nnlayers.layer import Layer
from nnlayers.losses import Loss

__all__ = ["GradientError", "LayerError", "check_gradients", "input_gradients"]

# Step sizes of the differences, relative to entries above 1. The first is near the best for a
# smooth function; the second is for entries close to a kink or the end of the domain; the third
# is for functions with large rounding errors.
STEPS = (1e-4, 1e-6, 1e-3)


class LayerError(AssertionError):
    """A layer breaks one of the promises that every layer makes."""


class GradientError(LayerError):
    """A gradient differs from the difference quotient of the outputs."""


def check_gradients(
    layer: Layer | Loss, *inputs: npt.ArrayLike, rtol: float = 1e-6, atol: float = 1e-8
) -> None:
    r"""Compare ``backward`` with central differences, for every input and every parameter.

    .. math::

        \frac{\partial\ell}{\partial x_i} \approx
        \frac{8\,(\ell(x + h e_i) - \ell(x - h e_i)) - (\ell(x + 2h e_i) - \ell(x - 2h e_i))}{12h},
        \qquad \ell = \sum_j v_j y_j

    with one random v. Everything is computed in float64, on copies that start from the same state
    for each evaluation, so that random draws repeat; `layer` and `inputs` do not change.

    Parameters
    ----------
    layer : Layer or Loss
        The layer or loss to check, in its current mode (training or evaluation).
    *inputs : array_like
        The arguments of ``forward``. For a loss these are prediction, target and optionally sample
        weights, and only the prediction is differentiated. Arrays that are not floating-point,
        such as ids, are passed on unchanged. Every entry x must be more than
        ``2e-6 * max(1, abs(x))`` away from a kink, which has no derivative, and from the end of
        the domain.
    rtol, atol : float
        Tolerance of an entry: ``atol + rtol * abs(difference quotient)``.

    Raises
    ------
    GradientError
        If an entry differs more, or a gradient that ``backward`` returns is missing or has the
        wrong shape.
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
        raise TypeError(f"layer must be a Layer or Loss object, got {shown(layer)}")
    rtol = check_number("rtol", rtol, minimum=0)
    atol = check_number("atol", atol, minimum=0)
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
    differences = _Differences(point, douts)
    for name, variable in point.variables().items():
        label = f"{type(layer).__name__}: gradient of {name}"
        gradient = _validate_gradient(gradients[name], variable.shape, label)
        differing = list(differences.differing_entries(name, gradient, rtol, atol))
        if differing:
            index, entry, quotient = max(
                differing, key=lambda difference: abs(difference[1] - difference[2])
            )
            raise GradientError(
                f"{label} at {index} is {entry!r}, central differences say {quotient!r} "
                f"({len(differing)} of {gradient.size} entries differ)"
            )


def input_gradients(layer: Layer, douts: Sequence[Array], inputs: int) -> list[Any]:
    """Return the gradients of the inputs as a list, and require one for each of them.

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
    is_list = isinstance(returned, tuple | list)
    if not is_list or len(returned) != inputs:
        description = f"{len(returned)} of them" if is_list else f"one {type(returned).__name__}"
        raise GradientError(
            f"{type(layer).__name__}: backward must return a gradient for each of "
            f"{inputs} inputs, got {description}"
        )
    return list(returned)


@dataclass
class _Point:
    """A layer or loss, and the arguments at which it is differentiated."""

    subject: Layer | Loss
    arguments: list[Any]

    def variables(self) -> dict[str, Array]:
        """Return the arrays to differentiate by, under the names that errors use."""
        if isinstance(self.subject, Loss):
            return {"prediction": self.arguments[0]}
        inputs = {f"input {index}": x for index, x in enumerate(self.arguments) if _is_float(x)}
        parameters = self.subject.named_parameters()
        return inputs | {f"parameter {name!r}": p.value for name, p in parameters.items()}

    def outputs(self) -> list[Array]:
        y: Any = self.subject.forward(*self.arguments)
        return [np.array(part) for part in (y if isinstance(y, tuple) else (y,))]

    def gradients(self, douts: Sequence[Array]) -> dict[str, Any]:
        """Return the gradients that ``backward`` computes, by the names of the variables."""
        if isinstance(self.subject, Loss):
            return {"prediction": self.subject.backward()}
        returned = input_gradients(self.subject, douts, len(self.arguments))
        inputs = {f"input {index}": gradient for index, gradient in enumerate(returned)}
        parameters = self.subject.named_parameters()
        return inputs | {f"parameter {name!r}": p.grad for name, p in parameters.items()}


class _Differences:
    """Central differences of what a layer or loss computes at a point.

    Copying a layer takes about forty times as long as its forward. One copy therefore serves all
    evaluations if its outputs repeat and it does not write to the variables.
    """

    def __init__(self, point: _Point, douts: Sequence[Array]) -> None:
        self.point, self.douts = point, douts
        self.reused = copy.deepcopy(point)
        self.reused_variables = self.reused.variables()
        before = self.reused.outputs() + list(point.variables().values())
        after = self.reused.outputs() + list(self.reused.variables().values())
        self.repeats = all(
            np.array_equal(x, y, equal_nan=True) for x, y in zip(before, after, strict=True)
        )

    def outputs(self, name: str, index: tuple[int, ...], change: float, reuse: bool) -> list[Array]:
        """Return the outputs after a change of one entry of a variable."""
        point = self.reused if reuse else copy.deepcopy(self.point)
        variable = (self.reused_variables if reuse else point.variables())[name]
        entry = variable[index]
        variable[index] += change
        outputs = point.outputs()
        variable[index] = entry
        return outputs

    def quotient(self, name: str, index: tuple[int, ...], step: float, reuse: bool) -> float:
        """Return the central difference quotient for one entry of a variable."""
        step *= max(1.0, abs(float(self.reused_variables[name][index])))
        around = [self.outputs(name, index, factor * step, reuse) for factor in (1, -1, 2, -2)]
        with np.errstate(all="ignore"):  # Outputs beyond the end of the domain are NaN.
            changes = [
                float(np.sum(dout * (8 * (a - b) - (c - d))))
                for dout, a, b, c, d in zip(self.douts, *around, strict=True)
            ]
        return sum(changes) / (12 * step)

    def differing_entries(
        self, name: str, gradient: Array, rtol: float, atol: float
    ) -> Iterator[tuple[tuple[int, ...], float, float]]:
        """Yield index, gradient and quotient of each entry that disagrees at every step size."""
        # A copy that has been used before may disagree only because of a hidden state, so a fresh
        # copy decides.
        attempts = list(itertools.product((True, False) if self.repeats else (False,), STEPS))
        for index in np.ndindex(gradient.shape):
            entry, quotients = float(gradient[index]), []
            for reuse, step in attempts:
                quotients.append(self.quotient(name, index, step, reuse))
                if abs(entry - quotients[-1]) <= atol + rtol * abs(quotients[-1]):
                    break
            else:
                yield index, entry, quotients[-len(STEPS)]


def _validate_gradient(gradient: Any, shape: tuple[int, ...], label: str) -> Array:
    try:
        array = as_floats(gradient, FLOAT64, label)
    except (TypeError, ValueError) as error:
        raise GradientError(str(error)) from None
    if array.shape != shape:
        raise GradientError(f"{label} must have shape {shape}, got {array.shape}")
    return array


def _is_float(x: Any) -> bool:
    return np.asarray(x).dtype.kind == "f"


def _as_float64(x: npt.ArrayLike) -> Any:
    """Copy floating-point numbers to a float64 array, and return anything else unchanged."""
    refuse_masked(x, "an input")
    return np.array(x, FLOAT64) if _is_float(x) else x
