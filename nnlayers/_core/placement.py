"""Memory of a parameter's weights and gradient, and changes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array, float_dtype, product
from nnlayers._core.checks import check_boolean, check_number
from nnlayers._core.state import Change

__all__ = ["ParameterMemory", "Placement"]

# What optimizers are told of a parameter, and the check of each.
_SETTINGS: dict[str, Callable[[str, Any], Any]] = {
    "trainable": check_boolean,
    "lr_scale": partial(check_number, minimum=0),
    "decay": check_boolean,
}

_IS_GRAD_ZERO = attrgetter("_is_grad_zero")


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Memory of a parameter, and how optimizers move it.

    A parameter whose memory or settings change gets another placement. An optimizer notices any
    change by comparing identities, and an interrupt leaves none half done.

    Attributes
    ----------
    value : ndarray
        The weights.
    grad : ndarray or None
        The memory of the gradient; None before its first use.
    trainable : bool
        Whether optimizers move the parameter.
    lr_scale : float
        The factor of the learning rate.
    decay : bool
        Whether weight decay applies.
    flat : tuple of (ndarray, ndarray, int), optional
        The flat vectors of weights and of gradients of which both are views, and the index at which
        they start; None until an optimizer has laid them out.
    """

    value: Array
    grad: Array | None = None
    trainable: bool = True
    lr_scale: float = 1.0
    decay: bool = True
    flat: tuple[Array, Array, int] | None = None


class ParameterMemory:
    """Base of :class:`nnlayers.Parameter` that manages its memory.

    The gradient is not zeroed after a step: ``_is_grad_zero`` states that it reads zero, whatever
    its memory holds, and the first product of the next backward pass overwrites it.

    Methods named ``prepare_...`` change nothing: they return changes that
    :func:`nnlayers._core.state.commit` makes, all or none.
    """

    __slots__ = ("_is_grad_zero", "placement")

    # This is a slot and not a property, because every optimizer step reads it of all parameters.
    placement: Placement
    _is_grad_zero: bool

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
        have one or two axes and the parameter's dtype, their product has its shape.

        Examples
        --------
        >>> from nnlayers import Parameter
        >>> W = Parameter([[1.0], [2.0]])
        >>> W.add_product(np.array([[1.0], [3.0]]), np.array([[5.0]]))
        >>> W.grad
        array([[ 5.],
               [15.]])
        """
        grad = self.placement.grad
        if grad is None:
            grad = self._grad_memory()
        if self._is_grad_zero:
            if len(b) > 1:
                a.dot(b, grad)
            else:
                product(a, b, grad)
            self._is_grad_zero = False
        else:
            grad += product(a, b)

    @staticmethod
    def consume_grads(parameters: Iterable[ParameterMemory]) -> None:
        """Write gradients that read zero to memory, where a step reads it; let all read zero."""
        for parameter in parameters:
            if parameter._is_grad_zero:
                parameter._grad_memory().fill(0)
            parameter._is_grad_zero = True

    @staticmethod
    def have_pending_grads(parameters: Iterable[ParameterMemory]) -> bool:
        """Return whether a gradient has accumulated that no step has consumed."""
        # Every compiled step asks this, and `any` takes twice the time.
        for parameter in parameters:  # noqa: SIM110
            if not parameter._is_grad_zero:
                return True
        return False

    @staticmethod
    def lack_grads(parameters: Iterable[ParameterMemory]) -> bool:
        """Return whether a gradient reads zero because nothing was added to it."""
        return any(map(_IS_GRAD_ZERO, parameters))

    def prepare_value(self, new: Array) -> Change:
        """Return the assignment of weights of the same shape and dtype."""
        return partial(np.ndarray.__setitem__, self.placement.value, ..., new)

    def prepare_astype(self, dtype: Any) -> list[Change]:
        """Return the conversion of weights and gradient to float32 or float64."""
        dtype = float_dtype(dtype)
        if dtype is self.dtype:
            return []
        grad = None if self._is_grad_zero else self._grad_memory().astype(dtype)
        old = self.placement
        new = replace(old, value=old.value.astype(dtype), grad=grad, flat=None)
        return [self.prepare_placement(new)]

    def prepare_settings(self, **settings: Any) -> list[Change]:
        """Return the change of `trainable`, `lr_scale` or `decay`.

        Unfreezing discards the gradient.

        Raises
        ------
        TypeError, ValueError
            If a value is of the wrong kind or out of range.
        """
        old, new = self.placement, {}
        for name, value in settings.items():
            checked = _SETTINGS[name](name, value)
            if checked != getattr(old, name):
                new[name] = checked
        if not new:
            return []
        change = self.prepare_placement(replace(old, **new))
        unfreezes = new.get("trainable", False)
        return [partial(setattr, self, "_is_grad_zero", True), change] if unfreezes else [change]

    def prepare_placement(self, placement: Placement) -> Change:
        """Return the move to a placement that holds the same weights and gradient."""
        return partial(setattr, self, "placement", placement)

    def copy_into(self, values: Array, grads: Array, start: int) -> Placement:
        """Return a placement in two flat vectors, with weights and gradient copied there."""
        old = self.placement
        span = slice(start, start + self.size)
        value, grad = values[span].reshape(self.shape), grads[span].reshape(self.shape)
        value[...] = old.value
        if not self._is_grad_zero:
            grad[...] = old.grad
        return replace(old, value=value, grad=grad, flat=(values, grads, start))

    def _grad_memory(self) -> Array:
        grad = self.placement.grad
        if grad is None:
            grad = np.empty_like(self.placement.value)
            self.placement = replace(self.placement, grad=grad)
        return grad
