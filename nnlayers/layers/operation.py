"""Operations: layers that are a pure function and its backward pass.

:class:`Operation` turns the two into a layer; :class:`Elementwise` does the same for a function of
each entry and its derivative.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats
from nnlayers._core.formula import Formula
from nnlayers.layer import Layer

__all__ = ["Elementwise", "Operation", "is_operation"]


class Operation(Layer, guarded=False):
    r"""Base of the layers that are a pure function: a subclass states it and its backward pass.

    What the backward pass needs is returned and handed back as `saved`, and not stored in the
    layer, so that one operation can appear several times in a graph.

    Attributes
    ----------
    quiet : bool
        Whether results that overflow or are undefined, such as 1 / 0, are infinite or NaN without
        NumPy's warning.

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

    quiet: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # A predict written for one class's compute_forward does not fit that of its subclass.
        author = next(ancestor for ancestor in cls.__mro__ if "predict" in vars(ancestor))
        if author is not cls and all("compute_forward" in vars(c) for c in (author, cls)):
            setattr(cls, "predict", Operation.predict)
        super().__init_subclass__(**kwargs)

    @abstractmethod
    def compute_forward(self, *inputs: Any) -> tuple[Any, Any]:
        """Return the output, and what :meth:`compute_backward` needs.

        Inputs are float arrays, or NumPy's scalars where a graph has single numbers. The output
        may be a view. It may be the saved object itself, which is then copied, but no part of it.
        """

    @abstractmethod
    def compute_backward(self, dout: Any, saved: Any) -> Any:
        """Return d loss / d input, a tuple for several inputs; it may be `dout` or a view of it."""

    def as_inputs(self, inputs: tuple[npt.ArrayLike, ...]) -> Sequence[Any]:
        """Return the checked inputs as float arrays: one, unless a subclass takes more."""
        if len(inputs) != 1:
            raise TypeError(f"{self!r} expected 1 input, got {len(inputs)}")
        return (as_floats(inputs[0]),)

    def forward(self, *inputs: npt.ArrayLike) -> Array:
        arrays = self.as_inputs(inputs)
        result, saved = self._run_quietly(arrays) if self.quiet else self.compute_forward(*arrays)
        y = _owned(result, saved)
        self._cache = y.shape, y.dtype, saved
        return y

    def predict(self, *inputs: npt.ArrayLike) -> Array:
        arrays = self.as_inputs(inputs)
        return _owned(
            (self._run_quietly(arrays) if self.quiet else self.compute_forward(*arrays))[0]
        )

    def backward(self, dout: npt.ArrayLike) -> Any:
        dout, saved = self._backward_inputs(dout)
        if self.quiet:
            with np.errstate(all="ignore"):
                gradients = self.compute_backward(dout, saved)
        else:
            gradients = self.compute_backward(dout, saved)
        if isinstance(gradients, tuple):
            return tuple([_owned(gradient, dout) for gradient in gradients])
        return _owned(gradients, dout)

    def _run_quietly(self, inputs: Sequence[Any]) -> tuple[Any, Any]:
        """Return ``compute_forward`` of the inputs, without NumPy's warnings."""
        with np.errstate(all="ignore"):
            return self.compute_forward(*inputs)


class Elementwise(Operation, guarded=False):
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

    def formula_for(self, *shapes: tuple[int, ...]) -> Formula | None:
        return super().formula_for(*shapes) or self._entrywise_formula()

    def _entrywise_formula(self) -> Formula | None:
        """Return the formula of any function of each entry, None if a pass is overridden."""
        return _ENTRYWISE if is_operation(self) else None


_ENTRYWISE = Formula("f(x)", "derivative(x)", note="entry by entry")


def is_operation(layer: Layer) -> bool:
    """Return whether a layer is an `Operation` of which no subclass overrides a pass."""
    cls = type(layer)
    return (
        isinstance(layer, Operation)
        and cls.forward is Operation.forward
        and cls.backward is Operation.backward
    )


def _owned(result: Any, other: Any = None) -> Array:
    """Return an array that owns its memory: a copy if it is a view, a scalar or `other`."""
    if type(result) is np.ndarray and result.base is None and result is not other:
        return result
    return np.array(result)
