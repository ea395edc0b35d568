"""Operations: layers without weights, as a pure function and the way back through it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats
from nnlayers.layer import Layer

__all__ = ["MISSING", "Arithmetic", "Elementwise", "Operation", "SeveralInputs", "is_pure"]

MISSING: Array = np.empty(0)  # stands for an input that was not given


class Operation(Layer):
    r"""Base of the layers that are a function alone: a subclass states it and its gradients.

    What the backward pass needs goes from :meth:`compute_forward` to :meth:`compute_backward` by
    hand, so that one
    operation may stand in many places of a graph.

    Examples
    --------
    >>> class Swap(Operation):
    ...     '''(x, y) to (y, x), the columns of an array.'''
    ...
    ...     def compute_forward(self, x):
    ...         return x[:, ::-1], None
    ...
    ...     def compute_backward(self, dout, saved):
    ...         return dout[:, ::-1]
    >>> swap = Swap()
    >>> swap.forward([[1.0, 2.0]])
    array([[2., 1.]])
    >>> swap.backward([[1.0, 0.0]])
    array([[0., 1.]])
    """

    @abstractmethod
    def compute_forward(self, *inputs: Any) -> tuple[Any, Any]:
        """Return the output, a new array or a view, and what :meth:`compute_backward` needs.

        Inputs are float arrays, or NumPy's scalars where a graph has single numbers. The output
        may be what is saved, but not a part of it.
        """

    @abstractmethod
    def compute_backward(self, dout: Any, saved: Any) -> Any:
        """Return d loss / d input, a tuple for several; `dout` itself and views will do."""

    # Python would name the class in which a pass is written, and not the layer.
    def forward(self, x: npt.ArrayLike = MISSING, /, *more: npt.ArrayLike) -> Array:
        if more or x is MISSING:
            raise self._miscounted(x, *more)
        return self._kept(*self.compute_forward(as_floats(x)))

    def predict(self, x: npt.ArrayLike = MISSING, /, *more: npt.ArrayLike) -> Array:
        if more or x is MISSING:
            raise self._miscounted(x, *more)
        return _own(self.compute_forward(as_floats(x))[0])

    def backward(self, dout: npt.ArrayLike) -> Any:
        dout, saved = self._received(dout)
        gradients = self.compute_backward(dout, saved)
        if isinstance(gradients, tuple):
            return tuple([_own(gradient, dout) for gradient in gradients])
        return _own(gradients, dout)

    def _miscounted(self, *inputs: npt.ArrayLike) -> TypeError:
        count = sum(x is not MISSING for x in inputs)
        return TypeError(f"{self!r} expected 1 input, got {count}")

    def _kept(self, result: Any, saved: Any) -> Array:
        """Keep what the way back needs; return the result."""
        y = _own(result, saved)
        self._cache = y.shape, y.dtype, saved
        return y


class SeveralInputs(Operation):
    """Base of the operations on several inputs, which :meth:`as_inputs` checks."""

    @abstractmethod
    def as_inputs(self, inputs: tuple[npt.ArrayLike, ...]) -> list[Any]:
        """Return the inputs as float arrays, or numbers."""

    def forward(self, *inputs: npt.ArrayLike) -> Array:
        return self._kept(*self.compute_forward(*self.as_inputs(inputs)))

    def predict(self, *inputs: npt.ArrayLike) -> Array:
        return _own(self.compute_forward(*self.as_inputs(inputs))[0])


class Elementwise(Operation):
    r"""Base of the layers :math:`y_i = f(x_i)`: a subclass states the value and the derivative.

    .. math:: \frac{\partial\ell}{\partial x} = \frac{\partial\ell}{\partial y} \odot f'(x)

    Examples
    --------
    >>> class Cube(Elementwise):
    ...     def compute_forward(self, x):
    ...         return x**3, x
    ...
    ...     def derivative(self, x):
    ...         return 3 * x**2
    >>> cube = Cube()
    >>> cube.forward([2.0])
    array([8.])
    >>> cube.backward([1.0])
    array([12.])
    """

    @abstractmethod
    def derivative(self, saved: Any) -> Any:
        """Return f'(x) from what :meth:`compute_forward` saved."""

    def compute_backward(self, dout: Any, saved: Any) -> Any:
        return dout * self.derivative(saved)


class Arithmetic(Operation):
    """Base of the operations whose results overflow, or are not defined, as NumPy's own do.

    They give infinities and NaN without a warning.
    """

    def forward(self, *inputs: npt.ArrayLike) -> Array:
        with np.errstate(all="ignore"):
            return super().forward(*inputs)

    def predict(self, *inputs: npt.ArrayLike) -> Array:
        with np.errstate(all="ignore"):
            return super().predict(*inputs)

    def backward(self, dout: npt.ArrayLike) -> Any:
        with np.errstate(all="ignore"):
            return super().backward(dout)


def is_pure(layer: Layer) -> bool:
    """Return whether a layer is a pure function, with no passes of its own.

    A subclass of a user's may have changed a pass of one of the library's.
    """
    passes = (type(layer).forward, type(layer).backward)
    own = f"{__package__}."
    return isinstance(layer, Operation) and all(p.__module__.startswith(own) for p in passes)


def _own(result: Any, other: Any = None) -> Array:
    """Return an array, a copy where it is a scalar of NumPy's, a view or another array too."""
    if type(result) is np.ndarray and result.base is None and result is not other:
        return result
    return np.array(result)
