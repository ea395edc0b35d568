"""Parameters: weights and the gradient of the loss with respect to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats, float_dtype
from nnlayers._core.checks import Absent, check_boolean, check_instance
from nnlayers._core.placement import ParameterMemory, Placement
from nnlayers._core.state import commit

__all__ = ["Parameter"]


class Parameter(ParameterMemory):
    r"""Weights, and the gradient of the loss with respect to them.

    You never zero a gradient: ``backward`` adds to :attr:`grad`, and the optimizer's ``step``
    consumes it, after which it reads zero. Several backward passes before one step accumulate.
    :attr:`trainable`, :attr:`lr_scale` and :attr:`decay` tell optimizers how to move it.

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
    An optimizer lays its parameters side by side in one flat vector, and their gradients in
    another. :attr:`value` and :attr:`grad` are then views of the two, which training changes: copy
    what you want to keep.

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

    __slots__ = ("_origin", "name")

    requires_grad = Absent("assign to .trainable, or call freeze() or unfreeze() of the layer")

    def __init__(self, value: npt.ArrayLike, name: str = "W", trainable: bool = True) -> None:
        array: Array = np.array(as_floats(value, name="value"), order="C")
        self._set_up(array, array.copy(), name, trainable)

    def _set_up(
        self,
        value: Array,
        origin: Array | Callable[[np.random.Generator], Array],
        name: str,
        trainable: bool,
    ) -> None:
        check_instance("name", name, str)
        self.placement = Placement(value, trainable=check_boolean("trainable", trainable))
        self._is_grad_zero = True
        self._origin = origin
        self.name = name

    @classmethod
    def from_draws(
        cls,
        draw: Callable[[np.random.Generator], Array],
        rng: np.random.Generator,
        dtype: npt.DTypeLike,
        name: str = "W",
    ) -> Self:
        """Return a parameter with the values of ``draw(rng)``, which `initialize` draws anew.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> Parameter.from_draws(lambda rng: rng.normal(size=3), rng, "float32", name="b")
        Parameter('b', shape=(3,), dtype=float32)
        """
        parameter = cls.__new__(cls)  # The constructor would copy the array twice.
        parameter._set_up(np.array(draw(rng), float_dtype(dtype), order="C"), draw, name, True)
        return parameter

    @property
    def value(self) -> Array:
        """The weights; an assigned array is copied into them, and must have their shape."""
        return self.placement.value

    @value.setter
    def value(self, new: npt.ArrayLike) -> None:
        if new is not self.placement.value:
            self.placement.value[...] = self._validated(new, "value")

    @property
    def grad(self) -> Array:
        """The gradient d loss / d value accumulated since the last step, of value's shape."""
        grad = self._grad_memory()
        if self._is_grad_zero:
            grad.fill(0)
            self._is_grad_zero = False
        return grad

    @grad.setter
    def grad(self, new: npt.ArrayLike) -> None:
        if new is None or new is not self.placement.grad:
            self._grad_memory()[...] = self._validated(new, "grad")
            self._is_grad_zero = False

    @property
    def trainable(self) -> bool:
        """Whether optimizers may move it.

        A frozen parameter keeps its gradient: no step uses or clears it. Unfreezing it discards the
        gradient accumulated meanwhile, so that its first step is like any other.
        """
        return self.placement.trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        commit(self.prepare_settings(trainable=trainable))

    @property
    def lr_scale(self) -> float:
        """The factor, 1 by default, by which optimizers multiply the learning rate for it.

        A change takes effect at the next step. At 0 the weights stay where they are, while the
        optimizer goes on counting steps and averaging gradients; a frozen parameter skips both.

        Raises
        ------
        TypeError, ValueError
            If it is set to anything but a finite number of at least 0.

        Examples
        --------
        >>> import nnlayers as nn
        >>> slow, fast = Parameter([0.0]), Parameter([0.0])
        >>> optimizer = nn.optim.SGD([slow, fast], lr=1.0)
        >>> slow.lr_scale = 0.1
        >>> slow.grad, fast.grad = [1.0], [1.0]
        >>> optimizer.step()
        >>> slow.value, fast.value
        (array([-0.1]), array([-1.]))
        """
        return self.placement.lr_scale

    @lr_scale.setter
    def lr_scale(self, lr_scale: float) -> None:
        commit(self.prepare_settings(lr_scale=lr_scale))

    @property
    def decay(self) -> bool:
        """Whether an optimizer's weight decay applies to it, as it does by default.

        Biases and the scales of normalisation layers are often left out. A change takes effect at
        the next step.

        Examples
        --------
        >>> import nnlayers as nn
        >>> layer = nn.Affine(2, 1, weight_init="ones", bias_init="ones")
        >>> layer.b.decay = False
        >>> nn.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.5).step()
        >>> layer.W.value.ravel(), layer.b.value
        (array([0.95, 0.95], dtype=float32), array([1.], dtype=float32))
        """
        return self.placement.decay

    @decay.setter
    def decay(self, decay: bool) -> None:
        commit(self.prepare_settings(decay=decay))

    def zero_grad(self) -> None:
        """Discard the gradient: from here on it reads zero."""
        self._is_grad_zero = True

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the value afresh, or restore the array that it was created from."""
        self.value = self._origin(rng) if callable(self._origin) else self._origin
        self.zero_grad()

    def astype(self, dtype: npt.DTypeLike) -> None:
        """Convert value and gradient to float32 or float64."""
        commit(self.prepare_astype(dtype))

    def _validated(self, new: npt.ArrayLike, name: str) -> Array:
        array = as_floats(new, name=name)
        if array.shape != self.shape:
            raise ValueError(
                f"parameter {self.name!r} expected a {name} of shape {self.shape}, "
                f"got {array.shape}"
            )
        return array

    def __getstate__(self) -> dict[str, Any]:
        return {
            "value": self.value.copy(),
            "grad": None if self._is_grad_zero else self.grad.copy(),
            "origin": self._origin,
            "settings": (self.trainable, self.lr_scale, self.decay),
            "name": self.name,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        # An unpickled dtype equals NumPy's but is another object, and dtypes are compared by
        # identity. The view has NumPy's.
        value = state["value"].view(float_dtype(state["value"].dtype))
        self.placement = Placement(value, state["grad"], *state["settings"])
        self._is_grad_zero = state["grad"] is None
        self._origin = state["origin"]
        self.name = state["name"]

    def __repr__(self) -> str:
        settings = "" if self.trainable else ", trainable=False"
        settings += "" if self.lr_scale == 1 else f", lr_scale={self.lr_scale:g}"
        settings += "" if self.decay else ", decay=False"
        return f"Parameter({self.name!r}, shape={self.shape}, dtype={self.dtype}{settings})"
