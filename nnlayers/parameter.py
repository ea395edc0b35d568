"""A parameter: weights and their gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats, float_dtype, product
from nnlayers._core.checks import Absent, check_boolean
from nnlayers._core.state import Change, commit

__all__ = ["Parameter", "Placement"]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The memory of a parameter, and whether optimizers move it.

    A parameter whose memory or freedom changes gets another placement. So an optimizer that
    compares identities notices any change, and an interrupt cannot leave half of one.

    Attributes
    ----------
    value : ndarray
        The weights.
    grad : ndarray or None
        The memory of the gradient; None before it is first used.
    trainable : bool
        Whether optimizers move the parameter.
    flat : tuple of (ndarray, ndarray, int), optional
        The flat vectors of values and of gradients of which both are views, and where they start
        there; None before an optimizer has laid them out.
    """

    value: Array
    grad: Array | None = None
    trainable: bool = True
    flat: tuple[Array, Array, int] | None = None


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

    Attributes
    ----------
    placement : Placement
        Its memory, and whether optimizers move it; another object after any change of these.

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

    __slots__ = ("_origin", "_unwritten", "name", "placement")

    # A slot and no property, for optimizers compare all of them at each step.
    placement: Placement

    requires_grad = Absent("assign to .trainable, or call freeze() or unfreeze() of the layer")

    def __init__(self, value: npt.ArrayLike, name: str = "W", trainable: bool = True) -> None:
        array: Array = np.array(as_floats(value, name="value"), order="C")
        self._start(array, array.copy(), name, trainable)

    def _start(
        self,
        value: Array,
        origin: Array | Callable[[np.random.Generator], Array],
        name: str,
        trainable: bool,
    ) -> None:
        self.placement = Placement(value, trainable=check_boolean("trainable", trainable))
        self._unwritten = True  # whether the gradient is zero, whatever its memory still holds
        self._origin = origin
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
        parameter = cls.__new__(cls)  # which copies no array of draws, as large as it may be
        parameter._start(np.array(draw(rng), float_dtype(dtype), order="C"), draw, name, True)
        return parameter

    @property
    def value(self) -> Array:
        """The weights; assigning copies into them, and a shape that differs is an error."""
        return self.placement.value

    @value.setter
    def value(self, new: npt.ArrayLike) -> None:
        if new is not self.placement.value:
            self.placement.value[...] = self._fitting(new, "value")

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
        if new is not self.placement.grad:
            self._memory()[...] = self._fitting(new, "grad")
            self._unwritten = False

    @property
    def trainable(self) -> bool:
        """Whether optimizers may move it.

        A frozen parameter keeps its gradient: no step uses or clears it. Setting a frozen one free
        again discards what was gathered meanwhile, so that its first step is like any other.
        """
        return self.placement.trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        commit(self.prepare_trainable(trainable))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights."""
        return self.placement.value.shape

    @property
    def size(self) -> int:
        """The number of weights."""
        return self.placement.value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the weights, float32 or float64."""
        return self.placement.value.dtype

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
        grad = self.placement.grad
        if grad is None:
            grad = self._memory()
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

    @staticmethod
    def consume_grads(parameters: Iterable[Parameter]) -> None:
        """Put all gradients into their memory, where a step finds them; they now read zero."""
        for parameter in parameters:
            if parameter._unwritten:
                parameter._memory().fill(0)
            parameter._unwritten = True

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the value afresh, or restore the one first given if it was no draw."""
        self.value = self._origin(rng) if callable(self._origin) else self._origin
        self.zero_grad()

    def astype(self, dtype: npt.DTypeLike) -> None:
        """Convert value and gradient to float32 or float64."""
        commit(self.prepare_astype(dtype))

    def prepare_value(self, new: Array) -> Change:
        """Return the assignment of a value of its shape and dtype, for :func:`commit`."""
        return partial(np.ndarray.__setitem__, self.value, ..., new)

    def prepare_astype(self, dtype: npt.DTypeLike) -> list[Change]:
        """Return the conversion to float32 or float64, for :func:`commit`."""
        dtype = float_dtype(dtype)
        if dtype is self.dtype:
            return []
        grad = None if self._unwritten else self.grad.astype(dtype)
        placement = Placement(self.value.astype(dtype), grad, self.trainable)
        return [self.prepare_placement(placement)]

    def prepare_trainable(self, trainable: bool) -> list[Change]:
        """Return the freezing or unfreezing, for :func:`commit`."""
        trainable = check_boolean("trainable", trainable)
        if trainable is self.trainable:
            return []
        frozen: list[Change] = [
            self.prepare_placement(replace(self.placement, trainable=trainable))
        ]
        return [partial(setattr, self, "_unwritten", True), *frozen] if trainable else frozen

    def prepare_placement(self, placement: Placement) -> Change:
        """Return the move to a placement that holds its value and gradient, for :func:`commit`."""
        return partial(setattr, self, "placement", placement)

    def copy_into(self, values: Array, grads: Array, start: int) -> Placement:
        """Copy value and gradient into two flat vectors, from `start` on; return that placement."""
        span = slice(start, start + self.size)
        value, grad = values[span].reshape(self.shape), grads[span].reshape(self.shape)
        value[...] = self.value
        if not self._unwritten:
            grad[...] = self.grad
        return Placement(value, grad, self.trainable, (values, grads, start))

    def _memory(self) -> Array:
        grad = self.placement.grad
        if grad is None:
            grad = np.empty_like(self.value)
            self.placement = replace(self.placement, grad=grad)
        return grad

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
            "value": self.value.copy(),
            "grad": None if self._unwritten else self.grad.copy(),
            "origin": self._origin,
            "trainable": self.trainable,
            "name": self.name,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        # An array that was pickled has a dtype equal to NumPy's own; the view has that itself.
        value = state["value"].view(float_dtype(state["value"].dtype))
        self.placement = Placement(value, state["grad"], state["trainable"])
        self._unwritten = state["grad"] is None
        self._origin = state["origin"]
        self.name = state["name"]

    def __repr__(self) -> str:
        frozen = "" if self.trainable else ", trainable=False"
        return f"Parameter({self.name!r}, shape={self.shape}, dtype={self.dtype}{frozen})"
