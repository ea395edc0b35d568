"""A parameter: weights and their gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nnlayers.numerics import Array, as_floats, float_dtype, product

__all__ = ["Parameter"]


class Parameter:
    r"""Weights, and the gradient of the loss with respect to them.

    The gradient's life needs no ``zero_grad()`` from you: ``backward`` adds to :attr:`grad`, the
    optimizer's ``step`` consumes it, after which it reads zero and the next ``backward`` starts
    from there. Several backwards before one step therefore accumulate.

    Parameters
    ----------
    value : array_like of real numbers
        The weights; copied. float32 and float64 keep their dtype, float16 becomes float32 and
        anything else float64.
    name : str
        A short name.
    trainable : bool
        Whether optimizers may move it.

    Notes
    -----
    An optimizer lays the parameters that it is given side by side in one flat vector, and so their
    gradients. :attr:`value` and :attr:`grad` are then views of the two: they change as
    training goes on, so copy what you want to keep.

    Examples
    --------
    >>> W = Parameter([[1.0, 2.0]], name="W")
    >>> W.grad += 3.0
    >>> W.grad
    array([[3., 3.]])
    >>> W.zero_grad()
    >>> W.grad
    array([[0., 0.]])
    """

    relaid: ClassVar[int] = 0  # how often any parameter changed its memory or became (un)trainable

    __slots__ = ("_flat", "_grad", "_origin", "_trainable", "_unwritten", "_value", "name")

    def __init__(self, value: npt.ArrayLike, name: str = "W", trainable: bool = True) -> None:
        self._value: Array = np.array(as_floats(value, name="value"), order="C")
        self._grad: Array | None = None
        self._unwritten = True  # whether the gradient is zero, whatever its memory still holds
        self._flat: tuple[Array, Array, int] | None = None
        self._origin: Array | Callable[[np.random.Generator], Array] = self._value.copy()
        self._trainable = bool(trainable)
        self.name = name

    @classmethod
    def drawn(
        cls,
        draw: Callable[[np.random.Generator], Array],
        rng: np.random.Generator,
        dtype: npt.DTypeLike,
        name: str = "W",
    ) -> Self:
        """Return a parameter of the values that ``draw(rng)`` gives, at every `initialize` anew.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> Parameter.drawn(lambda rng: rng.normal(size=3), rng, "float32", name="b")
        Parameter('b', shape=(3,), dtype=float32)
        """
        parameter = cls(np.asarray(draw(rng)).astype(float_dtype(dtype)), name)
        parameter._origin = draw
        return parameter

    @property
    def value(self) -> Array:
        """The weights; assigning copies into them, and a shape that differs is an error."""
        return self._value

    @value.setter
    def value(self, new: npt.ArrayLike) -> None:
        if new is not self._value:
            self._value[...] = self._fitting(new, "value")

    @property
    def grad(self) -> Array:
        """The gradient d loss / d value gathered since the last step, of value's shape."""
        grad = self._memory()
        if self._unwritten:
            grad.fill(0)
            self._unwritten = False
        return grad

    @grad.setter
    def grad(self, new: npt.ArrayLike) -> None:
        if new is not self._grad:
            self._memory()[...] = self._fitting(new, "grad")
            self._unwritten = False

    @property
    def trainable(self) -> bool:
        """Whether optimizers may move it.

        A frozen parameter keeps its gradient: no step uses or clears it. Setting a frozen one free
        again discards what was gathered meanwhile, so that its first step is like any other.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        if trainable and not self._trainable:
            self.zero_grad()
        self._trainable = bool(trainable)
        Parameter.relaid += 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights."""
        return self._value.shape

    @property
    def size(self) -> int:
        """The number of weights."""
        return self._value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the weights, float32 or float64."""
        return self._value.dtype

    def add_product(self, a: Array, b: Array) -> None:
        """Do ``grad += a @ b`` without the cost of zeroing and adding.

        The first product after a step is written straight into the gradient's memory. `a` and `b`
        have one or two axes and the parameter's dtype, their product its shape.

        Examples
        --------
        >>> W = Parameter([[1.0], [2.0]])
        >>> W.add_product(np.array([[1.0], [3.0]]), np.array([[5.0]]))
        >>> W.grad
        array([[ 5.],
               [15.]])
        """
        grad = self._memory() if self._grad is None else self._grad
        if self._unwritten:
            if len(b) > 1:
                a.dot(b, grad)
            else:
                product(a, b, grad)
            self._unwritten = False
        else:
            grad += product(a, b)

    def zero_grad(self) -> None:
        """Discard the gradient: from here on it reads zero."""
        self._unwritten = True

    def settle_grad(self) -> None:
        """Put the gradient into its memory, where a step finds it; from here on it reads zero."""
        if self._unwritten:
            self._memory().fill(0)
        self._unwritten = True

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the value afresh, or restore the one first given if it was no draw."""
        self.value = self._origin(rng) if callable(self._origin) else self._origin
        self.zero_grad()

    def astype(self, dtype: npt.DTypeLike) -> None:
        """Convert value and gradient to float32 or float64."""
        self._take_memory(
            np.empty(self.size, float_dtype(dtype)), np.empty(self.size, float_dtype(dtype)), 0
        )
        self._flat = None

    @property
    def flat(self) -> tuple[Array, Array, int] | None:
        """The flat vectors of values and of gradients that it lies in, and where it starts there.

        ``None`` before an optimizer has laid it out.
        """
        return self._flat

    def move_to(self, values: Array, grads: Array, start: int) -> None:
        """Make part of two flat vectors, from `start` on, the memory of value and gradient."""
        self._take_memory(values, grads, start)
        self._flat = (values, grads, start)

    def _take_memory(self, values: Array, grads: Array, start: int) -> None:
        span = slice(start, start + self.size)
        value, grad = values[span].reshape(self.shape), grads[span].reshape(self.shape)
        value[...] = self._value
        if not self._unwritten:
            grad[...] = self._memory()
        self._value, self._grad = value, grad
        Parameter.relaid += 1

    def _memory(self) -> Array:
        if self._grad is None:
            self._grad = np.empty_like(self._value)
        return self._grad

    def _fitting(self, new: npt.ArrayLike, what: str) -> Array:
        array = as_floats(new, name=what)
        if array.shape != self.shape:
            raise ValueError(
                f"parameter {self.name!r} expected a {what} of shape {self.shape}, "
                f"got {array.shape}"
            )
        return array

    def __getstate__(self) -> dict[str, Any]:
        return {
            "value": self._value.copy(),
            "grad": None if self._unwritten else self.grad.copy(),
            "origin": self._origin,
            "trainable": self._trainable,
            "name": self.name,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        # An array that was pickled has a dtype equal to NumPy's own; the view has that itself.
        self._value = state["value"].view(float_dtype(state["value"].dtype))
        self._grad = state["grad"]
        self._unwritten = self._grad is None
        self._flat = None
        self._origin = state["origin"]
        self._trainable = state["trainable"]
        self.name = state["name"]
        Parameter.relaid += 1

    def __repr__(self) -> str:
        frozen = "" if self._trainable else ", trainable=False"
        return f"Parameter({self.name!r}, shape={self.shape}, dtype={self.dtype}{frozen})"
